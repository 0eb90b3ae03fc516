"""What a grid lock must pass on the user's own pictures before its file is kept. Pure.

A lock follows the picture, so it also follows what disturbs the picture. Each test has a limit that the upper 95 %
bound over the images must keep: the change that the choice of the window adds under noise, the change by half a pixel
beside the original's, and, unless the camera is said to move, the change by an object that moves before a still
background. What it costs in accuracy is held to the budget of a loss where labels tell it, and else said to be unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.rewrite.result import Camera, Lock, Options
from auditor.verify.perturbation import Perturbation, PerturbationKind
from auditor.verify.statistics import student_quantile

NOISE = Perturbation(PerturbationKind.NOISE, 2)
HALF_PIXEL = Perturbation(PerturbationKind.HALF_PIXEL, 0.5)
OBJECT = Perturbation(PerturbationKind.OBJECT, 1)
ACCURACY = "accuracy"
_MOST_ADDED = 0.1
_LOST = "accuracy lost"
_ROUNDING = 1e-9
_FEWEST = 5
_TAIL = 0.95


@dataclass(frozen=True, slots=True)
class LockTest:
    """One test: the mean change relative to the original's own, its upper bound, and the limit that this must keep.

    ``protocol`` is the perturbation, and ``strictly``: the limit itself does not do. ``asked`` is False for one that is
    only reported. ``in_share``: the change is one of a share, such as accuracy, and is itself held to the limit, since
    thousands of images would be needed to bound it as closely.
    """

    protocol: str
    what: str
    change: float
    bound: float
    limit: float
    images: int
    strictly: bool = False
    asked: bool = True
    in_share: bool = False

    @property
    def passed(self) -> bool:
        """Whether the bound keeps the limit; what could not be measured does not."""
        held = self.change if self.in_share else self.bound
        return held < self.limit or (held == self.limit and not self.strictly)

    @property
    def held_back(self) -> bool:
        """Whether the file is not to be kept for it."""
        return self.asked and not self.passed


def perturbations(options: Options, *, maps: bool = False) -> tuple[Perturbation, ...]:
    """What a model with this lock is tested with; ``maps`` are compared at whole pixels alone."""
    return (NOISE, HALF_PIXEL, OBJECT) if options.lock is Lock.SUB_PIXEL and not maps else (NOISE, OBJECT)


def trials(
    options: Options,
    added: Sequence[float],
    pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]],
) -> Iterator[LockTest]:
    """The tests of a lock.

    Args:
        options: how the lock was made.
        added: per image, the change of the answer under noise that comes from the choice of the window.
        pairs: by the name of a perturbation, the change of the answer per image: the original's and the new model's.
    """
    noise, _ = pairs.get(NOISE.name, ((), ()))
    change, bound, images = relative(added, noise)
    yield LockTest(NOISE.name, "added by the choice of the window", change, bound, _MOST_ADDED, images)
    if options.lock is Lock.SUB_PIXEL and HALF_PIXEL.name in pairs:
        yield _beside(HALF_PIXEL.name, "beside the original", pairs, 0.0, strictly=True)
    yield _beside(OBJECT.name, "beside the original", pairs, _MOST_ADDED, asked=options.camera is not Camera.MOVING)


def accuracy_test(before: Sequence[float], after: Sequence[float], most: float) -> LockTest:
    """What is lost of the accuracy, per image before and after; without labels it is not measured, and not asked for.

    ``most`` is the largest loss that is let through, as a share of the answers.
    """
    lost = np.asarray(before, np.float64) - np.asarray(after, np.float64)
    lost = lost[np.isfinite(lost)]
    count = len(lost)
    if not count:
        return LockTest(ACCURACY, _LOST, math.nan, math.nan, most, 0, asked=False, in_share=True)
    error = float(lost.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    mean = float(lost.mean())
    bound = mean + student_quantile(_TAIL, count - 1) * error if count > 1 else math.nan
    return LockTest(ACCURACY, _LOST, mean, bound, most + _ROUNDING, count, in_share=True)


def _beside(
    protocol: str,
    what: str,
    pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    limit: float,
    *,
    strictly: bool = False,
    asked: bool = True,
) -> LockTest:
    base, new = pairs.get(protocol, ((), ()))
    change, bound, images = relative([after - before for before, after in zip(base, new, strict=True)], base)
    return LockTest(protocol, what, change, bound, limit, images, strictly, asked)


def relative(differences: Sequence[float], of: Sequence[float]) -> tuple[float, float, int]:
    """The mean difference as a share of the mean of ``of``, its upper 95 % bound, and the images that tell.

    Images without a finite number in either are left out. The bound is Student's, and NaN for fewer than five images
    or an original that nothing changes.
    """
    scale, gaps = np.asarray(of, np.float64), np.asarray(differences, np.float64)
    if len(scale) != len(gaps):
        raise ValueError("the differences must be of the same images as the original's changes")
    told = np.isfinite(scale) & np.isfinite(gaps)
    scale, gaps = scale[told], gaps[told]
    count = len(gaps)
    whole = float(scale.mean()) if count else 0.0
    if count < _FEWEST or whole <= 0:
        return math.nan, math.nan, count
    error = float(gaps.std(ddof=1)) / math.sqrt(count)
    mean = float(gaps.mean())
    return mean / whole, (mean + student_quantile(_TAIL, count - 1) * error) / whole, count
