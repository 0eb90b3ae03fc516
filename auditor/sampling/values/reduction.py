"""Operators along axes: reductions, running sums, extrema and their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from auditor.sampling.values.arithmetic import truncated
from auditor.sampling.values.call import (
    Array,
    NotEvaluableError,
    Operator,
    ValueCall,
    along,
    axes_of,
    axis_of,
    integer_of,
)


def _sum(value: Array, axes: tuple[int, ...], keep: bool) -> Array:
    return np.asarray(np.sum(value, axis=axes, keepdims=keep, dtype=value.dtype))


def _product(value: Array, axes: tuple[int, ...], keep: bool) -> Array:
    return np.asarray(np.prod(value, axis=axes, keepdims=keep, dtype=value.dtype))


def _largest(value: Array, axes: tuple[int, ...], keep: bool) -> Array:
    return np.asarray(np.max(value, axis=axes, keepdims=keep))


def _smallest(value: Array, axes: tuple[int, ...], keep: bool) -> Array:
    return np.asarray(np.min(value, axis=axes, keepdims=keep))


def _mean(value: Array, axes: tuple[int, ...], keep: bool) -> Array:
    count = 1
    for axis in axes:
        count *= value.shape[axis]
    if count == 0:
        raise NotEvaluableError("the mean of nothing")
    total = _sum(value, axes, keep)
    return truncated(total, count) if value.dtype.kind in "iu" else np.asarray(total / value.dtype.type(count))


def _reduce(function: Callable[[Array, tuple[int, ...], bool], Array], since: int) -> Callable[[ValueCall], Array]:
    """A reduction whose axes became an input at opset ``since``."""

    def run(call: ValueCall) -> Array:
        value = call.array(0)
        if value.dtype.kind == "b":
            raise NotEvaluableError("a reduction of booleans")
        axes = call.listed("axes", 1, since)
        if not axes:
            if call.integer("noop_with_empty_axes", 0):
                return value
            axes = tuple(range(value.ndim))
        return function(value, axes_of(axes, value.ndim), bool(call.integer("keepdims", 1)))

    return run


def _place(function: Callable[..., Any]) -> Callable[[ValueCall], Array]:
    def run(call: ValueCall) -> Array:
        value = call.array(0)
        axis = axis_of(call.integer("axis", 0), value.ndim)
        keep = bool(call.integer("keepdims", 1))
        if not call.integer("select_last_index", 0):
            return np.asarray(function(value, axis=axis, keepdims=keep), np.int64)
        from_end = function(np.flip(value, axis), axis=axis, keepdims=keep)
        return np.asarray(value.shape[axis] - 1 - from_end, np.int64)

    return run


def _running_sum(call: ValueCall) -> Array:
    value = call.array(0)
    axis = axis_of(integer_of(call.array(1)), value.ndim)
    backwards = call.integer("reverse", 0)
    source = np.flip(value, axis) if backwards else value
    total = np.cumsum(source, axis, dtype=value.dtype)
    if call.integer("exclusive", 0):
        # Shifted rather than subtracted: x + y - y is not x in floats.
        shifted = np.zeros_like(total)
        shifted[along(axis, slice(1, None))] = total[along(axis, slice(None, -1))]
        total = shifted
    return np.flip(total, axis) if backwards else total


def _top(call: ValueCall) -> tuple[Array, Array]:
    value = call.array(0)
    axis = axis_of(call.integer("axis", -1), value.ndim)
    count = call.integer("k") if call.opset < 10 else integer_of(call.array(1))
    if not 0 <= count <= value.shape[axis]:
        raise NotEvaluableError("more than there are")
    if not call.integer("sorted", 1) and count > 1:
        raise NotEvaluableError("an order that is not defined")
    if call.integer("largest", 1):
        # Sorting the reversed axis and reversing the result puts the first of equal elements first.
        reverse = value.shape[axis] - 1 - np.argsort(np.flip(value, axis), axis, kind="stable")
        order = np.flip(reverse, axis)
    else:
        order = np.argsort(value, axis, kind="stable")
    first = order[along(axis, slice(count))]
    return np.take_along_axis(value, first, axis), first.astype(np.int64)


def _compress(call: ValueCall) -> Array:
    value, condition = call.array(0), call.array(1)
    if condition.dtype.kind != "b" or condition.ndim != 1:
        raise NotEvaluableError("a condition that is no list of booleans")
    axis = call.attribute("axis")
    if axis is None:
        return value.reshape(-1)[: condition.size][condition[: value.size]]
    place = axis_of(call.integer("axis"), value.ndim)
    return np.compress(condition, value, place)


OPERATORS: Mapping[str, Operator] = {
    "ReduceSum": _reduce(_sum, 13),
    "ReduceProd": _reduce(_product, 18),
    "ReduceMax": _reduce(_largest, 18),
    "ReduceMin": _reduce(_smallest, 18),
    "ReduceMean": _reduce(_mean, 18),
    "ArgMax": _place(np.argmax),
    "ArgMin": _place(np.argmin),
    "CumSum": _running_sum,
    "TopK": _top,
    "Compress": _compress,
}
