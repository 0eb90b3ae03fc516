"""Small edits of a serialised model that need no parsing of its weights.

Protobuf merges: the bytes of a second ``ModelProto`` behind the first one add to its graph. So further graph outputs
cost a few bytes, whatever the size of the model. Field numbers: ModelProto.graph 7; GraphProto.input 11, .output 12,
.value_info 13 (onnx.proto, IR 3 and later).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from auditor.onnxfile.wire import LENGTH, Fields, field

if TYPE_CHECKING:
    from onnx import ValueInfoProto

_GRAPH = 7
_INPUT, _OUTPUT, _VALUE_INFO = 11, 12, 13
_NAME = 1
BATCH_SYMBOL = "aliasaudit_batch"
AXIS_SYMBOL = "aliasaudit_axis"


def with_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """The model with further graph outputs, by tensor name. They carry no type: onnxruntime infers it."""
    fields = b"".join(field(_OUTPUT, field(_NAME, name.encode("utf-8"))) for name in names)
    return model + field(_GRAPH, fields) if fields else model


def with_free_batch(model: bytes, inputs: Collection[str]) -> bytes:
    """The model with a symbolic first axis at the named inputs and at every output.

    Recorded intermediate shapes are dropped, because they hold the old batch. A constant Reshape can still fix the
    batch inside: the caller must try the result, and compare it with single runs.

    Raises:
        WireError: the bytes are no protobuf message.
    """

    def free(value: ValueInfoProto, output: bool) -> bool:
        dims = value.type.tensor_type.shape.dim
        if (output or value.name in inputs) and dims:
            dims[0].dim_param = BATCH_SYMBOL
        return output or value.name in inputs

    return _freed(model, free)


def with_free_axes(model: bytes, axes: Iterable[tuple[str, int]]) -> bytes:
    """The model with symbols for these axes of inputs and for every axis of every output.

    As for :func:`with_free_batch`: constants inside can still hold the old sizes.

    Raises:
        WireError: the bytes are no protobuf message.
    """
    wanted = frozenset(axes)

    def free(value: ValueInfoProto, output: bool) -> bool:
        changed = output
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if output or (value.name, axis) in wanted:
                dim.dim_param = f"{AXIS_SYMBOL}_{value.name}_{axis}"
                changed = True
        return changed

    return _freed(model, free)


def _freed(model: bytes, free: Callable[[ValueInfoProto, bool], bool]) -> bytes:
    """The model without recorded intermediate shapes, and its inputs and outputs as ``free`` changes them."""
    parts: list[bytes | memoryview] = []
    for number, whole, body in _fields(memoryview(model)):
        parts.append(field(_GRAPH, _free_graph(body, free)) if number == _GRAPH and body is not None else whole)
    return b"".join(parts)


def _free_graph(graph: memoryview, free: Callable[[ValueInfoProto, bool], bool]) -> bytes:
    from onnx import ValueInfoProto

    parts: list[bytes | memoryview] = []
    for number, whole, body in _fields(graph):
        if number == _VALUE_INFO:
            continue
        if number in (_INPUT, _OUTPUT) and body is not None:
            value = ValueInfoProto.FromString(bytes(body))
            if free(value, number == _OUTPUT):
                parts.append(field(number, value.SerializeToString()))
                continue
        parts.append(whole)
    return b"".join(parts)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview | None]]:
    """Every field of a message: its number, all its bytes, and its content where it is length-delimited."""
    at = 0
    for tag, start, end in Fields(len(data)).of(data, 0, len(data)):
        yield tag >> 3, data[at:end], data[start:end] if tag & 7 == LENGTH else None
        at = end
