"""How equivariant an output is that still has a grid: segmentation, depth, restoration, feature maps.

* mASSC: share of positions of the overlap with the same class, averaged over shifts. Zou et al., "Delving Deeper into
  Anti-aliasing in ConvNets", BMVC 2020; Rojas-Gomez et al., "Learnable Polyphase Sampling", NeurIPS 2022.
* equivariance error: ||A - B|| / sqrt((||A||^2 + ||B||^2) / 2) on the overlap. It is 0 for equal outputs, sqrt(2) for
  unrelated ones, and symmetric, so that it does not depend on which window is called the reference.
* PSNR: Zhang 2019 (generation), Karras et al. 2021 (EQ-T).

``outputs`` are (W, C, h, w) for the windows of one image; shifts are undone by :mod:`auditor.verify.shifts.alignment`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray, IntArray
from auditor.verify.measures.embedding import COSINE, cosine
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.reference import AGREEMENT, fidelity_values
from auditor.verify.measures.task import (
    NOT_FINITE,
    OTHER_SHAPE,
    ImageMeasures,
    Outputs,
    Row,
    Subject,
    TaskMeasures,
    UnusableOutputError,
    WindowOutputs,
    by_distance,
    measured_of,
)
from auditor.verify.measures.totals import output_result
from auditor.verify.measures.tracks import diagonal, likeness_track
from auditor.verify.measures.variance import Spread
from auditor.verify.result import OutputResult, Task, Track
from auditor.verify.shifts.alignment import Grid, aligned, coarse_step
from auditor.verify.shifts.plan import Pairs, Unit

_ERROR = "equivariance-error"
MEASURES = (
    MeasureFacts(
        "massc",
        "share",
        True,
        "positions of the overlap with the same class (mASSC)",
        gate=Gate.CHANGE,
        leading=True,
        summary=True,
        in_points=True,
    ),
    MeasureFacts(
        _ERROR,
        "ratio",
        False,
        "difference on the overlap relative to the output",
        limits=(0.0, 2.0),
        gate=Gate.CHANGE,
        leading=True,
        summary=True,
    ),
)


def compare_pairs(maps: AnyArray | None, classes: AnyArray | None, pairs: Pairs, grid: Grid) -> dict[str, FloatArray]:
    """All measures (P,) of ``maps`` and of ``classes`` (which may be the same array) by name, each pair aligned once.

    ``classes`` with one channel are class maps already (integers) and are compared at the nearest position; those with
    several are scores per class, upsampled before the largest is taken. Two all-zero ``maps`` are equal: their error is
    0 and their cosine 1. The mean of "massc" over pairs is the image's mASSC.

    Tensors of a stride above four pixels are compared at four places per cell along each axis: what lies between is
    interpolated from the same values.
    """
    names = [
        *(["massc"] if classes is not None else []),
        *(["equivariance-error", "cosine"] if maps is not None else []),
    ]
    found = {name: np.empty(len(pairs)) for name in names}
    step = coarse_step(grid)
    # One class per position can be chosen once per window where no position lies between two others.
    winners = _winners(classes) if classes is not None and _on_pixels(grid) else None
    for index, (reference, moved, shift) in enumerate(zip(pairs.reference, pairs.moved, pairs.shift, strict=True)):
        move = (float(shift[0]), float(shift[1]))
        left: AnyArray | None = None
        right: AnyArray | None = None
        if maps is not None:
            left, right = aligned(maps[reference], maps[moved], move, grid, step=step)
            found["equivariance-error"][index], found["cosine"][index] = _likeness(left, right)
        if winners is not None:
            one, two = aligned(winners[reference], winners[moved], move, grid)
            found["massc"][index] = np.mean(one == two)
        elif classes is not None:
            if classes.shape[1] == 1:
                first, second = classes[reference], classes[moved]
                left, right = aligned(_one_hot(first, second), _one_hot(second, first), move, grid, step=step)
            elif classes is not maps or left is None or right is None:
                left, right = aligned(classes[reference], classes[moved], move, grid, step=step)
            found["massc"][index] = np.mean(likeliest(left, 0) == likeliest(right, 0))
    return found


def likeliest(scores: AnyArray, axis: int) -> AnyArray:
    """The class with the largest score along an axis of finite scores; of equal ones the first."""
    if scores.shape[axis] == 2:
        first, second = np.moveaxis(scores, axis, 0)
        return np.asarray(second > first, np.int8)  # hundreds of times as fast as looking for the largest of two
    return np.asarray(scores.argmax(axis=axis))


def _on_pixels(grid: Grid) -> bool:
    """Whether every position is a pixel of its own, so that nothing is interpolated."""
    return grid.stride == (1.0, 1.0) and not any(part % 1 for part in grid.offset)


def _winners(classes: AnyArray) -> AnyArray:
    """(W, h, w) the class at every position, as a small number type."""
    chosen = classes[:, 0] if classes.shape[1] == 1 else likeliest(classes, 1)
    return chosen.astype(np.float32) if abs(int(chosen.max(initial=0))) < 1 << 24 else chosen.astype(np.float64)


def _likeness(left: AnyArray, right: AnyArray) -> tuple[float, float]:
    """Relative error and cosine of two tensors of one shape, with few passes and sums in double precision."""
    first, second, product = _dot(left, left), _dot(right, right), _dot(left, right)
    difference = left - right
    scale = np.sqrt((first + second) / 2)
    error = float(np.sqrt(_dot(difference, difference)) / scale) if scale else 0.0
    if first == 0 or second == 0:
        return error, 1.0 if first == second else 0.0
    return error, float(np.clip(product / np.sqrt(first * second), -1.0, 1.0))


def _dot(left: AnyArray, right: AnyArray) -> float:
    return float(np.einsum("...j,...j->...", left, right).sum(dtype=np.float64))


def position_agreement(left: AnyArray, right: AnyArray) -> FloatArray:
    """(W,) share of positions with the same class in two outputs (W, C, h, w) for the same windows.

    Outputs with one channel are class maps already (integers).
    """
    same = left == right if left.shape[1] == 1 else likeliest(left, 1) == likeliest(right, 1)
    return np.asarray(same.reshape(len(left), -1).mean(axis=1), dtype=np.float64)


def relative_error(left: AnyArray, right: AnyArray) -> float:
    """||left - right|| over the root mean square of the two norms."""
    first, second = np.asarray(left, dtype=np.float64).ravel(), np.asarray(right, dtype=np.float64).ravel()
    scale = np.sqrt((first @ first + second @ second) / 2)
    return float(np.linalg.norm(first - second) / scale) if scale else 0.0


def _one_hot(labels: AnyArray, others: AnyArray) -> FloatArray:
    """Class maps (1, h, w) as scores (classes, h, w) over the classes that either map holds."""
    classes = np.union1d(labels, others)
    return np.asarray(labels == classes[:, None, None], dtype=np.float64)


_LEAST_PATH = 2
# Three channels or fewer that do not sum to one are colours, flows or depths, not classes.
_FEWEST_CLASSES = 4


@dataclass(frozen=True, slots=True)
class DenseImage(ImageMeasures):
    """One image of a dense output. ``blank`` says that it has no structure, so that nothing can be compared."""

    blank: bool


@dataclass(frozen=True, slots=True)
class Dense(TaskMeasures[AnyArray, DenseImage]):
    """Measures how far the output moves with the input, on what both windows show. Answers are maps (W, C, h, w).

    ``channel_axis`` is the axis of the channels in one row, None for a map without one. ``grid`` says where the
    positions of the output lie in the input.
    """

    MEASURES = MEASURES
    WHOLE_PIXELS = True
    NATIVE = False

    TRACKS = True

    channel_axis: int | None
    grid: Grid
    period: int | None = None

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Dense:  # noqa: ARG003 - nothing to learn
        return cls(subject.target.outputs, subject.target.channel_axis, subject.grid, subject.period)

    def read(self, rows: WindowOutputs) -> AnyArray:
        maps = np.stack([self._channels_first(row) for row in rows[self.outputs[0]]])
        if not np.isfinite(maps).all():
            raise UnusableOutputError(NOT_FINITE)
        return maps

    def row(self, unit: Unit, answers: AnyArray, reference: AnyArray | None) -> DenseImage:
        plan = unit.plan
        classes = class_scores(answers)
        values: dict[str, float] = {}
        spreads: dict[str, Spread] = {}
        if len(plan.pairs):
            along = self._along(answers, classes, plan.pairs)
            values = {name: float(change.mean()) for name, change in along.items()}
            error = along.get(_ERROR, np.zeros(0))
            spreads = {_ERROR: Spread(float(np.square(error).mean()))} if len(error) else {}
        # Equal maps without any structure agree under every shift, which says nothing about the model.
        blank = {name for name in values if _is_blank(answers if name != "massc" else _chosen_classes(classes))}
        values |= dict.fromkeys(blank, math.nan)
        nothing = blank == set(values)
        if reference is not None:
            values |= _fidelity(answers, classes, reference)
        curves = self._along(answers, classes, plan.distances) if len(plan.distances) else {}
        curves = {name: along for name, along in curves.items() if name not in blank}
        flips = 1 - values["massc"] if "massc" in values else values.get("equivariance-error", 0.0)
        return DenseImage(
            values,
            by_distance(curves, plan.distances.distance),
            0.0 if math.isnan(flips) else flips,
            nothing,
            tracks=() if nothing else self._tracks(answers, classes, plan.walk),
            spreads=spreads,
        )

    def _tracks(self, maps: AnyArray, classes: AnyArray | None, path: IntArray) -> tuple[Track, ...]:
        """How much of what the first input of the path shows stays the same; the classes, where there are some."""
        # Two windows further apart than half of their side show too little of the same.
        path = path[: 1 + min(self.grid.size) // 2]
        if len(path) < _LEAST_PATH or self.grid.circular:
            return ()
        moved, shifts = path[1:], diagonal(len(path))[1:]
        along = self._along(maps, classes, Pairs(np.full(len(moved), path[0]), moved, shifts))
        if "massc" in along:
            return likeness_track("positions as in the first input", "share", along["massc"], self.period)
        return likeness_track("cosine to the first input", "ratio", along["cosine"], self.period)

    def total(self, rows: Sequence[Row[DenseImage]], confidence: float) -> OutputResult:
        return output_result(self.outputs[0], Task.DENSE, (*AGREEMENT, *MEASURES, COSINE), rows, confidence)

    def nothing(self, rows: Sequence[Row[DenseImage]]) -> str:
        everywhere = all(image.blank for image in measured_of(rows))
        return "the output has one and the same value at every position of every image" if everywhere else ""

    def _along(self, maps: AnyArray, classes: AnyArray | None, pairs: Pairs) -> dict[str, FloatArray]:
        return compare_pairs(maps if maps.dtype.kind == "f" else None, classes, pairs, self.grid)

    def _channels_first(self, row: AnyArray) -> AnyArray:
        return row[None] if self.channel_axis is None else np.moveaxis(row, self.channel_axis, 0)


def _is_blank(maps: AnyArray) -> bool:
    """Whether maps (W, C, h, w) have one value per channel, the same at every position of every window."""
    return bool((maps == maps[:1, :, :1, :1]).all())


def _chosen_classes(classes: AnyArray | None) -> AnyArray:
    """The class at every position (W, 1, h, w)."""
    assert classes is not None
    return classes if classes.shape[1] == 1 else likeliest(classes, 1)[:, None]


def _fidelity(maps: AnyArray, classes: AnyArray | None, others: AnyArray) -> dict[str, float]:
    """Agreement with a reference model's maps for the same windows."""
    if others.shape != maps.shape:
        raise UnusableOutputError(OTHER_SHAPE)
    found: dict[str, float] = {}
    theirs = class_scores(others)
    if classes is not None and theirs is not None:
        found |= fidelity_values(position_agreement(classes, theirs))
    if maps.dtype.kind == "f":
        found["fidelity-cosine"] = float(cosine(maps, others).mean())
    return found


def class_scores(maps: AnyArray) -> AnyArray | None:
    """What decides the class at a position, from maps (W, C, h, w), or None where the output has no classes.

    Integers are class indices. One channel within 0..1 is the probability of the second of two classes. Several
    channels are scores per class if there are four or more, or if they sum to one.
    """
    if maps.dtype.kind != "f":
        return maps if maps.shape[1] == 1 else None
    low, high = float(maps.min()), float(maps.max())
    within = low >= -1e-6 and high <= 1 + 1e-3
    if maps.shape[1] == 1:
        return np.concatenate([1 - maps, maps], axis=1) if within else None
    if maps.shape[1] >= _FEWEST_CLASSES or (within and bool(np.all(np.abs(maps.sum(axis=1) - 1) < 1e-2))):
        return maps
    return None
