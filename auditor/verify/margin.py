"""The margin of answers as a report has it: a plain frozen value, worked out in :mod:`auditor.verify.hysteresis`."""

from __future__ import annotations

from msgspec import Struct

from auditor.codec import FloatOrNan


class Margin(Struct, frozen=True):
    """Answers against where another answer begins.

    ``of`` is "score" (of a box, against the ``threshold``) or "lead" (of the first class over the next one, against 0).
    ``near`` of so many ``answers`` lie within twice their own standard deviation of it, whose median is ``jitter``.
    ``crossings`` counts those that cross. Two thresholds, ``low`` to go and ``high`` to come, would have stopped
    ``stopped`` of them; None where none crosses, or no two thresholds would hold.
    """

    of: str
    threshold: float
    answers: int
    near: int
    jitter: FloatOrNan
    crossings: int
    low: FloatOrNan | None = None
    high: FloatOrNan | None = None
    stopped: int = 0
