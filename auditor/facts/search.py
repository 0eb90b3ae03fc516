"""What a search among rewrites tried, as reports tell it."""

from __future__ import annotations

from msgspec import Struct

from auditor.verify.interval import Interval


class TriedRewrite(Struct, frozen=True):
    """One candidate of a search. ``name``, ``verdict``, ``reason`` and ``words`` are our own.

    ``cost`` is the predicted ratio of multiply-adds, ``time`` the measured one of seconds per picture. ``change`` is
    that of the search's measure, with its interval, and ``loss`` a share of answers. ``images`` is 0 and numbers are
    null where it was not measured. ``frontier``: no other one that was measured on all images is cheaper and gains
    more. ``reason`` says what stood against it, and ``words`` are its name and its numbers in one clause.
    """

    name: str
    verdict: str
    images: int
    cost: float | None = None
    time: float | None = None
    change: float | None = None
    interval: Interval | None = None
    loss: float | None = None
    frontier: bool = False
    reason: str = ""
    words: str = ""

    @property
    def best(self) -> bool:
        """Whether it is the one that was taken."""
        return self.verdict == "best"


class SearchFacts(Struct, frozen=True):
    """All candidates of a search, in the order in which they were offered.

    ``measure`` is the one that the changes are of, empty where nothing was measured, ``unit`` that of its values.
    ``max_cost`` is the largest factor in time and ``max_loss`` the largest share of answers lost that were allowed,
    ``yardstick`` says what counts as lost. ``images`` is the number of the last round. ``why`` says why the best is the
    best, empty where nothing helps.
    """

    measure: str
    unit: str
    higher_is_better: bool
    max_cost: float
    max_loss: float
    yardstick: str
    images: int
    tried: tuple[TriedRewrite, ...]
    why: str = ""
