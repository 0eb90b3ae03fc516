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
from dataclasses import dataclass, field, fields, replace

import numpy as np

from auditor.pipeline.decoding import Detections
from auditor.pipeline.decoding.boxes import iou
from auditor.text import count_text
from auditor.verify.arrays import BoolArray, FloatArray, IntArray
from auditor.verify.hysteresis import AnswerScores, margin
from auditor.verify.measures.boxes import DEFAULT_IOU, Boxes, compare_boxes, match, within
from auditor.verify.measures.decoded import answers_of, decoder_of, windows_of
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.layouts import Decoder
from auditor.verify.measures.object_scores import FollowedBox, followed_boxes, moving_box
from auditor.verify.measures.reference import (
    ADDED,
    AGREEMENT,
    MISSED,
    Beside,
    brought_points,
    changes_beside,
    fidelity_values,
    known_mean,
    offset_values,
    one_pixel,
)
from auditor.verify.measures.task import (
    ImageMeasures,
    Outputs,
    Row,
    Sides,
    Subject,
    TaskMeasures,
    WindowOutputs,
    by_distance,
    measured_of,
)
from auditor.verify.measures.totals import output_result
from auditor.verify.measures.tracks import box_tracks
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
    MeasureFacts("box-overlap", "share", True, "intersection over union of matched boxes"),
    MeasureFacts(
        "flicker", "share", False, "boxes that appear or disappear", gate=Gate.CHANGE, leading=True, summary=True
    ),
    MeasureFacts("boxes-lost", "share", False, "of these, what the first input of a pair alone has"),
    MeasureFacts("boxes-gained", "share", False, "of these, what the second input of a pair alone has"),
    MeasureFacts("threshold-crossings", "share", False, "of these, what is still there below the threshold"),
)

_CURVES = ("centre-jitter", "size-deviation", "score-deviation", "flicker")
BORDER = 2.0  # pixels


@dataclass(frozen=True, slots=True)
class PairStability:
    """(P,) per pair of windows, NaN where a pair has no box to measure on.

    ``centre``: mean distance of matched centres in pixels. ``size``: mean relative change of width and height.
    ``score``: mean absolute change of score. ``overlap``: mean intersection over union of matched boxes.
    Of all boxes, a matched pair counted once: ``lost`` and ``gained`` are the shares of those of the reference and of
    the moved input without a partner, ``flicker`` is both together, and ``crossings`` is the part of them whose
    partner is there, below the threshold.
    """

    centre: FloatArray
    size: FloatArray
    score: FloatArray
    overlap: FloatArray
    flicker: FloatArray
    lost: FloatArray
    gained: FloatArray
    crossings: FloatArray


def pair_stability(
    boxes: list[Boxes],
    pairs: Pairs,
    window: tuple[int, int],
    circular: bool = False,
    least: float = DEFAULT_IOU,
    border: float = BORDER,
    threshold: float = 0.0,
) -> PairStability:
    """Compare the boxes of the windows of one image, pair by pair; ``window`` is the input's (H, W).

    Boxes, shifts and ``window`` count the same pixels: of the model's input, or of the part of a picture that it shows.
    Boxes count from the score ``threshold`` on; weaker ones only tell those that cross it from those that vanish.

    A circular shift moves boxes across the seam, where they are cut: boxes that touch the seam in either input do not
    count.
    """
    rows = np.full((len(fields(PairStability)), len(pairs)), np.nan)
    strong, weak = [one.above(threshold) for one in boxes], [one.below(threshold) for one in boxes]
    for index, (reference, moved, shift) in enumerate(zip(pairs.reference, pairs.moved, pairs.shift, strict=True)):
        ends = (strong[reference], strong[moved]), (weak[reference], weak[moved])
        rows[:, index] = _compare(*ends, shift, window, circular, least, border)
    return PairStability(*rows)


