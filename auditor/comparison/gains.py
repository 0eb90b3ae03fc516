"""What a rewrite gained and lost: the original and the rewritten model on the same images and shifts, in pairs.

The gain is that of consistency and MAC (the gated measures of other tasks). What was lost is told by the labels; where
there are none, by the agreement with the original on the same windows, held against the agreement of the original with
itself under shifts, its consistency: answers that the original itself changes from one pixel to the next are no loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from auditor.comparison.measured import GATED, compare_measured
from auditor.gate import MeasuredChange
from auditor.policy.thresholds import Thresholds
from auditor.rewrite.gain import Gain, Loss, Speed, Yardstick
from auditor.verify.result import Interval, Task, Verification
from auditor.verify.statistics import difference_interval

_THRESHOLDS = Thresholds(confidence=0.975)  # one-sided, so that the intervals are two-sided ones of 95 %
_ACCURACY, _AGREEMENT, _CONSISTENCY = "accuracy", "fidelity", "consistency"


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
