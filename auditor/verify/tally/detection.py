"""The tally of a detector."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auditor.text import ModelText
from auditor.verify.arrays import FloatArray
from auditor.verify.boxes import NO_BOXES, BoxFormat, find_format, highest_score, read_boxes, suppress
from auditor.verify.measures.detection import Boxes, PairStability, matched_share, pair_stability
from auditor.verify.result import ImageResult, OutputResult, Task
from auditor.verify.tally import Unit, UnusableOutputError, nearly_equal
from auditor.verify.tally.ledger import Ledger
from auditor.verify.worker.arena import Array

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
        self._own = _Reader(outputs, window, score)
        self._other = _Reader(reference, window, score) if reference else None
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
        if len(plan.pairs):
            found = pair_stability(boxes, plan.pairs, self._window, self._circular)
            values = {name: _mean(along) for name, along in _named(found).items()}
        if others:
            pairs = zip(boxes, others, strict=True)
            values["fidelity"] = _mean(np.array([matched_share(one, other) for one, other in pairs]))
        curves: dict[str, FloatArray] = {}
        if len(plan.distances):
            curves = _named(pair_stability(boxes, plan.distances, self._window, self._circular))
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


class _Reader:
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
