"""Bringing the outputs for two shifts onto the same input pixels.

A tensor axis has a lattice: output index o lies at input pixel ``stride * o + offset``. Features are interpolated
linearly at every input pixel (Zhang 2019 upsamples the same way before comparing), then the part that both inputs
show is compared. Nothing is extrapolated: pixels outside the outermost centres are left out.
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

    @property
    def identity(self) -> bool:
        """The tensor has one position per input pixel."""
        return (*self.stride, *self.offset) == (1, 1, 0, 0)


def pixel_grid(size: tuple[int, int], circular: bool = False) -> Grid:
    """The grid of an output that has one value per input pixel."""
    return Grid((1.0, 1.0), (0.0, 0.0), size, circular)


@dataclass(frozen=True, slots=True)
class Upsampled:
    """``values`` (..., H', W') at the input pixels ``start`` + (0.., 0..)."""

    values: FloatArray
    start: tuple[int, int]


def upsample(tensor: AnyArray, grid: Grid) -> Upsampled:
    """The tensor (..., h, w) linearly interpolated at every input pixel between its outermost centres (circular: all).

    Raises ValueError if no input pixel lies between them, or if a circular tensor does not span the input.
    """
    values = np.asarray(tensor, dtype=np.float64)
    if grid.identity:
        return Upsampled(values, (0, 0))
    start: list[int] = []
    for axis in (0, 1):
        low, weight, first = _axis(values.shape[values.ndim - 2 + axis], axis, grid)
        high = low + 1
        if grid.circular:
            high %= values.shape[values.ndim - 2 + axis]
        else:
            high = np.minimum(high, values.shape[values.ndim - 2 + axis] - 1)
        along = values.ndim - 2 + axis
        shape = [1] * values.ndim
        shape[along] = -1
        weights = weight.reshape(shape)
        values = np.take(values, low, axis=along) * (1 - weights) + np.take(values, high, axis=along) * weights
        start.append(first)
    return Upsampled(values, (start[0], start[1]))


def _axis(count: int, axis: int, grid: Grid) -> tuple[IntArray, FloatArray, int]:
    """Lower neighbour, weight of the upper one, and the first input pixel."""
    stride, offset, size = grid.stride[axis], grid.offset[axis], grid.size[axis]
    if grid.circular:
        if not np.isclose(count * stride, size):
            raise ValueError(f"{count} positions {stride} px apart do not span a circular input of {size} px")
        position = (np.arange(size) - offset) / stride
        low = np.floor(position).astype(np.int64)
        return low % count, position - low, 0
    first = max(0, int(np.ceil(offset - 1e-9)))
    last = min(size - 1, int(np.floor(offset + (count - 1) * stride + 1e-9)))
    if last < first:
        raise ValueError("no input pixel lies between the centres of the tensor's positions")
    position = np.clip((np.arange(first, last + 1) - offset) / stride, 0, count - 1)
    low = np.minimum(np.floor(position).astype(np.int64), max(count - 2, 0))
    return low, position - low, first


def overlap(
    reference: AnyArray, moved: AnyArray, shift: tuple[int, int], circular: bool = False
) -> tuple[AnyArray, AnyArray]:
    """The parts of two (..., H, W) arrays that show the same pixels, both in the coordinates of the reference.

    The moved array shows at p what the reference shows at p + shift. Circular arrays overlap everywhere. Raises
    ValueError where nothing overlaps.
    """
    dy, dx = shift
    if circular:
        return reference, np.roll(moved, (dy, dx), axis=(-2, -1))
    height, width = reference.shape[-2:]
    if abs(dy) >= height or abs(dx) >= width:
        raise ValueError(f"nothing overlaps after a shift of {shift} px")
    left = reference[..., max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
    right = moved[..., max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    return left, right


def aligned(
    reference: AnyArray, moved: AnyArray, shift: tuple[float, float], grid: Grid, border: int = 0
) -> tuple[AnyArray, AnyArray]:
    """Two tensors (..., h, w) of inputs ``shift`` apart, upsampled, on the pixels that both show.

    ``border`` leaves out that many pixels along every side of the overlap, where the two inputs see different
    surroundings; a circular input has no border. Raises ValueError for a shift that is no whole number of pixels, or
    where nothing is left.
    """
    if any(part % 1 for part in shift):
        raise ValueError(f"a shift of {shift} px does not map pixels onto pixels")
    whole = (int(shift[0]), int(shift[1]))
    left, right = overlap(upsample(reference, grid).values, upsample(moved, grid).values, whole, grid.circular)
    if border and not grid.circular:
        if 2 * border >= min(left.shape[-2:]):
            raise ValueError(f"a border of {border} px leaves nothing of an overlap of {left.shape[-2:]}")
        left, right = (array[..., border:-border, border:-border] for array in (left, right))
    return left, right
