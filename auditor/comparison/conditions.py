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

from auditor.facts.comparison import Condition
from auditor.options.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.interval import Interval
from auditor.verify.measures import facts_of
from auditor.verify.result import Measure, Verdict
from auditor.verify.statistics import (
    MIN_IMAGES,
    Needed,
    images_needed,
    images_needed_unbounded,
    judge,
    judge_mean,
    log_ratios,
    mean_interval,
    ratio_interval,
    twice_the_largest,
)

_MOST = 2.0
_FLOORS = {"px": 0.01, "variance": 1e-4}
_FLOOR = 0.001  # of a ratio


@dataclass(frozen=True, slots=True)
class Judged:
    """The conditions of one measure, and what a reader should know about what they assume."""

    conditions: tuple[Condition, ...]
    remarks: tuple[str, ...] = ()


def unbounded(measure: Measure) -> bool:
    """Whether a measure has no largest value, so that models are compared by the ratio of the typical image."""
    return facts_of(measure).bounds is None


def floor(measure: Measure) -> float:
    """What is added to both sides of a ratio, so that zeros count."""
    return _FLOORS.get(measure.unit, _FLOOR)


def two_sided(confidence: float) -> float:
    """The confidence of the interval from which a one-sided verdict of ``confidence`` is read."""
    return 2 * confidence - 1


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
    judged = list(_minimum(new, measure, thresholds))
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


def _minimum(new: FloatArray, measure: Measure, thresholds: Thresholds) -> Iterator[Condition]:
    limit, bounds = thresholds.minimum, facts_of(measure).interval_bounds
    if limit is None or unbounded(measure):  # a minimum is of the measure that the task is told by, not of pixels too
        return
    interval = mean_interval(new, two_sided(thresholds.confidence), bounds)
    verdict = judge(interval, limit, measure.higher_is_better)
    needed = None
    if verdict is Verdict.INCONCLUSIVE and interval is not None:
        alpha = 1 - thresholds.confidence
        needed = (
            images_needed_unbounded(new, limit, interval)
            if bounds is None
            else images_needed(new, limit, alpha, bounds)
        )
    yield _condition("min", limit, verdict, needed, len(new), thresholds)


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
        condition = _condition(name, limit, verdict, needed, len(turned), thresholds, reach)
        if thresholds.largest_change is not None and 0 < 2 * seen < reach and _enough(len(turned), thresholds):
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
        yield _condition(name, limit, verdict, needed, len(new), thresholds)


def _condition(
    name: str,
    limit: float,
    verdict: Verdict,
    needed: Needed | None,
    images: int,
    thresholds: Thresholds,
    largest: float | None = None,
) -> Condition:
    if not _enough(images, thresholds):
        least = max(thresholds.min_images, MIN_IMAGES)
        low, high = (least, least) if needed is None else (max(needed.low, least), max(needed.high, least))
        known = needed is not None or verdict is not Verdict.INCONCLUSIVE
        return Condition(name, limit, Verdict.INCONCLUSIVE, low, high if known else None, largest)
    if needed is None:
        return Condition(name, limit, verdict, largest_change=largest)
    return Condition(name, limit, verdict, needed.low, needed.high, largest)


def _enough(images: int, thresholds: Thresholds) -> bool:
    return images >= max(thresholds.min_images, MIN_IMAGES)


def _refuted(base: FloatArray, new: FloatArray, measure: Measure, thresholds: Thresholds) -> tuple[str, ...]:
    """A remark where an image changed by more than was stated."""
    stated = thresholds.largest_change
    seen = float(np.abs(new - base).max(initial=0.0))
    if stated is None or stated >= 1 or seen <= stated + 1e-9:
        return ()
    taken = largest_change(base, new, measure, thresholds)
    words = f"{measure.name} of an image changed by {seen:.3g}, more than the stated largest-change of {stated:g}"
    return (f"{words}: judged with {taken:g}",)
