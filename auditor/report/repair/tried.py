"""A search as the values of a report."""

from __future__ import annotations

import math

from auditor.facts.search import SearchFacts, TriedRewrite
from auditor.repair.search.search import Search, Trial
from auditor.report.repair.frontier import drawn_measure, reason_of, why_best
from auditor.report.repair.search import search_remarks, yardstick_words
from auditor.verify.measures import MEASURES


def search_facts(found: Search) -> SearchFacts:
    """What a search tried, as reports tell it."""
    measure = drawn_measure(found)
    facts = None if measure is None else MEASURES[measure]
    _, *clauses = search_remarks(found)
    tried = zip(found.trials, clauses, strict=True)
    return SearchFacts(
        measure=measure or "",
        unit="" if facts is None else facts.unit,
        higher_is_better=facts is None or facts.higher_is_better,
        max_cost=found.budget.cost,
        max_loss=found.budget.loss,
        yardstick=yardstick_words(found),
        images=found.images,
        tried=tuple(_tried(found, trial, measure, clause) for trial, clause in tried),
        why="".join(why_best(found)),
    )


def _tried(found: Search, trial: Trial, measure: str | None, words: str) -> TriedRewrite:
    gain = trial.gain
    change = None if gain is None or measure is None else gain.change(measure)
    known = change is not None and math.isfinite(change.difference)
    return TriedRewrite(
        name=trial.candidate.name,
        verdict=trial.verdict.value,
        images=trial.images,
        cost=trial.candidate.cost,
        time=None if gain is None or gain.speed is None else gain.speed.ratio,
        change=change.difference if change is not None and known else None,
        interval=change.interval if change is not None and known else None,
        loss=None if gain is None or gain.loss is None else gain.loss.value,
        frontier=trial.frontier,
        reason=trial.reason or reason_of(trial, found),
        words=words,
    )
