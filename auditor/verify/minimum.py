"""The least that a model must hold by itself, judged on its values per image."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from msgspec import structs

from auditor.options.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.errors import DataError
from auditor.verify.interval import Interval
from auditor.verify.measures import MEASURES, facts_of, gated
from auditor.verify.measures.facts import Gate
from auditor.verify.result import Measure, OutputResult, Task, Verification
from auditor.verify.statistics import (
    MIN_IMAGES,
    Needed,
    finite,
    images_needed,
    images_needed_unbounded,
    judge,
    mean_interval,
)
from auditor.verify.verdict import Condition, Looks, Required, Verdict


def unbounded(measure: Measure) -> bool:
    """Whether a measure has no largest value, so that models are compared by the ratio of the typical image."""
    return facts_of(measure).bounds is None


def two_sided(confidence: float) -> float:
    """The confidence of the interval from which a one-sided verdict of ``confidence`` is read."""
    return 2 * confidence - 1


def minimum(values: FloatArray, measure: Measure, thresholds: Thresholds, level: float) -> Iterator[Condition]:
    """The threshold that asks nothing of a base, on values per image (N,), at the one-sided ``level``."""
    limit, bounds = thresholds.minimum, facts_of(measure).interval_bounds
    if limit is None or unbounded(measure):  # a minimum is of the measure that the task is told by, not of pixels too
        return
    interval = mean_interval(values, two_sided(1 - level), bounds)
    verdict = judge(interval, limit, measure.higher_is_better)
    needed = None
    if verdict is Verdict.INCONCLUSIVE and interval is not None:
        needed = (
            images_needed_unbounded(values, limit, interval)
            if bounds is None
            else images_needed(values, limit, level, bounds)
        )
    yield condition_of("min", limit, verdict, needed, len(values), thresholds)


def condition_of(
    name: str,
    limit: float,
    verdict: Verdict,
    needed: Needed | None,
    images: int,
    thresholds: Thresholds,
    largest: float | None = None,
) -> Condition:
    """A threshold and its verdict, which too few images do not give."""
    if not enough(images, thresholds):
        least = max(thresholds.min_images, MIN_IMAGES)
        low, high = (least, least) if needed is None else (max(needed.low, least), max(needed.high, least))
        known = needed is not None or verdict is not Verdict.INCONCLUSIVE
        return Condition(name, limit, Verdict.INCONCLUSIVE, low, high if known else None, largest)
    if needed is None:
        return Condition(name, limit, verdict, largest_change=largest)
    return Condition(name, limit, verdict, needed.low, needed.high, largest)


def enough(images: int, thresholds: Thresholds) -> bool:
    """Whether so many images may decide something."""
    return images >= max(thresholds.min_images, MIN_IMAGES)


def may_end_early(task: Task) -> bool:
    """Whether few images can bear a verdict: the mean of what has no bounds is resampled, which they do not."""
    return all(MEASURES[name].interval_bounds is not None for name in gated(task, Gate.CHANGE))


def required(found: Verification, thresholds: Thresholds, looks: Looks | None = None) -> Required | None:
    """What the model had to hold, and whether it does; None where nothing was asked of it.

    Raises:
        DataError: no measure of it can be held against a minimum.
    """
    if thresholds.minimum is None:
        return None
    level = error_rate(thresholds) if looks is None else looks.level
    for measure in filter(None, map(judged_measure, found.outputs)):
        values = finite(np.asarray(measure.per_image, np.float64))
        for condition in minimum(values, measure, thresholds, level):
            return Required(
                measure=measure.name,
                unit=measure.unit,
                higher_is_better=measure.higher_is_better,
                value=measure.value,
                images=len(values),
                condition=condition,
                looks=looks,
                confidence=thresholds.confidence,
                inconclusive=thresholds.inconclusive,
            )
    raise DataError("nothing that was measured here has a least value to hold (--fail-under): leave it out")


def with_required(found: Verification, thresholds: Thresholds | None, looks: Looks | None = None) -> Verification:
    """The result with what was asked of the model."""
    asked = None if thresholds is None else required(found, thresholds, looks)
    return found if asked is None else structs.replace(found, required=asked)


def error_rate(thresholds: Thresholds) -> float:
    """The share of runs in which a verdict may be wrong."""
    return round(1 - thresholds.confidence, 9)


def judged_measure(output: OutputResult) -> Measure | None:
    """The measure that the task is judged by: the first one that was taken, as in a comparison."""
    return next(filter(None, map(output.measure, gated(output.task, Gate.CHANGE))), None)


def interval_with(measure: Measure, images: int) -> Interval | None:
    """What the interval of a measure would be with so many images, if the others are like those that there are.

    None where there is no interval now, or there are as many images already.
    """
    span, bounds = measure.interval, facts_of(measure).interval_bounds
    values = finite(np.asarray(measure.per_image, np.float64))
    if span is None or len(values) >= images:
        return None
    if bounds is None:  # it shrinks with the root of the number
        share = math.sqrt(len(values) / images)
        low, high = (measure.value + (end - measure.value) * share for end in (span.low, span.high))
        return Interval(low, high, span.confidence)
    again = np.resize(values, images)  # the sample again and again
    return mean_interval(again, span.confidence, bounds)
