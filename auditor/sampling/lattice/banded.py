"""Matrices that resample an axis: narrow rows of weights that move along at a constant step.

Such a matrix is what a Resize computes along one axis, written out. Output o reads around ``step * o + start``; its row
repeats ``q`` outputs later, moved by ``p`` inputs, where the step is p / q, so that one period of rows says everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = 1e-5  # of the largest weight: what rounding left of a tap that is none
_ALIKE = 2e-4  # of the largest weight: rows of the same taps; steps that were rounded to float32 drift a little
_EVEN = 2e-3  # by which sums of rows may differ
_LONGEST_PERIOD = 512
_OFTEN = 8  # repetitions
_WIDEST = 8  # times the step: the taps of any common kernel
_STRAIGHT = 0.15  # steps by which a centre may miss the line
_MOST_DENOMINATOR = 4096
_EXACT, _CLOSE = 1e-3, 0.02  # inputs by which a measured centre may miss the one that was meant


@dataclass(frozen=True, slots=True)
class SparseMatrix:
    """The non-zero weights of a matrix with ``rows`` outputs and ``columns`` inputs, by output, then by input."""

    rows: int
    columns: int
    outputs: NDArray[np.int64]
    inputs: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resampling:
    """What a matrix does along an axis: output o stands at ``step * o + start`` and reads ``width`` inputs at most.

    ``outputs`` are the taps of one period, as positions and weights that sum to 1, from output 0 on. ``selects``: every
    output is one input, unchanged.
    """

    step: Fraction
    start: Fraction
    width: int
    outputs: tuple[tuple[Sequence[int], Sequence[float]], ...]
    selects: bool

    @property
    def repeats(self) -> bool:
        """Whether the outputs are a whole period, which the taps of all others follow from."""
        return (self.step * len(self.outputs)).denominator == 1

    def reads(self, output: int) -> tuple[int, int]:
        """The first and the last input of an output, away from the border."""
        period = len(self.outputs)
        positions = self.outputs[output % period][0]
        moved = int(output // period * period * self.step)
        return positions[0] + moved, positions[-1] + moved


@dataclass(frozen=True, slots=True)
class _Rows:
    """Every row from its first tap on (rows, widest), with its first tap, its width and its centre of mass."""

    taps: NDArray[np.float64]
    first: NDArray[np.int64]
    width: NDArray[np.int64]
    centre: NDArray[np.float64]


def resampling_of(matrix: SparseMatrix) -> Resampling | None:
    """What the matrix does along an axis, None where it is no resampling."""
    rows = _rows(matrix)
    if rows is None:
        return None
    last = rows.first + rows.width - 1
    inside = _inside((rows.first > 0) & (last < matrix.columns - 1))
    found = _selecting(rows, inside, matrix) if int(rows.width.max()) == 1 else None
    if found is None and inside.size > 1:
        found = _repeating(rows, inside, inside.size - 1)
    if found is None:
        found = _straight(rows, inside, matrix)
    if found is None or not found.step:
        return None
    widest = _WIDEST * max(abs(found.step), Fraction(1)) + 2
    line = float(found.start) + float(found.step) * np.arange(matrix.rows)
    slack = found.width + float(abs(found.step)) + 1
    # At the borders taps are left out or moved inside, and nothing else.
    near = (rows.first >= np.clip(line, 0, matrix.columns - 1) - slack) & (
        last <= np.clip(line, 0, matrix.columns - 1) + slack
    )
    return found if found.width <= widest and bool(near.all()) else None


def _inside(free: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rows in the middle that no border touches."""
    bound, half = np.flatnonzero(~free), free.size // 2
    begin = int(bound[bound < half].max(initial=-1)) + 1
    end = int(bound[bound >= half].min(initial=free.size))
    return np.arange(begin, max(begin, end))


def _rows(matrix: SparseMatrix) -> _Rows | None:
    if matrix.rows < 2 or not matrix.weights.size:
        return None
    kept = np.abs(matrix.weights) > TINY * np.abs(matrix.weights).max()
    outputs, inputs, weights = matrix.outputs[kept], matrix.inputs[kept], matrix.weights[kept]
    sums = np.bincount(outputs, weights, matrix.rows)
    usual = float(np.median(sums))
    counts = np.bincount(outputs, minlength=matrix.rows)
    if not counts.all() or not usual or np.abs(sums / usual - 1).max() > _EVEN:
        return None
    edges = np.concatenate([[0], np.cumsum(counts)])
    first, last = inputs[edges[:-1]], inputs[edges[1:] - 1]
    width = last - first + 1
    if int(width.max()) * matrix.rows > 4 * outputs.size + 64 * matrix.rows:
        return None  # full of holes
    taps = np.zeros((matrix.rows, int(width.max())))
    taps[outputs, inputs - first[outputs]] = weights / sums[outputs]
    centre = np.bincount(outputs, weights * inputs, matrix.rows) / sums
    return _Rows(taps, first, width, centre)


