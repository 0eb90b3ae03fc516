"""Answers of a classifier to be looked at: those to all windows of an image, and two that differ.

Scores (W, C) are of W windows and C classes; ties go to the lowest class index, as everywhere.
"""

from __future__ import annotations

import numpy as np

from auditor.verify.arrays import FloatArray
from auditor.verify.example import ClassChange, SeenAnswer, SeenClass
from auditor.verify.shifts.plan import ShiftPlan


def nearest_change(scores: FloatArray, plan: ShiftPlan) -> ClassChange | None:
    """The two compared windows with different classes that lie nearest, of them those whose scores change most.

    Windows of other canvases and of other frames are left out: they differ in more than the place of the picture. None
    where no pair changes its class.
    """
    best, windows = scores.argmax(axis=1), plan.windows
    found: tuple[tuple[float, float], ClassChange] | None = None
    for pairs in (plan.neighbours, plan.pairs, plan.distances, plan.exhaustive):
        for before, after, step in zip(pairs.reference.tolist(), pairs.moved.tolist(), pairs.shift, strict=True):
            first, second = int(best[before]), int(best[after])
            ends = windows[before], windows[after]
            if first == second or any((end.image, end.variant) != (windows[0].image, 0) for end in ends):
                continue
            change = scores[before, first] - scores[after, first] + scores[after, second] - scores[before, second]
            rank = float(np.abs(step).max()), -float(change)
            if found is None or rank < found[0]:
                seen = [
                    SeenClass(_offset(plan, index), answer, float(scores[index, answer]), float(scores[index, other]))
                    for index, answer, other in ((before, first, second), (after, second, first))
                ]
                found = rank, ClassChange(seen[0], seen[1], (float(step[0]), float(step[1])))
    return None if found is None else found[1]


def seen_answers(scores: FloatArray, plan: ShiftPlan) -> tuple[SeenAnswer, ...]:
    """The answers to all windows that differ from the first in their place alone, each shift once."""
    best, first = scores.argmax(axis=1), plan.windows[0]
    places = {
        _offset(plan, index): index
        for index, window in reversed([*enumerate(plan.windows)])
        if (window.image, window.variant) == (first.image, 0)
    }
    return tuple(
        SeenAnswer(shift, int(best[index]), float(scores[index, best[index]]))
        for shift, index in sorted(places.items())
    )


def _offset(plan: ShiftPlan, index: int) -> tuple[float, float]:
    """How far (dy, dx) a window lies from the unshifted one."""
    origin, window = plan.windows[0], plan.windows[index]
    return float(window.y - origin.y), float(window.x - origin.x)
