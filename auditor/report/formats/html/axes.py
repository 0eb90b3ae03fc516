"""Axes with round ends and few ticks, the same for a measure wherever it stands on a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auditor.report.formats.html.tree import Element, element

# Of changes of a probability, in steps that leave room for four ticks.
_CHANGES = (0.1, 0.2, 0.4, 1.0)
_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """From 0 to ``end`` with a tick at every ``step``; ``unit`` is that of a measure."""

    end: float
    step: float
    unit: str

    @classmethod
    def of(cls, values: Iterable[float], unit: str) -> ValueAxis:
        """The axis for values of a unit: shares end at 100 %, changes of a probability and the rest at a round number
        above the largest value.
        """
        highest = max(values, default=0.0)
        if unit == "share":
            return cls(1.0, 0.25, unit)
        if unit == "probability":
            end = next((end for end in _CHANGES if highest <= end), max(highest, 1.0))
            return cls(end, end / 4, unit)
        end = round_above(highest)
        return cls(end, end / (5 if _leading(end) == 5 else 4), unit)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where numbers stand."""
        return tuple(self.step * place for place in range(round(self.end / self.step) + 1))

    def words(self, value: float) -> str:
        """A tick as text."""
        if self.unit == "share":
            return f"{100 * value:.0f}\u00a0%"
        return f"{value:.3f}".rstrip("0").rstrip(".") if value else "0"

    def place(self, value: float) -> float:
        """Where a value lies, 0 to 1; what lies outside is drawn at the end."""
        return min(max(value / self.end, 0.0), 1.0)


def round_above(value: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below a value; 1 for nothing."""
    if not value > 0:
        return 1.0
    power = 1.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return next(round(step * power, 12) for step in (*_STEPS, 10.0) if step * power >= value * (1 - 1e-9))


def _leading(value: float) -> int:
    return int(f"{value:e}"[0])


def upright(axis: ValueAxis, left: float, right: float, top: float, bottom: float) -> Iterator[Element]:
    """The lines and numbers of a vertical axis between two heights."""
    for tick in axis.ticks:
        at = bottom - axis.place(tick) * (bottom - top)
        yield element("line", x1=left, x2=right, y1=at, y2=at)
        yield element("text", axis.words(tick), x=left - 8, y=at + 4, text_anchor="end")
