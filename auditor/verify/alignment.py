"""Bringing the outputs for two shifts onto the same input pixels.

A tensor axis has a lattice: output index o lies at input pixel ``stride * o + offset``. Both tensors are interpolated
linearly at input pixels that both inputs show (Zhang 2019 upsamples the same way before comparing). Nothing is
extrapolated: pixels outside the outermost centres are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray, IntArray


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


def pixel_grid(size: tuple[int, int], circular: bool = False) -> Grid:
    """The grid of an output that has one value per input pixel."""
    return Grid((1.0, 1.0), (0.0, 0.0), size, circular)


def aligned(
    reference: AnyArray,
    moved: AnyArray,
    shift: tuple[float, float],
    grid: Grid,
    border: int = 0,
    step: tuple[int, int] = (1, 1),
) -> tuple[FloatArray, FloatArray]:
    """Two tensors (..., h, w) of inputs ``shift`` apart at the pixels that both show: two (..., H', W').

    The moved input shows at p what the reference shows at p + shift. ``border`` leaves out that many pixels along every
    side, where the two inputs see different surroundings; a circular input has none. ``step`` compares every so many
    pixels only, which is as good for tensors of a large stride and costs less. Raises ValueError for a shift that is no
    whole number of pixels, or where nothing is left to compare.
    """
    if any(part % 1 for part in shift):
        raise ValueError(f"a shift of {shift} px does not map pixels onto pixels")
    left, right = np.asarray(reference, dtype=np.float64), np.asarray(moved, dtype=np.float64)
    for axis in (0, 1):
        along = left.ndim - 2 + axis
        move = int(shift[axis])
        pixels = common_pixels(left.shape[along], axis, move, grid, border)[:: step[axis]]
        left = _interpolate(left, along, pixels, axis, grid)
        right = _interpolate(right, along, pixels - move, axis, grid)
    return left, right


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


def _interpolate(values: FloatArray, along: int, pixels: IntArray, axis: int, grid: Grid) -> FloatArray:
    count = values.shape[along]
    position = (pixels - grid.offset[axis]) / grid.stride[axis]
    if grid.circular:
        low = np.floor(position).astype(np.int64)
        weight, low, high = position - low, low % count, (low + 1) % count
    else:
        position = np.clip(position, 0, count - 1)
        low = np.floor(position).astype(np.int64)  # a pixel on a centre has weight 0 and stays exact
        weight, high = position - low, np.minimum(low + 1, count - 1)
    below: FloatArray = np.take(values, low, axis=along)
    if not weight.any():
        return below
    shape = [1] * values.ndim
    shape[along] = -1
    above: FloatArray = np.take(values, high, axis=along)
    between: FloatArray = below + (above - below) * weight.reshape(shape)
    return between
