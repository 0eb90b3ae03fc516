"""What a strategy says of itself, once, for plans, reports, options and the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from auditor.rewrite.graph.cost import Cost
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.result import Options, Refit, Step, Strategy, WindowStart
from auditor.sampling.result import Analysis, Site


class Applied(Protocol):
    """A strategy at one site. The methods see the graph as edited so far."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        """Why the strategy does not apply at the site, in one line without text of the model; None where it does."""
        ...

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:
        """Edit the graph at the site. Returns the sites that were rewritten together."""
        ...

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:
        """What the rewrite adds, predicted before it is done."""
        ...


class AppliedToInput(Protocol):
    """A strategy for the whole model, at its input."""

    def refusal(self, editor: GraphEditor, options: Options) -> str | None:
        """Why the strategy does not apply, in one line without text of the model; None where it does."""
        ...

    def rewrite(self, editor: GraphEditor, options: Options) -> None:
        """Edit the graph."""
        ...

    def cost(self, editor: GraphEditor, options: Options) -> Cost:
        """What the rewrite adds, predicted before it is done."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """Rewrites to do one after the other. ``name`` is in our own words.

    ``cost`` is the predicted ratio of multiply-adds, None where too little of the network is tracked. ``place`` orders
    candidates of the same cost.
    """

    name: str
    steps: tuple[Step, ...]
    cost: float | None
    place: int = 0


class Survey(Protocol):
    """What a strategy may ask when it proposes candidates for a search."""

    @property
    def analysis(self) -> Analysis:
        """The model's analysis."""
        ...

    @property
    def refit(self) -> Refit | None:
        """What is fitted behind calibrated blurs, None where there are no pictures to calibrate on."""
        ...

    @property
    def most_cost(self) -> float:
        """What a rewrite may cost at most."""
        ...

    def cost(self, step: Step) -> float | None:
        """The predicted cost of a step; None where it is not known, or the step does nothing."""
        ...

    def applies(self, step: Step) -> bool:
        """Whether a step would do anything to the model as it is."""
        ...

    def names(self) -> Sequence[str]:
        """The names of the sites that can be told by their names, in graph order."""
        ...

    @property
    def lock(self) -> Options | None:
        """What the user said of camera and pictures, as options of a grid lock; None where none is to be tried."""
        ...

    @property
    def most_starts(self) -> int:
        """From how many places windows of averaging are tried."""
        ...

    def windows(self) -> Sequence[WindowStart]:
        """Where windows of averaging may begin and end: the input, and the sites that have names of their own."""
        ...

    def last_groups(self, strategy: Strategy) -> Sequence[Sequence[Site]]:
        """The last few places where a strategy applies, the last one first; sites rewritten together are one place."""
        ...


def product(first: float | None, second: float | None) -> float | None:
    """The cost of two rewrites one after the other, None where one is not known."""
    return None if first is None or second is None else first * second


def no_candidates(_: Survey) -> Iterable[Candidate]:
    """Of a strategy that no search tries."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A strategy. ``rank`` orders plans.

    ``reads`` names the fields of :class:`~auditor.rewrite.result.Options` that it reads. ``notice`` is what its user
    has to know, with measured numbers; ``calibrated_notice`` the same of a calibrated result, empty where nothing can
    be calibrated. ``protects``: a site that it rewrote counts as low-pass filtered. ``candidates`` are what a search
    tries with it. ``planned``: plans list it.
    """

    rank: int
    notice: str
    reads: tuple[str, ...] = ()
    calibrated_notice: str = ""
    protects: bool = False
    planned: bool = True
    candidates: Callable[[Survey], Iterable[Candidate]] = no_candidates

    @property
    def calibrates(self) -> bool:
        """Whether its result can be fitted on pictures."""
        return bool(self.calibrated_notice)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSites(Declaration):
    """A strategy that works at sampling sites. ``last_only``: without named ones it takes the last one alone."""

    applied: Applied
    last_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AtInput(Declaration):
    """A strategy that works on the whole model, at its input."""

    applied: AppliedToInput
