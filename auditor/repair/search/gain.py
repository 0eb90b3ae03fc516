"""What a rewrite gained and lost, as values; :mod:`auditor.repair.search.gains` works them out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from auditor.facts.comparison import MeasuredChange
from auditor.verify.interval import Interval


class Yardstick(Enum):
    """What a loss was told by: the labels, or what the two models say to the same input."""

    LABELS = "accuracy"
    ORIGINAL = "agreement"  # inputs with the same top-1 class
    POSITIONS = "position-agreement"  # positions with the same class
    BOXES = "box-agreement"  # boxes that the other model has too
    JOINTS = "joint-agreement"  # joints that lie where the other model sees them
    LINES = "text-agreement"  # lines that the other model reads alike
    COSINE = "cosine"  # of the two outputs


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much of the original's answers the rewritten model gives, on the same inputs; 1 is all."""

    yardstick: Yardstick
    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Loss:
    """A share of answers (or a difference of cosines), positive where the rewritten model is worse.

    ``interval`` is None for too few images.
    """

    yardstick: Yardstick
    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds per picture of the rewritten model over those of the original, both timed in turn in one process.

    ``low`` and ``high`` bound the median over ``rounds`` at 95 %.
    """

    ratio: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Gain:
    """The measured difference. ``leading`` are the changes that a gain is told by, ``agreement`` is with the original.

    ``loss`` is None where nothing tells it, ``speed`` where it was not timed.
    """

    changes: tuple[MeasuredChange, ...]
    leading: tuple[MeasuredChange, ...]
    agreement: Agreement | None
    loss: Loss | None
    speed: Speed | None
    remarks: tuple[str, ...]

    @property
    def variances(self) -> tuple[MeasuredChange, ...]:
        """Those of J under shifts, which scores that are all lowered do not better."""
        return tuple(one for one in self.changes if one.unit == "variance" and not one.protocol)

    @property
    def rose(self) -> bool:
        """Whether one leading measure surely got better, by its interval, and none surely got worse."""
        return any(map(better, self.leading)) and not any(map(worse, self.leading))

    def change(self, measure: str) -> MeasuredChange | None:
        """The change of this measure under shifts, or None where both models do not have it."""
        return next((one for one in self.changes if one.measure == measure and not one.protocol), None)


def better(change: MeasuredChange) -> bool:
    """Whether the interval lies wholly on the good side of no change."""
    if change.interval is None:
        return False
    return change.interval.low > 0 if change.higher_is_better else change.interval.high < 0


def worse(change: MeasuredChange) -> bool:
    """Whether the interval lies wholly on the bad side of no change."""
    if change.interval is None:
        return False
    return change.interval.high < 0 if change.higher_is_better else change.interval.low > 0
