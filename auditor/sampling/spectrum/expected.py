"""The expected alias energy: what folds of the activations that a network has, for photographs as input.

Feature maps are not white. Their power falls with the distance from frequency 0 as ``1 / f^a`` on average, at every
depth alike: a = 1.6 on hidden maps, and a = 2.7 on the picture itself, where most of the power is the same in all
colour channels. The share that folds is the one of :mod:`auditor.sampling.spectrum.alias` under that spectrum, with the
site's own kernel, and frequencies below one cycle per map left out: a map of 8 positions has fewer low frequencies than
one of 112, and folds more. How well it fits, and where it does not, stands in docs/theory.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from auditor.sampling.spectrum.alias import Autocorrelation
from auditor.sampling.spectrum.quadrature import power_law_table

HIDDEN = 1.6
"""The exponent of the power density of a hidden map, over both axes together."""

PICTURE = 2.7
"""The exponent of a picture's."""

GREY = 0.9
"""The share of a picture's power that all colour channels have in common."""

POOLED = 0.8
"""How much of a max-pool acts as the average over its window; the rest as a plain decimation."""

_MOST_LAGS = 400  # non-negative, over both axes: more take longer than the rest of the audit


def power_law_share(field: Autocorrelation, stride: Sequence[float], side: int, slope: float) -> float | None:
    """The share of power that folds when a filtered map is sampled at every ``stride`` positions per axis.

    ``field`` is the filter as the autocorrelation that it gives white noise, on two axes; ``side`` the shorter side of
    the map in front of it, whose power density falls as ``1 / f^slope``. None where the field is too wide.
    """
    if field.lags.ndim != len(stride) or side < 1:
        return None
    spacing = tuple(_spacing(field.lags, axis) for axis in range(field.lags.ndim))
    counts = tuple(size // 2 // step + 1 for size, step in zip(field.lags.shape, spacing, strict=True))
    if math.prod(counts) > _MOST_LAGS:
        return None
    # A new Nyquist frequency below one cycle per map would leave nothing that is kept.
    lowest = 2 * math.pi / max(side, math.ceil(4 * max(stride)))
    halves = [size // 2 for size in field.lags.shape]
    lags = field.lags[tuple(slice(half % step, None, step) for half, step in zip(halves, spacing, strict=True))]
    bounds = tuple(math.pi / max(float(step), 1.0) for step in stride)
    inside = float((lags * _table(counts, spacing, bounds, lowest, slope)).sum())
    total = float((lags * _table(counts, spacing, (math.pi,) * len(bounds), lowest, slope)).sum())
    if not (0 < total < math.inf and math.isfinite(inside)):
        return None
    return min(max(1 - inside / total, 0.0), 1.0)


def _spacing(lags: NDArray[np.float64], axis: int) -> int:
    """The distance between the lags of a dilated kernel along an axis."""
    others = tuple(a for a in range(lags.ndim) if a != axis)
    used = np.flatnonzero(np.abs(lags).max(axis=others)) - lags.shape[axis] // 2
    return reduce(math.gcd, map(abs, used.tolist()), 0) or 1


@lru_cache(maxsize=128)
def _table(
    counts: tuple[int, ...], spacing: tuple[int, ...], bounds: tuple[float, ...], lowest: float, slope: float
) -> NDArray[np.float64]:
    lags = [step * np.arange(count) for count, step in zip(counts, spacing, strict=True)]
    return power_law_table(lags, bounds, lowest, slope)
