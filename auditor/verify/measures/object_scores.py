"""The score of one box in all windows of an image that show it whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.pipeline.decoding.boxes import iou
from auditor.verify.hysteresis import AnswerScores
from auditor.verify.measures.boxes import DEFAULT_IOU, Boxes, within
from auditor.verify.shifts.plan import Window

_FEWEST = 3
# The strongest ones of an image.
_MOST = 20


def object_scores(
    boxes: Sequence[Boxes], windows: Sequence[Window], size: tuple[int, int], threshold: float, border: float
) -> tuple[AnswerScores, ...]:
    """The scores of every box of the unshifted window that reaches the threshold in some window.

    ``boxes`` and ``windows`` belong together, the unshifted one first; ``size`` is that of a window (H, W) in the same
    pixels. Where a box is not found its score is 0. Boxes nearer than ``border`` to the edge are left out.
    """
    first, origin = boxes[0].chosen(np.argsort(-boxes[0].scores, kind="stable")[:_MOST]), windows[0]
    extent = np.array([size[1], size[0]], np.float64)
    scores: list[list[float]] = [[float(score)] for score in first.scores]
    whole = within(first.corners, np.zeros(2), extent, border)
    for seen, window in zip(boxes[1:], windows[1:], strict=True):
        if window.variant != origin.variant or window == origin:
            continue
        step = np.tile(np.array([window.x - origin.x, window.y - origin.y], np.float64), 2)
        there = within(first.corners - step, np.zeros(2), extent, border)
        overlap = (
            iou(first.corners - step, seen.corners) if len(seen) and len(first) else np.zeros((len(first), len(seen)))
        )
        alike = np.where(first.labels[:, None] == seen.labels[None, :], overlap, 0.0)
        for index in np.flatnonzero(whole & there):
            matched = seen.scores[alike[index] >= DEFAULT_IOU]
            scores[index].append(float(matched.max(initial=0.0)))
    found = [np.array(some) for some, inside in zip(scores, whole, strict=True) if inside and len(some) >= _FEWEST]
    return tuple(AnswerScores.of(some) for some in found if some.max() >= threshold)
