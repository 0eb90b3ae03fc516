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

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.text import count_text
from auditor.verify.arrays import FloatArray, IntArray
from auditor.verify.measures.decoded import decoder_of, windows_of
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.layouts import Decoder
from auditor.verify.measures.moving_joints import moving_joints
from auditor.verify.measures.poses import (
    ALIKE,
    VISIBLE,
    Poses,
    brought_figures,
    compare_figures,
    figure_size,
    figures_of,
    in_the_picture,
    same_figures,
)
from auditor.verify.measures.reference import (
    AGREEMENT,
    Beside,
    changes_beside,
    fidelity_values,
    offset_values,
    one_pixel,
)
from auditor.verify.measures.task import (
    ImageMeasures,
    Outputs,
    Row,
    Sides,
    Subject,
    TaskMeasures,
    UnusableOutputError,
    WindowOutputs,
    by_distance,
    measured_of,
)
from auditor.verify.measures.totals import output_result
from auditor.verify.measures.tracks import diagonal, point_tracks
from auditor.verify.measures.variance import VARIANCES, J, Spread, spread_from
from auditor.verify.result import OutputResult, Task, Track
from auditor.verify.shifts.plan import Pairs, Unit

MEASURES = (
    MeasureFacts(
        "keypoint-jitter",
        "px",
        False,
        "median distance of a joint to itself after the shift is undone",
        title="jitter of joints, px",
        gate=Gate.RATIO,
        leading=True,
        summary=True,
    ),
    MeasureFacts(
        "keypoint-consistency",
        "share",
        True,
        "joints within a twentieth of the figure's size of themselves (PCK@0.05)",
        gate=Gate.CHANGE,
        leading=True,
        summary=True,
        in_points=True,
    ),
    MeasureFacts("keypoint-jitter-p95", "px", False, "95th percentile of the same"),
    MeasureFacts("nme", "ratio", False, "mean of the same over the size of the figure (NME)", summary=True),
    MeasureFacts("keypoint-quantisation", "share", False, "of the squared jitter, what the decoder's grid costs"),
)

BORDER = 2.0  # pixels of the model


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


def moves_by_pair(
    figures: Sequence[Poses], pairs: Pairs, window: tuple[int, int], circular: bool = False, border: float = BORDER
) -> list[JointMoves]:
    """Compare the figures of the inputs of one image, pair by pair; ``window`` is the input's (H, W).

    Joints nearer than ``border`` to its edge do not count; all in the pixels that the shifts count.

    Poses of two inputs are the same where their boxes overlap by one half, the largest overlap first. A circular
    shift moves points across the seam.
    """
    return [
        _moves(figures[reference], figures[moved], np.array([shift[1], shift[0]]), window, circular, border)
        for reference, moved, shift in zip(pairs.reference, pairs.moved, pairs.shift, strict=True)
    ]


def joint_moves(
    figures: Sequence[Poses], pairs: Pairs, window: tuple[int, int], circular: bool = False, border: float = BORDER
) -> JointMoves:
    """All moves of one image, as :func:`moves_by_pair`."""
    return joined(moves_by_pair(figures, pairs, window, circular, border))


def joined(moves: Sequence[JointMoves]) -> JointMoves:
    """The moves of several pairs as those of one image."""
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


def consistency(moves: JointMoves) -> float:
    """The share of joints that moved by less than a twentieth of their figure's size; NaN without a joint."""
    return float(np.mean(moves.distance <= ALIKE * moves.size)) if len(moves) else float("nan")


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


def _moves(
    left: Poses, right: Poses, step: FloatArray, window: tuple[int, int], circular: bool, border: float
) -> JointMoves:
    one, two = same_figures(left, right, step)
    first, second = left.points[one], right.points[two] + step
    extent = np.array([window[1], window[0]], np.float64)
    low, high = np.maximum(0, step) + border, extent + np.minimum(0, step) - border
    if circular:
        low, high = np.full(2, border), extent - border
        # The copy of the point, a whole period away or not, that lies nearest.
        second = first + (second - first + extent / 2) % extent - extent / 2
        there = right.points[two]
        within = ((first >= low) & (first <= high) & (there >= low) & (there <= high)).all(axis=2)
    else:
        within = ((first >= low) & (first <= high) & (second >= low) & (second <= high)).all(axis=2)
    counts = within & left.visible[one] & right.visible[two]
    figure, joint = np.nonzero(counts)
    sizes = np.array([figure_size(left, int(index)) for index in one])
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


def _spreads(first: Poses, moves: JointMoves) -> dict[str, Spread]:
    """The spread of the coordinates of all joints; where an image does not show one whole figure, that within it."""
    if not len(moves):
        return {}
    within = float(np.square(moves.distance).mean()) / 2 * first.points.shape[1]
    if len(first) != 1 or not first.visible.all():
        return {J.name: Spread(within)}
    return {J.name: spread_from(within, first.points.reshape(1, -1))}


@dataclass(frozen=True, slots=True)
class KeypointsImage(ImageMeasures):
    """One image: ``joints`` is the mean distance of each joint in pixels, NaN where it was not seen twice, ``figures``
    how many the unshifted input has, and ``compared`` how often a joint was compared.
    """

    joints: tuple[float, ...]
    figures: int
    compared: int


