"""How much a map ripples over a flat picture: the checkerboard of uneven upsampling, as it comes out of the network.

Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016: a transposed convolution whose
kernel is no multiple of its stride, and a rearrangement of channels, treat the positions of their output unevenly. How
much of that is left at the output cannot be told from the weights, since layers behind it learn to even it out. On a
flat picture all that depends on the position, away from the border, is what the network adds: where it repeats with the
period of the coarsest grid, it is this ripple.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from msgspec import Struct

from auditor.codec import FloatOrNan
from auditor.verify.arrays import AnyArray, FloatArray

_LEAST_PERIODS = 3
_LONGEST = 64


class Ripple(Struct, frozen=True):
    """The ripple of a map.

    ``period`` (y, x) is that of the coarsest grid, in samples of the map. ``share`` is from the highest to the lowest
    of the pattern, on the flat picture and in the channel where it is largest, as a share of the range of the map over
    ``images`` pictures.
    """

    period: tuple[int, int]
    share: FloatOrNan
    images: int


def map_period(pitch: int | None, stride: tuple[float, float]) -> tuple[int, int] | None:
    """After how many samples of a map the coarsest grid repeats; None where it is at no coarser one, or not known.

    Args:
        pitch: of the coarsest grid, in pixels of the input.
        stride: (y, x) of the map, in the same.

    >>> map_period(1, (1 / 3, 1 / 3)), map_period(16, (1.0, 1.0)), map_period(8, (8.0, 8.0))
    ((3, 3), (16, 16), None)
    """
    if pitch is None:
        return None
    periods = [pitch / Fraction(step).limit_denominator(_LONGEST) for step in stride]
    if any(period.denominator != 1 or period > _LONGEST for period in periods) or max(periods) == 1:
        return None
    return int(periods[0]), int(periods[1])


def pattern(maps: AnyArray, period: tuple[int, int]) -> FloatArray | None:
    """What repeats in maps (..., h, w) with the period, (..., py, px), about its mean.

    Only the middle half of each side counts, since a border reaches far into a map; what changes slowly is taken away
    by an average over one period. None where less than three periods are left.
    """
    values = np.asarray(maps, np.float64)
    for axis, length in ((-2, period[0]), (-1, period[1])):
        side = values.shape[axis]
        middle = max(side // 2, _LEAST_PERIODS * length)
        if middle > side:
            return None
        start = (side - middle) // 2
        values = np.take(values, range(start, start + middle), axis)
    for axis, length in ((-2, period[0]), (-1, period[1])):
        values = _folded(values, axis, length)
    found: FloatArray = values - values.mean(axis=(-2, -1), keepdims=True)
    return found


def _folded(values: FloatArray, axis: int, length: int) -> FloatArray:
    """The mean of each phase of an axis, without a straight slope."""
    moved = np.moveaxis(values, axis, -1)
    whole = moved.shape[-1] // length * length
    phases = moved[..., :whole].reshape(*moved.shape[:-1], -1, length)
    steps = phases.mean(axis=-1)
    slope = (steps[..., -1] - steps[..., 0]) / ((steps.shape[-1] - 1) * length)
    level = slope[..., None] * (np.arange(length) - (length - 1) / 2)
    mean: FloatArray = phases.mean(axis=-2) - level
    return np.moveaxis(mean, -1, axis)


def ripple(flat: AnyArray, pictures: AnyArray, period: tuple[int, int]) -> Ripple | None:
    """The ripple of the maps (n, C, h, w) of flat pictures, beside those (m, C, h, w) of m pictures.

    None where the maps are too small to tell, and where pictures make no difference.
    """
    found = pattern(flat, period)
    extent = float(np.ptp(pictures)) if pictures.size else 0.0
    if found is None or not extent or not np.isfinite(found).all():
        return None
    return Ripple(period, float(np.ptp(found, axis=(-2, -1)).max()) / extent, len(pictures))
