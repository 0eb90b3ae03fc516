"""Verdicts: what an interval says about a limit, and when a measurement that is looked at while it goes on ended.

Plain values without arrays, which a static comparison and its reports read too.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from msgspec import Struct

from auditor.codec import FloatOrNan


class Verdict(Enum):
    """What an interval says about a limit."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Condition(Struct, frozen=True):
    """One threshold on a measured value. ``limit`` is as the settings say it; ``name`` is their key.

    About ``images_needed`` to ``images_enough`` images would decide an inconclusive verdict, if the values stay as they
    are; both are None where no practical number would, and equal where the number is exact. Without ``images_enough``,
    fewer than ``images_needed`` decide nothing, and how many would is not known. ``largest_change`` is what the verdict
    takes for the most that one image can change, None where it needs no such thing. ``otherwise`` is the verdict if
    that were ``twice_seen``, twice the largest change among the images; None where it is the same.
    """

    name: str
    limit: FloatOrNan
    verdict: Verdict
    images_needed: int | None = None
    images_enough: int | None = None
    largest_change: float | None = None
    otherwise: Verdict | None = None
    twice_seen: float | None = None


def needed_words(low: int | None, high: int | None) -> str:
    """How many images would decide an undecided verdict, as a clause."""
    if low is None:
        return "too small a difference from what is allowed to tell with a practical number of images"
    if high is None:
        return f"fewer than {low} images decide nothing"
    if low == high:
        return f"{low} images would decide it if the values stay as they are"
    return f"about {low} to {high} images would decide it if the difference stays as it is"


class Looks(Struct, frozen=True):
    """How a measurement was looked at while it went on, to stop once its verdict is certain.

    ``planned`` are the images of each look, the last of them the most there may be, and ``taken`` is how many looks
    were taken. The intervals are those of the last one taken, where each verdict errs in at most the share ``level`` of
    the runs, so that over all looks it errs in at most ``error`` of them.
    """

    computed: ClassVar[tuple[str, ...]] = ("early",)

    planned: tuple[int, ...]
    taken: int
    level: float
    error: float

    @property
    def images(self) -> int:
        """The images of the last look taken."""
        return self.planned[self.taken - 1]

    @property
    def early(self) -> bool:
        """Whether not all images had to be measured."""
        return self.taken < len(self.planned)

    @property
    def short(self) -> str:
        """When it ended, as a clause behind a verdict."""
        return f"after {self.images} of at most {self.planned[-1]} images"

    @property
    def words(self) -> str:
        """When and why it ended, and what the intervals allow for, as a sentence."""
        count = f"look {self.taken} of {len(self.planned)}"
        why = "the verdict was certain there" if self.early else "all images were measured"
        width = f"intervals of {100 * (1 - 2 * self.level):.4g} %"
        rate = f"{100 * self.error:.3g} % of the runs"
        return f"{self.short} ({count}): {why}; {width}, for a wrong verdict at any of the looks in at most {rate}"


class Required(Struct, frozen=True):
    """What a model must hold by itself: a limit on the measure that its task is judged by.

    ``value`` is that of ``measure``, over ``images`` of them. ``looks`` say when the measurement ended; None where all
    images were measured at once. ``confidence`` is that of the verdict over all looks, and ``inconclusive`` (fail, warn
    or pass) says what a verdict means that more images would decide.
    """

    measure: str
    unit: str
    higher_is_better: bool
    value: FloatOrNan
    images: int
    condition: Condition
    looks: Looks | None = None
    confidence: float = 0.95
    inconclusive: str = "warn"
