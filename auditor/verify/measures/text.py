"""How a text reader's line changes when its input is shifted.

* text changes: share of pairs of shifts whose two readings differ at all.
* edit distance: Levenshtein's (1966) insertions, deletions and substitutions over the length of the reference's
  reading (the character error rate of the moved one, as if the reference were the truth; not symmetric). Where the
  reference reads nothing, every character of the other is wrong: 1.
* confidence of the changed characters: the mean probability that either reading gives to the characters that the other
  does not have. Near 1 says that no threshold on the confidence keeps the change out of a product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.pipeline.decoding import Text
from auditor.text import count_text
from auditor.verify.arrays import FloatArray, IntArray
from auditor.verify.measures.decoded import answers_of, decoder_of
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.layouts import Decoder
from auditor.verify.measures.reference import AGREEMENT, EDITS, Beside, changes_beside, fidelity_values, one_pixel
from auditor.verify.measures.task import (
    ImageMeasures,
    Outputs,
    Row,
    Subject,
    TaskMeasures,
    WindowOutputs,
    by_distance,
    measured_of,
)
from auditor.verify.measures.totals import output_result
from auditor.verify.measures.tracks import track
from auditor.verify.result import OutputResult, Task, Track
from auditor.verify.shifts.plan import Pairs, Unit

MEASURES = (
    MeasureFacts(
        "text-changes",
        "share",
        False,
        "random pairs of shifts whose text differs",
        gate=Gate.CHANGE,
        leading=True,
        summary=True,
        in_points=True,
    ),
    MeasureFacts("edit-distance", "ratio", False, "edits between two readings over the length of the first"),
    MeasureFacts("changed-confidence", "probability", False, "probability of the characters that differ"),
)


def changes(left: str, right: str) -> tuple[IntArray, IntArray, int]:
    """Positions of the characters of each text that the other does not have, and the least number of edits.

    Of the alignments with the fewest edits the one is taken that substitutes first.
    """
    table = np.zeros((len(left) + 1, len(right) + 1), np.int64)
    table[:, 0], table[0] = np.arange(len(left) + 1), np.arange(len(right) + 1)
    for row, one in enumerate(left, 1):
        for column, two in enumerate(right, 1):
            kept = table[row - 1, column - 1] + (one != two)
            table[row, column] = min(kept, table[row - 1, column] + 1, table[row, column - 1] + 1)
    row, column = len(left), len(right)
    lost: list[int] = []
    gained: list[int] = []
    while row or column:
        differ = row and column and left[row - 1] != right[column - 1]
        if row and column and table[row, column] == table[row - 1, column - 1] + bool(differ):
            row, column = row - 1, column - 1
            if differ:
                lost.append(row)
                gained.append(column)
        elif row and table[row, column] == table[row - 1, column] + 1:
            row -= 1
            lost.append(row)
        else:
            column -= 1
            gained.append(column)
    return np.array(lost[::-1], np.int64), np.array(gained[::-1], np.int64), int(table[-1, -1])


def changed(lines: Sequence[Text], pairs: Pairs) -> FloatArray:
    """(P,) 1 where the two readings of a pair differ, else 0."""
    return np.array([float(left.text != right.text) for left, right in _of(lines, pairs)], np.float64)


def edit_distance(lines: Sequence[Text], pairs: Pairs) -> FloatArray:
    """(P,) edits from the reference's reading to the other over the length of the reference's."""
    rates = [_rate(left.text, right.text) for left, right in _of(lines, pairs)]
    return np.array(rates, np.float64)


def changed_confidence(lines: Sequence[Text], pairs: Pairs) -> float:
    """The mean probability of the characters that differ, over all pairs; NaN where none does."""
    scores: list[FloatArray] = []
    for left, right in _of(lines, pairs):
        lost, gained, edits = changes(left.text, right.text)
        if edits:
            scores += [_scores(left)[lost], _scores(right)[gained]]
    every = np.concatenate(scores) if scores else np.zeros(0)
    return float(every.mean()) if len(every) else float("nan")


def _of(lines: Sequence[Text], pairs: Pairs) -> list[tuple[Text, Text]]:
    return [(lines[one], lines[two]) for one, two in zip(pairs.reference, pairs.moved, strict=True)]


def _rate(left: str, right: str) -> float:
    if left == right:
        return 0.0
    return changes(left, right)[2] / len(left) if left else 1.0


def _scores(line: Text) -> FloatArray:
    return np.asarray(line.scores, np.float64)


@dataclass(frozen=True, slots=True)
class TextImage(ImageMeasures):
    """One image of a text reader. ``characters`` is the length of the unshifted reading, ``any`` whether any window
    has a character.
    """

    characters: int
    any: bool


@dataclass(frozen=True, slots=True)
class TextLines(TaskMeasures[tuple[Text, ...], TextImage]):
    """Measures how often and by how much readings differ. ``decoder`` reads the outputs."""

    MEASURES = MEASURES
    TRACKS = True

    decoder: Decoder
    period: int | None

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> TextLines:  # noqa: ARG003 - the pilot chose
        return cls(subject.target.outputs, decoder_of(subject), subject.period)

    def read(self, rows: WindowOutputs) -> tuple[Text, ...]:
        return tuple(answers_of(self.decoder, self.outputs, rows, Text))

    def row(self, unit: Unit, answers: tuple[Text, ...], reference: tuple[Text, ...] | None) -> TextImage:
        plan = unit.plan
        some = any(line.text for line in answers)
        values: dict[str, float] = {}
        curves: dict[str, FloatArray] = {}
        # A picture without text is read the same everywhere, which says nothing.
        if some and len(plan.pairs):
            values = {
                "text-changes": float(changed(answers, plan.pairs).mean()),
                "edit-distance": float(edit_distance(answers, plan.pairs).mean()),
                "changed-confidence": changed_confidence(answers, plan.pairs),
            }
        elif len(plan.pairs):
            values = dict.fromkeys((facts.name for facts in MEASURES), float("nan"))
        if some and len(plan.distances):
            curves = {
                "text-changes": changed(answers, plan.distances),
                "edit-distance": edit_distance(answers, plan.distances),
            }
        beside: Beside | None = None
        if reference is not None:
            lines = list(zip(reference, answers, strict=True))
            values |= fidelity_values([float(other.text == line.text) for other, line in lines])
            values[EDITS.name] = float(np.mean([_rate(other.text, line.text) for other, line in lines]))
            near = one_pixel(plan)
            beside, added = changes_beside(changed(answers, near) > 0, changed(reference, near) > 0)
            values |= added
        flips = float(np.nan_to_num(values.get("text-changes", 0.0)))
        points = by_distance(curves, plan.distances.distance)
        tracks = self._tracks(answers, plan.walk)
        return TextImage(values, points, flips, len(answers[0].text), some, beside=beside, tracks=tracks)

    def _tracks(self, answers: tuple[Text, ...], path: IntArray) -> tuple[Track, ...]:
        """The edits from the first reading along the path."""
        if not len(path):
            return ()
        edits = [float(changes(answers[path[0]].text, answers[window].text)[2]) for window in path]
        return (track("edits of the text", "characters", edits, self.period),)

    def total(self, rows: Sequence[Row[TextImage]], confidence: float) -> OutputResult:
        return output_result(self.outputs[0], Task.TEXT, (*AGREEMENT, *MEASURES), rows, confidence)

    def same(self, first: Outputs, second: Outputs) -> bool:
        one, two = self.decoder.read(first), self.decoder.read(second)
        return isinstance(one, Text) and isinstance(two, Text) and one.text == two.text

    def nothing(self, rows: Sequence[Row[TextImage]]) -> str:
        images = measured_of(rows)
        if not images or any(image.any for image in images):
            return ""
        return "no image has a character in any shifted window"

    def remarks(self, rows: Sequence[Row[TextImage]]) -> tuple[str, ...]:
        characters = [image.characters for image in measured_of(rows) if image.any]
        words = count_text(sum(characters), "character")
        return (f"rests on {count_text(len(characters), 'image')} with text, {words}",)
