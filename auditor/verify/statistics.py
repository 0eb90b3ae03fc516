"""Intervals and verdicts with the image as the unit.

Several shifts of one image are not independent, so all values are first averaged per image. Two models are compared on
the same images and shifts, by the differences per image: that interval is several times narrower than the difference of
two intervals.

* mean of one model within bounds, and paired difference of two: Gaffke's bound (:mod:`auditor.verify.gaffke`) with one
  imagined image at the worst value. Resampling and Student's t miss what is rare: where no sampled image differs they
  have no width, though a share q of images that lose everything goes unseen in N draws with probability (1 - q)^N.
* ratio of two unbounded measures, such as the jitter of boxes: Student's t on the logarithms of the ratios per image.
  No interval of a mean without bounds is valid for all distributions (Bahadur and Savage 1956); the typical image's
  ratio has one.
* ratio of two sums over the images, such as a variance within images over one between them: studentised bootstrap of
  the logarithm, images drawn with both of their terms.
* mean of one model without bounds: studentised bootstrap (bootstrap-t; Efron and Tibshirani 1993, ch. 12), with the
  variance of every resample steadied by the weight of one image of the whole sample.

The same values give the same interval on every machine. How often verdicts are wrong is simulated in
``tests/comparison/gate.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.gaffke import Sample, lower_bound, probability_below, upper_bound
from auditor.verify.interval import Interval
from auditor.verify.verdict import Verdict

MIN_IMAGES = 8  # below this no interval is given: so few images say next to nothing
FEW_IMAGES = 64  # below this a report says that there are few images
MOST_IMAGES = 100_000  # a larger number of images that would decide is no practical one
_RESAMPLES = 2000
_MANY = 5000  # from here on the mean is normal for every practical purpose and resampling only costs time
_BLOCK = 1 << 21  # resampled values held at once


@dataclass(frozen=True, slots=True)
class Needed:
    """How many images would decide an open verdict, if the values stay as they are: about ``low`` to ``high``.

    Equal ends are exact.
    """

    low: int
    high: int


def mean_interval(
    per_image: AnyArray,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    seed: int = 0,
) -> Interval | None:
    """The interval of the mean of values per image (N,); NaN marks images that do not count.

    ``bounds`` are the least and largest possible value (None: unbounded; ``seed`` is of the resampling there). None
    below :data:`MIN_IMAGES` images.
    """
    values = finite(per_image)
    tail = _tail(confidence)
    if len(values) < MIN_IMAGES:
        return None
    if bounds is None:
        return Interval(*_resampled_interval(values, tail, seed), confidence)
    sample = Sample.of(values)
    low, high = lower_bound(sample, bounds[0], tail), upper_bound(sample, bounds[1], tail)
    return Interval(max(low, bounds[0]), min(high, bounds[1]), confidence)


def difference_interval(
    base: AnyArray, new: AnyArray, confidence: float = 0.95, largest_change: float | None = 1.0
) -> tuple[float, Interval | None]:
    """The mean of ``new - base`` per image and its interval; both (N,) over the same images in the same order.

    Images with a NaN in either are left out. ``largest_change`` is the most that one image can change; None takes twice
    the largest change among these images, which is narrower, and wrong where a few images change much more than the
    others. The interval is None below :data:`MIN_IMAGES` images.

    Raises:
        ValueError: The lengths differ.
    """
    differences = paired(base, new)
    mean = float(differences.mean()) if len(differences) else math.nan
    if len(differences) < MIN_IMAGES:
        return mean, None
    reach = twice_the_largest(differences) if largest_change is None else largest_change
    sample, tail = Sample.of(differences), _tail(confidence)
    return mean, Interval(lower_bound(sample, -reach, tail), upper_bound(sample, reach, tail), confidence)


def ratio_interval(
    base: AnyArray, new: AnyArray, confidence: float = 0.95, floor: float = 0.01
) -> tuple[float, Interval | None]:
    """The typical image's ratio ``new / base`` (the geometric mean) and its interval; both (N,), values of 0 or more.

    ``floor`` is added to both, so that an image without any jitter counts. None below :data:`MIN_IMAGES` images.

    Raises:
        ValueError: The lengths differ.
    """
    logs = log_ratios(base, new, floor)
    if not len(logs):
        return math.nan, None
    mean = float(logs.mean())
    if len(logs) < MIN_IMAGES:
        return math.exp(mean), None
    low, high = _student_interval(mean, float(logs.var(ddof=1)), len(logs), _tail(confidence))
    return math.exp(mean), Interval(math.exp(low), math.exp(high), confidence)


def sums_ratio_interval(
    above: AnyArray, below: AnyArray, confidence: float = 0.95, seed: int = 0
) -> tuple[float, Interval | None]:
    """``sum(above) / sum(below)`` over images (N,), terms of 0 or more, and its interval.

    Images with a NaN in either are left out.

    The interval is None below :data:`MIN_IMAGES` images, and where a sum is 0.

    Raises:
        ValueError: The lengths differ.
    """
    top, bottom = _known_terms(above, below)
    sums = float(top.sum()), float(bottom.sum())
    if not sums[1]:
        return math.nan, None
    ratio = sums[0] / sums[1]
    if len(top) < MIN_IMAGES or not ratio:
        return ratio, None
    top, bottom = top / sums[0], bottom / sums[1]  # shares: the error of the logarithm is that of their difference
    count = len(top)
    one = float(np.square(top - bottom).sum())
    if one <= 1e-24:
        return ratio, Interval(ratio, ratio, confidence)
    found = []
    for chosen in _resamples(count, seed):
        over, under = top[chosen], bottom[chosen]
        totals = over.sum(axis=1), under.sum(axis=1)
        usable = (totals[0] > 0) & (totals[1] > 0)
        over, under = over[usable] / totals[0][usable, None], under[usable] / totals[1][usable, None]
        # Steadied by the weight of one image of the whole sample, as that of a mean.
        error = np.sqrt(((count - 1) * np.square(over - under).sum(axis=1) + one) / count)
        found.append(np.log(totals[0][usable] / totals[1][usable]) / error)
    tail = _tail(confidence)
    lower, upper = np.quantile(np.concatenate(found), [tail, 1 - tail])
    spread = math.sqrt(one)
    return ratio, Interval(
        ratio * math.exp(-float(upper) * spread), ratio * math.exp(-float(lower) * spread), confidence
    )


def quotient_interval(
    above: AnyArray, below: AnyArray, confidence: float = 0.95, seed: int = 0
) -> tuple[float, Interval | None]:
    """``sum(above) / sum(below)`` over images (N,), of any sign, and its interval by the quantiles of resamples.

    Images with a NaN in either are left out. The interval is None below :data:`MIN_IMAGES` images, and where the sum
    below could well be nothing.

    Raises:
        ValueError: The lengths differ.
    """
    top, bottom = _known_terms(above, below)
    total, count, tail = float(bottom.sum()), len(top), _tail(confidence)
    if not total:
        return math.nan, None
    ratio = float(top.sum()) / total
    if count < MIN_IMAGES:
        return ratio, None
    quotients = []
    for chosen in _resamples(count, seed):
        sums = bottom[chosen].sum(axis=1)
        quotients.append(np.where(sums > 0, top[chosen].sum(axis=1) / np.where(sums > 0, sums, 1.0), np.nan))
    found = np.concatenate(quotients)
    if np.isnan(found).mean() > tail:
        return ratio, None
    low, high = np.quantile(found[~np.isnan(found)], [tail, 1 - tail])
    return ratio, Interval(float(low), float(high), confidence)


def _known_terms(above: AnyArray, below: AnyArray) -> tuple[FloatArray, FloatArray]:
    """Both terms of the images that have both."""
    top, bottom = np.asarray(above, np.float64).ravel(), np.asarray(below, np.float64).ravel()
    if len(top) != len(bottom):
        raise ValueError(f"{len(top)} and {len(bottom)} terms: a ratio needs both of every image")
    known = ~(np.isnan(top) | np.isnan(bottom))
    return top[known], bottom[known]


def _resamples(count: int, seed: int) -> Iterator[AnyArray]:
    """The images of every resample, some resamples at a time (R, ``count``)."""
    draw = np.random.default_rng(seed)
    block = max(1, _BLOCK // count)
    for start in range(0, _RESAMPLES, block):
        yield draw.integers(count, size=(min(block, _RESAMPLES - start), count))


def paired(base: AnyArray, new: AnyArray) -> FloatArray:
    """``new - base`` per image, without the images that either was not measured on.

    Raises:
        ValueError: The lengths differ.
    """
    if len(base) != len(new):
        raise ValueError(f"the models were measured on {len(base)} and {len(new)} images: a pair needs the same images")
    return finite(np.asarray(new, dtype=np.float64) - np.asarray(base, dtype=np.float64))


def log_ratios(base: AnyArray, new: AnyArray, floor: float) -> FloatArray:
    """``ln((new + floor) / (base + floor))`` per image, as :func:`paired`."""
    return paired(np.log(np.asarray(base, np.float64) + floor), np.log(np.asarray(new, np.float64) + floor))


def twice_the_largest(differences: AnyArray) -> float:
    """Twice the largest change of an image, at most 1; 1 where no image changed."""
    largest = float(np.abs(differences).max(initial=0.0))
    return max(min(2 * largest, 1.0), largest) if largest else 1.0


def judge(interval: Interval | None, limit: float, higher_is_better: bool = True) -> Verdict:
    """Does the value hold the limit? Pass: the interval lies on the good side; fail: on the bad side of it.

    For "not worse than the base by more than d" pass the interval of the difference and ``limit = -d`` (a value that
    should be high) or ``+d`` (one that should be low).
    """
    if interval is None:
        return Verdict.INCONCLUSIVE
    sign = 1.0 if higher_is_better else -1.0
    low, high = sorted((sign * interval.low, sign * interval.high))
    if low >= sign * limit:
        return Verdict.PASS
    return Verdict.FAIL if high < sign * limit else Verdict.INCONCLUSIVE


def judge_mean(values: AnyArray, limit: float, alpha: float, bounds: tuple[float, float]) -> Verdict:
    """Does the mean of values per image (N,) within bounds reach the limit, each error at the one-sided ``alpha``?

    The same as :func:`judge` of the interval, by the probability at the limit itself.
    """
    sample = Sample.of(finite(values))
    if probability_below(sample, min(bounds[0], float(sample.values[0])), limit) <= alpha:
        return Verdict.PASS
    best = max(bounds[1], float(sample.values[-1]))
    return Verdict.FAIL if probability_below(sample.turned(), -best, -limit) < alpha else Verdict.INCONCLUSIVE


def images_needed(values: AnyArray, limit: float, alpha: float, bounds: tuple[float, float]) -> Needed | None:
    """How many images like these would decide whether their mean holds the limit, at the one-sided level ``alpha``.

    The sample is thought to come again and again, with still one imagined image. None where the mean lies within one
    standard error of the limit, or where it takes more than :data:`MOST_IMAGES`: no practical number decides.
    """
    sample = Sample.of(finite(values))
    mean, worst = sample.mean, bounds[0]
    if mean < limit:  # the same question with all signs turned
        sample, mean, limit, worst = sample.turned(), -mean, -limit, -bounds[1]
    worst = min(worst, float(sample.values[0]))
    if len(sample.values) == 1:
        return _exactly(mean, limit, alpha, worst)
    if mean - limit <= sample.standard_error:
        return None

    def decides(times: int) -> bool:
        return probability_below(sample.repeated(times), worst, limit) <= alpha

    most = MOST_IMAGES // sample.images
    times = 1
    while not decides(times):
        times *= 2
        if times > most:
            return None
    few, enough = times // 2, times
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if decides(middle) else (middle, enough)
    return Needed(enough * sample.images, 2 * enough * sample.images)


def images_needed_unbounded(values: AnyArray, limit: float, interval: Interval) -> Needed | None:
    """The same by the width of the interval of a mean without bounds, which shrinks with the root of the number."""
    known = finite(values)
    mean, count = float(known.mean()), len(known)
    margin = abs(mean - limit)
    error = math.sqrt(float(known.var(ddof=1)) / count)
    reach = mean - interval.low if mean >= limit else interval.high - mean
    if margin <= error or count * (reach / margin) ** 2 > MOST_IMAGES:
        return None
    needed = max(count + 1, math.ceil(count * (reach / margin) ** 2))
    return Needed(needed, 2 * needed)


def unseen_share(images: int, alpha: float) -> float:
    """The largest share of images of a kind of which none came up among so many, at the one-sided level ``alpha``."""
    return -math.expm1(math.log(alpha) / images)


def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t, from the normal one by the Cornish-Fisher expansion; 3 digits from 7 degrees on."""
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees ** (order + 1) for order, term in enumerate(terms))


