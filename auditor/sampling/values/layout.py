"""Operators that move elements without computing: joining, splitting, reshaping, repeating, padding."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from auditor.sampling.values.call import (
    Array,
    NotEvaluableError,
    Operator,
    ValueCall,
    along,
    axes_of,
    axis_of,
    bounded,
    broadcast,
    integer_of,
    integers_of,
    scalar_of,
)


def _concat(call: ValueCall) -> Array:
    values = call.arrays()
    axis = axis_of(call.integer("axis", 1 if call.opset < 4 else None), values[0].ndim)
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    bounded(shape)
    return np.concatenate(values, axis)


def _split(call: ValueCall) -> tuple[Array, ...]:
    value = call.array(0)
    axis = axis_of(call.integer("axis", 0), value.ndim)
    length = value.shape[axis]
    # Opset 1 could give the sizes either way.
    sizes = call.listed("split", 1, 2 if call.opset == 1 else 13)
    count = len(call.node.outputs)
    if sizes is None:
        if call.opset >= 18:
            if call.integer("num_outputs") != count:
                raise NotEvaluableError("another number of outputs")
        elif length % count:
            raise NotEvaluableError("parts that are not equal")
        part = -(-length // count)
        sizes = (*(part,) * (count - 1), length - part * (count - 1))
    if len(sizes) != count or min(sizes) < 0 or sum(sizes) != length:
        raise NotEvaluableError("parts that do not add up")
    bounds = np.cumsum((0, *sizes)).tolist()
    return tuple(value[along(axis, slice(*ends))] for ends in pairwise(bounds))


def _squeeze(call: ValueCall) -> Array:
    value = call.array(0)
    axes = call.listed("axes", 1, 13)
    # An empty list means the same as none: every axis of size 1.
    return np.squeeze(value, axes_of(axes, value.ndim) if axes else None)


def _unsqueeze(call: ValueCall) -> Array:
    value = call.array(0)
    axes = call.listed("axes", 1, 13)
    if axes is None:
        raise NotEvaluableError("no axes")
    rank = value.ndim + len(axes)
    added = set(axes_of(axes, rank))
    kept = iter(value.shape)
    return value.reshape(bounded(1 if axis in added else next(kept) for axis in range(rank)))


def _reshape(call: ValueCall) -> Array:
    value = call.array(0)
    wanted = call.listed("shape", 1, 5)
    if wanted is None or min(wanted, default=0) < -1:
        raise NotEvaluableError("no shape")
    if call.integer("allowzero", 0):
        if 0 in wanted and -1 in wanted:
            raise NotEvaluableError("a size that cannot be inferred")
        return value.reshape(wanted)
    return value.reshape([value.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)])


def _flatten(call: ValueCall) -> Array:
    value = call.array(0)
    axis = call.integer("axis", 1)
    if not -value.ndim <= axis <= value.ndim:
        raise NotEvaluableError("axis out of range")
    front = value.shape[:axis] if axis >= 0 else value.shape[: value.ndim + axis]
    rows = 1
    for size in front:
        rows *= size
    columns = 1
    for size in value.shape[len(front) :]:
        columns *= size
    return value.reshape((rows, columns))


def _transpose(call: ValueCall) -> Array:
    return np.asarray(np.transpose(call.array(0), call.integers("perm")))


def _expand(call: ValueCall) -> Array:
    value = call.array(0)
    shape = broadcast((value.shape, bounded(integers_of(call.array(1)))))
    return np.asarray(np.broadcast_to(value, shape))


def _tile(call: ValueCall) -> Array:
    value = call.array(0)
    repeats = integers_of(call.array(1))
    if call.opset < 6 or len(repeats) != value.ndim or min(repeats, default=0) < 0:
        raise NotEvaluableError("repeats that do not match")
    bounded(size * count for size, count in zip(value.shape, repeats, strict=True))
    return np.tile(value, repeats)


def _pad(call: ValueCall) -> Array:
    value = call.array(0)
    if call.text("mode", "constant") != "constant":
        raise NotEvaluableError("only constant padding is followed")
    pads = call.integers("paddings") if call.opset < 2 else call.listed("pads", 1, 11)
    if call.opset < 11:
        fill: Any = call.number("value", 0.0)
        axes: tuple[int, ...] | None = None
    else:
        given = call.get(2)
        fill = 0 if given is None else scalar_of(given)
        axes = call.listed("axes", 3, 11)
    axes = tuple(range(value.ndim)) if axes is None else axes_of(axes, value.ndim)
    if pads is None or len(pads) != 2 * len(axes):
        raise NotEvaluableError("pads that do not match")
    shape = list(value.shape)
    source, target = [slice(None)] * value.ndim, [slice(None)] * value.ndim
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        size = value.shape[axis]
        shape[axis] = size + before + after
        # Negative pads crop: what remains is the overlap of the old extent with the new one.
        first, last = max(-before, 0), min(size, size + after)
        source[axis], target[axis] = slice(first, max(first, last)), slice(first + before, max(first, last) + before)
    result = np.full(bounded(shape), fill, value.dtype)
    result[tuple(target)] = value[tuple(source)]
    return result


def _triangle(call: ValueCall) -> Array:
    value = call.array(0)
    diagonal = call.get(1)
    offset = 0 if diagonal is None else integer_of(diagonal)
    if value.ndim < 2:
        raise NotEvaluableError("not a matrix")
    limit = max(value.shape[-2:]) + 1
    offset = min(max(offset, -limit), limit)
    return np.triu(value, offset) if call.integer("upper", 1) else np.tril(value, offset)


OPERATORS: Mapping[str, Operator] = {
    "Concat": _concat,
    "Split": _split,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "Trilu": _triangle,
}
