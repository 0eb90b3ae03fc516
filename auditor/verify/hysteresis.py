"""How near answers lie to where another answer begins, against their own jitter, and the hysteresis that holds them.

A box whose score lies within its own jitter of the threshold comes and goes without anything happening in front of the
camera; so does a class that hardly leads. Two thresholds in place of one stop that: a box comes with a score of the
upper one or more, and goes below the lower one.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def margin(of: str, threshold: float, answers: Sequence[AnswerScores]) -> Margin | None:
    """The margin of these answers; None where there are none."""
    if not answers:
        return None
    depths = [answer.depth(threshold) for answer in answers if answer.crosses(threshold)]
    near = sum(answer.near(threshold) for answer in answers)
    jitter = float(np.median([answer.spread for answer in answers]))
    found = Margin(of, threshold, len(answers), near, jitter, len(depths))
    if not depths:
        return found
    reach = float(np.quantile(depths, _STOPPED, method="higher"))
    # The next two-digit number above: a score of the upper threshold itself would come.
    width = float(np.floor(reach * _DIGITS + 1e-9) + 1) / _DIGITS
    low, high = threshold - width, threshold + width
    if of == "score" and not 0 < low < high < 1:
        return found
    stopped = sum(depth < width for depth in depths)
    return Margin(of, threshold, len(answers), near, jitter, len(depths), round(low, 6), round(high, 6), stopped)
