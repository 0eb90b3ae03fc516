"""How much of an answer's way along a path of shifts repeats with the grid's period.

A network with a cumulative subsampling factor S gives exactly the same answer after S pixels only, so what sampling
does to a score, a centre or a width along a path of one-pixel steps comes again every S pixels, while what enters and
leaves the picture does not. The strength is the share of the variance, without a straight trend, that belongs to period
S and its harmonics: an analysis of variance of the T = n S values by their phase, with what chance gives a phase taken
off (the adjusted share of Kelley 1935). For two periods it is the correlation of the path with itself S pixels on.

The trend is told from the means of the periods: a line fitted to all values would take a part of a periodic series for
a trend.
"""

from __future__ import annotations

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray

LEAST_PERIODS = 2


def periodic_share(values: AnyArray, period: int) -> float:
    """The share, 0 to 1, of the variance of a path (T,) that has this period in steps.

    NaN for less than two whole periods, for a period of one, for gaps (NaN), and where nothing moves. What is longer
    than whole periods is left out at the end.
    """
    series = np.asarray(values, np.float64)
    periods = len(series) // period if period > 1 else 0
    if periods < LEAST_PERIODS or not np.isfinite(series).all():
        return float("nan")
    table = _without_trend(series[: periods * period].reshape(periods, period))
    scale = float(np.abs(series).max())
    by_phase = table.mean(axis=0)
    between = periods * float(np.square(by_phase - by_phase.mean()).sum())
    within = float(np.square(table - table.mean(axis=1, keepdims=True) - by_phase + by_phase.mean()).sum())
    total = between + within
    if total <= table.size * (1e-6 * max(scale, 1e-12)) ** 2:
        return float("nan")
    # The means of the periods are taken out of what is within, so that its freedom is that of an interaction.
    chance = within / (periods - 1)
    return float(np.clip((between - chance) / total, 0.0, 1.0))


def _without_trend(table: FloatArray) -> FloatArray:
    """Periods (n, S) without the straight line on which their means lie best."""
    periods, period = table.shape
    when = np.arange(periods) - (periods - 1) / 2
    slope = float((when * table.mean(axis=1)).sum() / np.square(when).sum()) / period
    return np.asarray(table - slope * np.arange(table.size).reshape(table.shape))
