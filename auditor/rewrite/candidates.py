"""The rewrites that a search tries, each with its predicted cost. Pure: a model is read and nothing is written.

Few, and those that helped on trained networks: two diagonal phases averaged at the last site, at the site before it, at
both; the input averaged over two shifts; both together; and, where there are pictures to calibrate on, every site
blurred, wholly or half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from auditor.onnxfile.graph import Model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Options, RewriteError, Rewritten, Strategy
from auditor.sampling.result import Analysis, Site

HALF = 0.5  # the share of the low-pass in a partial blur


@dataclass(frozen=True, slots=True)
class Step:
    """One rewrite. ``sites`` are names of nodes as ``rewrite`` takes them; without any, the strategy chooses."""

    strategy: Strategy
    options: Options = field(default_factory=Options)
    sites: tuple[str, ...] = ()
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """Rewrites to do one after the other. ``name`` is in our own words.

    ``cost`` is the predicted ratio of multiply-adds, None where too little of the network is tracked.
    """

    name: str
    steps: tuple[Step, ...]
    cost: float | None


def candidates(model: Model, analysis: Analysis, *, calibrating: bool = False) -> tuple[Candidate, ...]:
    """The candidates that apply to a model, the cheapest first; blur only where it can be calibrated."""
    average, shifted = Step(Strategy.PHASE_AVERAGE), Step(Strategy.INPUT_AVERAGE)
    wanted: list[tuple[str, tuple[Step, ...]]] = [("phase-average at the last site", (average,))]
    groups = _last_groups(model, analysis, 2)
    if len(groups) == 2:
        last, earlier = (group[0].node.name.raw for group in groups)
        one = Step(Strategy.PHASE_AVERAGE, sites=(earlier,))
        both = Step(Strategy.PHASE_AVERAGE, sites=(earlier, last))
        wanted += [("phase-average one site earlier", (one,)), ("phase-average at the last two sites", (both,))]
    wanted.append(("input-average", (shifted,)))
    wanted.append(("input-average and phase-average at the last site", (average, shifted)))
    if calibrating:
        half = Step(Strategy.BLUR, Options(blend=HALF), calibrated=True)
        wanted.append(("calibrated blur at every site", (Step(Strategy.BLUR, calibrated=True),)))
        wanted.append((f"calibrated blur at every site, lambda {HALF:g}", (half,)))
    found = []
    for name, steps in wanted:
        tries = [done for step in steps if (done := _tried(model, analysis, step)) is not None]
        if len(tries) == len(steps):
            costs = [done.flops for done in tries]
            if len(groups) == 2 and steps == (both,):
                costs = [_cost_of_both(model, analysis, average, one)]
            known = [cost for cost in costs if cost is not None]
            found.append(Candidate(name, steps, prod(known) if len(known) == len(costs) else None))
    return tuple(sorted(found, key=lambda one: float("inf") if one.cost is None else one.cost))


def _cost_of_both(model: Model, analysis: Analysis, last: Step, earlier: Step) -> float | None:
    """What stands behind both sites runs for two phases of two: the later site adds twice what it adds alone."""
    tries = [_tried(model, analysis, step) for step in (last, earlier)]
    costs = [None if done is None else done.flops for done in tries]
    if costs[0] is None or costs[1] is None:
        return None
    return costs[1] + 2 * (costs[0] - 1)


def _tried(model: Model, analysis: Analysis, step: Step) -> Rewritten | None:
    """What a step would do to the model as it is; None where it does nothing."""
    try:
        done = rewrite(model, analysis, None, step.strategy, step.options, step.sites)
    except RewriteError:
        return None
    return done if done.changes else None


def _last_groups(model: Model, analysis: Analysis, most: int) -> list[Sequence[Site]]:
    """The last places where phases can be averaged, the last one first; branches that meet again are one place."""
    groups: list[Sequence[Site]] = []
    seen: list[Site] = []
    names = [site.node.name.raw for site in analysis.sites]
    for site in reversed(analysis.sites):
        name = site.node.name.raw
        if not name or names.count(name) > 1 or any(site is other for other in seen):
            continue
        done = _tried(model, analysis, Step(Strategy.PHASE_AVERAGE, sites=(name,)))
        if done is None:
            continue
        groups.append((site, *(other for other in done.sites if other is not site)))
        seen += groups[-1]
        if len(groups) == most:
            break
    return groups
