"""The rewrites that a search tries, each with its predicted cost. Pure: a model is read and nothing is written.

Every strategy proposes its own: at most sixteen, and those that helped on trained networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from auditor.onnxfile.graph import Model
from auditor.rewrite.options import AUTO, Rewriting
from auditor.rewrite.planning import chosen, rewrite, windows
from auditor.rewrite.result import Options, Refit, RewriteError, Rewritten, Step, Strategy, WindowStart
from auditor.rewrite.strategies.window_average import FEW, MANY
from auditor.rewrite.strategy import Candidate, product
from auditor.rewrite.table import declared, ranked
from auditor.sampling.result import Analysis, Site

_MOST_GROUPS = 4
_AVERAGING = frozenset({Strategy.INPUT_AVERAGE, Strategy.PHASE_AVERAGE, Strategy.WINDOW_AVERAGE})


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a search is to try: the candidates of one strategy, at sites of these names (none: all of them)."""

    strategy: Strategy
    sites: tuple[str, ...] = ()


def restriction(rewriting: Rewriting) -> Restriction | None:
    """The search that ``--merge auto`` asks for. Raises ValueError where it asks for none that there is."""
    if AUTO not in rewriting.merges:
        return None
    if rewriting.merges != (AUTO,) or rewriting.strategy != Strategy.WINDOW_AVERAGE.value:
        raise ValueError("a merge of auto is given once, with the strategy window-average")
    return Restriction(Strategy.WINDOW_AVERAGE, rewriting.sites)


def candidates(
    model: Model,
    analysis: Analysis,
    *,
    refit: Refit | None = None,
    most_cost: float = math.inf,
    only: Restriction | None = None,
    lock: Options | None = None,
) -> tuple[Candidate, ...]:
    """The candidates that apply to a model, the cheapest first.

    ``refit`` says what else is fitted where a blur is calibrated, None that there are no pictures to calibrate on.
    ``lock`` is how a grid lock may be made, None where none is to be tried.
    What costs more with every site further in front is proposed only up to ``most_cost``. Windows of averaging are
    tried from more starts where they are the ``only`` candidates.

    Raises:
        RewriteError: a name is no site.
    """
    strategies = ranked() if only is None else [only.strategy]
    sites = () if only is None else only.sites
    chosen(analysis, sites)
    survey = ModelSurvey(model, analysis, refit, most_cost, sites, FEW if only is None else MANY, lock)
    proposed = [candidate for strategy in strategies for candidate in declared(strategy).candidates(survey)]
    applying = [candidate for candidate in proposed if all(map(survey.applies, candidate.steps))]
    return tuple(sorted(applying, key=lambda one: (math.inf if one.cost is None else one.cost, one.place)))


