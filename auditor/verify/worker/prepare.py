"""Small edits of a serialised model that need no parsing of its weights.

Protobuf merges: the bytes of a second ``ModelProto`` behind the first one add to its graph. So further graph outputs
cost a few bytes, whatever the size of the model. Field numbers: ModelProto.graph 7; GraphProto.input 11, .output 12,
.value_info 13 (onnx.proto, IR 3 and later).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ValueInfoProto

_GRAPH = 7
_INPUT, _OUTPUT, _VALUE_INFO = 11, 12, 13
_NAME = 1
BATCH_SYMBOL = "aliasaudit_batch"


class EncodingError(ValueError):
    """The file is not a serialised protobuf message."""


def with_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """The model with further graph outputs, by tensor name. They carry no type: onnxruntime infers it."""
    fields = b"".join(_field(_OUTPUT, _field(_NAME, name.encode("utf-8"))) for name in names)
    return model + _field(_GRAPH, fields) if fields else model


def with_free_batch(model: bytes, inputs: Collection[str]) -> bytes:
    """The model with a symbolic first axis at the named inputs and at every output.

    Recorded intermediate shapes are dropped, because they hold the old batch. A constant Reshape can still fix the
    batch inside: the caller must try the result, and compare it with single runs.

    Raises:
        EncodingError: the bytes are no protobuf message.
    """
    parts: list[bytes | memoryview] = []
    for number, whole, body in _fields(memoryview(model)):
        parts.append(_field(_GRAPH, _free_graph(body, inputs)) if number == _GRAPH and body is not None else whole)
    return b"".join(parts)


def _free_graph(graph: memoryview, inputs: Collection[str]) -> bytes:
    from onnx import ValueInfoProto

    parts: list[bytes | memoryview] = []
    for number, whole, body in _fields(graph):
        if number == _VALUE_INFO:
            continue
        if number in (_INPUT, _OUTPUT) and body is not None:
            value = ValueInfoProto.FromString(bytes(body))
            if number == _OUTPUT or value.name in inputs:
                _free(value)
                parts.append(_field(number, value.SerializeToString()))
                continue
        parts.append(whole)
    return b"".join(parts)


def _free(value: ValueInfoProto) -> None:
    tensor = value.type.tensor_type
    if tensor.HasField("shape") and tensor.shape.dim:
        tensor.shape.dim[0].dim_param = BATCH_SYMBOL


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview | None]]:
    """Every field of a message: its number, all its bytes, and its content where it is length-delimited."""
    position = 0
    while position < len(data):
        start = position
        tag, position = _read_varint(data, position)
        number, kind = tag >> 3, tag & 7
        body = None
        if kind == 0:
            _, position = _read_varint(data, position)
        elif kind == 1:
            position += 8
        elif kind == 2:
            length, position = _read_varint(data, position)
            body = data[position : position + length]
            position += length
        elif kind == 5:
            position += 4
        else:
            raise EncodingError("a protobuf field has an unknown wire type")
        if position > len(data):
            raise EncodingError("a protobuf field ends behind its message")
        yield number, data[start:position], body


def _read_varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise EncodingError("a protobuf varint is cut short or too long")
