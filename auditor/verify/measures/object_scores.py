"""One box in all windows of an image that show it whole: its score, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.pipeline.decoding.boxes import iou
from auditor.verify.arrays import FloatArray
from auditor.verify.example import MovingBox, SeenBox
from auditor.verify.measures.boxes import DEFAULT_IOU, Boxes, within
from auditor.verify.shifts.plan import Window

_FEWEST = 3
# The strongest ones of an image.
_MOST = 20
# Of the positions of one box: more lines than that are no longer told apart.
MOST_SEEN = 24


@dataclass(frozen=True, slots=True)
class FollowedBox:
    """A box of the unshifted window in all windows that show it whole, that one first.

    ``windows`` (W,) are the indices of the windows, ``scores`` (W,) its score there, 0 where it is not found, and
    ``corners`` (W, 4) where it lies once the shift is undone, NaN where it is not found.
    """

    label: int
    windows: tuple[int, ...]
    scores: FloatArray
    corners: FloatArray


def followed_boxes(
    boxes: Sequence[Boxes], windows: Sequence[Window], size: tuple[int, int], threshold: float, border: float
) -> tuple[FollowedBox, ...]:
    """Every box of the unshifted window that reaches the threshold in some window.

    ``boxes`` and ``windows`` belong together, the unshifted one first; ``size`` is that of a window (H, W) in the same
    pixels. Boxes nearer than ``border`` to the edge are left out, and those that too few windows show.
    """
    first, origin = boxes[0].chosen(np.argsort(-boxes[0].scores, kind="stable")[:_MOST]), windows[0]
    extent = np.array([size[1], size[0]], np.float64)
    whole = within(first.corners, np.zeros(2), extent, border)
    seen = [[(0, float(score), corners)] for score, corners in zip(first.scores, first.corners, strict=True)]
    for number, (there, window) in enumerate(zip(boxes[1:], windows[1:], strict=True), start=1):
        if window.variant != origin.variant or window == origin:
            continue
        step = np.tile(np.array([window.x - origin.x, window.y - origin.y], np.float64), 2)
        inside = within(first.corners - step, np.zeros(2), extent, border)
        overlap = (
            iou(first.corners - step, there.corners)
            if len(there) and len(first)
            else np.zeros((len(first), len(there)))
        )
        alike = np.where(first.labels[:, None] == there.labels[None, :], overlap, 0.0)
        for index in np.flatnonzero(whole & inside):
            same = np.flatnonzero(alike[index] >= DEFAULT_IOU)
            if not len(same):
                seen[index].append((number, 0.0, np.full(4, np.nan)))
                continue
            surest = same[int(there.scores[same].argmax())]
            seen[index].append((number, float(there.scores[surest]), there.corners[surest] + step))
    return tuple(
        FollowedBox(
            int(label),
            tuple(number for number, _, _ in places),
            np.array([score for _, score, _ in places]),
            np.stack([corners for _, _, corners in places]),
        )
        for label, inside, places in zip(first.labels, whole, seen, strict=True)
        if inside and len(places) >= _FEWEST and max(score for _, score, _ in places) >= threshold
    )


def moving_box(
    boxes: Sequence[FollowedBox], windows: Sequence[Window], size: tuple[int, int], threshold: float
) -> MovingBox | None:
    """The box whose score moves most, at the ends of its scores and evenly between; None without a box."""
    if not boxes:
        return None
    box = max(boxes, key=lambda one: float(np.ptp(one.scores)))
    origin = windows[0]
    chosen = {0, int(box.scores.argmax()), int(box.scores.argmin())}
    chosen |= set(np.linspace(0, len(box.scores) - 1, MOST_SEEN - len(chosen)).round().astype(int).tolist())
    seen = []
    for place in sorted(chosen):
        window = windows[box.windows[place]]
        shift = float(window.y - origin.y), float(window.x - origin.x)
        left, top, right, bottom = box.corners[place].tolist()
        found = bool(np.isfinite(box.corners[place]).all())
        seen.append(SeenBox(shift, float(box.scores[place]), (left, top, right, bottom) if found else None))
    return MovingBox(box.label, threshold, (float(size[0]), float(size[1])), tuple(seen))
