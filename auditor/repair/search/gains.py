"""What a rewrite gained and lost: the original and the rewritten model on the same images and shifts, in pairs.

The gain is that of consistency and MAC (the gated measures of other tasks). What was lost is told by the labels; where
there are none, by the agreement with the original on the same windows, held against the agreement of the original with
itself under shifts: answers that the original itself changes from one pixel to the next are no loss. Answers are
classes, classes of positions, boxes, or else the direction of the output (its cosine).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from msgspec.structs import replace

from auditor.comparison.measured import compare_measured
from auditor.facts.comparison import MeasuredChange
from auditor.options.thresholds import Thresholds
from auditor.repair.search.gain import Agreement, Gain, Loss, Speed, Yardstick
from auditor.repair.search.reached import reached_words
from auditor.verify.interval import Interval
from auditor.verify.measures import leading
from auditor.verify.merge import RESIZE_FIRST
from auditor.verify.result import Measure, Task, Verification
from auditor.verify.statistics import difference_interval

# One-sided, so that the intervals are two-sided ones of 95 %. A search looks for small gains, which a bound that holds
# for the worst of images cannot see; what is kept meets the gate's own bound when the models are compared.
_THRESHOLDS = Thresholds(confidence=0.975, largest_change=None)
_ACCURACY = "shifted-accuracy", "accuracy"  # many shifts of an image tell more than one


@dataclass(frozen=True, slots=True)
class _Scale:
    """``steady`` says how far the original agrees with itself under shifts, ``agreed`` how far two models agree."""

    yardstick: Yardstick
    steady: str
    agreed: str


# The first whose measures there are tells the loss.
_SCALES: Mapping[Task, tuple[_Scale, ...]] = MappingProxyType(
    {
        Task.CLASSIFICATION: (_Scale(Yardstick.ORIGINAL, "consistency", "fidelity"),),
        Task.DENSE: (
            _Scale(Yardstick.POSITIONS, "massc", "fidelity"),
            _Scale(Yardstick.COSINE, "cosine", "fidelity-cosine"),
        ),
        Task.EMBEDDING: (_Scale(Yardstick.COSINE, "cosine", "fidelity-cosine"),),
        Task.DETECTION: (_Scale(Yardstick.BOXES, "flicker", "fidelity"),),
        Task.KEYPOINTS: (_Scale(Yardstick.JOINTS, "keypoint-consistency", "fidelity"),),
        Task.TEXT: (_Scale(Yardstick.LINES, "text-changes", "fidelity"),),
    }
)


def gain_between(original: Verification, rewritten: Verification, speed: Speed | None = None) -> Gain:
    """The gain of a rewritten model; without labels, one that was measured with the original as its reference.

    Raises:
        NotComparableError: the runs differ in images, shifts or device, or one fails its self-test.
    """
    measured = compare_measured(original, rewritten, _THRESHOLDS)
    changes = tuple(replace(one, conditions=()) for one in measured.changes)  # nothing is held to a threshold here
    names = {name for output in rewritten.outputs for name in leading(output.task)}
    return Gain(
        changes=changes,
        leading=tuple(one for one in changes if one.measure in names and not one.protocol),
        agreement=_agreement(original, rewritten),
        loss=_loss(original, rewritten, changes),
        speed=speed,
        remarks=(
            rewritten.preprocessing_words,
            *measured.remarks,
            *_cheaper(original),
            *reached_words(original, rewritten),
        ),
    )


def _cheaper(original: Verification) -> Iterator[str]:
    """What is cheaper than any rewrite, where the measurement of the original says so."""
    return (note for note in original.notes if RESIZE_FIRST in note)


def tells_loss(original: Verification) -> bool:
    """Whether there is anything to hold a rewrite of the model against on these images."""
    return labelled(original) or _scale(original) is not None


def labelled(original: Verification) -> bool:
    """Whether labels tell the loss, so that the agreement with the original need not be measured."""
    known = [measure for name in _ACCURACY if (measure := original.measure(name)) is not None]
    return any(not math.isnan(measure.value) for measure in known)


def _scale(original: Verification) -> tuple[_Scale, Measure] | None:
    for output in original.outputs:
        for scale in _SCALES.get(output.task, ()):
            steady = output.measure(scale.steady)
            if steady is not None and not math.isnan(steady.value):
                return scale, steady
    return None


def _agreement(original: Verification, rewritten: Verification) -> Agreement | None:
    found = _scale(original)
    agreed = None if found is None else rewritten.measure(found[0].agreed)
    if found is None or agreed is None or math.isnan(agreed.value):
        return None
    return Agreement(found[0].yardstick, agreed.value, agreed.interval)


def _loss(original: Verification, rewritten: Verification, changes: Sequence[MeasuredChange]) -> Loss | None:
    told = {one.measure: one for one in changes if not one.protocol and not math.isnan(one.difference)}
    accuracy = next((told[name] for name in _ACCURACY if name in told), None)
    if accuracy is not None:
        span = accuracy.interval
        turned = None if span is None else Interval(-span.high, -span.low, span.confidence)
        return Loss(Yardstick.LABELS, -accuracy.difference, turned)
    found = _scale(original)
    agreed = None if found is None else rewritten.measure(found[0].agreed)
    if found is None or agreed is None or original.data.used != rewritten.data.used:
        return None
    scale, steady = found
    itself = np.asarray(steady.per_image)
    value, interval = difference_interval(
        np.asarray(agreed.per_image), itself if steady.higher_is_better else 1 - itself, largest_change=None
    )
    return None if math.isnan(value) else Loss(scale.yardstick, value, interval)
