"""Which layer loses shift-equivariance: U(F(shift x)) against shift of U(F(x)), over a grid of shifts.

Zhang, ICML 2019, figure 5: the features F of two shifted inputs are upsampled (U) to the input's grid, the shift is
undone, and the two are compared by cosine, here also by the relative error. For a tensor whose cumulative subsampling
factor is S the comparison is exact at multiples of S and periodic in S (away from borders), so S x S shifts say
everything about it; one run of the largest grid serves all layers of a model at once.

A layer's loss is its mean error over the shifts that are no multiple of its factor; what a site adds is that loss less
the loss of the layer before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, BoolArray, FloatArray
from auditor.verify.layers.maps import EquivarianceMap
from auditor.verify.measures.dense import relative_error
from auditor.verify.measures.embedding import cosine
from auditor.verify.shifts.alignment import Grid, aligned


@dataclass(frozen=True, slots=True)
class ShiftGrid:
    """The shifts (dy, dx) of a map: all pairs of ``dy`` and ``dx``, in input pixels, ascending, (0, 0) among them."""

    dy: tuple[int, ...]
    dx: tuple[int, ...]

    @property
    def shifts(self) -> tuple[tuple[int, int], ...]:
        return tuple((y, x) for y in self.dy for x in self.dx)

    def within(self, period: tuple[int, int]) -> ShiftGrid:
        """The part that a layer of this period needs."""
        return ShiftGrid(tuple(y for y in self.dy if y < period[0]), tuple(x for x in self.dx if x < period[1]))


def shift_grid(factors: Sequence[tuple[float | None, float | None]], limit: int) -> ShiftGrid:
    """The smallest grid that holds one period of every layer, at most ``limit`` shifts per axis.

    ``factors`` are the cumulative subsampling factors (y, x) of the layers, None where not known. A period longer than
    ``limit`` is covered by powers of two and their sums with one (1, 2, 3, 4, 5, 8, 9, ...), as far as they go.
    """
    if limit < 1:
        raise ValueError("a map needs at least one shift per axis")
    axes = []
    for axis in (0, 1):
        period = max((int(np.ceil(factor[axis] or 1)) for factor in factors), default=1)
        axes.append(tuple(range(period)) if period <= limit else _sparse(period, limit))
    return ShiftGrid(axes[0], axes[1])


def map_runs(grid: ShiftGrid, factors: Sequence[tuple[float | None, float | None]]) -> tuple[int, int]:
    """(inputs to run per image for maps of all layers together, inputs that a loop over layers and shifts would run).

    The loop runs the reference and the shifted input for every shift of the whole grid and every layer.
    """
    shifts = len(grid.dy) * len(grid.dx)
    return shifts, 2 * shifts * len(factors)


def compare_layer(
    reference: AnyArray, moved: AnyArray, shift: tuple[int, int], grid: Grid, border: int = 0
) -> tuple[float, float]:
    """Cosine and relative error of one layer's features (C, h, w) for two inputs ``shift`` apart.

    Compared at every half stride: between two centres linear interpolation brings nothing new. Raises ValueError where
    the shift leaves nothing to compare.
    """
    step = (max(1, int(grid.stride[0] // 2)), max(1, int(grid.stride[1] // 2)))
    left, right = aligned(reference, moved, (float(shift[0]), float(shift[1])), grid, border, step)
    return float(cosine(left[None], right[None])[0]), relative_error(left, right)


class MapAccumulator:
    """The map of one layer, averaged over images as they come; keeps sums only."""

    def __init__(self, grid: ShiftGrid) -> None:
        self._grid = grid
        self._place = {shift: divmod(index, len(grid.dx)) for index, shift in enumerate(grid.shifts)}
        self._sums = np.zeros((2, len(grid.dy), len(grid.dx)))
        self._images = np.zeros((len(grid.dy), len(grid.dx)))

    def add(self, shift: tuple[int, int], similarity: float, error: float) -> None:
        """One image's numbers at one shift of the grid; KeyError for a shift that is not on it."""
        place = self._place[shift]
        self._sums[:, place[0], place[1]] += (similarity, error)
        self._images[place] += 1

    def result(self) -> EquivarianceMap:
        """The means over the images; NaN where a shift was never measured."""
        counts = np.where(self._images > 0, self._images, np.nan)
        similarity, error = self._sums / counts
        return EquivarianceMap(self._grid.dy, self._grid.dx, _rows(similarity), _rows(error))


@dataclass(frozen=True, slots=True)
class LayerScore:
    """Means of a map over the shifts that are no multiple of the layer's factor, and over those that are.

    ``border_error`` is the error at multiples of the factor, the shift zero left out: not aliasing but different
    surroundings at the borders (NaN if the map holds no such shift).
    """

    cosine: float
    error: float
    border_error: float


def layer_score(layer: EquivarianceMap, cumulative: tuple[float | None, float | None]) -> LayerScore:
    """The loss of a layer. Where the factor is not known, or 1, every shift but zero counts."""
    moved = _mask(layer, lambda y, x: (y, x) != (0, 0))
    multiple = _mask(layer, lambda y, x: _is_multiple(y, cumulative[0]) and _is_multiple(x, cumulative[1]))
    off = moved & ~multiple
    chosen = off if off.any() else moved
    similarity, error = np.array(layer.cosine), np.array(layer.error)
    return LayerScore(_mean(similarity, chosen), _mean(error, chosen), _mean(error, moved & multiple))


def added_losses(errors: Sequence[float], before: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """What every layer adds: its error less the largest error of the layers it directly depends on (0 without any).

    ``before[i]`` are indices of layers in front of layer i. A negative number says that the layer restores
    equivariance, as pooling does.
    """
    return tuple(
        error - max((errors[index] for index in previous), default=0.0)
        for error, previous in zip(errors, before, strict=True)
    )


def fold(layer: EquivarianceMap, period: tuple[int, int]) -> tuple[FloatArray, float]:
    """The cosine map folded to one period (py, px), and the largest difference between shifts that should be equal."""
    similarity = np.array(layer.cosine)
    rows, columns = np.array(layer.dy) % period[0], np.array(layer.dx) % period[1]
    folded = np.full(period, np.nan)
    spread = 0.0
    for y in range(period[0]):
        for x in range(period[1]):
            same = similarity[np.ix_(rows == y, columns == x)]
            if same.size:
                folded[y, x] = same.mean()
                spread = max(spread, float(same.max() - same.min()))
    return folded, spread


def _sparse(period: int, limit: int) -> tuple[int, ...]:
    ladder = {0, 1}
    power = 2
    while power < period:
        ladder |= {power, power + 1} if power + 1 < period else {power}
        power *= 2
    return tuple(sorted(ladder)[:limit])


def _is_multiple(shift: int, factor: float | None) -> bool:
    return factor is not None and float(shift / factor).is_integer()


def _mask(layer: EquivarianceMap, condition: Callable[[int, int], bool]) -> BoolArray:
    return np.array([[condition(y, x) for x in layer.dx] for y in layer.dy], dtype=np.bool_)


def _mean(values: FloatArray, chosen: BoolArray) -> float:
    return float(values[chosen].mean()) if chosen.any() else float("nan")


def _rows(values: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in values)