def _compare(
    strong: tuple[Boxes, Boxes],
    weak: tuple[Boxes, Boxes],
    shift: FloatArray,
    window: tuple[int, int],
    circular: bool,
    least: float,
    border: float,
) -> tuple[float, ...]:
    left, right = strong
    step = np.array([shift[1], shift[0]])
    extent = np.array([window[1], window[0]], dtype=np.float64)
    corners = right.corners + np.tile(step, 2)
    if circular:
        corners = _wrapped(corners, extent)
        # Uncut in its own input, and not across the seam of the other one either.
        there = _wrapped(left.corners - np.tile(step, 2), extent)
        counts = (
            within(left.corners, np.zeros(2), extent, border) & within(there, np.zeros(2), extent, border),
            within(right.corners, np.zeros(2), extent, border) & within(corners, np.zeros(2), extent, border),
        )
    else:
        low, high = np.maximum(0, step), extent + np.minimum(0, step)
        counts = within(left.corners, low, high, border), within(corners, low, high, border)
    one, two = match(left, right.at(corners), least)
    both = counts[0][one] & counts[1][two]
    gone, come = (
        np.flatnonzero(count & _others(used, len(count))) for count, used in zip(counts, (one, two), strict=True)
    )
    total = len(gone) + len(come) + int(np.count_nonzero(both))
    if not total:
        return (np.nan,) * 8
    ahead, behind = weak[0].corners - np.tile(step, 2), weak[1].corners + np.tile(step, 2)
    if circular:
        ahead, behind = _wrapped(ahead, extent), _wrapped(behind, extent)
    crossed = _paired(left.chosen(gone), weak[1].at(behind), least) + _paired(
        right.chosen(come), weak[0].at(ahead), least
    )
    shares = [part / total for part in (len(gone) + len(come), len(gone), len(come), crossed)]
    if not both.any():
        return (*[np.nan] * 4, *shares)
    first, second = left.corners[one[both]], corners[two[both]]
    centres = np.linalg.norm((first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]) / 2, axis=1)
    sizes = [matched[:, 2:] - matched[:, :2] for matched in (first, second)]
    change = np.abs(sizes[1] - sizes[0]) / np.maximum((sizes[0] + sizes[1]) / 2, 1e-9)
    scores = np.abs(left.scores[one[both]] - right.scores[two[both]])
    overlap = np.diagonal(iou(first, second))
    return (*[float(values.mean()) for values in (centres, change, scores, overlap)], *shares)


def _others(indices: IntArray, count: int) -> BoolArray:
    """Which of ``count`` places are not among the indices."""
    others = np.ones(count, dtype=np.bool_)
    others[indices] = False
    return others


def _paired(boxes: Boxes, others: Boxes, least: float) -> int:
    """How many boxes have a partner among the others."""
    return len(match(boxes, others, least)[0]) if len(boxes) and len(others) else 0


def _wrapped(corners: FloatArray, extent: FloatArray) -> FloatArray:
    """Moved by whole periods so that the centres lie in the input."""
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    return corners - np.tile(np.floor(centre / extent) * extent, 2)


# Comparing boxes is quadratic; the strongest of them say whether a detector is steady.
_MANY = 500


@dataclass(frozen=True, slots=True)
class WindowBoxes:
    """The boxes of every window of an image, weak ones too, and the highest score of any; None where there is none."""

    windows: tuple[Boxes, ...]
    highest: float | None


