"""The thresholds of the gate, judged on values per image of both models.

A verdict is one-sided, since the question is only whether the new model is worse: it passes where the bound from below
lies inside what is allowed, fails where the bound from above lies beyond, and is open else (non-inferiority by two
one-sided tests; Schuirmann 1987). Each of the two errors comes up in at most ``1 - confidence`` of the runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from auditor.options.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.interval import Interval
from auditor.verify.measures import facts_of
from auditor.verify.minimum import condition_of, enough, minimum, two_sided, unbounded
from auditor.verify.result import Measure
from auditor.verify.statistics import (
    MIN_IMAGES,
    images_needed,
    images_needed_unbounded,
    judge,
    judge_mean,
    log_ratios,
    ratio_interval,
    twice_the_largest,
)
from auditor.verify.verdict import Condition, Verdict

_MOST = 2.0
_FLOORS = {"px": 0.01, "variance": 1e-4}
_FLOOR = 0.001  # of a ratio


@dataclass(frozen=True, slots=True)
class Judged:
    """The conditions of one measure, and what a reader should know about what they assume."""

    conditions: tuple[Condition, ...]
    remarks: tuple[str, ...] = ()


def floor(measure: Measure) -> float:
    """What is added to both sides of a ratio, so that zeros count."""
    return _FLOORS.get(measure.unit, _FLOOR)


def largest_change(base: FloatArray, new: FloatArray, measure: Measure, thresholds: Thresholds) -> float:
    """What is taken for the most that one image can change: what is stated, unless the images refute it."""
    seen = float(np.abs(new - base).max(initial=0.0))
    if thresholds.largest_change is None:
        return twice_the_largest(new - base)
    if seen <= thresholds.largest_change + 1e-9:
        return thresholds.largest_change
    # Without bounds a measure is held by its ratio, and this number only shows how far its difference may go.
    return facts_of(measure).largest_change or _MOST


def conditions(
    base: FloatArray, new: FloatArray, measure: Measure, thresholds: Thresholds, same: bool = False
) -> Judged:
    """The thresholds that were asked for, on values per image (N,) of both models in the same order.

    ``same``: the two are one model, so that there is no drop to judge.
    """
    judged = list(minimum(new, measure, thresholds, 1 - thresholds.confidence))
    remarks: tuple[str, ...] = ()
    if same:
        judged += [Condition(name, limit, Verdict.PASS) for name, limit in _asked(measure, thresholds)]
    elif unbounded(measure):
        judged += _rise(base, new, measure, thresholds)
    else:
        judged += _drops(base, new, measure, thresholds)
        remarks = _refuted(base, new, measure, thresholds)
    return Judged(tuple(judged), remarks)


def _asked(measure: Measure, thresholds: Thresholds) -> Iterator[tuple[str, float]]:
    """The allowed changes by key."""
    if unbounded(measure):
        asked = [("max-jitter-rise", thresholds.max_jitter_rise)]
    else:
        asked = [
            ("max-absolute-drop", thresholds.max_absolute_drop),
            ("max-relative-drop", thresholds.max_relative_drop),
        ]
    yield from ((name, limit) for name, limit in asked if limit is not None)


def _drops(base: FloatArray, new: FloatArray, measure: Measure, thresholds: Thresholds) -> Iterator[Condition]:
    """The change of a measure within bounds, turned so that worse is negative."""
    reach = largest_change(base, new, measure, thresholds)
    seen = float(np.abs(new - base).max(initial=0.0))
    sign = 1.0 if measure.higher_is_better else -1.0
    for name, limit in _asked(measure, thresholds):
        # A relative drop is one paired difference too, so that the base's own uncertainty counts.
        share = limit if name == "max-relative-drop" else 0.0
        turned = sign * new - (sign - share) * base
        allowed = 0.0 if share else -limit
        extra = share * max(1.0, float(np.abs(base).max(initial=0.0)))
        bounds = [(-change, change + extra) for change in (reach, 2 * seen)]
        alpha, verdict, needed = 1 - thresholds.confidence, Verdict.INCONCLUSIVE, None
        if len(turned) >= MIN_IMAGES:
            verdict = judge_mean(turned, allowed, alpha, bounds[0])
        if len(turned) and verdict is Verdict.INCONCLUSIVE:
            needed = images_needed(turned, allowed, alpha, bounds[0])
        condition = condition_of(name, limit, verdict, needed, len(turned), thresholds, reach)
        if thresholds.largest_change is not None and 0 < 2 * seen < reach and enough(len(turned), thresholds):
            other = judge_mean(turned, allowed, alpha, bounds[1])
            if other is not verdict:
                condition = replace(condition, otherwise=other, twice_seen=2 * seen)
        yield condition


def _rise(base: FloatArray, new: FloatArray, measure: Measure, thresholds: Thresholds) -> Iterator[Condition]:
    """The typical image's ratio of a measure without a largest value, which should be low."""
    for name, limit in _asked(measure, thresholds):
        _, interval = ratio_interval(base, new, two_sided(thresholds.confidence), floor(measure))
        verdict = judge(interval, 1 + limit, higher_is_better=False)
        needed = None
        if verdict is Verdict.INCONCLUSIVE and interval is not None:
            logs = log_ratios(base, new, floor(measure))
            ends = Interval(math.log(interval.low), math.log(interval.high))
            needed = images_needed_unbounded(logs, math.log1p(limit), ends)
        yield condition_of(name, limit, verdict, needed, len(new), thresholds)


def _refuted(base: FloatArray, new: FloatArray, measure: Measure, thresholds: Thresholds) -> tuple[str, ...]:
    """A remark where an image changed by more than was stated."""
    stated = thresholds.largest_change
    seen = float(np.abs(new - base).max(initial=0.0))
    if stated is None or stated >= 1 or seen <= stated + 1e-9:
        return ()
    taken = largest_change(base, new, measure, thresholds)
    words = f"{measure.name} of an image changed by {seen:.3g}, more than the stated largest-change of {stated:g}"
    return (f"{words}: judged with {taken:g}",)
