"""What a rewrite gained and lost: the original and the rewritten model on the same images and shifts, in pairs.

The gain is that of consistency and MAC (the gated measures of other tasks). What was lost is told by the labels; where
there are none, by the agreement with the original on the same windows, held against the agreement of the original with
itself under shifts, its consistency: answers that the original itself changes from one pixel to the next are no loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from auditor.comparison.measured import GATED, compare_measured
from auditor.gate import MeasuredChange
from auditor.policy.thresholds import Thresholds
from auditor.verify.result import Interval, Measure, Task, Verification
from auditor.verify.statistics import difference_interval

_THRESHOLDS = Thresholds(confidence=0.975)  # one-sided, so that the intervals are two-sided ones of 95 %
_ACCURACY, _AGREEMENT, _CONSISTENCY = "accuracy", "fidelity", "consistency"


class Yardstick(Enum):
    """What a loss was told by."""

    LABELS = "accuracy"
    ORIGINAL = "agreement"


@dataclass(frozen=True, slots=True)
class Loss:
    """A share of answers, positive where the rewritten model is worse. ``interval`` is None for too few images."""

    yardstick: Yardstick
    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds per picture of the rewritten model over those of the original, both timed in turn in one process.

    ``low`` and ``high`` bound the median over ``rounds`` at 95 %.
    """

    ratio: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Gain:
    """The measured difference. ``leading`` are the changes that a gain is told by, ``agreement`` is with the original.

    ``loss`` is None where nothing tells it, ``speed`` where it was not timed.
    """

    changes: tuple[MeasuredChange, ...]
    leading: tuple[MeasuredChange, ...]
    agreement: Measure | None
    loss: Loss | None
    speed: Speed | None
    remarks: tuple[str, ...]

    @property
    def rose(self) -> bool:
        """Whether one leading measure surely got better, by its interval, and none surely got worse."""
        return any(map(better, self.leading)) and not any(map(worse, self.leading))

    def change(self, measure: str) -> MeasuredChange | None:
        """The change of this measure, or None where both models do not have it."""
        return next((one for one in self.changes if one.measure == measure), None)


def gain_between(original: Verification, rewritten: Verification, speed: Speed | None = None) -> Gain:
    """The gain of a rewritten model that was measured with the original as its reference, where both are classifiers.

    Raises:
        NotComparableError: the runs differ in images, shifts or device, or one fails its self-test.
    """
    measured = compare_measured(original, rewritten, _THRESHOLDS)
    names = {name for output in rewritten.outputs for name in _leading(output.task)}
    return Gain(
        changes=measured.changes,
        leading=tuple(one for one in measured.changes if one.measure in names),
        agreement=rewritten.measure(_AGREEMENT),
        loss=_loss(original, rewritten, measured.changes),
        speed=speed,
        remarks=measured.remarks,
    )


def better(change: MeasuredChange) -> bool:
    """Whether the interval lies wholly on the good side of no change."""
    if change.interval is None:
        return False
    return change.interval.low > 0 if change.higher_is_better else change.interval.high < 0


def worse(change: MeasuredChange) -> bool:
    """Whether the interval lies wholly on the bad side of no change."""
    if change.interval is None:
        return False
    return change.interval.high < 0 if change.higher_is_better else change.interval.low > 0


def _leading(task: Task) -> tuple[str, ...]:
    return (_CONSISTENCY, "mac") if task is Task.CLASSIFICATION else GATED[task]


def _loss(original: Verification, rewritten: Verification, changes: Sequence[MeasuredChange]) -> Loss | None:
    accuracy = next((one for one in changes if one.measure == _ACCURACY), None)
    if accuracy is not None and not math.isnan(accuracy.difference):
        span = accuracy.interval
        turned = None if span is None else Interval(-span.high, -span.low, span.confidence)
        return Loss(Yardstick.LABELS, -accuracy.difference, turned)
    steady, agreed = original.measure(_CONSISTENCY), rewritten.measure(_AGREEMENT)
    if steady is None or agreed is None or original.data.used != rewritten.data.used:
        return None
    value, interval = difference_interval(np.asarray(agreed.per_image), np.asarray(steady.per_image))
    return Loss(Yardstick.ORIGINAL, value, interval)
