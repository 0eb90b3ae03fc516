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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from msgspec import structs

from auditor.pipeline.decoding import Detections
from auditor.text import count_text
from auditor.verify.arrays import FloatArray
from auditor.verify.hysteresis import AnswerScores, Margins
from auditor.verify.measures.box_pairs import BORDER, pair_stability
from auditor.verify.measures.boxes import Boxes, compare_boxes, within
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
from auditor.verify.measures.variance import Spread, spread_of_several
from auditor.verify.result import OutputResult, Task
from auditor.verify.shifts.plan import Pairs, Unit

J_SCORE = MeasureFacts(
    "score-j",
    "variance",
    False,
    "variance of a box's score under shifts over that between boxes",
    title="J of scores",
    summary=True,
)
J_CENTRE = MeasureFacts(
    "centre-j",
    "variance",
    False,
    "the same of its centre, once the shift is undone",
    title="J of centres",
    summary=True,
)
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
    J_SCORE,
    J_CENTRE,
    MeasureFacts("box-overlap", "share", True, "intersection over union of matched boxes"),
    MeasureFacts(
        "flicker", "share", False, "boxes that appear or disappear", gate=Gate.CHANGE, leading=True, summary=True
    ),
    MeasureFacts("boxes-lost", "share", False, "of these, what the first input of a pair alone has"),
    MeasureFacts("boxes-gained", "share", False, "of these, what the second input of a pair alone has"),
    MeasureFacts("threshold-crossings", "share", False, "of these, what is still there below the threshold"),
)

_CURVES = ("centre-jitter", "size-deviation", "score-deviation", "flicker")


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
        spreads: dict[str, Spread] = {}
        if len(plan.pairs):
            along = self._along(unit, answers, plan.pairs)
            squares = {name: along.pop(name) for name in (J_SCORE.name, J_CENTRE.name)}
            values = {name: known_mean(changes) for name, changes in along.items()}
            spreads = self._spreads(unit, answers, squares)
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
            spreads=spreads,
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
        margins = Margins("score", self.score)

        def also(image: DetectionImage) -> None:
            for scores in image.scores:
                margins.add(scores)

        table = (*AGREEMENT, *MEASURES)
        found = output_result(self.outputs[0], Task.DETECTION, table, rows, confidence, also)
        return structs.replace(found, margin=margins.margin)

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
        some = [image.boxes for image in images if not np.isnan(image.values.get("flicker", np.nan))]
        boxes = count_text(sum(some), "box", "boxes")
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
            J_SCORE.name: found.score_square,
            J_CENTRE.name: found.centre_square,
        }

    def _spreads(self, unit: Unit, boxes: WindowBoxes, squares: Mapping[str, FloatArray]) -> dict[str, Spread]:
        """The spreads of scores and centres, over the boxes of the unshifted input that no border cuts."""
        window, border = self._extent(unit)
        first = self._placed(boxes, unit)[0].above(self.score)
        whole = within(first.corners, np.zeros(2), np.array([window[1], window[0]], np.float64), border)
        seen = first.chosen(whole)
        objects = {J_SCORE.name: seen.scores[:, None], J_CENTRE.name: seen.corners.reshape(-1, 2, 2).mean(axis=1)}
        return {name: spread_of_several(known_mean(squares[name]), objects[name]) for name in objects}


def _in_the_picture(boxes: list[Boxes], unit: Unit) -> list[Boxes]:
    """The boxes of every window in pixels of the part of the picture that it shows."""
    return [
        Boxes(replace(placement, origin=(0, 0)).boxes_to_picture(window.corners), window.scores, window.labels)
        for window, placement in zip(boxes, unit.placements, strict=True)
    ]
