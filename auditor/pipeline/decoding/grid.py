"""The cells of a detector's levels and the points that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from auditor.pipeline.decoding.answers import Array

STRIDES = (8, 16, 32)
# Of the heads met in the wild: the usual three, P2, P6, P7, and the two of v3-tiny.
LEVELS = (STRIDES, (4, 8, 16, 32), (8, 16, 32, 64), (8, 16, 32, 64, 128), (16, 32))


def cells(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of a level: ``ceil(H / s)``, ``ceil(W / s)``."""
    return -(-size[0] // stride), -(-size[1] // stride)


def count(size: tuple[int, int], strides: Sequence[int] = STRIDES, per_cell: int | Sequence[int] = 1) -> int:
    """Candidates of all levels: 8400 for 640 x 640 and one per cell."""
    each = [per_cell] * len(strides) if isinstance(per_cell, int) else per_cell
    return sum(rows * columns * number for (rows, columns), number in zip(_levels(size, strides), each, strict=True))


def counts(size: tuple[int, int], per_cell: int = 1) -> set[int]:
    """The numbers of candidates of the heads met in the wild."""
    return {count(size, levels, per_cell) for levels in LEVELS}


def points(size: tuple[int, int], strides: Sequence[int] = STRIDES, *, offset: float, per_cell: int = 1) -> Array:
    """(N, 3) as x, y in pixels and the stride, row by row, level by level; read-only.

    ``offset`` is where in its cell the point lies, in cells: 0 the upper left corner, 0.5 the centre. The two differ by
    half a stride, which looks plausible and is wrong.
    """
    return _points(size, tuple(strides), offset, per_cell)


# Every input of a run has the same points, and making them takes as long as decoding a small detector's boxes.
@lru_cache(maxsize=16)
def _points(size: tuple[int, int], strides: tuple[int, ...], offset: float, per_cell: int) -> Array:
    levels = []
    for stride, (rows, columns) in zip(strides, _levels(size, strides), strict=True):
        y, x = np.mgrid[:rows, :columns]
        level = np.stack([(x + offset) * stride, (y + offset) * stride, np.full_like(x, stride, float)], axis=-1)
        levels.append(np.repeat(level.reshape(-1, 3), per_cell, axis=0))
    joined = np.concatenate(levels)
    joined.setflags(write=False)
    return joined


def _levels(size: tuple[int, int], strides: Sequence[int]) -> list[tuple[int, int]]:
    return [cells(size, stride) for stride in strides]