def finite(values: AnyArray) -> FloatArray:
    """The values without NaN, flat.

    Raises:
        ValueError: One is infinite.
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    if np.isinf(array).any():
        raise ValueError("a measure per image is infinite")
    return array[~np.isnan(array)]


def _exactly(value: float, limit: float, alpha: float, worst: float) -> Needed | None:
    """Where all images have one value, the bound and so the number are known in closed form."""
    if limit <= worst:
        return Needed(MIN_IMAGES, MIN_IMAGES)
    share = (limit - worst) / (value - worst) if value > worst else 1.0
    if share >= 1 or math.log(alpha) / math.log(share) > MOST_IMAGES:
        return None
    needed = max(MIN_IMAGES, math.ceil(math.log(alpha) / math.log(share)))
    return Needed(needed, needed)


def _tail(confidence: float) -> float:
    if not 0.5 <= confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not in 0.5..1")
    return (1 - confidence) / 2


def _student_interval(mean: float, variance: float, count: int, tail: float) -> tuple[float, float]:
    reach = -student_quantile(tail, count - 1) * math.sqrt(variance / count)
    return mean - reach, mean + reach


def _resampled_interval(values: FloatArray, tail: float, seed: int) -> tuple[float, float]:
    count, mean, variance = len(values), float(values.mean()), float(values.var(ddof=1))
    if variance <= 1e-24:
        return mean, mean
    if count >= _MANY:
        return _student_interval(mean, variance, count, tail)
    means, variances = _resampled(values, seed)
    steadied = ((count - 1) * variances + variance) / count
    ratio = (means - mean) / np.sqrt(steadied)
    lower, upper = np.quantile(ratio, [tail, 1 - tail])
    spread = math.sqrt(variance)
    return mean - float(upper) * spread, mean - float(lower) * spread


def _resampled(values: FloatArray, seed: int) -> tuple[FloatArray, FloatArray]:
    """Means and variances (divisor N - 1) of resamples of the images, in blocks of bounded memory."""
    draw = np.random.default_rng(seed)
    count = len(values)
    centred = values - values.mean()  # keeps the variance exact where values are large and alike
    means, variances = np.empty(_RESAMPLES), np.empty(_RESAMPLES)
    block = max(1, _BLOCK // count)
    for start in range(0, _RESAMPLES, block):
        part = slice(start, min(start + block, _RESAMPLES))
        drawn = centred[draw.integers(count, size=(part.stop - start, count))]
        means[part] = drawn.mean(axis=1)
        variances[part] = drawn.var(axis=1, ddof=1)
    return means + values.mean(), variances
