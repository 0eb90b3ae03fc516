"""Comparing the boxes of two windows of one image, once the shift between them is undone."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from auditor.pipeline.decoding.boxes import iou
from auditor.verify.arrays import BoolArray, FloatArray, IntArray
from auditor.verify.measures.boxes import DEFAULT_IOU, Boxes, match, within
from auditor.verify.shifts.plan import Pairs

BORDER = 2.0  # pixels


@dataclass(frozen=True, slots=True)
class PairStability:
    """(P,) per pair of windows, NaN where a pair has no box to measure on.

    ``centre``: mean distance of matched centres in pixels. ``size``: mean relative change of width and height.
    ``score``: mean absolute change of score. ``overlap``: mean intersection over union of matched boxes.
    Of all boxes, a matched pair counted once: ``lost`` and ``gained`` are the shares of those of the reference and of
    the moved input without a partner, ``flicker`` is both together, and ``crossings`` is the part of them whose
    partner is there, below the threshold. ``score_square`` and ``centre_square`` are means of half the squared
    changes of matched boxes.
    """

    centre: FloatArray
    size: FloatArray
    score: FloatArray
    overlap: FloatArray
    flicker: FloatArray
    lost: FloatArray
    gained: FloatArray
    crossings: FloatArray
    score_square: FloatArray
    centre_square: FloatArray


def pair_stability(
    boxes: list[Boxes],
    pairs: Pairs,
    window: tuple[int, int],
    circular: bool = False,
    least: float = DEFAULT_IOU,
    border: float = BORDER,
    threshold: float = 0.0,
) -> PairStability:
    """Compare the boxes of the windows of one image, pair by pair; ``window`` is the input's (H, W).

    Boxes, shifts and ``window`` count the same pixels: of the model's input, or of the part of a picture that it shows.
    Boxes count from the score ``threshold`` on; weaker ones only tell those that cross it from those that vanish.

    A circular shift moves boxes across the seam, where they are cut: boxes that touch the seam in either input do not
    count.
    """
    rows = np.full((len(fields(PairStability)), len(pairs)), np.nan)
    strong, weak = [one.above(threshold) for one in boxes], [one.below(threshold) for one in boxes]
    for index, (reference, moved, shift) in enumerate(zip(pairs.reference, pairs.moved, pairs.shift, strict=True)):
        ends = (strong[reference], strong[moved]), (weak[reference], weak[moved])
        rows[:, index] = _compare(*ends, shift, window, circular, least, border)
    return PairStability(*rows)


def _compare(
    strong: tuple[Boxes, Boxes],
    weak: tuple[Boxes, Boxes],
    shift: FloatArray,
    window: tuple[int, int],
    circular: bool,
    least: float,
    border: float,
) -> tuple[float, ...]:
    left, right = strong
    step = np.array([shift[1], shift[0]])
    extent = np.array([window[1], window[0]], dtype=np.float64)
    corners = right.corners + np.tile(step, 2)
    if circular:
        corners = _wrapped(corners, extent)
        # Uncut in its own input, and not across the seam of the other one either.
        there = _wrapped(left.corners - np.tile(step, 2), extent)
        counts = (
            within(left.corners, np.zeros(2), extent, border) & within(there, np.zeros(2), extent, border),
            within(right.corners, np.zeros(2), extent, border) & within(corners, np.zeros(2), extent, border),
        )
    else:
        low, high = np.maximum(0, step), extent + np.minimum(0, step)
        counts = within(left.corners, low, high, border), within(corners, low, high, border)
    one, two = match(left, right.at(corners), least)
    both = counts[0][one] & counts[1][two]
    gone, come = (
        np.flatnonzero(count & _others(used, len(count))) for count, used in zip(counts, (one, two), strict=True)
    )
    total = len(gone) + len(come) + int(np.count_nonzero(both))
    if not total:
        return (np.nan,) * len(fields(PairStability))
    ahead, behind = weak[0].corners - np.tile(step, 2), weak[1].corners + np.tile(step, 2)
    if circular:
        ahead, behind = _wrapped(ahead, extent), _wrapped(behind, extent)
    crossed = _paired(left.chosen(gone), weak[1].at(behind), least) + _paired(
        right.chosen(come), weak[0].at(ahead), least
    )
    shares = [part / total for part in (len(gone) + len(come), len(gone), len(come), crossed)]
    if not both.any():
        return (*[np.nan] * 4, *shares, np.nan, np.nan)
    first, second = left.corners[one[both]], corners[two[both]]
    centres = np.linalg.norm((first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]) / 2, axis=1)
    sizes = [matched[:, 2:] - matched[:, :2] for matched in (first, second)]
    change = np.abs(sizes[1] - sizes[0]) / np.maximum((sizes[0] + sizes[1]) / 2, 1e-9)
    scores = np.abs(left.scores[one[both]] - right.scores[two[both]])
    overlap = np.diagonal(iou(first, second))
    squares = [float(np.square(values).mean() / 2) for values in (scores, centres)]
    return (*[float(values.mean()) for values in (centres, change, scores, overlap)], *shares, *squares)


def _others(indices: IntArray, count: int) -> BoolArray:
    """Which of ``count`` places are not among the indices."""
    others = np.ones(count, dtype=np.bool_)
    others[indices] = False
    return others


def _paired(boxes: Boxes, others: Boxes, least: float) -> int:
    """How many boxes have a partner among the others."""
    return len(match(boxes, others, least)[0]) if len(boxes) and len(others) else 0


def _wrapped(corners: FloatArray, extent: FloatArray) -> FloatArray:
    """Moved by whole periods so that the centres lie in the input."""
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    return corners - np.tile(np.floor(centre / extent) * extent, 2)