class ModelSurvey:
    """Answers what strategies ask of a model, by dry runs: each step is tried once."""

    def __init__(
        self,
        model: Model,
        analysis: Analysis,
        refit: Refit | None,
        most_cost: float,
        sites: Collection[str] = (),
        most_starts: int = FEW,
        lock: Options | None = None,
    ) -> None:
        self.analysis, self.refit, self.most_cost, self.most_starts = analysis, refit, most_cost, most_starts
        self.lock = lock
        self._model = model
        self._sites = sites
        self._known: dict[Step, Rewritten | None] = {}
        self._groups: dict[Strategy, Sequence[Sequence[Site]]] = {}

    def cost(self, step: Step) -> float | None:
        """The predicted cost of a step; None where it is not known, or the step does nothing."""
        done = self._tried(step)
        return None if done is None else done.flops

    def applies(self, step: Step) -> bool:
        """Whether a step would do anything to the model as it is."""
        return self._tried(step) is not None

    def names(self) -> Sequence[str]:
        """The names of sites that are those of one site alone, in graph order."""
        return self._names

    def windows(self) -> Sequence[WindowStart]:
        """Where windows of averaging may begin and end, at the sites that are asked for."""
        return [found for found in self._windows if self._is_wanted(found.site)]

    def _is_wanted(self, site: Site | None) -> bool:
        if site is None:
            return not self._sites
        name = site.node.name.raw
        return name in self._names and (not self._sites or name in self._sites)

    @cached_property
    def _windows(self) -> Sequence[WindowStart]:
        return tuple(windows(self._model, self.analysis))

    def last_groups(self, strategy: Strategy) -> Sequence[Sequence[Site]]:
        """The last places where a strategy applies, the last one first; branches that meet again are one place."""
        if strategy not in self._groups:
            self._groups[strategy] = self._found_groups(strategy)
        return self._groups[strategy]

    def _found_groups(self, strategy: Strategy) -> Sequence[Sequence[Site]]:
        groups: list[Sequence[Site]] = []
        seen: list[Site] = []
        for site in reversed(self.analysis.sites):
            name = site.node.name.raw
            if name not in self._names or any(site is other for other in seen):
                continue
            done = self._tried(Step(strategy, sites=(name,)))
            if done is None:
                continue
            groups.append((site, *(other for other in done.sites if other is not site)))
            seen += groups[-1]
            if len(groups) == _MOST_GROUPS:
                break
        return groups

    @cached_property
    def _names(self) -> list[str]:
        names = [site.node.name.raw for site in self.analysis.sites]
        return [name for name in names if name and names.count(name) == 1]

    def _tried(self, step: Step) -> Rewritten | None:
        """What a step would do to the model as it is; None where it does nothing."""
        if step not in self._known:
            try:
                done = rewrite(self._model, self.analysis, step)
            except RewriteError:
                self._known[step] = None
            else:
                self._known[step] = done if done.changes else None
        return self._known[step]


def pairs(running: Sequence[Candidate], fits: Callable[[Candidate], bool] = lambda _: True) -> Sequence[Candidate]:
    """What goes together: the two best windows from different starts, and a grid lock with the best averaging.

    ``running`` are in their order, the best first. What does not ``fit`` gives way to the next.
    """
    return (*_two_windows(running, fits), *_locked(running, fits))


def _locked(running: Sequence[Candidate], fits: Callable[[Candidate], bool]) -> Sequence[Candidate]:
    """Phases add to what a lock gains: it aligns the grid with the picture, and they soften what is left of it."""
    lock = next((one for one in running if [step.strategy for step in one.steps] == [Strategy.GRID_LOCK]), None)
    if lock is None:
        return ()
    averaging = (one for one in running if one.steps and all(step.strategy in _AVERAGING for step in one.steps))
    together = (
        Candidate(f"{lock.name} and {one.name}", (*one.steps, *lock.steps), product(one.cost, lock.cost))
        for one in averaging
    )
    return list(islice(filter(fits, together), 1))


def _two_windows(running: Sequence[Candidate], fits: Callable[[Candidate], bool]) -> Sequence[Candidate]:
    single = [one for one in running if len(one.steps) == 1 and one.steps[0].options.merges]
    if not single:
        return ()
    first = single[0]
    others = (one for one in single[1:] if _start(one) != _start(first))
    return list(islice(filter(fits, (_together(first, other) for other in others)), 1))


def _start(candidate: Candidate) -> object:
    step = candidate.steps[0]
    return step.strategy, step.sites


def _together(one: Candidate, other: Candidate) -> Candidate:
    """Two windows. Those from sites are made at once, and one from the input last: the name of a site that has none in
    the file is its place, which a rewrite changes.
    """
    steps = [*one.steps, *other.steps]
    at_sites = [step for step in steps if step.sites]
    sites = tuple(name for step in at_sites for name in step.sites)
    merges = tuple(name for step in at_sites for name in step.options.merges)
    first = replace(at_sites[0], sites=sites, options=replace(at_sites[0].options, merges=merges))
    steps = [first, *(step for step in steps if not step.sites)]
    cost = None if one.cost is None or other.cost is None else one.cost + other.cost - 1
    return Candidate(f"{one.name} and {other.name.removeprefix('window ')}", tuple(steps), cost)
