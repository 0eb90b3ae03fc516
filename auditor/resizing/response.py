"""How much of a photograph a resize kernel is expected to fold.

The expected share is that of :mod:`auditor.sampling.spectrum.expected` for a
site that reads the picture: the power of a photograph falls as ``1 / f^2.7``, frequencies below one cycle per picture
are left out, and what lies outside of the new Nyquist box folds. A kernel acts along each axis alone, so the share is a
sum over a grid of frequencies, which has no bound on the width of a kernel.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from auditor.pipeline.response import frequencies, power_response
from auditor.sampling.spectrum.expected import PICTURE
from auditor.verify.arrays import BoolArray, FloatArray

_OUTPUTS = 32  # over whose phases the response is averaged
_LONGEST = 1024  # input samples
_PIECE = 240  # frequencies below the new Nyquist, and as many above
_LOWEST = 1e-5  # cycles per sample; what lies below along one axis is no power


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
    response = np.interp(middle, frequencies(), power_response(kernel, max(round(outputs * step), outputs), outputs))
    return middle, response * np.diff(edges), middle < nyquist
