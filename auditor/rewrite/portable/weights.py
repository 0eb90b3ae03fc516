"""The weights of a Resize along one axis, as its definition has them (ONNX Resize-19, onnxruntime's antialias).

For n inputs and m outputs the step is ``s = n / m`` (1 / scale where a scale is written), the filter is stretched by
``t = max(1, s)`` where it antialiases, and tap k of output o weighs ``f((k - c(o)) / t)`` around the centre c(o),
normalised to sum 1. Taps outside are added to the border sample, or left out before normalising (exclude_outside).
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import TYPE_CHECKING

from auditor.targets.forms.resize_facts import ResizedAxis, ResizeFacts, nearest_indices, single

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REACH = {"linear": 1, "cubic": 2}
_TINY = 1e-12


def axis_matrix(facts: ResizeFacts, axis: ResizedAxis) -> NDArray[np.float64] | None:
    """The matrix (m, n) that resizes an axis; None of coordinates whose definition needs more than the axis."""
    import numpy as np

    n, m = axis.before, axis.after
    if n is None or m is None:
        return None
    matrix = np.zeros((m, n))
    if facts.mode == "nearest":
        taken = nearest_indices(facts, axis)
        if taken is None:
            return None
        matrix[np.arange(m), list(taken)] = 1
        return matrix
    centre = _centre(facts.coordinate, n, m, step(axis))
    if centre is None:
        return None
    stretch = max(1.0, step(axis)) if facts.antialias else 1.0
    for o in range(m):
        for k, weight in taps(facts, centre(o), stretch, n):
            matrix[o, min(max(k, 0), n - 1)] += weight
    return matrix


def taps(facts: ResizeFacts, centre: float, stretch: float, size: int | None = None) -> list[tuple[int, float]]:
    """The samples that one output reads, with their weights; with a ``size`` those outside may be left out."""
    support = REACH[facts.mode] * stretch
    kernel = _linear if facts.mode == "linear" else _cubic(facts.cubic_a)
    places = range(ceil(centre - support), floor(centre + support) + 1)
    weights = [(k, kernel(abs(k - centre) / stretch)) for k in places]
    if size is not None and facts.excludes:
        weights = [(k, weight) for k, weight in weights if 0 <= k < size]
    total = sum(weight for _, weight in weights)
    return [(k, weight / total) for k, weight in weights if abs(weight) > _TINY]


def step(axis: ResizedAxis) -> float:
    """Input samples per output sample; a written scale counts as float32, as runtimes read it."""
    return 1 / single(axis.scale) if axis.scale is not None else axis.step


def _centre(mode: str, n: int, m: int, s: float) -> Callable[[int], float] | None:
    """The centre of an output in input samples."""
    if mode == "pytorch_half_pixel" and m == 1:
        return lambda _: 0.0
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return lambda o: (o + 0.5) * s - 0.5
    if mode == "asymmetric":
        return lambda o: o * s
    if mode == "align_corners":
        return lambda o: o * (n - 1) / (m - 1) if m > 1 else 0.0
    if mode == "half_pixel_symmetric":
        offset = n / 2 * (1 - m * s / n)
        return lambda o: offset + (o + 0.5) * s - 0.5
    return None


def _linear(distance: float) -> float:
    return max(0.0, 1 - distance)


def _cubic(a: float) -> Callable[[float], float]:
    def kernel(x: float) -> float:
        if x < 1:
            return ((a + 2) * x - (a + 3)) * x * x + 1
        return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0

    return kernel
