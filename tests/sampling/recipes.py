"""One small model for every operator that the analysis knows, and what a change of one entry may reach behind it.

The oracle changes one line of the input of a model under onnxruntime and looks which outputs follow, at an input of
random numbers: what the analysis calls a grid must be reached where its lattice says, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from onnx import ModelProto, NodeProto

from tests.sampling.impulse import Array, build, session

MICROSOFT = "com.microsoft"


class Reach(Enum):
    """What a change of one entry of the grid reaches."""

    PLACE = "place"  # the outputs whose field it lies in, along a lattice
    ALL = "all"  # its own place and any other: statistics, attention, running sums
    ENDED = "ended"  # a result without a grid
    DATA = "data"  # places that the data choose, which the analysis says
    NOTHING = "nothing"  # the result does not depend on the content of the input


@dataclass(frozen=True)
class Recipe:
    """An operator behind ``x``. ``axes`` maps the grid axes of the input to those of the output ``y``."""

    nodes: list[NodeProto]
    shape: list[int]
    axes: Mapping[int, int]
    reach: Reach = Reach.PLACE
    constants: Mapping[str, Array] = field(default_factory=dict)
    opset: int = 19
    dtype: type = np.float32
    base: float = 0.0  # is added to the random input between 0.2 and 0.4
    other: float | None = None  # what an entry changes to; None: to -1 - x

    def model(self) -> ModelProto:
        read = {name for made in self.nodes for name in made.input}
        stored = {name: value for name, value in self.constants.items() if name in read}
        return build(self.nodes, self.shape, stored, self.opset, self.dtype)

    def inputs(self, random: np.random.Generator) -> Array:
        if self.dtype is bool:
            truth: Array = random.integers(0, 2, self.shape).astype(bool)
            return truth
        if np.dtype(self.dtype).kind in "iu":
            whole: Array = random.integers(40, 80, self.shape).astype(self.dtype)
            return whole
        values: Array = (random.uniform(0.2, 0.4, self.shape) + self.base).astype(self.dtype)
        return values

    def changed(self, x: Array, axis: int, place: int) -> Array:
        after: Array = x.copy()
        where = (slice(None),) * axis + (place,)
        if self.other is not None:
            after[where] = self.other
        elif self.dtype is bool:
            after[where] = ~after[where]
        else:
            after[where] = 250 - 2 * after[where] if np.dtype(self.dtype).kind in "iu" else -1 - after[where]
        return after


def reached(recipe: Recipe, source: int, target: int | None, seed: int) -> Array:
    """Which entries of an output axis (None: the whole output) follow a change of each entry of an input axis."""
    run = session(recipe.model())
    x = recipe.inputs(np.random.default_rng(seed))
    before = np.asarray(run.run(["y"], {"x": x})[0])
    columns = []
    for place in range(recipe.shape[source]):
        after = np.asarray(run.run(["y"], {"x": recipe.changed(x, source, place)})[0])
        assert after.shape == before.shape
        with np.errstate(invalid="ignore"):
            differs = (after != before) & ~((after != after) & (before != before))
        axes = tuple(axis for axis in range(before.ndim) if axis != target)
        columns.append(np.atleast_1d(differs.any(axis=axes)))
    return np.stack(columns, axis=1)
