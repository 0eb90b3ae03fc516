"""The interval of a measured number."""

from __future__ import annotations

from msgspec import Struct

from auditor.codec import FloatOrNan


class Interval(Struct, frozen=True):
    """A confidence interval; ``confidence`` is the nominal coverage, 0.95 unless asked otherwise."""

    low: FloatOrNan
    high: FloatOrNan
    confidence: float = 0.95
