"""How steady a detector's boxes are when its input is shifted.

The boxes of the moved input are moved back, then matched to those of the reference: same class, greedily by
intersection over union. Zhang and Wang, "On the stability of video detection and tracking" (arXiv 1611.06467) split
instability in the same way into fragments (boxes that come and go), centre position error, and scale error. Differences
of average precision are no measure of shift stability: moving every box by one pixel alone costs 8 % of it (Borji,
arXiv 2206.10107).

Boxes that touch the border of what both inputs show are cut off differently by the two: they may be matched, but do not
count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import BoolArray, FloatArray, IntArray
from auditor.verify.shifts import Pairs

DEFAULT_IOU = 0.5
BORDER = 2.0  # pixels


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
        kept = self.scores >= threshold
        return Boxes(self.corners[kept], self.scores[kept], self.labels[kept])


@dataclass(frozen=True, slots=True)
class PairStability:
    """(P,) per pair of windows, NaN where a pair has no box to measure on.

    ``centre``: mean distance of matched centres in pixels. ``size``: mean relative change of width and height.
    ``score``: mean absolute change of score. ``flicker``: share of boxes without a partner, among all boxes counted
    once.
    """

    centre: FloatArray
    size: FloatArray
    score: FloatArray
    flicker: FloatArray


def iou(left: FloatArray, right: FloatArray) -> FloatArray:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4); boxes without area have none with anything."""
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (left, right)]
    union = areas[0][:, None] + areas[1][None, :] - common
    return np.asarray(common / np.where(union > 0, union, 1.0))


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


def matched_share(left: Boxes, right: Boxes, least: float = DEFAULT_IOU) -> float:
    """Share of the boxes of two answers to one input that have a partner in the other, each pair counted once.

    NaN where neither has a box.
    """
    matched = len(match(left, right, least)[0])
    total = len(left) + len(right) - matched
    return matched / total if total else float("nan")


def pair_stability(
    boxes: list[Boxes], pairs: Pairs, window: tuple[int, int], circular: bool = False, least: float = DEFAULT_IOU
) -> PairStability:
    """Compare the boxes of the windows of one image, pair by pair; ``window`` is the input's (H, W).

    A circular shift moves boxes across the seam, where they are cut: boxes that touch the seam in either input do not
    count.
    """
    rows = np.full((4, len(pairs)), np.nan)
    for index, (reference, moved, shift) in enumerate(zip(pairs.reference, pairs.moved, pairs.shift, strict=True)):
        rows[:, index] = _compare(boxes[reference], boxes[moved], shift, window, circular, least)
    return PairStability(*rows)


def _compare(
    left: Boxes, right: Boxes, shift: FloatArray, window: tuple[int, int], circular: bool, least: float
) -> tuple[float, float, float, float]:
    step = np.array([shift[1], shift[0]])
    extent = np.array([window[1], window[0]], dtype=np.float64)
    corners = right.corners + np.tile(step, 2)
    if circular:
        corners = _wrapped(corners, extent)
        # Uncut in its own input, and not across the seam of the other one either.
        there = _wrapped(left.corners - np.tile(step, 2), extent)
        counts = (
            _within(left.corners, np.zeros(2), extent) & _within(there, np.zeros(2), extent),
            _within(right.corners, np.zeros(2), extent) & _within(corners, np.zeros(2), extent),
        )
    else:
        low, high = np.maximum(0, step), extent + np.minimum(0, step)
        counts = _within(left.corners, low, high), _within(corners, low, high)
    returned = Boxes(corners, right.scores, right.labels)
    one, two = match(left, returned, least)
    both = counts[0][one] & counts[1][two]
    alone = sum(int(np.count_nonzero(np.delete(count, used))) for count, used in zip(counts, (one, two), strict=True))
    total = alone + int(np.count_nonzero(both))
    flicker = alone / total if total else np.nan
    if not both.any():
        return np.nan, np.nan, np.nan, flicker
    first, second = left.corners[one[both]], corners[two[both]]
    centres = np.linalg.norm((first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]) / 2, axis=1)
    sizes = [matched[:, 2:] - matched[:, :2] for matched in (first, second)]
    change = np.abs(sizes[1] - sizes[0]) / np.maximum((sizes[0] + sizes[1]) / 2, 1e-9)
    scores = np.abs(left.scores[one[both]] - right.scores[two[both]])
    return float(centres.mean()), float(change.mean()), float(scores.mean()), flicker


def _wrapped(corners: FloatArray, extent: FloatArray) -> FloatArray:
    """Moved by whole periods so that the centres lie in the input."""
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    return corners - np.tile(np.floor(centre / extent) * extent, 2)


def _within(corners: FloatArray, low: FloatArray, high: FloatArray) -> BoolArray:
    """Which boxes keep clear of the border of a region."""
    inside = (corners[:, :2] >= low + BORDER).all(axis=1) & (corners[:, 2:] <= high - BORDER).all(axis=1)
    return np.asarray(inside, dtype=np.bool_)
