"""Resampling of pictures in plain numpy: resizing, zooming, and shifting by fractions of a pixel.

Pictures are (H, W, C) arrays of floats; every function works on each channel alone. Resizing is the anti-aliased
triangle filter that Pillow and torchvision use as "bilinear" (its support grows with the reduction), so that pictures
from files and from arrays are treated alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray, IntArray

_KEYS = -0.5  # Keys 1981: the value for which cubic convolution reproduces quadratics


def resize(picture: AnyArray, height: int, width: int) -> FloatArray:
    """The picture at (height, width), by an anti-aliased triangle filter along each axis, renormalised at the edges."""
    return resize_part(picture, (height, width), (0, 0), (height, width))


def resize_part(picture: AnyArray, size: tuple[int, int], corner: tuple[int, int], part: tuple[int, int]) -> FloatArray:
    """The rectangle of ``part`` (H, W) at ``corner`` (y, x) of the picture at ``size`` (H, W), bit for bit.

    Costs what the rectangle needs: a picture of one row and a million columns is not enlarged before it is cropped.
    """
    rows, columns = (_triangle(picture.shape[axis], size[axis], corner[axis], part[axis]) for axis in (0, 1))
    first, last = int(columns.source.min()), int(columns.source.max())
    return _separable(picture[:, first : last + 1], rows, _Taps(columns.source - first, columns.weight))


def zoom(picture: AnyArray, factor: float) -> FloatArray:
    """The picture enlarged by ``factor`` about its centre, at the same size, by cubic convolution, edges replicated."""
    taps = []
    for size in picture.shape[:2]:
        centre = (size - 1) / 2
        taps.append(_cubic(centre + (np.arange(size) - centre) / factor, size))
    return _separable(picture, taps[0], taps[1])


def fourier_shift(picture: AnyArray, dy: float, dx: float) -> FloatArray:
    """The band-limited periodic picture sampled at p + (dy, dx): an ideal circular shift, exact for any fraction.

    For an even size the Nyquist component is multiplied by cos(pi * shift), the real part of its phase: half of it is
    taken as the positive and half as the negative frequency (Michaeli et al., "Alias-Free Convnets", CVPR 2023).
    """
    spectrum = np.fft.fft2(np.asarray(picture, dtype=np.float64), axes=(0, 1))
    phase_y, phase_x = _phase(picture.shape[0], dy), _phase(picture.shape[1], dx)
    shifted: FloatArray = np.fft.ifft2(spectrum * phase_y[:, None, None] * phase_x[None, :, None], axes=(0, 1)).real
    return shifted


def _phase(size: int, shift: float) -> AnyArray:
    frequency = np.fft.fftfreq(size)
    phase: AnyArray = np.exp(2j * np.pi * frequency * shift)
    if size % 2 == 0:
        phase[size // 2] = np.cos(np.pi * shift)
    return phase


class _Taps(NamedTuple):
    """A resampling of one axis: output i is the sum over t of weight[t, i] * input[source[t, i]]."""

    source: IntArray
    weight: FloatArray


def _separable(picture: AnyArray, rows: _Taps, columns: _Taps) -> FloatArray:
    # Few taps reach an output, so summing shifted copies beats a product with a dense matrix about tenfold.
    down = np.zeros((rows.source.shape[1], *picture.shape[1:]))
    for index, weight in zip(rows.source, rows.weight, strict=True):
        down += weight[:, None, None] * picture[index]
    across = np.zeros((down.shape[0], columns.source.shape[1], picture.shape[2]))
    for index, weight in zip(columns.source, columns.weight, strict=True):
        across += weight[None, :, None] * down[:, index]
    return across


@lru_cache(maxsize=64)
def _triangle(source: int, target: int, start: int, count: int) -> _Taps:
    """``count`` outputs from ``start`` on of a resampling from ``source`` to ``target`` pixels.

    Pixel centres at i + 1/2; the support is one source pixel or one target pixel, whichever is larger.
    """
    scale = source / target
    reach = max(scale, 1.0)
    centre = (np.arange(start, start + count) + 0.5) * scale
    first = np.floor(centre - reach).astype(np.int64)
    index = first + np.arange(int(np.ceil(2 * reach)) + 1)[:, None]
    weight = np.maximum(0.0, 1.0 - np.abs(index + 0.5 - centre) / reach)
    weight[(index < 0) | (index >= source)] = 0.0
    return _Taps(np.clip(index, 0, source - 1), weight / weight.sum(axis=0))


def _cubic(positions: AnyArray, size: int) -> _Taps:
    """Cubic convolution at real positions; taps outside fall on the edge pixel."""
    index = np.floor(positions).astype(np.int64) + np.arange(-1, 3)[:, None]
    distance = np.abs(positions - index)
    near = (_KEYS + 2) * distance**3 - (_KEYS + 3) * distance**2 + 1
    far = _KEYS * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    weight = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    return _Taps(np.clip(index, 0, size - 1), weight)
