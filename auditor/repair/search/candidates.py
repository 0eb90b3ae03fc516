"""The rewrites that a search tries, each with its predicted cost. Pure: a model is read and nothing is written.

Every strategy proposes its own: at most sixteen, and those that helped on trained networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from auditor.onnxfile.graph import Model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Refit, RewriteError, Rewritten, Step, Strategy
from auditor.rewrite.strategy import Candidate
from auditor.rewrite.table import declared, ranked
from auditor.sampling.result import Analysis, Site

_MOST_GROUPS = 4


def candidates(
    model: Model, analysis: Analysis, *, refit: Refit | None = None, most_cost: float = math.inf
) -> tuple[Candidate, ...]:
    """The candidates that apply to a model, the cheapest first.

    ``refit`` says what else is fitted where a blur is calibrated, None that there are no pictures to calibrate on.
    What costs more with every site further in front is proposed only up to ``most_cost``.
    """
    survey = ModelSurvey(model, analysis, refit, most_cost)
    proposed = [candidate for strategy in ranked() for candidate in declared(strategy).candidates(survey)]
    applying = [candidate for candidate in proposed if all(map(survey.applies, candidate.steps))]
    return tuple(sorted(applying, key=lambda one: (math.inf if one.cost is None else one.cost, one.place)))


class ModelSurvey:
    """Answers what strategies ask of a model, by dry runs: each step is tried once."""

    def __init__(self, model: Model, analysis: Analysis, refit: Refit | None, most_cost: float) -> None:
        self.analysis, self.refit, self.most_cost = analysis, refit, most_cost
        self._model = model
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
