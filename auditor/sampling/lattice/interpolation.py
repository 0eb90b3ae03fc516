"""Where the output samples of a Resize fall on its input, and with which taps (Resize-19,
``coordinate_transformation_mode``).
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

HALF = Fraction(1, 2)


class Sampled(NamedTuple):
    """One resized axis: ``x(o) = step * o + start`` before any rounding, in input samples.

    ``stretch`` is how much antialiasing widens the interpolation kernel: by the scale, in every coordinate mode.
    """

    step: Fraction
    start: Fraction
    stretch: Fraction


def coordinates(mode: str, length: int, size: int, scale: Fraction, roi: tuple[float, float]) -> Sampled | None:
    """The coordinate map of one axis; ``scale`` is the given one, not ``size / length``. None for an unknown mode."""
    step = 1 / scale
    wide = max(step, Fraction(1))
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and size > 1):
        return Sampled(step, HALF * step - HALF, wide)
    if mode in ("pytorch_half_pixel", "asymmetric"):
        return Sampled(step, Fraction(0), wide)
    if mode == "half_pixel_symmetric":
        adjustment = size / (length * scale)
        return Sampled(step, HALF * step - HALF + Fraction(length, 2) * (1 - adjustment), wide)
    if mode == "align_corners":
        return (
            Sampled(Fraction(length - 1, size - 1), Fraction(0), wide) if size > 1 else Sampled(step, Fraction(0), wide)
        )
    if mode == "tf_half_pixel_for_nn":
        return Sampled(step, HALF * step, wide)
    if mode == "tf_crop_and_resize":
        start, end = Fraction(roi[0]), Fraction(roi[1])
        if size == 1:
            return Sampled(step, HALF * (start + end) * (length - 1), wide)
        return Sampled((end - start) * (length - 1) / (size - 1), start * (length - 1), wide)
    return None


def nearest_index(position: Fraction, mode: str) -> int:
    """The input sample that ``nearest_mode`` takes for a position, before clamping."""
    if mode == "floor":
        return floor(position)
    if mode == "ceil":
        return ceil(position)
    if mode == "round_prefer_ceil":
        return floor(position + HALF)
    return ceil(position - HALF)


def nearest_centre(sampled: Sampled, mode: str) -> Fraction:
    """The mean of ``i(o) - step * o`` over one period of the output phases: the centre that nearest sampling really
    has.
    """
    period = min(sampled.step.denominator, 4096)
    total = sum(
        (nearest_index(sampled.start + sampled.step * o, mode) - sampled.step * o for o in range(period)), Fraction(0)
    )
    return total / period


def taps(sampled: Sampled, kind: str, outputs: int, cubic_a: float) -> list[tuple[list[int], list[float]]]:
    """Interpolation taps of ``outputs`` consecutive samples, away from the borders: (positions, weights) each."""
    result = []
    for output in range(outputs):
        position = sampled.start + sampled.step * output
        base = floor(position)
        part = float(position - base)
        if kind == "linear":
            result.append(([base, base + 1], [1 - part, part]))
            continue
        a = cubic_a
        near, far = 1 - part, part
        weights = [
            ((a * (part + 1) - 5 * a) * (part + 1) + 8 * a) * (part + 1) - 4 * a,
            ((a + 2) * far - (a + 3)) * far * far + 1,
            ((a + 2) * near - (a + 3)) * near * near + 1,
            ((a * (near + 1) - 5 * a) * (near + 1) + 8 * a) * (near + 1) - 4 * a,
        ]
        result.append(([base - 1, base, base + 1, base + 2], weights))
    return result


def antialiased_taps(sampled: Sampled, kind: str, outputs: int, cubic_a: float) -> list[tuple[list[int], list[float]]]:
    """Taps of ``antialias=1`` (opset 18): the interpolation kernel stretched by the downscale, normalised to sum 1."""
    stretch = float(sampled.stretch)
    support = stretch * (1 if kind == "linear" else 2)
    result = []
    for output in range(outputs):
        position = float(sampled.start + sampled.step * output)
        positions = list(range(ceil(position - support), floor(position + support) + 1))
        weights = [_kernel(abs(place - position) / stretch, kind, cubic_a) for place in positions]
        total = sum(weights)
        result.append((positions, [weight / total for weight in weights]))
    return result


def _kernel(distance: float, kind: str, a: float) -> float:
    if kind == "linear":
        return max(1 - distance, 0.0)
    if distance < 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a if distance < 2 else 0.0
