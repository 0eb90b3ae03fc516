"""Operators that make values: constants, ranges, casts, masks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from auditor.onnxfile.graph import Tensor
from auditor.sampling.values.call import (
    DTYPES,
    MAX_ELEMENTS,
    Array,
    NotEvaluableError,
    Operator,
    ValueCall,
    axis_of,
    bounded,
    integers_of,
    require_same_dtype,
    scalar_of,
)


def _tensor_value(call: ValueCall, tensor: Tensor) -> Array:
    """The elements of a tensor attribute, read only once its declared size is known to be small."""
    bounded(tensor.dims)
    value = call.read(tensor)
    if value is None:
        raise NotEvaluableError("the tensor's elements are not at hand")
    return value


def _constant(call: ValueCall) -> Array:
    value = call.attribute("value")
    if isinstance(value, Tensor):
        return _tensor_value(call, value)
    for name, dtype in (("value_int", np.int64), ("value_float", np.float32)):
        single = call.attribute(name)
        if isinstance(single, (int, float)):
            return np.array(single, dtype)
    for name, dtype in (("value_ints", np.int64), ("value_floats", np.float32)):
        several = call.attribute(name)
        if isinstance(several, tuple):
            bounded((len(several),))
            return np.array(several, dtype)
    raise NotEvaluableError("a constant that is not numeric")


def _constant_of_shape(call: ValueCall) -> Array:
    shape = bounded(integers_of(call.array(0)))
    fill = call.attribute("value")
    if fill is None:
        return np.zeros(shape, np.float32)
    if not isinstance(fill, Tensor):
        raise NotEvaluableError("attribute value is no tensor")
    value = _tensor_value(call, fill)
    return np.full(shape, scalar_of(value), value.dtype)


def _convert(value: Array, dtype: np.dtype[Any]) -> Array:
    """``value`` cast as C does; a number that the integer type cannot hold has no defined result."""
    if value.dtype.kind == "f" and dtype.kind in "iu" and value.size:
        limits = np.iinfo(dtype)
        lowest, highest = float(value.min()), float(value.max())
        # The upper bound as a float is the power of two just outside of the type's range.
        if not (math.trunc(lowest) >= limits.min and math.trunc(highest) < float(limits.max) + (dtype.itemsize < 8)):
            raise NotEvaluableError("a number outside of the integer type")
    return value.astype(dtype)


def _cast(call: ValueCall) -> Array:
    dtype = DTYPES.get(call.integer("to"))
    if dtype is None:
        raise NotEvaluableError("a type that is not followed")
    return _convert(call.array(0), dtype)


def _cast_like(call: ValueCall) -> Array:
    return _convert(call.array(0), call.array(1).dtype)


def _identity(call: ValueCall) -> Array:
    return call.array(0)


def _dropout(call: ValueCall) -> Array:
    training = call.get(2)
    if training is not None and scalar_of(training):
        raise NotEvaluableError("dropout that is training")
    return call.array(0)


def _arange(call: ValueCall) -> Array:
    start, limit, delta = call.array(0), call.array(1), call.array(2)
    require_same_dtype(start, limit, delta)
    first, last, step = scalar_of(start), scalar_of(limit), scalar_of(delta)
    count = max(-((first - last) // step) if start.dtype.kind in "iu" else math.ceil((last - first) / step), 0)
    bounded((count,))
    return np.asarray(first + np.arange(count) * step, start.dtype)


def _eye_like(call: ValueCall) -> Array:
    value = call.array(0)
    dtype = DTYPES.get(call.integer("dtype")) if "dtype" in call.node.attributes else value.dtype
    if dtype is None or value.ndim != 2:
        raise NotEvaluableError("not a matrix of a followed type")
    offset = call.integer("k", 0)
    if abs(offset) > MAX_ELEMENTS:
        return np.zeros(value.shape, dtype)
    rows, columns = value.shape
    return np.asarray(np.eye(rows, columns, k=offset, dtype=dtype))


def _one_hot(call: ValueCall) -> Array:
    indices = _convert(call.array(0), np.dtype(np.int64))
    depth, values = int(scalar_of(call.array(1))), call.array(2)
    if values.shape != (2,) or depth < 1:
        raise NotEvaluableError("malformed one-hot")
    axis = axis_of(call.integer("axis", -1), indices.ndim + 1)
    bounded((*indices.shape, depth))
    classes = np.arange(depth).reshape([-1 if a == axis else 1 for a in range(indices.ndim + 1)])
    wanted = np.expand_dims(np.where(indices < 0, indices + depth, indices), axis)
    return np.asarray(np.where(wanted == classes, values[1], values[0]))


def shape_of(dims: Sequence[int | None], start: int = 0, end: int | None = None) -> Array | None:
    """The output of a Shape node (opset 15: ``start`` and ``end`` count from the back when negative, and are clamped).

    ``dims`` are the sizes of the node's input; the result is int64 ``(axes,)``, None when a size in it is not known.
    """
    wanted = list(dims)[start:end]
    sizes = [size for size in wanted if size is not None]
    return np.array(sizes, np.int64) if len(sizes) == len(wanted) else None


def size_of(dims: Sequence[int | None]) -> Array | None:
    """The output of a Size node: the number of elements as an int64 scalar, None when a size is not known."""
    count = 1
    for size in dims:
        if size is None:
            return None
        count *= size
    return np.array(count, np.int64) if count <= np.iinfo(np.int64).max else None


def _shape(call: ValueCall) -> Array:
    end = call.integer("end") if "end" in call.node.attributes else None
    value = shape_of(call.array(0).shape, call.integer("start", 0), end)
    if value is None:
        raise NotEvaluableError("an axis of unknown size")
    return value


def _size(call: ValueCall) -> Array:
    return np.array(call.array(0).size, np.int64)


def _positions(call: ValueCall) -> Array:
    value = call.array(0)
    if value.ndim == 0:
        raise NotEvaluableError("NonZero of a scalar: runtimes differ")
    bounded((value.ndim, int(np.count_nonzero(value))))
    return np.array(np.nonzero(value), np.int64)


OPERATORS: Mapping[str, Operator] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Identity": _identity,
    "Dropout": _dropout,
    "Range": _arange,
    "EyeLike": _eye_like,
    "OneHot": _one_hot,
    "Shape": _shape,
    "Size": _size,
    "NonZero": _positions,
}