def _selecting(rows: _Rows, inside: NDArray[np.int64], matrix: SparseMatrix) -> Resampling | None:
    """A matrix of single samples: those that are nearest to places at a constant step.

    Single samples come again by chance: only many repetitions say more than the ratio of the sizes.
    """
    # At the border samples may be repeated.
    parts = [used for used in (np.arange(matrix.rows), inside) if used.size > 1]
    for used in parts:
        found = _repeating(rows, used, used.size // _OFTEN)
        if found is not None:
            return found
    steps = _usual(matrix)
    exact = [(step, 1 - 1 / step.denominator) for step in steps]
    rounded = [(step, 1.0) for step in steps if step.denominator > 1]  # places that were rounded to float32
    for step, most in (*exact, *rounded):
        for used in parts:
            if float(np.ptp(rows.first[used] - float(step) * used)) <= most + TINY:
                return _described(rows, step, int(used[0]), min(step.denominator, used.size))
    return None


def _usual(matrix: SparseMatrix) -> tuple[Fraction, Fraction]:
    """The ratios of the sizes, and of the distances of the first and the last sample."""
    return Fraction(matrix.columns, matrix.rows), Fraction(matrix.columns - 1, matrix.rows - 1)


def _repeating(rows: _Rows, inside: NDArray[np.int64], longest: int) -> Resampling | None:
    """The shortest period after which rows come again."""
    begin, end = int(inside[0]), int(inside[-1]) + 1
    count, widest = end - begin, rows.taps.shape[1]
    padded = np.zeros((count, widest + 2))
    padded[:, 1:-1] = rows.taps[begin:end]
    tolerance = _ALIKE * max(float(np.abs(padded).max()), TINY)
    first = rows.first[begin:end]
    for period in range(1, min(longest, _LONGEST_PERIOD) + 1):
        moves = first[period:] - first[:-period]
        moved = round(float(np.median(moves)))
        aside = moves - moved
        if np.abs(aside).max() > 1 or np.abs(rows.centre[begin + period] - rows.centre[begin] - moved) > 0.5:
            continue
        places = np.arange(widest + 2)[None] - aside[:, None]
        outside = (places < 0) | (places > widest + 1)
        later = np.take_along_axis(padded[period:], np.clip(places, 0, widest + 1), 1)
        later[outside] = 0
        if np.abs(later - padded[:-period]).max() > tolerance:
            continue
        step = Fraction(moved, period)
        turns = (count - 1) // period
        drift = rows.centre[begin + turns * period] - rows.centre[begin] - moved * turns
        if abs(drift) > max(abs(float(step)), 1.0) * 0.5:
            return None
        return _described(rows, step, begin, period, exact=True)
    return None


def _straight(rows: _Rows, inside: NDArray[np.int64], matrix: SparseMatrix) -> Resampling | None:
    """A matrix without a period that fits into it: its centres lie on the line of a usual ratio of sizes."""
    n, m = matrix.columns, matrix.rows
    used = inside
    if inside.size < 2:
        if not _symmetric(rows, n):
            return None
        used = np.arange(m)
    selects = int(rows.width.max()) == 1
    best: tuple[float, Fraction] | None = None
    for step in _usual(matrix):
        for turned in (step, -step):
            aside = rows.centre[used] - float(turned) * used
            miss = float(np.ptp(aside)) / 2 / max(float(step), 1.0)
            if best is None or miss < best[0]:
                best = miss, turned
    assert best is not None
    miss, step = best
    limit = 0.5 + _STRAIGHT if selects else _STRAIGHT
    if miss > limit and not (inside.size < 2 and miss <= 0.5):
        return None
    if inside.size < 2:
        start = (Fraction(n - 1) - step * (m - 1)) / 2
        found = _described(rows, step, 0, m)
        return Resampling(step, start, found.width, found.outputs, selects)
    return _described(rows, step, int(used[0]), used.size)


def _symmetric(rows: _Rows, columns: int) -> bool:
    """Whether the matrix is the same from its other corner."""
    last = rows.first + rows.width - 1
    return bool(
        (last[::-1] == columns - 1 - rows.first).all()
        and np.abs(rows.centre[::-1] - (columns - 1 - rows.centre)).max() < _ALIKE * columns
    )


def _described(rows: _Rows, step: Fraction, begin: int, period: int, *, exact: bool = False) -> Resampling:
    """The resampling whose rows from ``begin`` on are one period, told from output 0 on."""
    chosen = np.arange(begin, begin + period)
    aside = float((rows.centre[chosen] - float(step) * chosen).mean())
    whole = (step * period).denominator == 1
    start = _snapped(aside, step, _EXACT if exact else _CLOSE)
    outputs: list[tuple[Sequence[int], Sequence[float]]] = []
    for output in range(period):
        # The row of the same phase among those that the border does not touch.
        turns = -(-(begin - output) // period) if whole else 0
        row = output + turns * period if whole else begin + output
        moved = int(step * period) * turns if whole else 0
        width = int(rows.width[row])
        base = int(rows.first[row]) - moved
        outputs.append((range(base, base + width), tuple(map(float, rows.taps[row, :width]))))
    selects = int(rows.width[chosen].max()) == 1
    return Resampling(step, start, int(rows.width[chosen].max()), tuple(outputs), selects)


def _snapped(place: float, step: Fraction, most: float) -> Fraction:
    """The offset that was meant: a multiple of half an output phase where one is near."""
    parts = 2 * step.denominator
    near = Fraction(round(place * parts), parts)
    close = max(_EXACT, min(most, 0.25 / parts))
    return near if abs(float(near) - place) < close else Fraction(place).limit_denominator(_MOST_DENOMINATOR)
