"""What a resize kernel lets through, and how much of a photograph it is expected to fold.

The response is measured, not read from a formula: impulses go through the kernel, and the power of its rows is averaged
over the phases that the outputs have. The expected share is that of :mod:`auditor.sampling.spectrum.expected` for a
site that reads the picture: the power of a photograph falls as ``1 / f^2.7``, frequencies below one cycle per picture
are left out, and what lies outside of the new Nyquist box folds. A kernel acts along each axis alone, so the share is a
sum over a grid of frequencies, which has no bound on the width of a kernel.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from auditor.pipeline.resizing import resize
from auditor.sampling.spectrum.expected import PICTURE
from auditor.verify.arrays import BoolArray, FloatArray

# A fourfold shrink tells the two families apart: the share of white noise that folds along an axis is 0.75 without any
# filter, 0.52 for two taps of linear interpolation, 0.22 for the mean over the area.
_PROBE = (256, 64)
_LOW_PASS = 0.4
_OUTPUTS = 32  # over whose phases the response is averaged
_LONGEST = 1024  # input samples
_BINS = 1 << 13
_PIECE = 240  # frequencies below the new Nyquist, and as many above
_LOWEST = 1e-5  # cycles per sample; what lies below along one axis is no power


@lru_cache(maxsize=256)
def low_pass(kernel: str) -> bool:
    """Whether a kernel filters before it samples when it shrinks a picture.

    >>> low_pass("cv2-area"), low_pass("cv2-linear"), low_pass("torch-bilinear-aa")
    (True, False, True)
    """
    count, small = _PROBE
    power = _power(kernel, count, small)
    return float(power[_frequencies() > small / count / 2].sum() / power.sum()) < _LOW_PASS


@lru_cache(maxsize=1024)
def expected_alias(kernel: str, factor: tuple[float, float], side: int) -> float:
    """The share of a photograph's power that is expected to fold when ``kernel`` shrinks it.

    ``factor`` is input by output pixels, (vertical, horizontal), ``side`` the shorter side of the picture in pixels.

    >>> round(expected_alias("cv2-nearest", (2.0, 2.0), 224), 3)  # every second pixel, no filter
    0.022
    >>> round(expected_alias("cv2-area", (2.0, 2.0), 224), 4)
    0.0043
    """
    factors = tuple(max(step, 1.0) for step in factor)
    lowest = 1 / max(side, math.ceil(4 * max(factors)))
    axes = [_axis(kernel, step) for step in factors]
    (fy, dy, inside_y), (fx, dx, inside_x) = axes
    radius = np.hypot(fy[:, None], fx[None, :])
    power = (dy[:, None] * dx[None, :]) * np.where(radius >= lowest, np.maximum(radius, lowest) ** -PICTURE, 0.0)
    kept = float(power[np.ix_(inside_y, inside_x)].sum())
    return min(max(1 - kept / float(power.sum()), 0.0), 1.0)


def _axis(kernel: str, step: float) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Frequencies in cycles per sample, the kernel's power times their width, and which lie below the new Nyquist."""
    nyquist = 0.5 / step
    edges = np.geomspace(_LOWEST, nyquist, _PIECE + 1)
    if nyquist < 0.5:
        edges = np.concatenate([edges, np.geomspace(nyquist, 0.5, _PIECE + 1)[1:]])
    middle = np.sqrt(edges[1:] * edges[:-1])
    outputs = max(min(_OUTPUTS, int(_LONGEST / step)), 4)
    response = np.interp(middle, _frequencies(), _power(kernel, max(round(outputs * step), outputs), outputs))
    return middle, response * np.diff(edges), middle < nyquist


def _frequencies() -> FloatArray:
    return np.arange(_BINS // 2 + 1) / _BINS


@lru_cache(maxsize=256)
def _power(kernel: str, count: int, small: int) -> FloatArray:
    """The mean power response of the rows of a resize from ``count`` to ``small`` samples, away from the borders."""
    impulses = np.eye(count, dtype=np.float32)[:, None, :]
    rows = np.asarray(resize(impulses, (small, 1), kernel), np.float64)[:, 0, :]
    border = small // 4
    power: FloatArray = (np.abs(np.fft.rfft(rows[border : small - border], _BINS, axis=1)) ** 2).mean(axis=0)
    return power
