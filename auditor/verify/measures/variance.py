"""J: the variance of the answers within an image under shifts, as a share of the variance between images.

Scores that are all halved halve the change of a probability by shifts (MAC) with the same classes throughout. J stays
as it is, because both variances are of the same numbers. It is a ratio of two sums over the images:

    J = sum_i within_i / sum_i between_i

``within_i`` is the mean over pairs of half the squared distance of the two answers, which is the variance where both
are drawn independently. ``between_i`` is the squared distance of the image's mean answer to the mean of all images,
times N / (N - 1). The interval is from resampling the images; that the mean of all is estimated from the same images
does not count in it, because the sum of squares is smallest there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.measures.facts import MeasureFacts
from auditor.verify.result import Measure
from auditor.verify.shifts.plan import Pairs, ShiftPlan
from auditor.verify.statistics import sums_ratio_interval

J = MeasureFacts(
    "j", "variance", False, "variance within an image under shifts over that between images", title="J", summary=True
)
J_NEAR = MeasureFacts("j-1px", "variance", False, "the same for shifts of one pixel", title="J, 1 px")
VARIANCES = J, J_NEAR
"""Those of every task with one vector of numbers for an image; a task with several objects declares its own."""
# Two images say nothing about the variance between images.
LEAST_IMAGES = 4


@dataclass(frozen=True, slots=True)
class Spread:
    """The answers of one image: ``within`` as above, NaN where there is no pair that has one.

    ``mean`` is the mean answer, as the bytes of single precision, and ``square`` the mean of its squared length: that
    of ``mean`` itself where an image has one answer, and more where it has several (boxes).
    """

    within: float
    mean: bytes = b""
    square: float = math.nan


def half_squares(vectors: AnyArray, pairs: Pairs) -> FloatArray:
    """(P,) half the squared distance of the vectors (W, N) of each pair."""
    change = np.asarray(vectors[pairs.reference], np.float64) - vectors[pairs.moved]
    return np.asarray(np.square(change).reshape(len(change), -1).sum(axis=1) / 2)


def spread_of(vectors: AnyArray, pairs: Pairs, plan: ShiftPlan) -> Spread:
    """The spread of an image with one vector (N,) in each window (W, N), over these of the pairs of its plan."""
    used = np.unique(np.concatenate([plan.pairs.reference, plan.pairs.moved]))
    within = float(half_squares(vectors, pairs).mean()) if len(pairs) else math.nan
    return spread_from(within, vectors[used if len(used) else slice(0, 1)])


def spread_from(within: float, samples: AnyArray) -> Spread:
    """The spread of an image whose answers are these samples (M, N), which all windows share."""
    mean = np.asarray(samples, np.float64).mean(axis=0).astype(np.float32)
    return Spread(within, mean.tobytes(), float(np.square(mean.astype(np.float64)).sum()))


def spread_of_several(within: float, objects: FloatArray) -> Spread:
    """The spread of an image with several objects (M, N) of a kind; none where there is none."""
    if not len(objects):
        return Spread(within)
    mean = objects.mean(axis=0).astype(np.float32)
    return Spread(within, mean.tobytes(), float(np.square(objects).sum(axis=1).mean()))


def variance_ratio(facts: MeasureFacts, spreads: Sequence[Spread | None], confidence: float) -> Measure:
    """J over all images; ``per_image`` are their variances within, as shares of the mean variance between."""
    within = np.array([math.nan if one is None else one.within for one in spreads])
    between = np.array(_between(spreads))
    known = ~(np.isnan(within) | np.isnan(between))
    total = float(between[known].sum())
    per_image = np.full(len(within), math.nan)
    value, interval = math.nan, None
    if known.sum() >= LEAST_IMAGES and total > 0:
        per_image[known] = within[known] * (known.sum() / total)
        value, interval = sums_ratio_interval(within[known], between[known], confidence)
    return Measure(facts.name, value, interval, facts.unit, facts.higher_is_better, tuple(per_image.tolist()))


def mean_between(spreads: Sequence[Spread | None]) -> float:
    """The variance between images, 1 where the spreads are of something that has none."""
    known = [value for value in _between(spreads) if not math.isnan(value)]
    mean = math.fsum(known) / len(known) if known else 1.0
    return mean or 1.0


def _between(spreads: Sequence[Spread | None]) -> list[float]:
    """The squared distance of every image's answers to the mean of all."""
    means = [np.frombuffer(one.mean, np.float32).astype(np.float64) if one is not None else None for one in spreads]
    usable = [mean for mean in means if mean is not None and len(mean)]
    if len(usable) < 2 or len({len(mean) for mean in usable}) > 1:
        return [math.nan] * len(spreads)
    middle = np.mean(usable, axis=0)
    scale = len(usable) / (len(usable) - 1)
    return [
        scale * max(0.0, one.square - 2 * float(mean @ middle) + float(middle @ middle))
        if one is not None and mean is not None and len(mean)
        else math.nan
        for one, mean in zip(spreads, means, strict=True)
    ]
