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

import numpy as np

from auditor.pipeline.decode import Text
from auditor.verify.arrays import FloatArray, IntArray
from auditor.verify.shifts.plan import Pairs


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
