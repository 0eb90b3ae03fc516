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
from dataclasses import dataclass, replace

import numpy as np

from auditor.codec import LeftOut
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.columns import listed_floats
from auditor.verify.interval import Interval
from auditor.verify.listing import Unlisted
from auditor.verify.measures.facts import MeasureFacts
from auditor.verify.result import Measure
from auditor.verify.shifts.plan import Pairs, ShiftPlan
from auditor.verify.statistics import finite, sums_ratio_interval

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


def spread_near(spread: Spread, vectors: AnyArray, pairs: Pairs) -> Spread:
    """The spread over other pairs of an image's vectors (W, N), between images as the one over its own pairs."""
    within = float(half_squares(vectors, pairs).mean()) if len(pairs) else math.nan
    return replace(spread, within=within)


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


class Spreads:
    """The spreads of one measure on so many images, gone over twice, one at a time.

    A mean answer can have thousands of numbers, so only their sum is kept: first :meth:`add` each, then :meth:`hold`
    each against the mean of all.
    """

    def __init__(self, images: int) -> None:
        self.within = np.full(images, math.nan)
        self.between = np.full(images, math.nan)
        self._total: FloatArray | None = None
        self._usable, self._alike = 0, True

    @classmethod
    def of(cls, spreads: Sequence[Spread | None]) -> Spreads:
        """Those of images at hand; None where one has no spread."""
        found = cls(len(spreads))
        for step in (found.add, found.hold):
            for place, spread in enumerate(spreads):
                if spread is not None:
                    step(place, spread)
        return found

    def add(self, place: int, spread: Spread) -> None:
        """The spread of the image at a place, the first time."""
        self.within[place] = spread.within
        if spread.mean:
            mean = _mean(spread)
            self._alike = self._alike and (self._total is None or len(mean) == len(self._total))
            if self._alike:
                self._total = mean if self._total is None else self._total + mean
                self._usable += 1

    def hold(self, place: int, spread: Spread) -> None:
        """The same the second time: the squared distance of the image's answers to the mean of all."""
        if self._total is None or self._usable < 2 or not self._alike or not spread.mean:
            return
        middle = self._total / self._usable
        away = spread.square - 2 * float(_mean(spread) @ middle) + float(middle @ middle)
        self.between[place] = max(0.0, away) * (self._usable / (self._usable - 1))

    @property
    def mean_between(self) -> float:
        """The variance between images, 1 where the spreads are of something that has none."""
        known = finite(self.between)
        mean = math.fsum(known) / len(known) if len(known) else 1.0
        return mean or 1.0


def _mean(spread: Spread) -> FloatArray:
    return np.frombuffer(spread.mean, np.float32).astype(np.float64)


def variance_ratio(facts: MeasureFacts, spreads: Spreads, confidence: float) -> Measure:
    """J over all images; ``per_image`` are their variances within, as shares of the mean variance between."""
    within, between = spreads.within, spreads.between
    known = ~(np.isnan(within) | np.isnan(between))
    total = float(between[known].sum())
    per_image = np.full(len(within), math.nan)
    value, interval = math.nan, None
    if known.sum() >= LEAST_IMAGES and total > 0:
        per_image[known] = within[known] * (known.sum() / total)
        value, interval = sums_ratio_interval(within[known], between[known], confidence)
    return measure_of(facts, value, interval, per_image)


def measure_of(facts: MeasureFacts, value: float, interval: Interval | None, per_image: FloatArray) -> Measure:
    """A measure with its values (N,) per image."""
    values = listed_floats(per_image)
    known = Unlisted(int(np.isfinite(per_image).sum()), len(per_image)) if isinstance(values, LeftOut) else None
    return Measure(facts.name, value, interval, facts.unit, facts.higher_is_better, values, unlisted=known)
