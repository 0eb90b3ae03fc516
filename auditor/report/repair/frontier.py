"""What every candidate of a search costs against what it gains, drawn in characters, and why each has its verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from auditor.repair.search.search import CandidateVerdict, Search, Trial, merit
from auditor.text import plain
from auditor.verify.measures import MEASURES

_WIDE, _HIGH = 56, 9
_UNITS = "a unit is 15 % of J; without J 2 points of a share, or 15 % of what another measure leaves to gain"


@dataclass(frozen=True, slots=True)
class _Point:
    """A candidate that was measured: its cost as a multiple of the original's time, and what the measure changed by."""

    letter: str
    trial: Trial
    cost: float
    change: float


def frontier_lines(found: Search) -> Iterator[str]:
    """The candidates that were measured as letters in a plane, then their names; nothing where fewer than two were."""
    points, measure = list(_points(found)), drawn_measure(found)
    if len(points) < 2 or measure is None:
        return
    facts = MEASURES[measure]
    better = 1 if facts.higher_is_better else -1
    costs = [1.0, *(point.cost for point in points)]
    gains = [0.0, *(better * point.change for point in points)]
    low, high = min(gains), max(gains)
    right = max(costs)
    rows = [[" "] * (_WIDE + 1) for _ in range(_HIGH)]

    def place(cost: float, gain: float) -> tuple[int, int]:
        across = round((cost - min(costs)) / ((right - min(costs)) or 1.0) * _WIDE)
        return round((high - gain) / ((high - low) or 1.0) * (_HIGH - 1)), across

    start = place(1.0, 0.0)
    rows[start[0]] = ["-" if cell == " " else cell for cell in rows[start[0]]]
    if found.budget.cost < right:
        limit = place(found.budget.cost, 0.0)[1]
        for row in rows:
            row[limit] = "|"
    for point in points:
        down, across = place(point.cost, better * point.change)
        free = next((spot for spot in range(across, _WIDE + 1) if rows[down][spot] in " -|"), across)
        rows[down][free] = point.letter
    rows[start[0]][start[1]] = "0"
    unit = " (points)" if facts.unit == "share" else ""
    yield f"{measure}{unit}, better is higher, against time"
    yield "0 is the original" + (f", | the largest cost x{found.budget.cost:g}" if found.budget.cost < right else "")
    for number, row in enumerate(rows):
        label = _label(better * high, facts.unit) if number == 0 else ""
        label = _label(better * low, facts.unit) if number == _HIGH - 1 else label
        yield f"{label:>8} {''.join(row)}".rstrip()
    ends = f"x{min(costs):.2f}", f"x{right:.2f}"
    yield f"{'':9}{ends[0]}{ends[1]:>{_WIDE + 1 - len(ends[0])}}"
    for point in points:
        mark = " (best)" if point.trial.verdict is CandidateVerdict.BEST else ""
        yield f"  {point.letter}  {plain(point.trial.candidate.name)}{mark}"


def why_lines(found: Search) -> Iterator[str]:
    """Why the best is the best, and what each number of the others was held against."""
    for words in why_best(found):
        yield f"why: {words}"
        yield f"     ({_UNITS})"
    for trial in found.trials:
        reason = reason_of(trial, found)
        if reason:
            yield f"not {plain(trial.candidate.name)}: {reason}"


def why_best(found: Search) -> Iterator[str]:
    """Why the best is the best, in one clause; nothing where nothing helps."""
    best = found.best
    within = sorted(
        (trial for trial in found.trials if trial.verdict in (CandidateVerdict.BEST, CandidateVerdict.WITHIN)),
        key=lambda trial: -merit(trial),
    )
    if best is not None:
        others = [f"{plain(trial.candidate.name)} {merit(trial):.1f}" for trial in within if trial is not best]
        beside = (
            f"; the others within the budget: {', '.join(others)}" if others else ", and is alone within the budget"
        )
        yield f"{plain(best.candidate.name)} gains most for its time, {merit(best):.1f} units{beside}"


def reason_of(trial: Trial, found: Search) -> str:
    """The number that stood against the budget; empty for what lies within it."""
    gain, budget = trial.gain, found.budget
    if trial.verdict is CandidateVerdict.TOO_COSTLY:
        if gain is not None and gain.speed is not None:
            return f"time x{gain.speed.ratio:.2f}, at most x{budget.cost:g} is allowed"
        cost = trial.candidate.cost
        return "" if cost is None else f"predicted cost x{cost:.3g}, at most x{budget.cost:g} is allowed"
    if trial.verdict is CandidateVerdict.LOSES and gain is not None and gain.loss is not None:
        return f"loses {100 * gain.loss.value:.1f} points, at most {100 * budget.loss:g} are allowed"
    if trial.verdict is CandidateVerdict.NO_GAIN and gain is not None:
        if gain.loss is None:
            return "what it loses cannot be told"
        return "a measure is surely worse" if _worse(trial) else "no measure is surely better"
    if trial.verdict is CandidateVerdict.REFUSED:
        return trial.reason
    if trial.verdict is CandidateVerdict.BEHIND:
        return f"gains less than the better half on {trial.images} images"
    return ""


def _worse(trial: Trial) -> bool:
    from auditor.repair.search.gain import worse

    return trial.gain is not None and any(map(worse, trial.gain.leading))


def _points(found: Search) -> Iterator[_Point]:
    measure, letters = drawn_measure(found), iter(ascii_lowercase)
    if measure is None:
        return
    scale = 100.0 if MEASURES[measure].unit == "share" else 1.0
    for trial in found.trials:
        gain = trial.gain
        change = None if gain is None else gain.change(measure)
        if gain is None or change is None or math.isnan(change.difference):
            continue
        cost = trial.candidate.cost if gain.speed is None else gain.speed.ratio
        letter = next(letters, None)
        if cost is not None and letter is not None:
            yield _Point(letter, trial, cost, scale * change.difference)


def drawn_measure(found: Search) -> str | None:
    """The measure that candidates are drawn by."""
    gains: Sequence[Trial] = [trial for trial in found.trials if trial.gain is not None and trial.gain.leading]
    first = gains[0].gain if gains else None
    return None if first is None else first.leading[0].measure


def _label(value: float, unit: str) -> str:
    return f"{value:+.1f}" if unit == "share" else f"{value:+.3f}"
