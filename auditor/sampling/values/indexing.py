"""Operators that pick or replace elements: Slice, the Gather family, the Scatter family."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auditor.sampling.values.call import (
    Array,
    NotEvaluableError,
    Operator,
    ValueCall,
    axes_of,
    axis_of,
    bounded,
    require_same_dtype,
)

_TO_THE_END = (2**31 - 1, 2**63 - 1)

_REDUCTIONS: Mapping[str, np.ufunc] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _indices(call: ValueCall) -> Array:
    value = call.array(1)
    if value.dtype.kind not in "iu":
        raise NotEvaluableError("indices that are no integers")
    return value.astype(np.int64)


def _slice(call: ValueCall) -> Array:
    value = call.array(0)
    starts = call.listed("starts", 1, 10)
    ends = call.listed("ends", 2, 10)
    if starts is None or ends is None:
        raise NotEvaluableError("no bounds")
    axes = call.listed("axes", 3, 10)
    steps = (call.listed("steps", 4, 10) if call.opset >= 10 else None) or (1,) * len(starts)
    axes = axes_of(range(len(starts)) if axes is None else axes, value.ndim)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise NotEvaluableError("bounds of different lengths")
    cut = [slice(None)] * value.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # ONNX clamps bounds as a Python slice does, but for two cases of a backward slice: it starts at the first
        # element at the least, and a largest integer as its end says "all the way" in its own direction.
        backward = step < 0
        first = max(start, -value.shape[axis]) if backward else start
        cut[axis] = slice(first, None if backward and end in _TO_THE_END else end, step)
    return value[tuple(cut)]


def _gather(call: ValueCall) -> Array:
    value, indices = call.array(0), _indices(call)
    axis = axis_of(call.integer("axis", 0), value.ndim)
    bounded((*value.shape[:axis], *indices.shape, *value.shape[axis + 1 :]))
    return np.asarray(np.take(value, indices, axis))


def _along_axis(value: Array, indices: Array, axis: int) -> tuple[Array, ...]:
    """The index of every element of ``indices`` in ``value``: its own place, but ``indices`` along ``axis``."""
    if indices.ndim != value.ndim:
        raise NotEvaluableError("indices of another rank")
    place: list[Array] = list(np.indices(indices.shape, sparse=True))
    place[axis] = indices
    return tuple(place)


def _gather_elements(call: ValueCall) -> Array:
    value, indices = call.array(0), _indices(call)
    axis = axis_of(call.integer("axis", 0), value.ndim)
    return np.asarray(value[_along_axis(value, indices, axis)])


def _gather_nd(call: ValueCall) -> Array:
    value, indices = call.array(0), _indices(call)
    batch = call.integer("batch_dims", 0)
    if not 0 <= batch < min(value.ndim, indices.ndim) or value.shape[:batch] != indices.shape[:batch]:
        raise NotEvaluableError("batch axes that do not match")
    depth = indices.shape[-1]
    if not 1 <= depth <= value.ndim - batch:
        raise NotEvaluableError("index tuples of a wrong length")
    bounded((*indices.shape[:-1], *value.shape[batch + depth :]))
    grid: list[Array] = list(np.indices(indices.shape[:batch], sparse=True))
    places = [axis.reshape(axis.shape + (1,) * (indices.ndim - 1 - batch)) for axis in grid]
    places.extend(np.moveaxis(indices, -1, 0))
    return np.asarray(value[tuple(places)])


def _store(call: ValueCall, target: Array, place: tuple[Array, ...], updates: Array) -> Array:
    require_same_dtype(target, updates)
    reduction = call.text("reduction", "none")
    result: Array = target.copy()
    if reduction == "none":
        result[place] = updates
    elif reduction in _REDUCTIONS:
        _REDUCTIONS[reduction].at(result, place, updates)
    else:
        raise NotEvaluableError("an unknown reduction")
    return result


def _scatter_elements(call: ValueCall) -> Array:
    value, indices, updates = call.array(0), _indices(call), call.array(2)
    axis = axis_of(call.integer("axis", 0), value.ndim)
    if indices.shape != updates.shape:
        raise NotEvaluableError("updates of another shape")
    return _store(call, value, _along_axis(value, indices, axis), updates)


def _scatter_nd(call: ValueCall) -> Array:
    value, indices, updates = call.array(0), _indices(call), call.array(2)
    depth = indices.shape[-1]
    if not 1 <= depth <= value.ndim or updates.shape != indices.shape[:-1] + value.shape[depth:]:
        raise NotEvaluableError("updates of another shape")
    return _store(call, value, tuple(np.moveaxis(indices, -1, 0)), updates)


OPERATORS: Mapping[str, Operator] = {
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
}
