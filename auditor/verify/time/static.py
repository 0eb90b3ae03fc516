"""Where nothing moves between two frames, found from the pictures alone: the answers are what is to be judged there.

A block is static where its mean square difference is not above what noise makes of two pictures of one thing. The
variance of the noise is told in two ways, and the lower one counts: from the quarter of the blocks that differ least,
which fails where the camera moves, and from a filter that sees no flat or evenly sloping content (Immerkaer 1996),
which fails on fine texture.
"""

from __future__ import annotations

import numpy as np

from auditor.verify.arrays import AnyArray, BoolArray, FloatArray

BLOCK = 16
# Of the differences of a block of 256 pixels: what chance gives one block of a thousand, and compression besides.
_ABOVE = 1.6
_FLOOR = 0.5  # squares of levels: rounding alone makes 1/6
_QUARTER = 0.25
_LEAST_SHARE = 0.9


def static_blocks(before: AnyArray, after: AnyArray) -> BoolArray:
    """(rows, columns) of blocks of :data:`BLOCK` pixels that are at rest between two grey frames (h, w).

    Levels are on the scale 0..255. Parts of blocks at the lower and right border belong to the last whole ones.
    """
    left, right = np.asarray(before, np.float64), np.asarray(after, np.float64)
    differences = _by_block(np.square(right - left))
    temporal = float(np.quantile(differences, _QUARTER)) / 2
    noise = min(temporal, float(np.quantile(_noise(left), _QUARTER)))
    return np.asarray(differences <= _ABOVE * 2 * noise + _FLOOR, np.bool_)


def static_share(static: BoolArray, region: AnyArray | None) -> float:
    """The share of a region (x0, y0, x1, y1) in pixels, None for all, that is at rest; NaN outside of the picture."""
    if region is None:
        return float(static.mean())
    rows, columns = static.shape
    x0, y0, x1, y1 = (float(side) / BLOCK for side in region)
    part = static[
        max(0, min(int(y0), rows - 1)) : max(1, min(int(np.ceil(y1)), rows)),
        max(0, min(int(x0), columns - 1)) : max(1, min(int(np.ceil(x1)), columns)),
    ]
    return float(part.mean()) if part.size else float("nan")


def is_static(static: BoolArray, region: AnyArray | None) -> bool:
    """Whether a region counts as being at rest."""
    return static_share(static, region) >= _LEAST_SHARE


def _by_block(values: FloatArray) -> FloatArray:
    """The mean of every block of an array (h, w)."""
    side = max(1, min(BLOCK, *values.shape))
    rows, columns = values.shape[0] // side, values.shape[1] // side
    starts = np.arange(rows) * side, np.arange(columns) * side
    sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
    ends = [np.append(start[1:], size) - start for start, size in zip(starts, values.shape, strict=True)]
    blocks: FloatArray = sums / np.outer(*ends)
    return blocks


def _noise(frame: FloatArray) -> FloatArray:
    """The variance of the noise in every block, by the second difference along both axes."""
    padded = np.pad(frame, 1, mode="reflect")
    rows = padded[:-2] - 2 * padded[1:-1] + padded[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return _by_block(np.square(both) / 36)
