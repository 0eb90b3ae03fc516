"""The boxes of one input, in the form in which they are compared, and which of two inputs are the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.pipeline.decoding.boxes import iou
from auditor.verify.arrays import BoolArray, FloatArray, IntArray

DEFAULT_IOU = 0.5  # least overlap of one object in two inputs


@dataclass(frozen=True, slots=True)
class Boxes:
    """Detections of one window: ``corners`` (N, 4) of x1, y1, x2, y2 in pixels, ``scores`` (N,), ``labels`` (N,)."""

    corners: FloatArray
    scores: FloatArray
    labels: IntArray

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Boxes:
        """The boxes whose score reaches the threshold."""
        return self.chosen(self.scores >= threshold)

    def below(self, threshold: float) -> Boxes:
        """The boxes whose score does not reach the threshold."""
        return self.chosen(self.scores < threshold)

    def chosen(self, which: IntArray | BoolArray) -> Boxes:
        """The boxes at these indices, or where this is true."""
        return Boxes(self.corners[which], self.scores[which], self.labels[which])

    def at(self, corners: FloatArray) -> Boxes:
        """The same objects at other corners."""
        return Boxes(corners, self.scores, self.labels)


def match(left: Boxes, right: Boxes, least: float = DEFAULT_IOU) -> tuple[IntArray, IntArray]:
    """Indices (K,) into both of the boxes that are the same: equal class, each used once, largest overlap first."""
    overlap = np.where(left.labels[:, None] == right.labels[None, :], iou(left.corners, right.corners), 0.0)
    taken: list[tuple[int, int]] = []
    # Equal overlaps are settled by the order of the boxes, so that the result does not depend on the sort.
    order = np.argsort(-overlap, axis=None, kind="stable")
    free = np.ones(len(left), dtype=np.bool_), np.ones(len(right), dtype=np.bool_)
    for place in order[: np.count_nonzero(overlap >= least)]:
        one, two = divmod(int(place), len(right))
        if free[0][one] and free[1][two]:
            free[0][one] = free[1][two] = False
            taken.append((one, two))
    pairs = np.array(taken, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def within(corners: FloatArray, low: FloatArray, high: FloatArray, border: float) -> BoolArray:
    """Which boxes keep clear of the border of a region."""
    inside = (corners[:, :2] >= low + border).all(axis=1) & (corners[:, 2:] <= high - border).all(axis=1)
    return np.asarray(inside, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class BoxAgreement:
    """Two answers to one input: how many boxes ``both`` have, how many the second (``missed``) or the first (``added``)
    has alone, and ``moves`` (both, 2), the centres of the first less those of the second as (x, y).
    """

    both: int
    missed: int
    added: int
    moves: FloatArray

    def share(self, part: int) -> float:
        """A part of all boxes, a matched pair counted once; NaN where neither answer has a box."""
        total = self.both + self.missed + self.added
        return part / total if total else float("nan")


def compare_boxes(left: Boxes, right: Boxes, least: float = DEFAULT_IOU) -> BoxAgreement:
    """Match the boxes of two answers to one input, both in the same pixels."""
    one, two = match(left, right, least)
    centres = [boxes.corners.reshape(-1, 2, 2).mean(axis=1) for boxes in (left.chosen(one), right.chosen(two))]
    return BoxAgreement(len(one), len(right) - len(two), len(left) - len(one), centres[0] - centres[1])
