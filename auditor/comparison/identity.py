"""Whether two model files compute the same: equal graphs with equal weights.

Names of nodes and of tensors inside a graph, doc strings, producer and metadata say nothing about what is computed, and
are left out; names of inputs and outputs, operator sets and the order of nodes count. Two encodings of equal weights
are told apart, and so are weights that cannot be read here: equal digests mean equal models, unequal ones nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from auditor.onnxfile.graph import (
    Attribute,
    Graph,
    Model,
    ModelFormat,
    Node,
    Payload,
    PayloadKind,
    Reference,
    Tensor,
    ValueInfo,
)

_BLOCK = 1 << 20


def same_model(base: Model, new: Model) -> bool:
    """Whether both compute the same. External weights are read beside each model, and nowhere else."""
    if base.file_bytes == new.file_bytes and base.source == new.source:
        return True
    if base.format is not ModelFormat.ONNX or new.format is not ModelFormat.ONNX:
        digests = [_hashed(model.source, 0, None) for model in (base, new)]
        return base.format is new.format and digests[0] is not None and digests[0] == digests[1]
    plans = [list(_PartLister().model(model)) for model in (base, new)]
    if [_shape(part) for part in plans[0]] != [_shape(part) for part in plans[1]]:
        return False
    tensors = [[part for part in plan if isinstance(part, Tensor)] for plan in plans]
    return all(_equal(base, one, new, other) for one, other in zip(*tensors, strict=True))


def shared_weights(base: Model, new: Model) -> float:
    """The share of the bytes of weights that both have, of those of the model that has more. 0 to 1.

    Weights that cannot be read count for nothing, and neither does what stands in attributes.
    """
    sizes = [_weight_sizes(model) for model in (base, new)]
    most = max(map(sum, (one.values() for one in sizes)))
    return sum(min(size, sizes[1][digest]) for digest, size in sizes[0].items()) / most if most else 0.0


def _weight_sizes(model: Model) -> Counter[bytes]:
    """Bytes of weights by their digest."""
    sizes: Counter[bytes] = Counter()
    for tensor in model.graph.initializers.values():
        payload = tensor.payload
        digest = _digest(model, payload)
        if digest is not None:
            sizes[digest] += len(payload.data) if payload.kind is PayloadKind.INLINE else payload.length
    return sizes


def _shape(part: object) -> object:
    """What must agree of a part before any weight is read."""
    return (part.dims, part.dtype, part.payload.varints) if isinstance(part, Tensor) else part


class _PartLister:
    """Lists the parts of a model in order, tensor names by the order in which they first occur."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def model(self, model: Model) -> Iterator[object]:
        yield sorted(model.opsets.items())
        yield from self._graph(model.graph, outermost=True)
        for key in sorted(model.functions):
            function = model.functions[key]
            yield key, sorted(function.opsets.items())
            yield [self._number(name) for name in (*function.inputs, *function.outputs)]
            for name, value in sorted(function.defaults.items()):
                yield name
                yield from self._attribute(value)
            yield from self._nodes(function.nodes)

    def _graph(self, graph: Graph, outermost: bool = False) -> Iterator[object]:
        for values in (graph.inputs, graph.outputs):
            yield [self._value(value, outermost) for value in values]
        for name, tensor in graph.initializers.items():
            yield self._number(name)
            yield tensor
        yield from self._nodes(graph.nodes)

    def _value(self, value: ValueInfo, named: bool) -> object:
        return (value.name if named else "", self._number(value.name), value.dtype, value.dims)

    def _nodes(self, nodes: Iterable[Node]) -> Iterator[object]:
        for node in nodes:
            yield node.op, node.domain, node.overload
            yield [self._number(name) for name in node.inputs], [self._number(name) for name in node.outputs]
            for name, value in sorted(node.attributes.items()):
                yield name
                yield from self._attribute(value)

    def _attribute(self, value: Attribute) -> Iterator[object]:
        if isinstance(value, Graph):
            yield from self._graph(value)
        elif isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Graph):
                    yield from self._graph(item)
                else:
                    yield type(item).__name__, item
        elif isinstance(value, Reference | int | float | str):
            yield type(value).__name__, value
        else:
            yield object()  # not read, so never equal

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers)) if name else -1


def _equal(base: Model, one: Tensor, new: Model, other: Tensor) -> bool:
    digests = [_digest(model, tensor.payload) for model, tensor in ((base, one), (new, other))]
    return digests[0] is not None and digests[0] == digests[1]


def _digest(model: Model, payload: Payload) -> bytes | None:
    """A hash of the bytes of a tensor; None where they cannot be read."""
    if payload.kind is PayloadKind.INLINE:
        return hashlib.sha256(payload.data).digest()
    if payload.kind is PayloadKind.IN_FILE:
        return _hashed(model.source, payload.offset, payload.length)
    if payload.kind is PayloadKind.EXTERNAL:
        file = _beside(model.source.parent, payload.location)
        return None if file is None else _hashed(file, payload.offset, payload.length or None)
    return None


def _beside(folder: Path, location: str) -> Path | None:
    """The file of external weights, where it is a regular one within the folder of the model."""
    file = folder / location
    try:
        inside = file.resolve().is_relative_to(folder.resolve())
        return file if inside and file.is_file() and not file.is_symlink() else None
    except (OSError, ValueError):
        return None


def _hashed(path: Path, offset: int, length: int | None) -> bytes | None:
    """A hash of a part of a file, to its end without a length; None where the file is shorter or cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while length is None or length > 0:
                block = file.read(_BLOCK if length is None else min(_BLOCK, length))
                if not block:
                    return digest.digest() if length is None else None
                digest.update(block)
                length = None if length is None else length - len(block)
    except (OSError, ValueError, OverflowError):
        return None
    return digest.digest()
