"""Decodes an AttributeProto into a plain value.

The declared type decides, as in onnx itself; files older than IR version 2 declare none: the populated field decides.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from auditor.onnxfile.graph import Attribute, Graph, Reference, Tensor, Unsupported
from auditor.onnxfile.tensors import Span, text
from auditor.onnxfile.wire import Buffer, Fields, WireError, signed, varints

_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS, _TENSORS, _GRAPHS = range(1, 11)
_SPARSE_TENSOR, _SPARSE_TENSORS, _TYPE_PROTO, _TYPE_PROTOS = range(11, 15)

# A declared type whose field is absent: writers that drop default values mean the default.
_DEFAULTS: dict[int, Attribute] = {_FLOAT: 0.0, _INT: 0, _STRING: "", _FLOATS: (), _INTS: (), _STRINGS: (), _GRAPHS: ()}

_UNSUPPORTED = {
    _TENSORS: "tensors",
    _SPARSE_TENSOR: "sparse tensor",
    _SPARSE_TENSORS: "sparse tensors",
    _TYPE_PROTO: "type",
    _TYPE_PROTOS: "types",
}

_NAME, _TYPE, _REFERENCE, _INTS_PACKED, _FLOATS_PACKED = 0x0A, 0xA0, 0xAA, 0x42, 0x3A


def decode_attribute(
    fields: Fields,
    buffer: Buffer,
    span: Span,
    tensor: Callable[[Sequence[Span]], Tensor],
    graph: Callable[[Sequence[Span]], Graph],
) -> tuple[str, Attribute]:
    """The name and value of the AttributeProto at ``span``; ``tensor`` and ``graph`` decode the messages inside it."""
    name = reference = ""
    declared = 0
    values: dict[int, list[Any]] = {}
    for tag, a, b in fields.of(buffer, *span):
        reader = _READERS.get(tag)
        if reader is not None:
            kind, read = reader
            values.setdefault(kind, []).append(read(buffer, a, b))
        elif tag == _NAME:
            name = text(buffer, a, b)
        elif tag == _TYPE:
            declared = a
        elif tag == _REFERENCE:
            reference = text(buffer, a, b)
        elif tag == _INTS_PACKED:
            packed = varints(buffer[a:b])
            fields.charge(len(packed))
            values.setdefault(_INTS, []).extend(map(signed, packed))
        elif tag == _FLOATS_PACKED:
            fields.charge((b - a) // 4)
            values.setdefault(_FLOATS, []).extend(_floats(buffer, a, b))
    if reference:
        return name, Reference(reference)
    kind = declared
    if not 1 <= kind <= _TYPE_PROTOS:
        if len(values) != 1:
            return name, Unsupported("undeclared type")
        kind = next(iter(values))
    return name, _value(kind, values, tensor, graph)


def _value(
    kind: int,
    values: dict[int, list[Any]],
    tensor: Callable[[Sequence[Span]], Tensor],
    graph: Callable[[Sequence[Span]], Graph],
) -> Attribute:
    if kind in _UNSUPPORTED:
        return Unsupported(_UNSUPPORTED[kind])
    found = values.get(kind)
    if found is None:
        return Unsupported("value of another type") if values or kind not in _DEFAULTS else _DEFAULTS[kind]
    if kind == _TENSOR:
        return tensor(found)
    if kind == _GRAPH:
        return graph(found)
    if kind == _GRAPHS:
        return tuple(graph([span]) for span in found)
    if kind in (_INTS, _FLOATS, _STRINGS):
        return tuple(found)
    last: Attribute = found[-1]
    return last


def _int(_buffer: Buffer, value: int, _stop: int) -> int:
    return signed(value)


def _float(buffer: Buffer, start: int, stop: int) -> float:
    value: float = struct.unpack("<f", buffer[start:stop])[0]
    return value


def _floats(buffer: Buffer, start: int, stop: int) -> tuple[float, ...]:
    if (stop - start) % 4:
        raise WireError(overrun=False)
    return struct.unpack(f"<{(stop - start) // 4}f", buffer[start:stop])


def _span(_buffer: Buffer, start: int, stop: int) -> Span:
    return start, stop


_READERS: dict[int, tuple[int, Callable[[Buffer, int, int], int | float | str | Span]]] = {
    0x15: (_FLOAT, _float),
    0x18: (_INT, _int),
    0x22: (_STRING, text),
    0x2A: (_TENSOR, _span),
    0x32: (_GRAPH, _span),
    0x3D: (_FLOATS, _float),
    0x40: (_INTS, _int),
    0x4A: (_STRINGS, text),
    0x52: (_TENSORS, _span),
    0x5A: (_GRAPHS, _span),
    0x72: (_TYPE_PROTO, _span),
    0x7A: (_TYPE_PROTOS, _span),
    0xB2: (_SPARSE_TENSOR, _span),
    0xBA: (_SPARSE_TENSORS, _span),
}
