"""The rewrites that a search tries, each with its predicted cost. Pure: a model is read and nothing is written.

Few, and those that helped on trained networks: two diagonal phases averaged at the last site, at the site before it, at
both; the input averaged over two shifts; both together; and, where there are pictures to calibrate on, every site
blurred, wholly or half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    last, whole = _cost(model, analysis, average), _cost(model, analysis, shifted)
    found = [
        Candidate("phase-average at the last site", (average,), last),
        Candidate("input-average", (shifted,), whole),
        Candidate("input-average and phase-average at the last site", (average, shifted), _product(last, whole)),
    ]
    groups = _last_groups(model, analysis, 2)
    if len(groups) == 2:
        names = [group[0].node.name.raw for group in groups]
        one = Step(Strategy.PHASE_AVERAGE, sites=(names[1],))
        both = Step(Strategy.PHASE_AVERAGE, sites=(names[1], names[0]))
        earlier = _cost(model, analysis, one)
        # What stands behind both runs for two phases of two: the last site adds twice what it adds alone.
        cost = None if last is None or earlier is None else earlier + 2 * (last - 1)
        found.append(Candidate("phase-average one site earlier", (one,), earlier))
        found.append(Candidate("phase-average at the last two sites", (both,), cost))
    if calibrating:
        blur = Step(Strategy.BLUR, calibrated=True)
        half = Step(Strategy.BLUR, Options(blend=HALF), calibrated=True)
        found.append(Candidate("calibrated blur at every site", (blur,), _cost(model, analysis, blur)))
        name = f"calibrated blur at every site, lambda {HALF:g}"
        found.append(Candidate(name, (half,), _cost(model, analysis, half)))
    applying = [one for one in found if all(_tried(model, analysis, step) is not None for step in one.steps)]
    return tuple(sorted(applying, key=lambda one: float("inf") if one.cost is None else one.cost))


def _cost(model: Model, analysis: Analysis, step: Step) -> float | None:
    done = _tried(model, analysis, step)
    return None if done is None else done.flops


def _product(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first * second


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
