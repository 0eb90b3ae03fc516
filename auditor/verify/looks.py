"""When to look at a measurement that goes on, and the level of a verdict that ends it at each look.

Whoever looks several times errs more often than in one run of twenty, unless each look takes a part of that error. Here
it is spent in proportion to the images (Lan and DeMets, "Discrete sequential boundaries for clinical trials", 1983):
after n of at most N images alpha * n / N of it is gone. The level of a look follows from the joint normal law of
the statistics at the looks, whose correlation is the root of the ratio of their images (Armitage, McPherson and Rowe
1969). The most is fixed before the first look, and images come in a random order, never in that of a folder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from auditor.verify.arrays import FloatArray

FEWEST = 16  # images at a look: fewer decide nothing
MOST_LOOKS = 6
_ORDER = 7  # what the draw is for; shifts use the numbers below
_NODES = 128  # of the quadrature
_REACH = 8.0  # standard deviations: what lies beyond is no probability
_DIGITS = 6  # levels are cut to these, so that every machine has the same
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Look:
    """One look: after ``images`` of them, at the one-sided ``level``."""

    images: int
    level: float


def planned_looks(most: int, alpha: float, least: int = FEWEST) -> tuple[Look, ...]:
    """The looks at a measurement of at most ``most`` images, each with twice the images of the one before.

    None of them is at fewer than ``least`` images. Over all looks the error is at most about ``alpha``, one-sided.
    """
    sizes = [most]
    while len(sizes) < MOST_LOOKS and -(-most // 2 ** len(sizes)) >= max(least, FEWEST):
        sizes.append(-(-most // 2 ** len(sizes)))
    sizes.reverse()
    return tuple(map(Look, sizes, levels(tuple(sizes), alpha)))


def random_order(count: int, seed: int) -> list[int]:
    """The numbers 0 to ``count`` - 1 in a random order, the same for the same seed."""
    generator = np.random.default_rng(np.random.SeedSequence(entropy=(seed, count, _ORDER)))
    return [int(place) for place in generator.permutation(count)]


@cache
def levels(sizes: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """The one-sided level of each look at so many images, of which the last is the most that there may be."""
    times = [size / sizes[-1] for size in sizes]
    found = [alpha * times[0]]
    bound = -_NORMAL.inv_cdf(found[0]) * math.sqrt(times[0])
    nodes, weights = _grid(bound, times[0])
    masses = weights * np.exp(-(nodes**2) / (2 * times[0])) / math.sqrt(2 * math.pi * times[0])
    for before, now in pairwise(times):
        step = math.sqrt(now - before)
        bound = _bound(nodes, masses, step, alpha * (now - before), math.sqrt(now))
        found.append(_above(bound / math.sqrt(now)))
        ahead, weights = _grid(bound, now)
        paths = np.exp(-(((ahead[:, None] - nodes) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
        nodes, masses = ahead, weights * (paths @ masses)
    return tuple(math.floor(level * 10**_DIGITS) / 10**_DIGITS for level in found)


def _grid(bound: float, time: float) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of a quadrature over what has not crossed the bound."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    low = -_REACH * math.sqrt(time)
    return low + (bound - low) * (nodes + 1) / 2, weights * (bound - low) / 2


def _bound(nodes: FloatArray, masses: FloatArray, step: float, share: float, deviation: float) -> float:
    """The bound that is crossed for the first time with the probability ``share``, by bisection."""
    low, high = 0.0, _REACH * deviation
    for _ in range(60):
        middle = (low + high) / 2
        crossed = sum(mass * _above((middle - node) / step) for node, mass in zip(nodes, masses, strict=True))
        low, high = (middle, high) if crossed > share else (low, middle)
    return high


def _above(value: float) -> float:
    """The probability that a standard normal variable is larger."""
    return math.erfc(value / math.sqrt(2)) / 2
