"""Gaffke's confidence bound for the mean of a bounded value: the one that stays honest where few images differ.

The images and one imagined image at the worst possible value get random weights, independent standard exponential ones
divided by their sum; the bound at the level alpha is the alpha quantile of the weighted mean (Gaffke, "Three test
statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable", 2005; Learned-Miller and
Thomas, arXiv 1905.06208). Where all values are equal it is the rule of three, for values of 0 and 1 the bound of
Clopper and Pearson. That it holds for every distribution is conjectured and not proved; ``tests/comparison/gate.py``
simulates it for many.

The quantile is computed, not drawn. The weighted mean lies below t where a sum of independent Gamma variables with
weights ``value - t`` lies below zero, and the probability of that is an integral of its moment generating function
along a line through the saddle point (Lugannani and Rice 1980; summed here, where they expand it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray

_MOST_DISTINCT = 2048  # more are merged with their neighbours, which differ from them by less than is shown
_STEP = 0.1  # of the quadrature, in units in which the integrand is about exp(-sinh(x)^2 / 2)
_REACH = 30.0  # the slowest integrand, that of a single varying value, falls as exp(-x)
_NEGLIGIBLE = -34.0  # logarithm of what changes no digit
_STEPS = 60
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Sample:
    """Values per image, equal ones counted once: ascending ``values`` and how many images have each, two (K,)."""

    values: FloatArray
    counts: FloatArray

    @classmethod
    def of(cls, per_image: AnyArray) -> Sample:
        """The sample of finite values per image (N,)."""
        values, counts = np.unique(np.asarray(per_image, dtype=np.float64), return_counts=True)
        return cls(values, counts.astype(np.float64))

    @property
    def images(self) -> int:
        """The number of images."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean over images."""
        return float(self.values @ self.counts) / float(self.counts.sum())

    @property
    def standard_error(self) -> float:
        """The standard error of the mean."""
        images = float(self.counts.sum())
        variance = float((self.values - self.mean) ** 2 @ self.counts) / max(images - 1, 1.0)
        return math.sqrt(variance / images)

    def repeated(self, times: float) -> Sample:
        """The sample with every image so many times."""
        return Sample(self.values, self.counts * times)

    def turned(self) -> Sample:
        """The sample of the values with the other sign."""
        return Sample(-self.values[::-1], self.counts[::-1])


def lower_bound(sample: Sample, worst: float, alpha: float) -> float:
    """The mean is at least this, at the one-sided level ``alpha``; no value is below ``worst``."""
    sample = _merged(sample)
    least, largest = float(sample.values[0]), float(sample.values[-1])
    worst = min(worst, least)  # a share of 1 + 1e-16 is a rounding error
    if least >= largest:
        return worst + (least - worst) * math.exp(math.log(alpha) / float(sample.counts.sum()))
    return _quantile(sample, worst, alpha)


def upper_bound(sample: Sample, best: float, alpha: float) -> float:
    """The mean is at most this, at the one-sided level ``alpha``; no value is above ``best``."""
    return -lower_bound(sample.turned(), -best, alpha)


def probability_below(sample: Sample, worst: float, limit: float) -> float:
    """The probability that the randomly weighted mean lies below ``limit``; the bound is where it is alpha."""
    weights = np.append(sample.values, worst) - limit
    shapes = np.append(sample.counts, 1.0)
    scale = float(np.abs(weights).max())
    if not weights.max() > 1e-14 * scale:
        return 1.0
    if not weights.min() < -1e-14 * scale:
        return 0.0
    weights = weights / scale
    saddle = _saddle(weights, shapes)
    tilted = weights / (1 - weights * saddle)
    width = 1 / math.sqrt(float(shapes @ tilted**2) + 1 / saddle**2)
    x = np.arange(0.0, _needed_reach(tilted, shapes, saddle, width), _STEP)
    u = width * np.sinh(x)
    exponents = -(np.log(1 - 1j * np.outer(u, tilted)) * shapes).sum(axis=1)
    integrand = (np.exp(exponents) / (saddle + 1j * u)).real * width * np.cosh(x)
    height = -float(shapes @ np.log(1 - weights * saddle))
    area = float(integrand.sum() - integrand[0] / 2) * _STEP
    return min(max(-math.exp(height) * area / math.pi, 0.0), 1.0)


def _quantile(sample: Sample, worst: float, alpha: float) -> float:
    """Where :func:`probability_below` is ``alpha``, by the secant on its probit, which is nearly straight."""
    low, high = worst, float(sample.values[-1])
    images = float(sample.counts.sum()) + 1
    centre = (float(sample.values @ sample.counts) + worst) / images
    squares = float((sample.values - centre) ** 2 @ sample.counts) + (worst - centre) ** 2
    spread = math.sqrt(squares / images / (images + 1))
    target = _NORMAL.inv_cdf(alpha)
    tolerance = 1e-9 * (high - low)
    guess, before, probit_before = centre + target * spread, centre, -target
    for _ in range(_STEPS):
        if not low < guess < high:
            guess = (low + high) / 2
        probability = probability_below(sample, worst, guess)
        probit = _NORMAL.inv_cdf(min(max(probability, 1e-300), 1 - 1e-16)) - target
        low, high = (low, guess) if probit > 0 else (guess, high)
        if high - low < tolerance or abs(probit) < 1e-9:
            return guess
        rise = probit - probit_before
        # Where the secant is flat or leaves the bracket, the next guess is its middle.
        following = guess - probit * (guess - before) / rise if rise else math.inf
        guess, before, probit_before = following, guess, probit
    return low


def _saddle(weights: FloatArray, shapes: FloatArray) -> float:
    """Where the integrand is least along the negative axis, between its pole at zero and the nearest singularity."""
    low, high = 1 / float(weights.min()), 0.0
    saddle = low / 2
    for _ in range(_STEPS):
        tilted = weights / (1 - weights * saddle)
        slope = float(shapes @ tilted) - 1 / saddle
        if slope > 0:
            high = saddle
        else:
            low = saddle
        step = -slope / (float(shapes @ tilted**2) + 1 / saddle**2)
        moved = saddle + step
        if not low < moved < high:
            moved = (low + high) / 2
        if abs(moved - saddle) < 1e-3 * abs(saddle):  # any point near it gives the same integral
            return moved
        saddle = moved
    return saddle


def _needed_reach(tilted: FloatArray, shapes: FloatArray, saddle: float, width: float) -> float:
    """From where on the integrand changes no digit."""
    x = np.arange(1.0, _REACH, 0.5)
    u = width * np.sinh(x)
    heights = -0.5 * (np.log1p(np.outer(u, tilted) ** 2) @ shapes + np.log1p((u / saddle) ** 2)) + x
    small = np.flatnonzero(heights < _NEGLIGIBLE)
    return float(x[small[0]]) if len(small) else _REACH


def _merged(sample: Sample) -> Sample:
    """At most so many distinct values: neighbours merged into their mean, which keeps that of the sample."""
    if len(sample.values) <= _MOST_DISTINCT:
        return sample
    least, largest = float(sample.values[0]), float(sample.values[-1])
    places = (sample.values - least) / (largest - least) * (_MOST_DISTINCT - 1)
    cells = places.astype(np.int64)
    counts = np.bincount(cells, weights=sample.counts).astype(np.float64)
    sums = np.bincount(cells, weights=sample.counts * sample.values).astype(np.float64)
    kept = counts > 0
    return Sample(sums[kept] / counts[kept], counts[kept])
