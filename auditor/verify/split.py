"""How much of what shifts change is the sampling grid's doing, and how much is border and content."""

from __future__ import annotations

from math import isfinite, nan
from typing import ClassVar

from msgspec import Struct

from auditor.codec import FloatOrNan
from auditor.verify.columns import Floats
from auditor.verify.interval import Interval

# An interval that is wider leaves open which of the two is the larger part.
_WIDEST = 0.5


class Ceiling(Struct, frozen=True):
    """A measure over shifts ``beside`` the multiples of the period, and at them, where every grid lies as before.

    No repair of the sampling reaches further. ``interval`` is that of the paired difference ``aligned - beside``.
    """

    measure: str
    unit: str
    beside: FloatOrNan
    aligned: FloatOrNan
    interval: Interval | None


class LossSplit(Struct, frozen=True):
    """The change by shifts at multiples of the period, as a part of that by shifts about as long beside them.

    ``measure`` is the variance (or the square of the error) that is split, ``period`` the cumulative subsampling factor
    in pixels, and ``radius`` the longest multiple. ``border`` is the share of the change that is left at the multiples:
    what enters and leaves at the border, and what zero padding adds. The rest is the sampling grid's. ``aligned`` and
    ``beside`` are the changes per image.
    """

    computed: ClassVar[tuple[str, ...]] = ("decided", "grid")

    measure: str
    period: int
    radius: int
    border: FloatOrNan
    interval: Interval | None
    aligned: Floats
    beside: Floats
    ceilings: tuple[Ceiling, ...] = ()

    @property
    def grid(self) -> FloatOrNan:
        """The share of the change that a repair can reach, 0 to 1."""
        return min(1.0, max(0.0, 1.0 - self.border)) if isfinite(self.border) else nan

    @property
    def decided(self) -> bool:
        """Whether there are enough pictures to tell the two parts apart."""
        span = self.interval
        if span is None or not (isfinite(span.low) and isfinite(span.high)):
            return False
        return min(span.high, 1.0) - min(span.low, 1.0) <= _WIDEST
