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

from collections.abc import Mapping
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
from auditor.verify.measures.ledger import Ledger
from auditor.verify.measures.tally import UnusableOutputError, nearly_equal
from auditor.verify.result import ImageResult, OutputResult, Task
from auditor.verify.shifts.plan import Pairs, Unit
from auditor.verify.worker.arena import Array

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


class DetectionTally:
    """Measures how boxes move, change and come and go, relative to the shift of their input.

    ``reference`` are the outputs of a reference model among the rows, if there is one.
    """

    def __init__(
        self,
        outputs: tuple[str, ...],
        window: tuple[int, int],
        circular: bool,
        score: float,
        confidence: float,
        reference: tuple[str, ...] = (),
    ) -> None:
        self._own = _BoxReader(outputs, window, score)
        self._other = _BoxReader(reference, window, score) if reference else None
        self._window = window
        self._circular = circular
        self._ledger = Ledger(confidence)
        self._images: list[ImageResult] = []
        self._seen = 0

    def add(self, unit: Unit, rows: Mapping[str, list[Array]]) -> None:
        boxes = self._own.all(rows)
        others = self._other.all(rows) if self._other is not None else []
        plan = unit.plan
        values: dict[str, float] = {}
        seen, window, border = boxes, self._window, BORDER
        if unit.native:
            seen, window = _in_the_picture(boxes, unit), unit.placements[0].picture
            border = BORDER / min(unit.placements[0].scale)
        if len(plan.pairs):
            found = pair_stability(seen, plan.pairs, window, self._circular, border=border)
            values = {name: _mean(along) for name, along in _named(found).items()}
        if others:
            pairs = zip(boxes, others, strict=True)
            values["fidelity"] = _mean(np.array([matched_share(one, other) for one, other in pairs]))
        curves: dict[str, FloatArray] = {}
        if len(plan.distances):
            curves = _named(pair_stability(seen, plan.distances, window, self._circular, border=border))
        self._ledger.add(values, curves, plan.distances.distance)
        self._seen += not np.isnan(values.get("flicker", np.nan))
        flicker = float(np.nan_to_num(values.get("flicker", 0.0)))
        self._images.append(ImageResult(unit.name, None, None, None, flicker, (), None, None))

    def same(self, first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
        return all(nearly_equal(first[name], second[name]) for name in self._own.outputs)

    def nothing(self) -> str:
        if self._seen or not self._images:
            return ""
        highest = self._own.highest
        seen = f"the highest score seen is {highest:.3g}" if highest is not None else "no box of any score was seen"
        return (
            f"no image has a box of score {self._own.score:g} or more (--box-score) that lies wholly inside of two "
            f"shifted windows; {seen}"
        )

    def finish(self) -> OutputResult:
        return OutputResult(
            ModelText(self._own.name),
            Task.DETECTION,
            self._ledger.measures(),
            self._ledger.curves(),
            tuple(self._images),
            (),
        )


def _in_the_picture(boxes: list[Boxes], unit: Unit) -> list[Boxes]:
    """The boxes of every window in pixels of the part of the picture that it shows."""
    return [
        Boxes(replace(placement, origin=(0, 0)).boxes_to_picture(one.corners), one.scores, one.labels)
        for one, placement in zip(boxes, unit.placements, strict=True)
    ]


class _BoxReader:
    """Reads the boxes of one model; the format is told from the first window that has some, and kept."""

    def __init__(self, outputs: tuple[str, ...], window: tuple[int, int], score: float) -> None:
        self.outputs = outputs
        self._window = window
        self.score = score
        self.highest: float | None = None
        self._format: BoxFormat | None = None
        self._background: int | None = None

    @property
    def name(self) -> str:
        """The output that holds the boxes."""
        return self._format.boxes if self._format is not None else self.outputs[0]

    def all(self, rows: Mapping[str, list[Array]]) -> list[Boxes]:
        """The boxes of every window."""
        count = min(len(rows[name]) for name in self.outputs)
        return [self._boxes({name: rows[name][index] for name in self.outputs}) for index in range(count)]

    def _boxes(self, row: Mapping[str, Array]) -> Boxes:
        for value in row.values():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise UnusableOutputError("the model's output holds NaN or infinity")
        if self._format is None:
            self._format = find_format(row)
            if self._format is None and not any(np.any(value) for value in row.values()):
                return NO_BOXES  # padding only, or no row at all: the next window may have some
            if self._format is None:
                raise UnusableOutputError("no boxes were found in the model's outputs, in none of the known formats")
            everything = read_boxes(row, self._format, self._window, 0.0)
            self._background = _background(everything, row, self._format)
        found = read_boxes(row, self._format, self._window, self.score)
        best = float(found.scores.max()) if len(found) else highest_score(row, self._format)
        if best is not None:
            self.highest = best if self.highest is None else max(self.highest, best)
        if self._background is not None:
            kept = found.labels != self._background
            found = Boxes(found.corners[kept], found.scores[kept], found.labels[kept])
        if len(found) > _MANY:
            strongest = np.argsort(-found.scores, kind="stable")[:_MANY]
            found = Boxes(found.corners[strongest], found.scores[strongest], found.labels[strongest])
        return suppress(found)


def _background(boxes: Boxes, row: Mapping[str, Array], form: BoxFormat) -> int | None:
    """The class that means "nothing" in a raw list of anchors (SSD): the first one, and nearly all anchors have it."""
    classes = row[form.scores].shape[-1] if form.scores is not None else 1
    if len(boxes) < _MANY or classes < 2:
        return None
    return 0 if np.mean(boxes.labels == 0) > _MOSTLY else None


def _named(found: PairStability) -> dict[str, FloatArray]:
    return {
        "centre-jitter": found.centre,
        "size-deviation": found.size,
        "score-deviation": found.score,
        "flicker": found.flicker,
    }


def _mean(along: FloatArray) -> float:
    """The mean over the pairs that have boxes, NaN where none has."""
    known = along[~np.isnan(along)]
    return float(known.mean()) if len(known) else float("nan")
