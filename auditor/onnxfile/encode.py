"""Writes :mod:`auditor.onnxfile.graph` values as a ModelProto: the inverse of :mod:`auditor.onnxfile.decode`.

Only what the values hold is written, so nothing that the decoder skips (documentation, training information, fields
that are not known here) can come along. Of tensors, INLINE elements are written as ``raw_data`` and everything else is
left out: such a tensor keeps its name, shape and element type. Field numbers: onnx.proto, IR version 14.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

from auditor.onnxfile.graph import (
    Attribute,
    Function,
    Graph,
    Model,
    Node,
    PayloadKind,
    Reference,
    Tensor,
    Unsupported,
    ValueInfo,
)
from auditor.onnxfile.wire import FIXED32, field, integer, packed

_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS, _TENSORS, _GRAPHS = range(1, 11)
_SPARSE_TENSOR, _SPARSE_TENSORS, _TYPE_PROTO, _TYPE_PROTOS = range(11, 15)

# The declared type whose value was of no use when the file was read; a tensor without a value is read as one of these.
_UNSUPPORTED = {
    "tensors": _TENSORS,
    "sparse tensor": _SPARSE_TENSOR,
    "sparse tensors": _SPARSE_TENSORS,
    "type": _TYPE_PROTO,
    "types": _TYPE_PROTOS,
}


def encode(model: Model) -> bytes:
    """The bytes of a model file; ``model.source`` and ``model.file_bytes`` are not looked at."""
    parts = [integer(1, model.ir_version)]
    if model.producer:
        parts.append(_text(2, model.producer))
    parts.append(field(7, _graph(model.graph)))
    parts += _opsets(8, model.opsets)
    parts += [field(14, _entry(key, value)) for key, value in model.metadata.items()]
    parts += [field(25, _function(function)) for function in model.functions.values()]
    return b"".join(parts)


def _graph(graph: Graph) -> bytes:
    parts = [field(1, _node(node)) for node in graph.nodes]
    parts.append(_text(2, graph.name))
    parts += [field(5, _tensor(tensor)) for tensor in graph.initializers.values()]
    parts += [field(11, _value_info(value)) for value in graph.inputs]
    parts += [field(12, _value_info(value)) for value in graph.outputs]
    return b"".join(parts)


def _node(node: Node) -> bytes:
    parts = [_text(1, name) for name in node.inputs]
    parts += [_text(2, name) for name in node.outputs]
    parts += [_text(3, node.name)] if node.name else []
    parts.append(_text(4, node.op))
    parts += [field(5, _attribute(name, value)) for name, value in node.attributes.items()]
    parts += [_text(7, node.domain)] if node.domain else []
    parts += [_text(8, node.overload)] if node.overload else []
    parts += [field(9, _entry(key, value)) for key, value in node.metadata.items()]
    return b"".join(parts)


def _attribute(name: str, value: Attribute) -> bytes:
    return _text(1, name) + b"".join(_content(value))


def _content(value: Attribute) -> Iterator[bytes]:
    """The declared type and the value of an attribute."""
    if isinstance(value, Reference):
        yield _text(21, value.name)
    elif isinstance(value, Unsupported):
        yield integer(20, _UNSUPPORTED.get(value.kind, _TENSOR))
    elif isinstance(value, int):
        yield integer(20, _INT)
        yield integer(3, value)
    elif isinstance(value, float):
        yield integer(20, _FLOAT)
        yield bytes([2 << 3 | FIXED32]) + struct.pack("<f", value)
    elif isinstance(value, str):
        yield integer(20, _STRING)
        yield _text(4, value)
    elif isinstance(value, Tensor):
        yield integer(20, _TENSOR)
        yield field(5, _tensor(value))
    elif isinstance(value, Graph):
        yield integer(20, _GRAPH)
        yield field(6, _graph(value))
    else:
        yield from _list(value)


def _list(values: tuple[object, ...]) -> Iterator[bytes]:
    graphs = [value for value in values if isinstance(value, Graph)]
    texts = [value for value in values if isinstance(value, str)]
    integers = [value for value in values if isinstance(value, int)]
    if graphs:
        yield integer(20, _GRAPHS)
        yield from (field(11, _graph(graph)) for graph in graphs)
    elif texts:
        yield integer(20, _STRINGS)
        yield from (_text(9, text) for text in texts)
    elif len(integers) == len(values):  # an empty list is read alike whatever it lists
        yield integer(20, _INTS)
        yield packed(8, integers)
    else:
        reals = [value for value in values if isinstance(value, float)]
        yield integer(20, _FLOATS)
        yield field(7, struct.pack(f"<{len(reals)}f", *reals))


def _tensor(tensor: Tensor) -> bytes:
    data = packed(1, tensor.dims) if tensor.dims else b""
    data += integer(2, tensor.dtype) + _text(8, tensor.name)
    return data + field(9, tensor.payload.data) if tensor.payload.kind is PayloadKind.INLINE else data


def _value_info(value: ValueInfo) -> bytes:
    kind = integer(1, value.dtype)
    if value.dims is not None:
        kind += field(2, b"".join(field(1, _dimension(dim)) for dim in value.dims))
    return _text(1, value.name) + field(2, field(1, kind))


def _dimension(size: int | str | None) -> bytes:
    if size is None:
        return b""
    return integer(1, size) if isinstance(size, int) else _text(2, size)


def _function(function: Function) -> bytes:
    parts = [_text(1, function.name)]
    parts += [_text(4, name) for name in function.inputs]
    parts += [_text(5, name) for name in function.outputs]
    referred = dict.fromkeys(_references(function.nodes))
    parts += [_text(6, name) for name in referred if name not in function.defaults]
    parts += [field(7, _node(node)) for node in function.nodes]
    parts += _opsets(9, function.opsets)
    parts.append(_text(10, function.domain))
    parts += [field(11, _attribute(name, value)) for name, value in function.defaults.items()]
    parts += [_text(13, function.overload)] if function.overload else []
    return b"".join(parts)


def _references(nodes: Iterable[Node]) -> Iterator[str]:
    """The attributes of a function that its body refers to, in sub-graphs too."""
    for node in nodes:
        for value in node.attributes.values():
            if isinstance(value, Reference):
                yield value.name
            for graph in value if isinstance(value, tuple) else (value,):
                if isinstance(graph, Graph):
                    yield from _references(graph.nodes)


def _opsets(number: int, opsets: Mapping[str, int]) -> list[bytes]:
    return [field(number, _text(1, domain) + integer(2, version)) for domain, version in opsets.items()]


def _entry(key: str, value: str) -> bytes:
    return _text(1, key) + _text(2, value)


def _text(number: int, value: str) -> bytes:
    return field(number, value.encode("utf-8"))
