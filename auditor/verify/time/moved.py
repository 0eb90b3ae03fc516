"""A frame that has moved by a known fraction of a pixel: what the same scene would give, without new noise."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.resampling.taps import Taps, along, around
from auditor.verify.arrays import AnyArray, FloatArray

# A Kaiser window of this length and shape keeps nine tenths of the band: a shorter one would blur, and so change the
# answer for a reason that no camera has.
_TAPS = 16
_BETA = 5.0


def moved(picture: AnyArray, move: tuple[float, float]) -> AnyArray:
    """The picture (H, W, ...) whose content has moved by ``move`` (down, right) in pixels, in its own type.

    What comes in at the border repeats the edge. Whole pixels are copied; fractions are interpolated by a windowed
    sinc, and integer levels rounded.
    """
    planes = picture if picture.ndim == 3 else picture[..., None]
    values: AnyArray = planes
    for axis in (0, 1):
        if move[axis]:
            values = _along(values, axis, move[axis])
    if picture.dtype.kind in "ui" and values.dtype.kind == "f":
        bounds = np.iinfo(picture.dtype)
        values = np.clip(np.rint(values), bounds.min, bounds.max)
    return values.astype(picture.dtype, copy=False).reshape(picture.shape)


def _along(picture: AnyArray, axis: int, move: float) -> AnyArray:
    size = picture.shape[axis]
    positions = np.arange(size) - move
    if float(move).is_integer():
        return np.take(picture, np.clip(positions.astype(np.int64), 0, size - 1), axis=axis)
    taps: Taps = around(positions, _TAPS, size, _sinc)
    return along(picture, taps, axis, np.float32)


def _sinc(fraction: FloatArray) -> FloatArray:
    offsets = np.arange(_TAPS) - (_TAPS // 2 - 1)
    distance = fraction[:, None] - offsets[None, :]
    inside = np.clip(1 - (2 * distance / _TAPS) ** 2, 0, None)
    weights = np.sinc(distance) * np.i0(_BETA * np.sqrt(inside))
    normal: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return normal
