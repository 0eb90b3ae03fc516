"""Agreement with a reference model on the same windows, which every task measures in its own way.

Answers are compared after they were decoded, in pixels of the model under test or of the picture, so that neither the
form of the outputs nor the size of the inputs matters. What shifts of one pixel change is counted for both models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.pipeline.placement import Placement
from auditor.text import count_text
from auditor.verify.arrays import AnyArray, BoolArray, FloatArray
from auditor.verify.interval import Interval
from auditor.verify.measures.facts import MeasureFacts
from auditor.verify.shifts.plan import Pairs, ShiftPlan
from auditor.verify.statistics import MIN_IMAGES, difference_interval, finite, mean_interval

FIDELITY = MeasureFacts("fidelity", "share", True, "inputs, positions or boxes as in the reference model")
FIDELITY_UNSHIFTED = MeasureFacts("fidelity-unshifted", "share", True, "the same for the unshifted inputs alone")
FIDELITY_COSINE = MeasureFacts(
    "fidelity-cosine",
    "ratio",
    True,
    "cosine between the outputs of this and the reference model",
    limits=(-1.0, 1.0),
)
ADDED_CHANGES = MeasureFacts(
    "added-changes",
    "share",
    False,
    "answers that a shift of one pixel changes, less those of the reference model",
    limits=(-1.0, 1.0),
)
MISSED = MeasureFacts("reference-missed", "share", False, "boxes that the reference model alone has")
ADDED = MeasureFacts("reference-added", "share", False, "boxes that this model alone has")
OFFSET = MeasureFacts("reference-offset", "px", False, "distance of the same box or joint to the reference model's")
OFFSET_Y = MeasureFacts("reference-offset-y", "px", False, "how far below the reference model's it lies, on average")
OFFSET_X = MeasureFacts("reference-offset-x", "px", False, "how far right of the reference model's it lies, on average")
EDITS = MeasureFacts("reference-edits", "ratio", False, "edits to the reference model's text over its length")

AGREEMENT = (
    FIDELITY,
    FIDELITY_UNSHIFTED,
    FIDELITY_COSINE,
    ADDED_CHANGES,
    MISSED,
    ADDED,
    OFFSET,
    OFFSET_Y,
    OFFSET_X,
    EDITS,
)

_SYSTEMATIC = 0.1  # model pixels; less is within what arithmetic of another precision does
_HALF = (0.35, 0.65)  # model pixels, about one half


@dataclass(frozen=True, slots=True)
class Beside:
    """One image of two models: of so many ``pairs`` one pixel apart, how many change the answer ``here`` and ``there``.

    ``boxes`` are those of the unshifted input: of both models, of the reference alone, of this one alone; None where
    answers are no boxes.
    """

    here: int
    there: int
    pairs: int
    boxes: tuple[int, int, int] | None = None


def one_pixel(plan: ShiftPlan) -> Pairs:
    """The pairs of an image that lie one pixel apart: its neighbours, else the nearest of its distances."""
    if len(plan.neighbours):
        return plan.neighbours
    near = plan.distances.distance == 1
    return Pairs(plan.distances.reference[near], plan.distances.moved[near], plan.distances.shift[near])


def changes_beside(
    here: BoolArray, there: BoolArray, boxes: tuple[int, int, int] | None = None
) -> tuple[Beside, dict[str, float]]:
    """What shifts of one pixel change in either model (P,), and the measure of it."""
    beside = Beside(int(here.sum()), int(there.sum()), len(here), boxes)
    if not len(here):
        return beside, {}
    return beside, {ADDED_CHANGES.name: (beside.here - beside.there) / beside.pairs}


def brought_points(points: AnyArray, there: Placement, here: Placement) -> FloatArray:
    """Points (..., 2) of the reference's window as points of the model's window, by way of the picture."""
    return np.asarray(here.to_input(there.to_picture(points)))


def known_mean(values: Sequence[float] | FloatArray) -> float:
    """The mean of what is known, NaN where nothing is."""
    along = np.asarray(values, np.float64)
    known = along[~np.isnan(along)]
    return float(known.mean()) if len(known) else float("nan")


def fidelity_values(alike: Sequence[float] | FloatArray) -> dict[str, float]:
    """Fidelity from the agreement (W,) at each window, the unshifted one first; NaN where there is nothing to agree."""
    return {FIDELITY.name: known_mean(alike), FIDELITY_UNSHIFTED.name: float(alike[0])}


def offset_values(moves: Sequence[FloatArray]) -> dict[str, float]:
    """The offsets (M, 2) as (x, y) of what both models see, of all windows of an image; NaN without any."""
    every = np.concatenate([*moves, np.zeros((0, 2))])
    if not len(every):
        return dict.fromkeys((OFFSET.name, OFFSET_Y.name, OFFSET_X.name), float("nan"))
    right, down = every.mean(axis=0)
    distance = float(np.linalg.norm(every, axis=1).mean())
    return {OFFSET.name: distance, OFFSET_Y.name: float(down), OFFSET_X.name: float(right)}


def reference_remarks(
    values: Sequence[Mapping[str, float]], beside: Sequence[Beside], confidence: float, pixel: float
) -> tuple[str, ...]:
    """The agreement of all images in sentences.

    Args:
        values: the measures of each image.
        beside: the counts of each image.
        confidence: of the intervals.
        pixel: one pixel of the model in the pixels that offsets count.
    """
    return (
        *_changed(beside, confidence),
        *_found(beside),
        *_moved(values, confidence, pixel),
    )


def _changed(beside: Sequence[Beside], confidence: float) -> tuple[str, ...]:
    """How many answers the model changes more than its reference."""
    counts = np.array([(image.here, image.there, image.pairs) for image in beside if image.pairs], np.float64)
    if not len(counts):
        return ()
    of_model, of_reference, pairs = (int(total) for total in counts.sum(axis=0))
    here, there = counts[:, 0] / counts[:, 2], counts[:, 1] / counts[:, 2]
    _, interval = difference_interval(there, here, confidence)
    more = of_model - of_reference
    verb = "adds" if more >= 0 else "removes"
    within = _words(interval, "") if interval is not None else f"no interval below {MIN_IMAGES} images"
    words = f"of {pairs}; {of_model} here, {of_reference} with the reference; share added {within}"
    return (f"the model {verb} {count_text(abs(more), 'changed answer')} at 1 px ({words})",)


def _found(beside: Sequence[Beside]) -> tuple[str, ...]:
    counts = [image.boxes for image in beside if image.boxes is not None]
    if not counts:
        return ()
    both, missed, added = (sum(column) for column in zip(*counts, strict=True))
    found = count_text(both, "box", "boxes")
    return (f"unshifted inputs: {found} of both models, {missed} of the reference alone, {added} of this one alone",)


def _moved(values: Sequence[Mapping[str, float]], confidence: float, pixel: float) -> tuple[str, ...]:
    """A systematic offset: one whose interval does not hold zero and that no arithmetic explains."""
    parts = []
    halves = False
    for facts, ways in ((OFFSET_X, ("right of", "left of")), (OFFSET_Y, ("below", "above"))):
        known = finite(np.array([image.get(facts.name, float("nan")) for image in values]))
        interval = mean_interval(known, confidence, None)
        if interval is None or interval.low <= 0 <= interval.high:
            continue
        mean = float(known.mean())
        if abs(mean) < _SYSTEMATIC * pixel:
            continue
        parts.append(f"{abs(mean):.2f} px {ways[mean < 0]} {_words(interval, ' px')}")
        halves = halves or _HALF[0] <= abs(mean) / pixel <= _HALF[1]
    if not parts:
        return ()
    why = (
        "; half a pixel of the model: one side counts from the corner of a pixel and the other from its centre"
        if halves
        else ""
    )
    return (f"a systematic offset: answers lie {' and '.join(parts)} those of the reference{why}",)


def _words(interval: Interval, unit: str) -> str:
    return f"[{interval.low:.2f}, {interval.high:.2f}]{unit}"
