"""The tally of a network whose output is still a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from auditor.text import ModelText
from auditor.verify.alignment import Grid
from auditor.verify.measures.classification import finite_rows
from auditor.verify.measures.dense import compare_pairs, position_agreement
from auditor.verify.measures.embedding import cosine
from auditor.verify.result import ImageResult, OutputResult, Task
from auditor.verify.shifts import Pairs
from auditor.verify.tally import OTHER_SHAPE, Unit, UnusableOutputError, nearly_equal
from auditor.verify.tally.ledger import Ledger
from auditor.verify.worker.arena import Array

# Three channels or fewer that do not sum to one are colours, flows or depths, not classes.
_FEWEST_CLASSES = 4


class DenseTally:
    """Measures how far the output moves with the input, on what both windows show.

    ``channel_axis`` is the axis of the channels in one row, None for a map without one. ``grid`` says where the
    positions of the output lie in the input. ``reference`` names the same output of a reference model among the rows,
    if there is one.
    """

    def __init__(
        self, output: str, channel_axis: int | None, grid: Grid, confidence: float, reference: str | None = None
    ) -> None:
        self._output = output
        self._reference = reference
        self._axis = channel_axis
        self._grid = grid
        self._ledger = Ledger(confidence)
        self._images: list[ImageResult] = []
        self._blank = 0

    def add(self, unit: Unit, rows: Mapping[str, list[Array]]) -> None:
        maps = self._maps(rows[self._output])
        classes = class_scores(maps)
        values: dict[str, float] = {}
        if len(unit.plan.pairs):
            for name, along in self._along(maps, classes, unit.plan.pairs).items():
                values[name] = float(along.mean())
        # Equal maps without any structure agree under every shift, which says nothing about the model.
        blank = {name for name in values if _is_blank(maps if name != "massc" else _winners(classes))}
        values |= dict.fromkeys(blank, math.nan)
        self._blank += blank == set(values)
        if self._reference is not None:
            values |= _fidelity(maps, classes, self._maps(rows[self._reference]))
        curves = self._along(maps, classes, unit.plan.distances) if len(unit.plan.distances) else {}
        curves = {name: along for name, along in curves.items() if name not in blank}
        self._ledger.add(values, curves, unit.plan.distances.distance)
        flips = 1 - values["massc"] if "massc" in values else values.get("equivariance-error", 0.0)
        flips = 0.0 if math.isnan(flips) else flips
        self._images.append(ImageResult(unit.name, None, None, None, flips, (), None, None))

    def same(self, first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
        return nearly_equal(first[self._output], second[self._output])

    def nothing(self) -> str:
        everywhere = self._blank == len(self._images) > 0
        return "the output has one and the same value at every position of every image" if everywhere else ""

    def finish(self) -> OutputResult:
        return OutputResult(
            ModelText(self._output),
            Task.DENSE,
            self._ledger.measures(),
            self._ledger.curves(),
            tuple(self._images),
            (),
        )

    def _along(self, maps: Array, classes: Array | None, pairs: Pairs) -> dict[str, Array]:
        return compare_pairs(maps if maps.dtype.kind == "f" else None, classes, pairs, self._grid)

    def _maps(self, rows: list[Array]) -> Array:
        maps = np.stack([self._channels_first(row) for row in rows])
        if not finite_rows(maps).all():
            raise UnusableOutputError("the model's output holds NaN or infinity")
        return maps

    def _channels_first(self, row: Array) -> Array:
        return row[None] if self._axis is None else np.moveaxis(row, self._axis, 0)


def _is_blank(maps: Array) -> bool:
    """Whether maps (W, C, h, w) have one value per channel, the same at every position of every window."""
    return bool((maps == maps[:1, :, :1, :1]).all())


def _winners(classes: Array | None) -> Array:
    """The class at every position (W, 1, h, w)."""
    assert classes is not None
    return classes if classes.shape[1] == 1 else classes.argmax(axis=1)[:, None]


def _fidelity(maps: Array, classes: Array | None, others: Array) -> dict[str, float]:
    """Agreement with a reference model's maps for the same windows."""
    if others.shape != maps.shape:
        raise UnusableOutputError(OTHER_SHAPE)
    found: dict[str, float] = {}
    theirs = class_scores(others)
    if classes is not None and theirs is not None:
        found["fidelity"] = float(position_agreement(classes, theirs).mean())
    if maps.dtype.kind == "f":
        found["fidelity-cosine"] = float(cosine(maps, others).mean())
    return found


def class_scores(maps: Array) -> Array | None:
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
