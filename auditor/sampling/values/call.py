"""What an operator of the shape interpreter is given, and the limits that it keeps.

An operator is a function from a :class:`ValueCall` to its output arrays. It refuses by raising
:class:`NotEvaluableError`, or by letting numpy raise; both only mean "this value is not known".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from auditor.onnxfile.graph import Attribute, Node, PayloadKind, Tensor

Array: TypeAlias = NDArray[Any]
Reader: TypeAlias = Callable[[Tensor], "Array | None"]

Operator: TypeAlias = Callable[["ValueCall"], "Array | tuple[Array, ...]"]

MAX_ELEMENTS = 65536
"""The most elements that any value may have. Shape arithmetic needs a few; position tables stay below this."""

_MAX_RANK = 32

DTYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
}
"""``TensorProto.DataType`` to numpy, for the element types that the interpreter follows."""


class NotEvaluableError(ValueError):
    """This node's value is not followed: too large, malformed, or a variant without a defined result."""


@dataclass(frozen=True, slots=True)
class ValueCall:
    """One node with the values of its inputs; an input that the node leaves out is None."""

    node: Node
    inputs: Sequence[Array | None]
    opset: int
    read: Reader

    def get(self, position: int) -> Array | None:
        """The input at ``position``, None where the node leaves it out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def array(self, position: int) -> Array:
        """The input at ``position``, which the operator cannot do without."""
        value = self.get(position)
        if value is None:
            raise NotEvaluableError("a required input is missing")
        return value

    def arrays(self) -> list[Array]:
        """All inputs of a variadic operator: one or more, of one element type."""
        values = [self.array(position) for position in range(len(self.inputs))]
        if not values:
            raise NotEvaluableError("no inputs")
        require_same_dtype(*values)
        return values

    def attribute(self, name: str) -> Attribute | None:
        return self.node.attributes.get(name)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            raise NotEvaluableError(f"attribute {name} must be an integer")
        return value

    def number(self, name: str, default: float) -> float:
        value = self.node.attributes.get(name, default)
        if not isinstance(value, (int, float)):
            raise NotEvaluableError(f"attribute {name} is no number")
        return value

    def text(self, name: str, default: str) -> str:
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise NotEvaluableError(f"attribute {name} is no string")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        value = self.node.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple):
            raise NotEvaluableError(f"attribute {name} is no list of integers")
        found = tuple(item for item in value if isinstance(item, int))
        if len(found) != len(value):
            raise NotEvaluableError(f"attribute {name} is no list of integers")
        return found

    def listed(self, name: str, position: int, since: int) -> tuple[int, ...] | None:
        """Integers that became an input at opset ``since`` and were the attribute ``name`` before; None if absent."""
        if self.opset < since:
            return self.integers(name)
        value = self.get(position)
        return None if value is None else integers_of(value)


def integers_of(value: Array) -> tuple[int, ...]:
    """The elements of an integer tensor of rank 0 or 1."""
    if value.dtype.kind not in "iu" or value.ndim > 1:
        raise NotEvaluableError("not a list of integers")
    return tuple(value.reshape(-1).tolist())


def scalar_of(value: Array) -> Any:
    """The one element of a tensor, as a Python number."""
    if value.size != 1:
        raise NotEvaluableError("not a scalar")
    return value.reshape(-1)[0].item()


def integer_of(value: Array) -> int:
    """The one element of an integer tensor."""
    if value.dtype.kind not in "iu":
        raise NotEvaluableError("not an integer")
    return int(scalar_of(value))


def bounded(dims: Iterable[int]) -> tuple[int, ...]:
    """``dims`` as a shape that may be allocated.

    An empty axis counts as one element: numpy happily builds a shape like (0, 2**40), and reducing that over its
    empty axis would allocate the rest.
    """
    shape = tuple(dims)
    if len(shape) > _MAX_RANK:
        raise NotEvaluableError("too many axes")
    count = 1
    for size in shape:
        if size < 0:
            raise NotEvaluableError("a negative dimension")
        count *= size or 1
    if count > MAX_ELEMENTS:
        raise NotEvaluableError("too many elements")
    return shape


def broadcast(shapes: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The shape that ``shapes`` broadcast to (multidirectional, as numpy does), within the limits."""
    listed = list(shapes)
    rank = max(map(len, listed))
    result = [1] * rank
    for shape in listed:
        for position, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if result[position] not in (1, size):
                    raise NotEvaluableError("shapes do not broadcast")
                result[position] = size
    return bounded(result)


def axis_of(axis: int, rank: int) -> int:
    """``axis`` counted from the front."""
    if not -rank <= axis < rank:
        raise NotEvaluableError("axis out of range")
    return axis % rank


def axes_of(axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """``axes`` counted from the front; naming one twice is malformed."""
    found = tuple(axis_of(axis, rank) for axis in axes)
    if len(set(found)) != len(found):
        raise NotEvaluableError("an axis is named twice")
    return found


def along(axis: int, cut: slice) -> tuple[slice, ...]:
    """The index that takes ``cut`` of one axis and everything of the others."""
    return (*(slice(None),) * axis, cut)


def require_same_dtype(*values: Array) -> None:
    """Refuse mixed element types, which ONNX forbids and numpy would silently promote."""
    if any(value.dtype != values[0].dtype for value in values):
        raise NotEvaluableError("element types differ")


def read_inline(tensor: Tensor) -> Array | None:
    """The elements of a tensor whose payload is INLINE; None for any other payload or an element type not followed."""
    dtype = DTYPES.get(tensor.dtype)
    if dtype is None or tensor.payload.kind is not PayloadKind.INLINE:
        return None
    if len(tensor.payload.data) != tensor.elements * dtype.itemsize:
        return None
    return np.frombuffer(tensor.payload.data, dtype.newbyteorder("<")).astype(dtype).reshape(tensor.dims)
