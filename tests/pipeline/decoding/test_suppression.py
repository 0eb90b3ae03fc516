"""Doubles are suppressed as the plain definition says: the surest box stays, and takes its doubles with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline.decoding.boxes import suppressed

Array = npt.NDArray[Any]


def intersection_over_union(one: Array, other: Array) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    whole = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return float(shared / whole) if whole > 0 else 0.0


def by_definition(boxes: Array, scores: Array, labels: Array, iou: float) -> list[int]:
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        doubles = [
            other
            for other in kept
            if labels[other] == labels[index] and intersection_over_union(boxes[other], boxes[index]) > iou
        ]
        if not doubles:
            kept.append(index)
    return kept


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 60),
    classes=st.integers(1, 4),
    iou=st.floats(0.05, 0.95),
)
def test_what_stays_is_what_the_definition_says(seed: int, count: int, classes: int, iou: float) -> None:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0, 40, (count, 2))], axis=1)
    scores, labels = random.uniform(0, 1, count).round(1), random.integers(0, classes, count)
    assert suppressed(boxes, scores, labels, iou).tolist() == by_definition(boxes, scores, labels, iou)


def test_equal_boxes_of_different_classes_both_stay() -> None:
    boxes = np.tile([[0.0, 0.0, 10.0, 10.0]], (3, 1))
    assert suppressed(boxes, np.array([0.5, 0.9, 0.7]), np.array([0, 1, 1]), 0.5).tolist() == [1, 0]


def test_boxes_without_an_area_are_nobodys_double() -> None:
    boxes = np.zeros((3, 4))
    assert suppressed(boxes, np.array([0.9, 0.8, 0.7]), np.zeros(3, int), 0.5).tolist() == [0, 1, 2]
