"""What a measure is: declared once, beside the task that makes it, and read by everything that shows or judges it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_LIMITS = {"share": (0.0, 1.0), "probability": (0.0, 1.0)}


class Gate(Enum):
    """What a comparison of two models holds a measure against."""

    NONE = "none"  # shown beside the others
    CHANGE = "change"  # the change per image of the first such measure that was taken (AA501)
    RATIO = "ratio"  # the same by the ratio of the typical image, for measures that have no largest value


@dataclass(frozen=True, slots=True)
class MeasureFacts:
    """One measure.

    ``unit`` is "share", "probability", "px", "variance" (a share of one) or "ratio"; ``meaning`` is one line for
    reports and ``title`` what the head of a column says, the name where it is empty. ``limits`` are the least and
    largest possible value; None for those of a share or probability, and where a ratio or a number of pixels has none.
    ``leading`` measures tell whether a rewrite gained, those of a ``summary`` are shown with it. ``in_points`` says
    that two of a hundred are as good a gain anywhere on the scale. ``unshifted``: it is of the unshifted input alone.
    """

    name: str
    unit: str
    higher_is_better: bool
    meaning: str
    title: str = ""
    limits: tuple[float, float] | None = None
    gate: Gate = Gate.NONE
    leading: bool = False
    summary: bool = False
    in_points: bool = False
    unshifted: bool = False

    @property
    def heading(self) -> str:
        """What the head of a column says."""
        return self.title or self.name

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the largest possible value, None where there are none."""
        return self.limits or _LIMITS.get(self.unit)

    @property
    def interval_bounds(self) -> tuple[float, float] | None:
        """The bounds that the interval of a mean rests on.

        Those of a ratio are so far from what is measured that an interval which allows for them says nothing.
        """
        return self.bounds if self.unit in _LIMITS else None

    @property
    def largest_change(self) -> float | None:
        """The most by which one image can change, None without a bound."""
        return None if self.bounds is None else self.bounds[1] - self.bounds[0]
