"""Decodes a ModelProto into :mod:`auditor.onnxfile.graph` values, straight from the wire format.

Doing this without generated protobuf classes keeps three promises that they cannot: large payloads are never touched,
millions of empty messages stop at a limit instead of costing 75 times their size, and names that are not UTF-8 are
read. As protobuf says, a singular message that occurs twice (two files concatenated) is merged, and of a scalar the
last value wins.

Field numbers: onnx.proto, IR version 14; unknown fields are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from auditor.onnxfile.attributes import decode_attribute
from auditor.onnxfile.errors import FileProblem, ModelFileError
from auditor.onnxfile.graph import Attribute, Function, Graph, Model, Node, Payload, PayloadKind, Tensor, ValueInfo
from auditor.onnxfile.limits import Limits
from auditor.onnxfile.tensors import Span, decode_tensor, entry, text
from auditor.onnxfile.wire import Buffer, Fields, FileBytes, WireError, signed

# Messages up to this size are copied out of the file and decoded in memory, which is faster. A node may be longer,
# since it is mostly names; a tensor is mostly payload.
_COPY_NODE = 64 << 10
_COPY_SMALL = 4 << 10
_CACHED_ATTRIBUTE = 128
_MAX_RANK = 64

_MODEL_TAGS = frozenset({0x08, 0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72, 0xA2, 0xCA, 0xD2})


class TopLevelError(Exception):
    """The file as a whole is not a model: ``known`` counts the ModelProto fields seen before the end or the fault."""

    def __init__(self, known: int, fault: WireError | None) -> None:
        super().__init__(known, fault)
        self.known = known
        self.fault = fault


class ModelDecoder:
    """Decodes one file. ``model`` raises ModelFileError over a limit, TopLevelError, WireError or BudgetError."""

    def __init__(self, file: FileBytes, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._fields = Fields(limits.max_fields)
        self._nodes_left = limits.max_nodes
        self._values_left = limits.max_values
        self._attributes: dict[bytes, tuple[str, Attribute]] = {}

    def model(self, source: Path) -> Model:
        """The model; ``source`` is only carried along."""
        ir_version = 0
        producer = version = ""
        graphs: list[Span] = []
        functions: list[Span] = []
        opsets: dict[str, int] = {}
        metadata: dict[str, str] = {}
        known = 0
        try:
            for tag, a, b in self._fields.of(self._file, 0, self._file.size):
                known += tag in _MODEL_TAGS
                if tag == 0x08:
                    ir_version = signed(a)
                elif tag == 0x12:
                    producer = text(self._file, a, b)
                elif tag == 0x1A:
                    version = text(self._file, a, b)
                elif tag == 0x3A:
                    graphs.append((a, b))
                elif tag == 0x42:
                    self._opset(self._file, a, b, opsets)
                elif tag == 0x72:
                    self._entry(self._file, a, b, metadata)
                elif tag == 0xCA:
                    functions.append((a, b))
        except WireError as fault:
            raise TopLevelError(known, fault) from fault
        if not graphs:
            raise TopLevelError(known, None)
        graph = self._graph(self._file, 0, graphs, 0)
        return Model(
            source=source,
            file_bytes=self._file.size,
            ir_version=ir_version,
            opsets=opsets,
            producer=f"{producer} {version}".strip(),
            graph=graph,
            functions={
                (function.domain, function.name, function.overload): function
                for function in map(self._function, functions)
            },
            metadata=metadata,
        )

    def _count_value(self) -> None:
        self._values_left -= 1
        if self._values_left < 0:
            raise ModelFileError(
                FileProblem.TOO_COMPLEX,
                f"holds more than {self._limits.max_values} attributes, tensors and typed values; "
                "raise the limit if you trust the file",
            )

    def _entry(self, buffer: Buffer, start: int, stop: int, into: dict[str, str]) -> None:
        self._count_value()
        key, value = entry(self._fields, buffer, start, stop)
        into[key] = value

    def _opset(self, buffer: Buffer, start: int, stop: int, into: dict[str, int]) -> None:
        self._count_value()
        domain, version = "", 0
        for tag, a, b in self._fields.of(buffer, start, stop):
            if tag == 0x0A:
                domain = _domain(text(buffer, a, b))
            elif tag == 0x10:
                version = signed(a)
        into[domain] = version

    def _graph(self, buffer: Buffer, base: int, spans: Sequence[Span], depth: int) -> Graph:
        if depth > self._limits.max_depth:
            raise ModelFileError(
                FileProblem.TOO_DEEP,
                f"nests sub-graphs deeper than {self._limits.max_depth} levels; no exporter writes such a model",
            )
        name = ""
        nodes: list[Node] = []
        inputs: list[ValueInfo] = []
        outputs: list[ValueInfo] = []
        initializers: dict[str, Tensor] = {}
        for start, stop in spans:
            for tag, a, b in self._fields.of(buffer, start, stop):
                if tag == 0x0A:
                    nodes.append(self._node(buffer, base, a, b, len(nodes), depth))
                elif tag == 0x2A:
                    tensor = self._tensor(buffer, base, [(a, b)])
                    initializers[tensor.name] = tensor
                elif tag == 0x5A:
                    inputs.append(self._value_info(buffer, a, b))
                elif tag == 0x62:
                    outputs.append(self._value_info(buffer, a, b))
                elif tag == 0x7A:
                    tensor = self._sparse_tensor(buffer, base, a, b)
                    initializers[tensor.name] = tensor
                elif tag == 0x12:
                    name = text(buffer, a, b)
        return Graph(name, tuple(nodes), tuple(inputs), tuple(outputs), initializers)

    def _node(self, buffer: Buffer, base: int, start: int, stop: int, index: int, depth: int) -> Node:
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise ModelFileError(
                FileProblem.TOO_MANY_NODES,
                f"holds more than {self._limits.max_nodes} nodes; raise the limit if you trust the file",
            )
        if isinstance(buffer, FileBytes) and stop - start <= _COPY_NODE:
            buffer, base, start, stop = buffer[start:stop], start, 0, stop - start
        name = op = domain = overload = ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: dict[str, Attribute] = {}
        metadata: dict[str, str] = {}
        for tag, a, b in self._fields.of(buffer, start, stop):
            if tag == 0x2A:
                key, value = self._attribute(buffer, base, a, b, depth)
                attributes[key] = value
            elif tag == 0x0A:
                inputs.append(text(buffer, a, b))
            elif tag == 0x12:
                outputs.append(text(buffer, a, b))
            elif tag == 0x1A:
                name = text(buffer, a, b)
            elif tag == 0x22:
                op = text(buffer, a, b)
            elif tag == 0x3A:
                domain = _domain(text(buffer, a, b))
            elif tag == 0x42:
                overload = text(buffer, a, b)
            elif tag == 0x4A:
                self._entry(buffer, a, b, metadata)
        return Node(name, op, domain, tuple(inputs), tuple(outputs), attributes, index, overload, metadata)

    def _attribute(self, buffer: Buffer, base: int, start: int, stop: int, depth: int) -> tuple[str, Attribute]:
        """Equal short attributes (strides, pads, axes) are decoded once: most attributes of a network repeat."""
        self._count_value()
        key = buffer[start:stop] if stop - start <= _CACHED_ATTRIBUTE else b""
        cached = self._attributes.get(key)
        if cached is not None:
            return cached
        name, value = decode_attribute(
            self._fields,
            buffer,
            (start, stop),
            tensor=lambda spans: self._tensor(buffer, base, spans),
            graph=lambda spans: self._graph(buffer, base, spans, depth + 1),
        )
        if key and not _holds_messages(value):
            self._attributes[key] = name, value
        return name, value

    def _tensor(self, buffer: Buffer, base: int, spans: Sequence[Span]) -> Tensor:
        self._count_value()
        if isinstance(buffer, FileBytes) and len(spans) == 1:
            start, stop = spans[0]
            if stop - start <= _COPY_SMALL:
                return decode_tensor(self._fields, buffer[start:stop], start, [(0, stop - start)])
        return decode_tensor(self._fields, buffer, base, spans)

    def _sparse_tensor(self, buffer: Buffer, base: int, start: int, stop: int) -> Tensor:
        """A sparse initializer: the dense shape and the type; its values have no use here."""
        values: list[Span] = []
        dims: list[int] = []
        for tag, a, b in self._fields.of(buffer, start, stop):
            if tag == 0x0A:
                values.append((a, b))
            elif tag == 0x18:
                dims.append(signed(a))
        _check_rank(dims)
        tensor = self._tensor(buffer, base, values)
        return Tensor(tensor.name, tuple(dims), tensor.dtype, Payload(PayloadKind.MISSING))

    def _function(self, span: Span) -> Function:
        name = domain = overload = ""
        inputs: list[str] = []
        outputs: list[str] = []
        defaults: dict[str, Attribute] = {}
        nodes: list[Node] = []
        opsets: dict[str, int] = {}
        self._count_value()
        for tag, a, b in self._fields.of(self._file, *span):
            if tag == 0x3A:
                nodes.append(self._node(self._file, 0, a, b, len(nodes), 0))
            elif tag == 0x0A:
                name = text(self._file, a, b)
            elif tag == 0x22:
                inputs.append(text(self._file, a, b))
            elif tag == 0x2A:
                outputs.append(text(self._file, a, b))
            elif tag == 0x4A:
                self._opset(self._file, a, b, opsets)
            elif tag == 0x52:
                domain = _domain(text(self._file, a, b))
            elif tag == 0x5A:
                key, value = self._attribute(self._file, 0, a, b, 0)
                defaults[key] = value
            elif tag == 0x6A:
                overload = text(self._file, a, b)
        return Function(domain, name, overload, tuple(inputs), tuple(outputs), defaults, tuple(nodes), opsets)

    def _value_info(self, buffer: Buffer, start: int, stop: int) -> ValueInfo:
        self._count_value()
        if isinstance(buffer, FileBytes) and stop - start <= _COPY_SMALL:
            buffer, start, stop = buffer[start:stop], 0, stop - start
        name = ""
        types: list[Span] = []
        for tag, a, b in self._fields.of(buffer, start, stop):
            if tag == 0x0A:
                name = text(buffer, a, b)
            elif tag == 0x12:
                types.append((a, b))
        dtype = 0
        shapes: list[Span] = []
        for start, stop in self._nested(buffer, types, 0x0A):
            for tag, a, b in self._fields.of(buffer, start, stop):
                if tag == 0x08:
                    dtype = signed(a)
                elif tag == 0x12:
                    shapes.append((a, b))
        if not shapes:
            return ValueInfo(name, dtype, None)
        dims = tuple(self._dimension(buffer, a, b) for a, b in self._nested(buffer, shapes, 0x0A))
        _check_rank(dims)
        return ValueInfo(name, dtype, dims)

    def _nested(self, buffer: Buffer, spans: Iterable[Span], wanted: int) -> list[Span]:
        """The spans of all fields with the tag ``wanted`` in the messages at ``spans``."""
        return [(a, b) for start, stop in spans for tag, a, b in self._fields.of(buffer, start, stop) if tag == wanted]

    def _dimension(self, buffer: Buffer, start: int, stop: int) -> int | str | None:
        size: int | str | None = None
        for tag, a, b in self._fields.of(buffer, start, stop):
            if tag == 0x08:
                size = signed(a)
            elif tag == 0x12:
                size = text(buffer, a, b) or None
        return size


def _domain(written: str) -> str:
    return "" if written == "ai.onnx" else written


def _check_rank(dims: Sequence[object]) -> None:
    if len(dims) > _MAX_RANK:
        raise WireError(overrun=False)


def _holds_messages(value: Attribute) -> bool:
    return isinstance(value, (Tensor, Graph)) or (isinstance(value, tuple) and any(isinstance(v, Graph) for v in value))