@dataclass(frozen=True, slots=True)
class Joints(TaskMeasures[tuple[Poses, ...], KeypointsImage]):
    """Measures how joints move against their input. ``decoder`` reads them; ``window`` is the input's (H, W)."""

    MEASURES = MEASURES
    WHOLE_PIXELS = True
    TRACKS = True

    decoder: Decoder
    window: tuple[int, int]
    circular: bool
    period: int | None

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Joints:  # noqa: ARG003 - the pilot chose
        return cls(subject.target.outputs, decoder_of(subject), subject.window, subject.circular, subject.period)

    def read(self, rows: WindowOutputs) -> tuple[Poses, ...]:
        found: list[Poses] = []
        for window in windows_of(self.outputs, rows):
            try:
                found.append(figures_of(self.decoder.read(window)))
            except ValueError as error:
                raise UnusableOutputError(str(error)) from error
        return tuple(found)

    def row(self, unit: Unit, answers: tuple[Poses, ...], reference: tuple[Poses, ...] | None) -> KeypointsImage:
        plan = unit.plan
        seen, window, border = answers, self.window, BORDER
        if unit.native:
            placed = unit.placements[0]
            seen, window, border = in_the_picture(answers, unit), placed.picture, BORDER / min(placed.scale)
        moves = joint_moves(seen, plan.pairs, window, self.circular, border)
        values: dict[str, float] = {}
        if len(plan.pairs):
            values = {
                "keypoint-jitter": jitter(moves),
                "keypoint-consistency": consistency(moves),
                "keypoint-jitter-p95": jitter(moves, 0.95),
                "nme": normalised_error(moves),
            }
            if max(answers[0].pitch) > 0:
                values["keypoint-quantisation"] = quantised_share(moves)
        beside: Beside | None = None
        if reference is not None:
            others = in_the_picture(reference, unit) if unit.native else reference
            compared = [compare_figures(left, right) for left, right in zip(seen, others, strict=True)]
            values |= fidelity_values([alike for alike, _ in compared])
            values |= offset_values([moves for _, moves in compared])
            near = one_pixel(plan)
            by_pair = [moves_by_pair(side, near, window, self.circular, border) for side in (seen, others)]
            changed = [np.array([consistency(pair) < 1 for pair in pairs], np.bool_) for pairs in by_pair]
            beside, added = changes_beside(changed[0], changed[1])
            values |= added
        curves: dict[str, FloatArray] = {}
        if len(plan.distances):
            along = moves_by_pair(seen, plan.distances, window, self.circular, border)
            curves["keypoint-jitter"] = np.array([jitter(pair) for pair in along])
        return KeypointsImage(
            values,
            by_distance(curves, plan.distances.distance),
            0.0,
            tuple(by_joint(moves, answers[0].points.shape[1]).tolist()),
            int(answers[0].visible.any(axis=1).sum()),
            len(moves),
            beside=beside,
            tracks=self._tracks(seen, plan.walk),
            moving_joints=None if self.circular else moving_joints(seen, plan.windows, window, border),
            spreads=_spreads(seen[0], moves) if len(plan.pairs) else {},
        )

    def _tracks(self, figures: tuple[Poses, ...], path: IntArray) -> tuple[Track, ...]:
        """The joints of the surest figure of the first input of the path; none where a later one does not show it."""
        if self.circular or not len(path) or not len(figures[path[0]]):
            return ()
        first = figures[path[0]]
        points, visible = [], []
        for window, step in zip(path, diagonal(len(path)), strict=True):
            one, two = same_figures(first, figures[window], step[::-1])
            for figure in two[one == 0]:
                points.append(figures[window].points[figure])
                visible.append(figures[window].visible[figure])
        return point_tracks(np.array(points), np.array(visible), self.period) if len(points) == len(path) else ()

    def brought(self, answers: tuple[Poses, ...], sides: Sides) -> tuple[Poses, ...]:
        return brought_figures(answers, sides)

    def total(self, rows: Sequence[Row[KeypointsImage]], confidence: float) -> OutputResult:
        return output_result(self.outputs[0], Task.KEYPOINTS, (*AGREEMENT, *MEASURES, *VARIANCES), rows, confidence)

    def nothing(self, rows: Sequence[Row[KeypointsImage]]) -> str:
        images = measured_of(rows)
        if not images or any(image.compared for image in images):
            return ""
        return f"no image has a keypoint of score {VISIBLE:g} or more that lies inside of two shifted windows"

    def remarks(self, rows: Sequence[Row[KeypointsImage]]) -> tuple[str, ...]:
        joints, images, figures, compared = array("d"), 0, 0, 0
        for image in measured_of(rows):
            if image.compared:
                joints.extend(image.joints)
                images, figures, compared = images + 1, figures + image.figures, compared + image.compared
        if not images:
            return ()
        table = np.array(joints).reshape(images, -1)
        seen = ~np.isnan(table)
        means = np.where(seen.any(axis=0), np.nansum(table, axis=0) / np.maximum(seen.sum(axis=0), 1), -1.0)
        worst = int(means.argmax())
        rests = [count_text(images, "image"), count_text(figures, "figure"), count_text(compared, "compared joint")]
        over = count_text(int(seen[:, worst].sum()), "image")
        return (
            f"rests on {', '.join(rests)}",
            f"worst joint: number {worst} of {len(means)}, mean {means[worst]:.2f} px over {over}",
        )
