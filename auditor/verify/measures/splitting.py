"""Splitting the change by shifts into the sampling grid's part and the rest.

A network of the cumulative factor S gives the same answer after a shift by a multiple of S, but for what enters and
leaves at the border and for its padding. So the change at multiples is the part that no anti-aliasing reaches, and that
at shifts beside them is both parts together. What enters depends on how far the window moves: both shifts of a
comparison go along one axis from one start, and on average equally far. Where the largest shift leaves room for shorter
ones only, the part of border and content comes out too large, never too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from auditor.verify.columns import listed_floats
from auditor.verify.interval import Interval
from auditor.verify.measures import facts_of
from auditor.verify.measures.facts import Gate
from auditor.verify.measures.task import ImageMeasures, Row, TaskMeasures, measured_of
from auditor.verify.measures.variance import Spreads
from auditor.verify.result import Measure
from auditor.verify.split import Ceiling, LossSplit
from auditor.verify.statistics import MIN_IMAGES, difference_interval, sums_ratio_interval


def loss_splits(
    measures: TaskMeasures[Any, Any],
    aligned: Sequence[Row[Any]],
    beside: Sequence[Row[Any]],
    reach: tuple[int, int],
    confidence: float,
) -> tuple[LossSplit, ...]:
    """The split of every variance that the task has, from the rows of shifts at multiples and of those beside them.

    ``reach`` is the period and the longest of its multiples.
    """
    ends = [_spreads(measured_of(rows)) for rows in (aligned, beside)]
    ceilings = _ceilings(measures, aligned, beside, confidence)
    splits = []
    for name in ends[0]:
        spreads = [side.get(name) or Spreads(len(aligned)) for side in ends]
        # Both are told in units of the same variance between images, where there is one.
        on, off = (side.within / spreads[1].mean_between for side in spreads)
        border, interval = sums_ratio_interval(on, off, confidence)
        if border == 0 and interval is None and len(on) >= MIN_IMAGES:
            # No image lost anything at the multiples; one more could lose as much there as beside them.
            interval = Interval(0.0, 1 / (len(on) + 1), confidence)
        if np.isfinite(border):
            splits.append(LossSplit(name, *reach, border, interval, listed_floats(on), listed_floats(off), ceilings))
    return tuple(splits)


def _spreads(images: Sequence[ImageMeasures]) -> dict[str, Spreads]:
    """The spreads of every measure that has some."""
    spreads: dict[str, Spreads] = {}
    for place, image in enumerate(images):
        for name, spread in image.spreads.items():
            spreads.setdefault(name, Spreads(len(images))).add(place, spread)
    for place, image in enumerate(images):
        for name, spread in image.spreads.items():
            spreads[name].hold(place, spread)
    return spreads


def _ceilings(
    measures: TaskMeasures[Any, Any], aligned: Sequence[Row[Any]], beside: Sequence[Row[Any]], confidence: float
) -> tuple[Ceiling, ...]:
    on, off = (measures.total(rows, confidence).measures for rows in (aligned, beside))
    pairs = [(one, other) for one in on for other in off if one.name == other.name and _tells(one)]
    return tuple(_ceiling(one, other, confidence) for one, other in pairs if one.images and other.images)


def _tells(measure: Measure) -> bool:
    facts = facts_of(measure)
    return facts.leading or facts.gate is not Gate.NONE


def _ceiling(aligned: Measure, beside: Measure, confidence: float) -> Ceiling:
    bounds = facts_of(aligned).interval_bounds
    largest = None if bounds is None else bounds[1] - bounds[0]
    on, off = np.array(aligned.per_image), np.array(beside.per_image)
    _, interval = difference_interval(off, on, confidence, largest)
    return Ceiling(aligned.name, aligned.unit, beside.value, aligned.value, interval if bounds is not None else None)
