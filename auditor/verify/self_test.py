"""The same input given twice."""

from __future__ import annotations

from msgspec import Struct

from auditor.codec import FloatOrNan


class SelfTest(Struct, frozen=True):
    """The same input given twice must give the same answer, else the run says nothing about shifts.

    ``agreement`` is the share of the tested images with an equal answer, which must be exactly 1; ``difference`` is the
    largest absolute difference of any output element.
    """

    passed: bool
    agreement: FloatOrNan
    difference: FloatOrNan
