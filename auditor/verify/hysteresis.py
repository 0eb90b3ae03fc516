"""How near answers lie to where another answer begins, against their own jitter, and the hysteresis that holds them.

A box whose score lies within its own jitter of the threshold comes and goes without anything happening in front of the
camera; so does a class that hardly leads. Two thresholds in place of one stop that: a box comes with a score of the
upper one or more, and goes below the lower one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import FloatArray
from auditor.verify.margin import Margin

# Of its own standard deviations: what jitters as far crosses in one case of twenty or more.
_REACH = 2.0
# The rarest of the deepest crossings would ask for thresholds that nobody wants.
_STOPPED = 0.95
_DIGITS = 100


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """The scores of one answer under shifts or over frames: ``first``, their mean, standard deviation and ends."""

    first: float
    mean: float
    spread: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: FloatArray) -> AnswerScores:
        """Of the scores (W,), the unshifted input's or the first frame's at the front."""
        return cls(
            float(scores[0]), float(scores.mean()), float(scores.std()), float(scores.min()), float(scores.max())
        )

    def near(self, threshold: float) -> bool:
        """Whether the threshold lies within the answer's own jitter."""
        return self.spread > 0 and abs(self.mean - threshold) <= _REACH * self.spread

    def depth(self, threshold: float) -> float:
        """How far scores reach to the other side of the threshold than the first one; not above 0 where none does."""
        # A score that equals the threshold counts as above it.
        return threshold - self.low if self.first >= threshold else self.high - threshold

    def crosses(self, threshold: float) -> bool:
        """Whether some score lies on the other side than the first one."""
        return self.low < threshold if self.first >= threshold else self.high >= threshold


class Margins:
    """The margin of answers that come one after the other; ``of`` and ``threshold`` as in :class:`Margin`."""

    def __init__(self, of: str, threshold: float) -> None:
        self._of, self._threshold = of, threshold
        self._depths, self._spreads, self._near = array("d"), array("d"), 0

    def add(self, answer: AnswerScores) -> None:
        """The next answer."""
        self._spreads.append(answer.spread)
        self._near += answer.near(self._threshold)
        if answer.crosses(self._threshold):
            self._depths.append(answer.depth(self._threshold))

    @property
    def margin(self) -> Margin | None:
        """That of all answers; None where there are none."""
        return _margin(self._of, self._threshold, self._spreads, self._near, self._depths)


def margin(of: str, threshold: float, answers: Iterable[AnswerScores]) -> Margin | None:
    """The margin of these answers; None where there are none."""
    margins = Margins(of, threshold)
    for answer in answers:
        margins.add(answer)
    return margins.margin


def _margin(of: str, threshold: float, spreads: Sequence[float], near: int, depths: Sequence[float]) -> Margin | None:
    if not spreads:
        return None
    jitter = float(np.median(spreads))
    found = Margin(of, threshold, len(spreads), near, jitter, len(depths))
    if not depths:
        return found
    reach = float(np.quantile(depths, _STOPPED, method="higher"))
    # The next two-digit number above: a score of the upper threshold itself would come.
    width = float(np.floor(reach * _DIGITS + 1e-9) + 1) / _DIGITS
    low, high = threshold - width, threshold + width
    if of == "score" and not 0 < low < high < 1:
        return found
    stopped = sum(depth < width for depth in depths)
    return Margin(of, threshold, len(spreads), near, jitter, len(depths), round(low, 6), round(high, 6), stopped)
