"""Shifts by a fraction of a pixel, zooms and turns. Pictures are (H, W, C) floats; each channel is worked on alone."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.resampling.taps import Taps, along, around, keys_half
from auditor.verify.arrays import AnyArray, FloatArray


def zoom(picture: AnyArray, factor: float) -> FloatArray:
    """The picture enlarged by ``factor`` about its centre, at the same size, by cubic convolution, edges replicated."""
    rows, columns = (
        _cubic((size - 1) / 2 + (np.arange(size) - (size - 1) / 2) / factor, size) for size in picture.shape[:2]
    )
    return along(along(picture, rows, 0, np.float64), columns, 1, np.float64)


def rotated(picture: AnyArray, degrees: float) -> FloatArray:
    """The picture turned counterclockwise about its centre, at its size, by cubic convolution, edges replicated."""
    height, width = picture.shape[:2]
    angle = np.deg2rad(degrees)
    y, x = np.arange(height)[:, None] - (height - 1) / 2, np.arange(width)[None, :] - (width - 1) / 2
    rows = np.cos(angle) * y + np.sin(angle) * x + (height - 1) / 2
    columns = np.cos(angle) * x - np.sin(angle) * y + (width - 1) / 2
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    result = np.zeros(picture.shape)
    for i in range(-1, 3):
        row = np.clip(top + i, 0, height - 1)
        down = keys_half(rows - top - i)
        for j in range(-1, 3):
            weight = down * keys_half(columns - left - j)
            result += weight[..., None] * picture[row, np.clip(left + j, 0, width - 1)]
    return result


def _cubic(positions: FloatArray, size: int) -> Taps:
    """Cubic convolution (Keys 1981, a = -0.5) at real positions; taps outside fall on the edge pixel."""
    offsets = np.arange(-1, 3)
    return around(positions, 4, size, lambda fraction: keys_half(fraction[:, None] - offsets))


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