@dataclass(frozen=True, slots=True)
class DetectionImage(ImageMeasures):
    """One image of a detector. ``highest`` is the highest score of any box, None where there is none, and ``boxes``
    how many of the unshifted input reach the threshold. ``scores`` are those of its boxes under all shifts.
    """

    highest: float | None
    boxes: int
    scores: tuple[AnswerScores, ...] = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Detection(TaskMeasures[WindowBoxes, DetectionImage]):
    """Measures how boxes move, change and come and go, relative to the shift of their input.

    ``decoder`` reads them. Boxes count from ``score`` on; ``window`` is the input's (H, W).
    """

    MEASURES = MEASURES
    WHOLE_PIXELS = True
    TRACKS = True

    decoder: Decoder
    window: tuple[int, int]
    circular: bool
    score: float
    period: int | None

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Detection:  # noqa: ARG003 - the pilot chose
        return cls(
            subject.target.outputs,
            decoder_of(subject),
            subject.window,
            subject.circular,
            subject.box_score,
            subject.period,
        )

    def read(self, rows: WindowOutputs) -> WindowBoxes:
        answers = answers_of(self.decoder, self.outputs, rows, Detections)
        boxes = tuple(Boxes(answer.boxes[:_MANY], answer.scores[:_MANY], answer.labels[:_MANY]) for answer in answers)
        highest = max((float(window.scores.max()) for window in boxes if len(window)), default=None)
        if highest is None and boxes:
            highest = self.decoder.highest_score(next(windows_of(self.outputs, rows)))
        return WindowBoxes(boxes, highest)

    def row(self, unit: Unit, answers: WindowBoxes, reference: WindowBoxes | None) -> DetectionImage:
        plan = unit.plan
        values: dict[str, float] = {}
        beside: Beside | None = None
        if len(plan.pairs):
            values = {name: known_mean(along) for name, along in self._along(unit, answers, plan.pairs).items()}
        if reference is not None:
            beside = self._beside(unit, answers, reference, values)
        curves = self._along(unit, answers, plan.distances) if len(plan.distances) else {}
        curves = {name: along for name, along in curves.items() if name in _CURVES}
        flicker = float(np.nan_to_num(values.get("flicker", 0.0)))
        boxes = len(answers.windows[0].above(self.score))
        placed = self._placed(answers, unit)
        path = [] if self.circular else [placed[window] for window in plan.walk]
        followed = self._followed(unit, answers)
        return DetectionImage(
            values,
            by_distance(curves, plan.distances.distance),
            flicker,
            answers.highest,
            boxes,
            beside=beside,
            tracks=box_tracks(path, self.score, self.period),
            scores=tuple(AnswerScores.of(box.scores) for box in followed),
            moving_box=moving_box(followed, plan.windows, self._extent(unit)[0], self.score),
        )

    def brought(self, answers: WindowBoxes, sides: Sides) -> WindowBoxes:
        def window(boxes: Boxes, index: int) -> Boxes:
            corners = boxes.corners
            if not sides.alike:
                ends = corners.reshape(-1, 2, 2)
                corners = brought_points(ends, sides.there.placements[index], sides.here.placements[index])
            return Boxes(corners.reshape(-1, 4), boxes.scores, boxes.labels - sides.first_class)

        return replace(answers, windows=tuple(window(boxes, i) for i, boxes in enumerate(answers.windows)))

    def total(self, rows: Sequence[Row[DetectionImage]], confidence: float) -> OutputResult:
        return output_result(
            self.outputs[0],
            Task.DETECTION,
            (*AGREEMENT, *MEASURES),
            rows,
            confidence,
            margin=margin("score", self.score, [scores for image in measured_of(rows) for scores in image.scores]),
        )

    def nothing(self, rows: Sequence[Row[DetectionImage]]) -> str:
        images = measured_of(rows)
        if not images or not all(np.isnan(image.values.get("flicker", np.nan)) for image in images):
            return ""
        highest = max((image.highest for image in images if image.highest is not None), default=None)
        seen = f"the highest score seen is {highest:.3g}" if highest is not None else "no box of any score was seen"
        return (
            f"no image has a box of score {self.score:g} or more (--box-score) that lies wholly inside of two shifted "
            f"windows; {seen}"
        )

    def remarks(self, rows: Sequence[Row[DetectionImage]]) -> tuple[str, ...]:
        images = measured_of(rows)
        some = [image for image in images if not np.isnan(image.values.get("flicker", np.nan))]
        boxes = count_text(sum(image.boxes for image in some), "box", "boxes")
        none = len(images) - len(some)
        without = f"; {count_text(none, 'image')} without a box" if none else ""
        return (f"rests on {count_text(len(some), 'image')} with {boxes} of score {self.score:g} or more{without}",)

    def _beside(self, unit: Unit, answers: WindowBoxes, reference: WindowBoxes, values: dict[str, float]) -> Beside:
        """Hold the boxes against those of the reference, window by window; the measures are added to ``values``."""
        sides = [self._placed(seen, unit) for seen in (answers, reference)]
        compared = [
            compare_boxes(left.above(self.score), right.above(self.score)) for left, right in zip(*sides, strict=True)
        ]
        values |= fidelity_values([one.share(one.both) for one in compared])
        values[MISSED.name] = known_mean([one.share(one.missed) for one in compared])
        values[ADDED.name] = known_mean([one.share(one.added) for one in compared])
        values |= offset_values([one.moves for one in compared])
        near = one_pixel(unit.plan)
        changed = [self._along(unit, seen, near)["flicker"] > 0 for seen in (answers, reference)]
        first = compared[0]
        beside, added = changes_beside(changed[0], changed[1], (first.both, first.missed, first.added))
        values |= added
        return beside

    def _followed(self, unit: Unit, boxes: WindowBoxes) -> tuple[FollowedBox, ...]:
        """Every box in all windows; a circular shift cuts boxes, so none there."""
        if self.circular:
            return ()
        window, border = self._extent(unit)
        return followed_boxes(self._placed(boxes, unit), unit.plan.windows, window, self.score, border)

    def _extent(self, unit: Unit) -> tuple[tuple[int, int], float]:
        """The size of a window and the border, in the pixels that the run counts."""
        placed = unit.placements[0] if unit.native else None
        return (self.window, BORDER) if placed is None else (placed.picture, BORDER / min(placed.scale))

    def _placed(self, boxes: WindowBoxes, unit: Unit) -> list[Boxes]:
        """The boxes in the pixels that the run counts."""
        return _in_the_picture(list(boxes.windows), unit) if unit.native else list(boxes.windows)

    def _along(self, unit: Unit, boxes: WindowBoxes, pairs: Pairs) -> dict[str, FloatArray]:
        seen = self._placed(boxes, unit)
        window, border = self._extent(unit)
        found = pair_stability(seen, pairs, window, self.circular, border=border, threshold=self.score)
        return {
            "centre-jitter": found.centre,
            "size-deviation": found.size,
            "score-deviation": found.score,
            "box-overlap": found.overlap,
            "flicker": found.flicker,
            "boxes-lost": found.lost,
            "boxes-gained": found.gained,
            "threshold-crossings": found.crossings,
        }


def _in_the_picture(boxes: list[Boxes], unit: Unit) -> list[Boxes]:
    """The boxes of every window in pixels of the part of the picture that it shows."""
    return [
        Boxes(replace(placement, origin=(0, 0)).boxes_to_picture(window.corners), window.scores, window.labels)
        for window, placement in zip(boxes, unit.placements, strict=True)
    ]
