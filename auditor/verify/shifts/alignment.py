"""Bringing the outputs for two shifts onto the same input pixels.

A tensor axis has a lattice: output index o lies at input pixel ``stride * o + offset``. Both tensors are interpolated
linearly at input pixels that both inputs show (Zhang 2019 upsamples the same way before comparing). Nothing is
extrapolated: pixels outside the outermost centres are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, IntArray


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the positions of a (..., h, w) tensor lie in the input: strides and offsets (y, x) in input pixels.

    ``size`` is the input's (H, W). ``circular`` says that the tensor is one period of a periodic one.
    """

    stride: tuple[float, float]
    offset: tuple[float, float]
    size: tuple[int, int]
    circular: bool = False

    def __post_init__(self) -> None:
        if min(self.stride) <= 0:
            raise ValueError(f"a grid needs positive strides, not {self.stride}")


def aligned(
    reference: AnyArray,
    moved: AnyArray,
    shift: tuple[float, float],
    grid: Grid,
    border: int = 0,
    step: tuple[int, int] = (1, 1),
) -> tuple[AnyArray, AnyArray]:
    """Two tensors (..., h, w) of inputs ``shift`` apart at the pixels that both show: two (..., H', W').

    The moved input shows at p what the reference shows at p + shift. ``border`` leaves out that many pixels along every
    side, where the two inputs see different surroundings; a circular input has none. ``step`` compares every so many
    pixels only, which is as good for tensors of a large stride and costs less. What needs no interpolation is a view
    and must not be written into. Raises ValueError for a shift that is no whole number of pixels, or where nothing is
    left to compare.
    """
    if any(part % 1 for part in shift):
        raise ValueError(f"a shift of {shift} px does not map pixels onto pixels")
    left, right = _floating(reference), _floating(moved)
    for axis in (0, 1):
        along = left.ndim - 2 + axis
        move = int(shift[axis])
        pixels = common_pixels(left.shape[along], axis, move, grid, border)[:: step[axis]]
        left = _interpolate(left, along, pixels, axis, grid)
        right = _interpolate(right, along, pixels - move, axis, grid)
    return left, right


def coarse_step(grid: Grid) -> tuple[int, int]:
    """Pixels between comparisons that still see every cell of a grid four times along each axis."""
    return max(1, int(grid.stride[0] // 4)), max(1, int(grid.stride[1] // 4))


def common_pixels(count: int, axis: int, shift: int, grid: Grid, border: int = 0) -> IntArray:
    """The input pixels of the reference along an axis (0: y, 1: x) that both inputs show between outermost centres."""
    stride, offset, size = grid.stride[axis], grid.offset[axis], grid.size[axis]
    if grid.circular:
        if not np.isclose(count * stride, size):
            raise ValueError(f"{count} positions {stride} px apart do not span a circular input of {size} px")
        return np.arange(size, dtype=np.int64)
    first = max(0, int(np.ceil(offset - 1e-9)))
    last = min(size - 1, int(np.floor(offset + (count - 1) * stride + 1e-9)))
    low, high = max(first, first + shift) + border, min(last, last + shift) - border
    if high < low:
        raise ValueError(f"a shift of {shift} px with a border of {border} px leaves nothing to compare")
    return np.arange(low, high + 1, dtype=np.int64)


def _floating(values: AnyArray) -> AnyArray:
    """Single precision where it was single or half: a difference of equal values is zero in either."""
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float32 if array.dtype == np.float16 else np.float64)


def _interpolate(values: AnyArray, along: int, pixels: IntArray, axis: int, grid: Grid) -> AnyArray:
    count = values.shape[along]
    position = (pixels - grid.offset[axis]) / grid.stride[axis]
    if grid.circular:
        low = np.floor(position).astype(np.int64)
        weight, low, high = position - low, low % count, (low + 1) % count
    else:
        position = np.clip(position, 0, count - 1)
        low = np.floor(position).astype(np.int64)  # a pixel on a centre has weight 0 and stays exact
        weight, high = position - low, np.minimum(low + 1, count - 1)
    if not weight.any():
        return _taken(values, low, along)
    shape = [1] * values.ndim
    shape[along] = -1
    weights = weight.astype(values.dtype).reshape(shape)
    below, above = np.take(values, low, axis=along), np.take(values, high, axis=along)
    above -= below
    above *= weights
    between: AnyArray = np.add(above, below, out=above)
    return between


def _taken(values: AnyArray, indices: IntArray, along: int) -> AnyArray:
    """The positions along an axis; a view where they lie evenly, as at one value per pixel."""
    if len(indices) and indices[0] <= indices[-1]:
        step = int(indices[1] - indices[0]) if len(indices) > 1 else 1
        if step > 0 and bool(np.all(np.diff(indices) == step)):
            window = [slice(None)] * values.ndim
            window[along] = slice(int(indices[0]), int(indices[-1]) + 1, step)
            return values[tuple(window)]
    return np.take(values, indices, axis=along)
