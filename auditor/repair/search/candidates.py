"""The rewrites that a search tries, each with its predicted cost. Pure: a model is read and nothing is written.

At most sixteen, and those that helped on trained networks: two diagonal phases averaged at the last site, at one of the
sites before it, at the last two; the input averaged over two shifts; input and last site together; and, where there are
pictures to calibrate on, a blur at every site or at the last one, whole or half, there with two kernels, and a blur at
every site with averaged phases of the last one. Outputs that are still a grid take a blur at few sites without
calibration too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from auditor.onnxfile.graph import Model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Kernel, Options, Refit, RewriteError, Rewritten, Step, Strategy
from auditor.sampling.result import Analysis, HeadKind, Site

HALF = 0.5  # the share of the low-pass in a partial blur
_EARLIER = ("one site", "two sites", "three sites")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Rewrites to do one after the other. ``name`` is in our own words.

    ``cost`` is the predicted ratio of multiply-adds, None where too little of the network is tracked.
    """

    name: str
    steps: tuple[Step, ...]
    cost: float | None


def candidates(
    model: Model, analysis: Analysis, *, refit: Refit | None = None, most_cost: float = math.inf
) -> tuple[Candidate, ...]:
    """The candidates that apply to a model, the cheapest first.

    ``refit`` says what else is fitted where a blur is calibrated, None that there are no pictures to calibrate on:
    classifiers are blurred only where there are some. Phases of sites further in front, whose cost
    grows with what stands behind them, are averaged only where that is predicted to cost at most ``most_cost``.
    """
    groups = _last_groups(model, analysis, len(_EARLIER) + 1)
    averages, blurs = list(_averages(model, analysis, groups, most_cost)), list(_blurs(model, analysis, groups, refit))
    found = [*averages, *blurs]
    if refit is not None:
        # Two phases of a blurred site still differ: what both gain adds up.
        last, blur = averages[0], blurs[0]
        name = f"{blur.name} and {last.name}"
        found.append(Candidate(name, (*blur.steps, *last.steps), _product(blur.cost, last.cost)))
    applying = [one for one in found if all(_tried(model, analysis, step) is not None for step in one.steps)]
    return tuple(sorted(applying, key=lambda one: math.inf if one.cost is None else one.cost))


def _averages(
    model: Model, analysis: Analysis, groups: Sequence[Sequence[Site]], most_cost: float
) -> Iterator[Candidate]:
    average, shifted = Step(Strategy.PHASE_AVERAGE), Step(Strategy.INPUT_AVERAGE)
    last, whole = _cost(model, analysis, average), _cost(model, analysis, shifted)
    yield Candidate("phase-average at the last site", (average,), last)
    yield Candidate("input-average", (shifted,), whole)
    yield Candidate("input-average and phase-average at the last site", (average, shifted), _product(last, whole))
    names = [group[0].node.name.raw for group in groups]
    for place, words in enumerate(_EARLIER, 1):
        if place >= len(names):
            return
        one = Step(Strategy.PHASE_AVERAGE, sites=(names[place],))
        earlier = _cost(model, analysis, one)
        if place == 1 or (earlier is not None and earlier <= most_cost):
            yield Candidate(f"phase-average {words} earlier", (one,), earlier)
        if place == 1:
            both = Step(Strategy.PHASE_AVERAGE, sites=(names[1], names[0]))
            # What stands behind both runs for two phases of two: the last site adds twice what it adds alone.
            cost = None if last is None or earlier is None else earlier + 2 * (last - 1)
            yield Candidate("phase-average at the last two sites", (both,), cost)


def _blurs(
    model: Model, analysis: Analysis, groups: Sequence[Sequence[Site]], refit: Refit | None
) -> Iterator[Candidate]:
    """Measured on trained networks: a whole uncalibrated blur at every site ruins each of them."""
    last = tuple(site.node.name.raw for site in groups[0]) if groups else _last_blurred(model, analysis)
    elsewhere = len(analysis.sites) > len(last)
    kinds: list[tuple[tuple[str, ...], Options]]
    if refit is not None:
        kinds = [((), Options()), ((), Options(blend=HALF))]
        if last and elsewhere:
            kernels = (Kernel.TRI3, Kernel.BIN5)
            kinds += [(last, Options(kernel=kernel, blend=blend)) for kernel in kernels for blend in (1.0, HALF)]
    elif any(head.kind is HeadKind.DENSE for head in analysis.heads):
        kinds = [((), Options(blend=HALF))]
        if last and elsewhere:
            kinds += [(last, Options()), (last, Options(blend=HALF))]
    else:
        return
    for names, options in kinds:
        how = options if refit is None else replace(options, refit=refit)
        step = Step(Strategy.BLUR, how, names, calibrated=refit is not None)
        name = f"{'calibrated ' if refit is not None else ''}blur at {'the last' if names else 'every'} site"
        name += "" if options.kernel is Kernel.TRI3 else f", {options.kernel.value}"
        name += "" if options.blend == 1 else f", lambda {options.blend:g}"
        yield Candidate(name, (step,), _cost(model, analysis, step))


def _cost(model: Model, analysis: Analysis, step: Step) -> float | None:
    done = _tried(model, analysis, step)
    return None if done is None else done.flops


def _product(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first * second


def _tried(model: Model, analysis: Analysis, step: Step) -> Rewritten | None:
    """What a step would do to the model as it is; None where it does nothing."""
    try:
        done = rewrite(model, analysis, step)
    except RewriteError:
        return None
    return done if done.changes else None


def _last_blurred(model: Model, analysis: Analysis) -> tuple[str, ...]:
    """The last site that can be blurred and told by its name."""
    for name in reversed(_unique(analysis)):
        if _tried(model, analysis, Step(Strategy.BLUR, sites=(name,))) is not None:
            return (name,)
    return ()


def _unique(analysis: Analysis) -> list[str]:
    """The names of sites that are those of one site alone, in graph order."""
    names = [site.node.name.raw for site in analysis.sites]
    return [name for name in names if name and names.count(name) == 1]


def _last_groups(model: Model, analysis: Analysis, most: int) -> list[Sequence[Site]]:
    """The last places where phases can be averaged, the last one first; branches that meet again are one place."""
    groups: list[Sequence[Site]] = []
    seen: list[Site] = []
    names = _unique(analysis)
    for site in reversed(analysis.sites):
        name = site.node.name.raw
        if name not in names or any(site is other for other in seen):
            continue
        done = _tried(model, analysis, Step(Strategy.PHASE_AVERAGE, sites=(name,)))
        if done is None:
            continue
        groups.append((site, *(other for other in done.sites if other is not site)))
        seen += groups[-1]
        if len(groups) == most:
            break
    return groups
