"""The search of ``--strategy auto``: candidates that are far too costly by prediction fall out first, the others are
measured by successive halving (Jamieson and Talwalkar, AISTATS 2016): all of them on few images, the better half on
more, those that are left on all.

The measuring is given from outside, so that the choice itself is exact and can be followed by hand. It draws no random
numbers: with seeded shifts, the same measurements give the same choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from auditor.facts.comparison import MeasuredChange
from auditor.repair.search.gain import Gain
from auditor.repair.trials import LockTest
from auditor.rewrite.result import RewriteError
from auditor.rewrite.strategy import Candidate
from auditor.verify.errors import ModelRejectedError, WorkerCrashedError
from auditor.verify.measures import MEASURES

FEWEST = 24  # images of the first round: on 12, two points of consistency are lost in the noise
_GROWTH = 4
_SLACK = 1.25  # multiply-adds predict the time of a network about so well
_STAYING = 3  # few images tell the better half of so few candidates from the other one badly
# What counts as one unit of gain: two points of consistency (of mASSC), or 15 % of what is left to gain in another
# measure, such as MAC or the distance of a cosine from 1.
_POINTS, _SHARE = 0.02, 0.15


@dataclass(frozen=True, slots=True)
class Budget:
    """``cost``: the largest factor in time. ``loss``: the largest share of answers lost."""

    cost: float = 2.0
    loss: float = 0.005


class CandidateVerdict(Enum):
    """What became of a candidate."""

    BEST = "best"
    WITHIN = "within budget"
    TOO_COSTLY = "too costly"
    LOSES = "loses too much"
    NO_GAIN = "no sure gain"
    REFUSED = "refused"
    BEHIND = "fell behind"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate. ``gain`` is that of its last round, on ``images`` images; None where it was not measured.

    ``frontier``: no other candidate that was measured on all images is cheaper and gains more. ``reason`` says in our
    own words why it failed. ``tests`` are those of a grid lock that came out best; one that failed them is refused.
    """

    candidate: Candidate
    verdict: CandidateVerdict
    images: int = 0
    gain: Gain | None = None
    frontier: bool = False
    reason: str = ""
    tests: tuple[LockTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """All candidates in the order given. ``images`` is the number that the last round asked for."""

    trials: tuple[Trial, ...]
    budget: Budget
    images: int

    @property
    def best(self) -> Trial | None:
        """The one to take; None says that nothing helps."""
        return next((trial for trial in self.trials if trial.verdict is CandidateVerdict.BEST), None)


class MeasureCandidate(Protocol):
    """Rewrites the model, and measures it beside the original on the first ``images`` images; timed in the last round.

    Raises RewriteError, ModelRejectedError or WorkerCrashedError where this candidate alone fails.
    """

    def __call__(self, candidate: Candidate, images: int, timed: bool) -> Gain: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a search is: candidate ``place`` of ``of`` in one of its rounds, both counted from 1."""

    round: int
    rounds: int
    place: int
    of: int
    candidate: Candidate


def search(
    offered: Sequence[Candidate],
    measure: MeasureCandidate,
    budget: Budget,
    images: int,
    told: Callable[[Stage], None] = lambda _: None,
    grown: Callable[[Sequence[Candidate]], Sequence[Candidate]] = lambda _: (),
) -> Search:
    """Find the candidate within the budget that gains most for its time. ``told`` is called before each measurement.

    ``grown`` is asked once, after the first round, for further candidates, by those that are left, the best first.
    """
    trials: dict[int, Trial] = {}
    candidates = list(offered)
    running = []
    for index, candidate in enumerate(candidates):
        if candidate.cost is not None and candidate.cost > budget.cost * _SLACK:
            trials[index] = Trial(candidate, CandidateVerdict.TOO_COSTLY)
        else:
            running.append(index)
    sizes = rounds(images)
    for number, size in enumerate(sizes, 1):
        last = size == sizes[-1]
        for place, index in enumerate(running, 1):
            told(Stage(number, len(sizes), place, len(running), candidates[index]))
            trials[index] = _tried(candidates[index], measure, size, last, budget)
        running = [index for index in running if trials[index].verdict is CandidateVerdict.WITHIN]
        running.sort(key=lambda index: (-merit(trials[index]), index))
        added = grown(_promising(trials, candidates)) if number == 1 else ()
        for index, candidate in enumerate(added, len(candidates)):
            candidates.append(candidate)
            if candidate.cost is not None and candidate.cost > budget.cost * _SLACK:
                trials[index] = Trial(candidate, CandidateVerdict.TOO_COSTLY)
                continue
            told(Stage(number, len(sizes), len(running) + 1, len(running) + 1, candidate))
            trials[index] = _tried(candidate, measure, size, last, budget)
            if trials[index].verdict is CandidateVerdict.WITHIN:
                running.append(index)
        if not last:
            running.sort(key=lambda index: (-merit(trials[index]), index))
            kept = max(_STAYING, math.ceil(len(running) / 2))
            for index in running[kept:]:
                trials[index] = replace(trials[index], verdict=CandidateVerdict.BEHIND)
            running = sorted(running[:kept])
    if running:
        best = max(running, key=lambda index: (merit(trials[index]), -index))
        trials[best] = replace(trials[best], verdict=CandidateVerdict.BEST)
    full = [trial for trial in trials.values() if trial.gain is not None and trial.images == sizes[-1]]
    found = [trials[index] for index in range(len(candidates))]
    return Search(tuple(replace(one, frontier=_on_frontier(one, full)) for one in found), budget, images)


def with_tests(found: Search, tests: Callable[[Candidate], tuple[LockTest, ...]]) -> Search:
    """A search whose best candidate passed its tests: one that fails them is refused, and the next best is tested."""
    trials = list(found.trials)
    while (best := Search(tuple(trials), found.budget, found.images).best) is not None:
        place = next(index for index, trial in enumerate(trials) if trial is best)
        held = tests(best.candidate)
        trials[place] = best = replace(best, tests=held)
        failed = [one.protocol for one in held if one.held_back]
        if not failed:
            break
        reason = f"the grid lock failed on these pictures: {', '.join(failed)}"
        trials[place] = replace(best, verdict=CandidateVerdict.REFUSED, frontier=False, reason=reason)
        left = [index for index, one in enumerate(trials) if _may_be_best(one, found.images)]
        if left:
            place = max(left, key=lambda index: (merit(trials[index]), -index))
            trials[place] = replace(trials[place], verdict=CandidateVerdict.BEST)
    return Search(tuple(trials), found.budget, found.images)


def _may_be_best(trial: Trial, images: int) -> bool:
    return trial.verdict is CandidateVerdict.WITHIN and trial.images == images


def _promising(trials: Mapping[int, Trial], candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """What was measured and lies within the budget, the largest gain first, sure or not."""
    fitting = (CandidateVerdict.WITHIN, CandidateVerdict.NO_GAIN)
    kept = [index for index, trial in trials.items() if trial.verdict in fitting]
    return [candidates[index] for index in sorted(kept, key=lambda index: (-merit(trials[index]), index))]


def rounds(images: int) -> tuple[int, ...]:
    """How many images each round uses: all in the last one, a quarter of the next one's before."""
    sizes = [images]
    while sizes[0] // _GROWTH >= FEWEST:
        sizes.insert(0, sizes[0] // _GROWTH)
    return tuple(sizes)


def _tried(candidate: Candidate, measure: MeasureCandidate, size: int, last: bool, budget: Budget) -> Trial:
    try:
        gain = measure(candidate, size, last)
    except (RewriteError, ModelRejectedError, WorkerCrashedError) as error:
        return Trial(candidate, CandidateVerdict.FAILED, reason=str(error))
    return Trial(candidate, _verdict(candidate, gain, last, budget), size, gain)


def _verdict(candidate: Candidate, gain: Gain, last: bool, budget: Budget) -> CandidateVerdict:
    """On few images only what is sure counts; on all of them a gain must be sure, and the loss within the budget.

    Where the prediction lies within the budget, the time has to lie above it by its whole interval; where it lies
    above, the time has to lie within.
    """
    loss = gain.loss
    if loss is not None:
        least = loss.value if last else -math.inf if loss.interval is None else loss.interval.low
        if least > budget.loss + 1e-9:
            return CandidateVerdict.LOSES
    dear = candidate.cost is not None and candidate.cost > budget.cost * (1 + 1e-9)
    if gain.speed is not None and (gain.speed.ratio if dear else gain.speed.low) > budget.cost:
        return CandidateVerdict.TOO_COSTLY
    if last and (loss is None or not gain.rose):
        return CandidateVerdict.NO_GAIN
    return CandidateVerdict.WITHIN


def merit(trial: Trial) -> float:
    """Units of gain for the time, or for multiply-adds where it was not timed; a harm is no smaller for its cost."""
    worth, cost = _worth(trial), _cost(trial)
    return worth / cost if worth > 0 and 0 < cost < math.inf else worth


def _worth(trial: Trial) -> float:
    """Units of gain: of the variances (J) where the task has them, which timid scores cannot lower; else of all leading
    measures.
    """
    if trial.gain is None:
        return -math.inf
    told = [one for one in trial.gain.variances if not math.isnan(one.difference)]
    return sum(map(_units, told or trial.gain.leading))


def _units(change: MeasuredChange) -> float:
    if math.isnan(change.difference):
        return 0.0
    if MEASURES[change.measure].in_points:
        return change.difference / _POINTS
    left = 1 - change.base if change.higher_is_better else change.base
    better = change.difference if change.higher_is_better else -change.difference
    return better / (left * _SHARE) if left > 0 else 0.0


def _cost(trial: Trial) -> float:
    """The measured cost, else the predicted one."""
    if trial.gain is not None and trial.gain.speed is not None:
        return trial.gain.speed.ratio
    return math.inf if trial.candidate.cost is None else trial.candidate.cost


def _on_frontier(trial: Trial, full: Sequence[Trial]) -> bool:
    if not any(trial is one for one in full) or _worth(trial) <= 0:
        return False
    here = _cost(trial), -_worth(trial)
    there = [(_cost(one), -_worth(one)) for one in full]
    return not any(cost <= here[0] and merit <= here[1] and (cost, merit) != here for cost, merit in there)
