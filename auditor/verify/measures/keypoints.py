"""How much keypoints tremble when their input is shifted.

The points of the moved input are moved back by the shift and compared with those of the reference, joint by joint.
Joints near the border of what both inputs show are left out, and so are those that either input does not see.

* jitter: distance in pixels of the input, the median and the 95th percentile of one image over joints and pairs. A
  median, because one swap of two people or of left and right moves a mean.
* normalised mean error (NME): mean distance over the size of the figure: between the outer corners of the eyes where
  the points are those of a known face (36 and 45 of 68; 33 and 263 of MediaPipe's mesh), else the root of the area of
  its box, or of the box of its points.
* quantisation: a decoder that takes the largest sample of a heat map can give places ``g`` pixels apart only. Of a
  point that moves exactly with its input, at a place evenly distributed in its cell, a shift by ``d`` is off by
  ``-f g`` with probability ``1 - f`` and by ``(1 - f) g`` with probability ``f``, where ``f`` is the fractional part of
  ``d / g``: a mean square of ``g^2 f (1 - f)`` per axis. The share is the sum of these over the sum of the measured
  squares. It is nothing for shifts by whole cells, and for decoders that refine without a grid (DARK, offsets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.pipeline.decode import Detections, Keypoints
from auditor.pipeline.decode.boxes import iou
from auditor.verify.arrays import AnyArray, BoolArray, FloatArray, IntArray
from auditor.verify.shifts.plan import Pairs

VISIBLE = 0.3  # least score of a joint that counts; the usual value of the pose libraries
SAME_FIGURE = 0.5  # least overlap of the boxes of one figure in two inputs
BORDER = 2.0  # pixels

# The outer corners of the eyes of point sets that are known by their number.
_EYES = {68: (36, 45), 468: (33, 263), 478: (33, 263)}


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
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


@dataclass(frozen=True, slots=True, eq=False)
class JointMoves:
    """How far joints moved against their input, J of all pairs of one image.

    ``distance`` (J,) in pixels, ``joint`` (J,) its number, ``size`` (J,) of its figure in pixels, ``quantised`` (J,)
    the mean square in pixels² that the decoder's grid alone costs.
    """

    distance: FloatArray
    joint: IntArray
    size: FloatArray
    quantised: FloatArray

    def __len__(self) -> int:
        return len(self.distance)


def figures_of(answer: Detections | Keypoints) -> Figures:
    """The figures of a decoded answer.

    Raises:
        ValueError: the answer has boxes and no points.
    """
    if isinstance(answer, Keypoints):
        scores = answer.scores
        visible = np.ones(len(answer.points), np.bool_) if scores is None else np.asarray(scores) >= VISIBLE
        if answer.presence is not None and answer.presence < 0.5:
            visible = np.zeros_like(visible)
        return Figures(np.asarray(answer.points, np.float64)[None], visible[None], None, answer.pitch)
    if answer.keypoints is None:
        raise ValueError("these objects have no keypoints")
    points = np.asarray(answer.keypoints, np.float64)
    seen = np.ones(points.shape[:2], np.bool_) if answer.visibility is None else answer.visibility >= VISIBLE
    return Figures(points, np.asarray(seen, np.bool_), np.asarray(answer.boxes, np.float64))


def joint_moves(figures: Sequence[Figures], pairs: Pairs, window: tuple[int, int]) -> JointMoves:
    """Compare the figures of the inputs of one image, pair by pair; ``window`` is the input's (H, W).

    Figures of two inputs are the same where their boxes overlap by one half, the largest overlap first.
    """
    moves = [
        _moves(figures[reference], figures[moved], np.array([shift[1], shift[0]]), window)
        for reference, moved, shift in zip(pairs.reference, pairs.moved, pairs.shift, strict=True)
    ]
    return JointMoves(
        np.concatenate([move.distance for move in moves] or [np.zeros(0)]),
        np.concatenate([move.joint for move in moves] or [np.zeros(0, np.int64)]),
        np.concatenate([move.size for move in moves] or [np.zeros(0)]),
        np.concatenate([move.quantised for move in moves] or [np.zeros(0)]),
    )


def jitter(moves: JointMoves, quantile: float = 0.5) -> float:
    """The quantile of the distances in pixels; NaN without a joint."""
    return float(np.quantile(moves.distance, quantile)) if len(moves) else float("nan")


def normalised_error(moves: JointMoves) -> float:
    """The mean of distance over the figure's size (NME); NaN without a joint."""
    return float(np.mean(moves.distance / moves.size)) if len(moves) else float("nan")


def quantised_share(moves: JointMoves) -> float:
    """The share of the mean square of the distances that the decoder's grid alone costs, at most 1.

    NaN where nothing moved.
    """
    total = float(np.square(moves.distance).sum())
    return min(float(moves.quantised.sum()) / total, 1.0) if total > 0 else float("nan")


def by_joint(moves: JointMoves, count: int) -> FloatArray:
    """(count,) the mean distance of each joint in pixels; NaN for one that was never seen twice."""
    seen = np.bincount(moves.joint, minlength=count)
    sums = np.bincount(moves.joint, weights=moves.distance, minlength=count)
    return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan)


def _moves(left: Figures, right: Figures, step: FloatArray, window: tuple[int, int]) -> JointMoves:
    one, two = _same(left, right, step)
    first, second = left.points[one], right.points[two] + step
    extent = np.array([window[1], window[0]], np.float64)
    low, high = np.maximum(0, step) + BORDER, extent + np.minimum(0, step) - BORDER
    within = ((first >= low) & (first <= high) & (second >= low) & (second <= high)).all(axis=2)
    counts = within & left.visible[one] & right.visible[two]
    figure, joint = np.nonzero(counts)
    sizes = np.array([_size(left, int(index)) for index in one])
    quantised = sum(_lost(pitch, float(move)) for pitch, move in zip(left.pitch, step, strict=True))
    return JointMoves(
        np.linalg.norm((first - second)[counts], axis=-1),
        joint.astype(np.int64),
        sizes[figure] if len(sizes) else np.zeros(0),
        np.full(len(joint), quantised, np.float64),
    )


def _lost(pitch: float, move: float) -> float:
    """The mean square that a grid of this pitch costs a shift along its axis."""
    if pitch <= 0:
        return 0.0
    part = (move / pitch) % 1.0
    return pitch**2 * part * (1 - part)


def _same(left: Figures, right: Figures, step: FloatArray) -> tuple[IntArray, IntArray]:
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


def _size(figures: Figures, index: int) -> float:
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
