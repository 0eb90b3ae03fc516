"""The figures of one input, in the form in which they are compared, and which of two inputs are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.pipeline.decoding import Answer, Detections, Keypoints
from auditor.pipeline.decoding.boxes import iou
from auditor.verify.arrays import AnyArray, BoolArray, FloatArray, IntArray
from auditor.verify.measures.reference import brought_points
from auditor.verify.measures.task import Sides
from auditor.verify.shifts.plan import Unit

VISIBLE = 0.3  # least score of a joint that counts; the usual value of the pose libraries
SAME_FIGURE = 0.5  # least overlap of the boxes of one figure in two inputs
ALIKE = 0.05  # of the figure's size: PCK@0.05

# The outer corners of the eyes of point sets that are known by their number.
_EYES = {68: (36, 45), 468: (33, 263), 478: (33, 263)}


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The people, faces or hands of one input: ``points`` (N, K, 2) as (x, y) in pixels, ``visible`` (N, K).

    ``boxes`` (N, 4) tell several figures apart; without them there is one at most. ``pitch`` (x, y) is the spacing of
    the decoder's grid, 0 for none.
    """

    points: FloatArray
    visible: BoolArray
    boxes: FloatArray | None = None
    pitch: tuple[float, float] = (0.0, 0.0)

    def __len__(self) -> int:
        return len(self.points)


def figures_of(answer: Answer) -> Poses:
    """The figures of a decoded answer.

    Raises:
        ValueError: the answer has no points.
    """
    if isinstance(answer, Keypoints):
        scores = answer.scores
        visible = np.ones(len(answer.points), np.bool_) if scores is None else np.asarray(scores) >= VISIBLE
        if answer.presence is not None and answer.presence < 0.5:
            visible = np.zeros_like(visible)
        return Poses(np.asarray(answer.points, np.float64)[None], visible[None], None, answer.pitch)
    if not isinstance(answer, Detections) or answer.keypoints is None:
        raise ValueError("the answer has no keypoints")
    points = np.asarray(answer.keypoints, np.float64)
    seen = np.ones(points.shape[:2], np.bool_) if answer.visibility is None else answer.visibility >= VISIBLE
    return Poses(points, np.asarray(seen, np.bool_), np.asarray(answer.boxes, np.float64))


def in_the_picture(figures: Sequence[Poses], unit: Unit) -> tuple[Poses, ...]:
    """The figures of every window in pixels of the part of the picture that it shows."""
    there = []
    for window, placed in zip(figures, unit.placements, strict=True):
        placement = replace(placed, origin=(0, 0))
        boxes = None if window.boxes is None else placement.boxes_to_picture(window.boxes)
        pitch = window.pitch[0] / placement.scale[1], window.pitch[1] / placement.scale[0]
        there.append(Poses(placement.to_picture(window.points), window.visible, boxes, pitch))
    return tuple(there)


def brought_figures(figures: Sequence[Poses], sides: Sides) -> tuple[Poses, ...]:
    """The figures that a reference model sees in its windows, in pixels of those of the model under test."""
    if sides.alike:
        return tuple(figures)

    def window(seen: Poses, index: int) -> Poses:
        there, here = sides.there.placements[index], sides.here.placements[index]
        boxes = seen.boxes
        if boxes is not None:
            boxes = brought_points(boxes.reshape(-1, 2, 2), there, here).reshape(-1, 4)
        across, down = (here.scale[axis] / there.scale[axis] for axis in (1, 0))
        pitch = seen.pitch[0] * across, seen.pitch[1] * down
        return Poses(brought_points(seen.points, there, here), seen.visible, boxes, pitch)

    return tuple(window(seen, index) for index, seen in enumerate(figures))


def compare_figures(left: Poses, right: Poses) -> tuple[float, FloatArray]:
    """Of two answers to one input: the share of joints that lie alike, to a twentieth of the figure's size, and the
    offsets (M, 2) as (x, y) of the first from the second of every joint that both see.

    Joints that one of them alone sees are not alike; NaN where neither sees any.
    """
    one, two = same_figures(left, right, np.zeros(2))
    both = left.visible[one] & right.visible[two]
    sizes = np.array([figure_size(left, int(index)) for index in one]).reshape(-1, 1)
    moves = left.points[one] - right.points[two]
    alike = int(((np.linalg.norm(moves, axis=-1) <= ALIKE * sizes) & both).sum())
    seen = int(left.visible.sum()) + int(right.visible.sum()) - int(both.sum())
    return alike / seen if seen else float("nan"), moves[both]


def same_figures(left: Poses, right: Poses, step: FloatArray) -> tuple[IntArray, IntArray]:
    """Indices (M,) into both of the figures that are the same."""
    if left.boxes is None or right.boxes is None:
        both = np.arange(min(len(left), len(right)), dtype=np.int64)
        return both, both
    overlap = iou(left.boxes, right.boxes + np.tile(step, 2))
    pairs: list[tuple[int, int]] = []
    while overlap.size and overlap.max() >= SAME_FIGURE:
        one, two = divmod(int(overlap.argmax()), overlap.shape[1])
        pairs.append((one, two))
        overlap[one], overlap[:, two] = -1, -1
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def figure_size(figures: Poses, index: int) -> float:
    """What the errors of a figure are measured against, in pixels; at least one."""
    points = figures.points[index]
    if len(points) in _EYES:
        one, two = _EYES[len(points)]
        return max(float(np.linalg.norm(points[one] - points[two])), 1.0)
    if figures.boxes is not None:
        return _side(figures.boxes[index])
    seen = points[figures.visible[index]] if figures.visible[index].any() else points
    return _side(np.concatenate([seen.min(axis=0), seen.max(axis=0)]))


def _side(box: AnyArray) -> float:
    wide, high = np.maximum(box[2:] - box[:2], 1.0)
    return float(np.sqrt(wide * high))
