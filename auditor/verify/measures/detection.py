"""How steady a detector's boxes are when its input is shifted.

The boxes of the moved input are moved back, then matched to those of the reference: same class, greedily by
intersection over union. Zhang and Wang, "On the stability of video detection and tracking" (arXiv 1611.06467) split
instability in the same way into fragments (boxes that come and go), centre position error, and scale error. Differences
of average precision are no measure of shift stability: moving every box by one pixel alone costs 8 % of it (Borji,
arXiv 2206.10107).

Boxes that touch the border of what both inputs show are cut off differently by the two: they may be matched, but do not
count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.pipeline.decode.boxes import iou
from auditor.text import ModelText
from auditor.verify.arrays import BoolArray, FloatArray, IntArray
from auditor.verify.measures.boxes import (
    NO_BOXES,
    Boxes,
    BoxFormat,
    find_format,
    highest_score,
    read_boxes,
    suppress,
)
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.reference import FIDELITY
from auditor.verify.measures.task import (
    NOT_FINITE,
    ImageMeasures,
    Outputs,
    Row,
    Subject,
    TaskMeasures,
    UnusableOutputError,
    WindowOutputs,
    by_distance,
)
from auditor.verify.measures.totals import curve_totals, image_results, measure_totals
from auditor.verify.result import OutputResult, Task
from auditor.verify.shifts.plan import Pairs, Unit

MEASURES = (
    MeasureFacts(
        "centre-jitter",
        "px",
        False,
        "distance of matched boxes' centres after the shift is undone",
        title="jitter of centres, px",
        gate=Gate.RATIO,
    ),
    MeasureFacts("size-deviation", "ratio", False, "relative change of matched boxes' width and height"),
    MeasureFacts(
        "score-deviation",
        "probability",
        False,
        "change of matched boxes' score",
        leading=True,
        summary=True,
    ),
    MeasureFacts(
        "flicker", "share", False, "boxes that appear or disappear", gate=Gate.CHANGE, leading=True, summary=True
    ),
)

DEFAULT_IOU = 0.5
BORDER = 2.0  # pixels


@dataclass(frozen=True, slots=True)
class PairStability:
    """(P,) per pair of windows, NaN where a pair has no box to measure on.

    ``centre``: mean distance of matched centres in pixels. ``size``: mean relative change of width and height.
    ``score``: mean absolute change of score. ``flicker``: share of boxes without a partner, among all boxes counted
    once.
    """

    centre: FloatArray
    size: FloatArray
    score: FloatArray
    flicker: FloatArray


def match(left: Boxes, right: Boxes, least: float = DEFAULT_IOU) -> tuple[IntArray, IntArray]:
    """Indices (K,) into both of the boxes that are the same: equal class, each used once, largest overlap first."""
    overlap = np.where(left.labels[:, None] == right.labels[None, :], iou(left.corners, right.corners), 0.0)
    taken: list[tuple[int, int]] = []
    # Equal overlaps are settled by the order of the boxes, so that the result does not depend on the sort.
    order = np.argsort(-overlap, axis=None, kind="stable")
    free = np.ones(len(left), dtype=np.bool_), np.ones(len(right), dtype=np.bool_)
    for place in order[: np.count_nonzero(overlap >= least)]:
        one, two = divmod(int(place), len(right))
        if free[0][one] and free[1][two]:
            free[0][one] = free[1][two] = False
            taken.append((one, two))
    pairs = np.array(taken, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def matched_share(left: Boxes, right: Boxes, least: float = DEFAULT_IOU) -> float:
    """Share of the boxes of two answers to one input that have a partner in the other, each pair counted once.

    NaN where neither has a box.
    """
    matched = len(match(left, right, least)[0])
    total = len(left) + len(right) - matched
    return matched / total if total else float("nan")


def pair_stability(
    boxes: list[Boxes],
    pairs: Pairs,
    window: tuple[int, int],
    circular: bool = False,
    least: float = DEFAULT_IOU,
    border: float = BORDER,
) -> PairStability:
    """Compare the boxes of the windows of one image, pair by pair; ``window`` is the input's (H, W).

    Boxes, shifts and ``window`` count the same pixels: of the model's input, or of the part of a picture that it shows.

    A circular shift moves boxes across the seam, where they are cut: boxes that touch the seam in either input do not
    count.
    """
    rows = np.full((4, len(pairs)), np.nan)
    for index, (reference, moved, shift) in enumerate(zip(pairs.reference, pairs.moved, pairs.shift, strict=True)):
        rows[:, index] = _compare(boxes[reference], boxes[moved], shift, window, circular, least, border)
    return PairStability(*rows)


def _compare(
    left: Boxes,
    right: Boxes,
    shift: FloatArray,
    window: tuple[int, int],
    circular: bool,
    least: float,
    border: float,
) -> tuple[float, float, float, float]:
    step = np.array([shift[1], shift[0]])
    extent = np.array([window[1], window[0]], dtype=np.float64)
    corners = right.corners + np.tile(step, 2)
    if circular:
        corners = _wrapped(corners, extent)
        # Uncut in its own input, and not across the seam of the other one either.
        there = _wrapped(left.corners - np.tile(step, 2), extent)
        counts = (
            _within(left.corners, np.zeros(2), extent, border) & _within(there, np.zeros(2), extent, border),
            _within(right.corners, np.zeros(2), extent, border) & _within(corners, np.zeros(2), extent, border),
        )
    else:
        low, high = np.maximum(0, step), extent + np.minimum(0, step)
        counts = _within(left.corners, low, high, border), _within(corners, low, high, border)
    returned = Boxes(corners, right.scores, right.labels)
    one, two = match(left, returned, least)
    both = counts[0][one] & counts[1][two]
    alone = sum(int(np.count_nonzero(np.delete(count, used))) for count, used in zip(counts, (one, two), strict=True))
    total = alone + int(np.count_nonzero(both))
    flicker = alone / total if total else np.nan
    if not both.any():
        return np.nan, np.nan, np.nan, flicker
    first, second = left.corners[one[both]], corners[two[both]]
    centres = np.linalg.norm((first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]) / 2, axis=1)
    sizes = [matched[:, 2:] - matched[:, :2] for matched in (first, second)]
    change = np.abs(sizes[1] - sizes[0]) / np.maximum((sizes[0] + sizes[1]) / 2, 1e-9)
    scores = np.abs(left.scores[one[both]] - right.scores[two[both]])
    return float(centres.mean()), float(change.mean()), float(scores.mean()), flicker


def _wrapped(corners: FloatArray, extent: FloatArray) -> FloatArray:
    """Moved by whole periods so that the centres lie in the input."""
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    return corners - np.tile(np.floor(centre / extent) * extent, 2)


def _within(corners: FloatArray, low: FloatArray, high: FloatArray, border: float) -> BoolArray:
    """Which boxes keep clear of the border of a region."""
    inside = (corners[:, :2] >= low + border).all(axis=1) & (corners[:, 2:] <= high - border).all(axis=1)
    return np.asarray(inside, dtype=np.bool_)


# Comparing boxes is quadratic; the strongest of them say whether a detector is steady.
_MANY = 500
_MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class WindowBoxes:
    """The boxes of every window of an image, and the highest score of any box; None where no window has one."""

    windows: tuple[Boxes, ...]
    highest: float | None


@dataclass(frozen=True, slots=True)
class DetectionImage(ImageMeasures):
    """One image of a detector. ``highest`` is the highest score of any box, None where there is none."""

    highest: float | None


@dataclass(frozen=True, slots=True)
class Detection(TaskMeasures[WindowBoxes, DetectionImage]):
    """Reads boxes and measures how they move, change and come and go, relative to the shift of their input.

    ``form`` is how to read them and ``background`` the class that means "nothing"; an image tells both by its own first
    window with boxes where the pilot saw none. Boxes count from ``score`` on.
    """

    MEASURES = MEASURES
    WHOLE_PIXELS = True

    window: tuple[int, int]
    circular: bool
    score: float
    form: BoxFormat | None = None
    background: int | None = None

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Detection:
        blank = cls(subject.target.outputs, subject.window, subject.circular, subject.box_score)
        known = [{name: sample[name] for name in blank.outputs} for sample in samples]
        return blank._told([sample for sample in known if _is_finite(sample)])

    def read(self, rows: WindowOutputs) -> WindowBoxes:
        count = min(len(rows[name]) for name in self.outputs)
        windows = [{name: rows[name][index] for name in self.outputs} for index in range(count)]
        if not all(_is_finite(window) for window in windows):
            raise UnusableOutputError(NOT_FINITE)
        told = self if self.form is not None else self._told(windows)
        boxes: list[Boxes] = []
        highest: list[float] = []
        for window in windows:
            # Padding only, or no row at all, where nothing tells what the numbers are.
            found, best = (NO_BOXES, None) if told.form is None else told._boxes(window, told.form)
            boxes.append(found)
            highest += [] if best is None else [best]
        if told.form is None and any(np.any(value) for window in windows for value in window.values()):
            raise UnusableOutputError("no boxes were found in the model's outputs, in none of the known formats")
        return WindowBoxes(tuple(boxes), max(highest, default=None))

    def row(self, unit: Unit, answers: WindowBoxes, reference: WindowBoxes | None) -> DetectionImage:
        plan = unit.plan
        values: dict[str, float] = {}
        if len(plan.pairs):
            values = {name: _mean(along) for name, along in self._along(unit, answers, plan.pairs).items()}
        if reference is not None:
            pairs = zip(answers.windows, reference.windows, strict=True)
            values["fidelity"] = _mean(np.array([matched_share(left, right) for left, right in pairs]))
        curves = self._along(unit, answers, plan.distances) if len(plan.distances) else {}
        flicker = float(np.nan_to_num(values.get("flicker", 0.0)))
        return DetectionImage(values, by_distance(curves, plan.distances.distance), flicker, answers.highest)

    def total(self, rows: Sequence[Row[DetectionImage]], confidence: float) -> OutputResult:
        return OutputResult(
            ModelText(self.outputs[0] if self.form is None else self.form.boxes),
            Task.DETECTION,
            measure_totals((FIDELITY, *MEASURES), rows, confidence),
            curve_totals(MEASURES, rows, confidence),
            image_results(rows),
            (),
        )

    def nothing(self, rows: Sequence[Row[DetectionImage]]) -> str:
        images = [row.measured for row in rows if row.measured is not None]
        if not images or not all(np.isnan(image.values.get("flicker", np.nan)) for image in images):
            return ""
        highest = max((image.highest for image in images if image.highest is not None), default=None)
        seen = f"the highest score seen is {highest:.3g}" if highest is not None else "no box of any score was seen"
        return (
            f"no image has a box of score {self.score:g} or more (--box-score) that lies wholly inside of two shifted "
            f"windows; {seen}"
        )

    def _along(self, unit: Unit, boxes: WindowBoxes, pairs: Pairs) -> dict[str, FloatArray]:
        seen, window, border = list(boxes.windows), self.window, BORDER
        if unit.native:
            seen, window = _in_the_picture(seen, unit), unit.placements[0].picture
            border = BORDER / min(unit.placements[0].scale)
        found = pair_stability(seen, pairs, window, self.circular, border=border)
        return {
            "centre-jitter": found.centre,
            "size-deviation": found.size,
            "score-deviation": found.score,
            "flicker": found.flicker,
        }

    def _told(self, windows: Sequence[Outputs]) -> Detection:
        """With the format of the first window that has boxes; without where none has."""
        for window in windows:
            form = find_format(window)
            if form is not None:
                everything = read_boxes(window, form, self.window, 0.0)
                return replace(self, form=form, background=_background(everything, window, form))
        return self

    def _boxes(self, window: Outputs, form: BoxFormat) -> tuple[Boxes, float | None]:
        """The boxes of one window, and the highest score of any that was read."""
        found = read_boxes(window, form, self.window, self.score)
        best = float(found.scores.max()) if len(found) else highest_score(window, form)
        if self.background is not None:
            kept = found.labels != self.background
            found = Boxes(found.corners[kept], found.scores[kept], found.labels[kept])
        if len(found) > _MANY:
            strongest = np.argsort(-found.scores, kind="stable")[:_MANY]
            found = Boxes(found.corners[strongest], found.scores[strongest], found.labels[strongest])
        return suppress(found), best


def _in_the_picture(boxes: list[Boxes], unit: Unit) -> list[Boxes]:
    """The boxes of every window in pixels of the part of the picture that it shows."""
    return [
        Boxes(replace(placement, origin=(0, 0)).boxes_to_picture(window.corners), window.scores, window.labels)
        for window, placement in zip(boxes, unit.placements, strict=True)
    ]


def _is_finite(window: Outputs) -> bool:
    return all(value.dtype.kind != "f" or bool(np.isfinite(value).all()) for value in window.values())


def _background(boxes: Boxes, row: Outputs, form: BoxFormat) -> int | None:
    """The class that means "nothing" in a raw list of anchors (SSD): the first one, and nearly all anchors have it."""
    classes = row[form.scores].shape[-1] if form.scores is not None else 1
    if len(boxes) < _MANY or classes < 2:
        return None
    return 0 if np.mean(boxes.labels == 0) > _MOSTLY else None


def _mean(along: FloatArray) -> float:
    """The mean over the pairs that have boxes, NaN where none has."""
    known = along[~np.isnan(along)]
    return float(known.mean()) if len(known) else float("nan")
