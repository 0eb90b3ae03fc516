"""Constants between the positions of attention that say how far apart two of them are, and not where they are.

A bias of ``(queries, keys)`` is relative where it is a Toeplitz matrix in every axis of the grid: the same for all
pairs of positions that lie equally far apart (Liu et al., "Swin Transformer", ICCV 2021, section 3.2). It moves with
the picture. A mask that blocks pairs, as at the seam of shifted windows, holds no position either.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from auditor.sampling.lattice.state import Axis, State
from auditor.sampling.walk.call import Call

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_BIAS = 1 << 23  # bytes of a bias that are looked at
MOST_STEPS = 10  # nodes between a bias and the table that it is gathered from
BLOCKED = -50.0  # a score from which on the softmax leaves nothing


def is_relative(call: Call, name: str, fixed: State, moving: State, touched: set[int]) -> bool:
    """Whether a constant that varies over the grid of attention scores depends on distances alone, or is a mask.

    ``touched`` are the axes, counted from the last, where it meets the grid.
    """
    import numpy as np

    if fixed.axes is None or moving.axes is None or len(fixed.axes) < 2 or len(moving.axes) < 2:
        return False
    value = _read(call, name)
    if value is not None and value.dtype.kind == "f" and _is_mask(value):
        return True
    query = next((back for back in (1, 2) if moving.axes[-back].has_source), None)
    if query is None or moving.axes[-(3 - query)].has_source:
        return False
    axis, keys = moving.axes[-query], fixed.axes[-(3 - query)].size
    if fixed.axes[-query].size != axis.size or keys < 2:
        return False
    if value is None:
        value = _index(call, name, axis.size * keys)
        if value is None:
            return False
        value = value.reshape((axis.size, keys) if query == 2 else (keys, axis.size))
    elif any(back > 2 and np.ptp(value, axis=-back).any() for back in touched if back <= value.ndim):
        return False
    return _is_toeplitz(value if query == 2 else np.swapaxes(value, -1, -2), axis, keys)


def _is_mask(value: NDArray[np.generic]) -> bool:
    """Whether all entries are zero or block a pair."""
    import numpy as np

    numbers = value.astype(np.float64)
    return bool(np.all((numbers == 0) | (numbers <= BLOCKED)) and (numbers < 0).any())


def _is_toeplitz(value: NDArray[np.generic], axis: Axis, keys: int) -> bool:
    """Whether ``(..., queries, keys)`` only depends on the distance of a query from a key along every grid axis.

    Keys may stand further apart than queries, in whole steps; class tokens around the grid have no distance.
    """
    import numpy as np

    extents = [atom.extent for atom in axis.atoms]
    around, inner = axis.before + axis.after, prod(extents)
    ratio = inner / max(keys - around, 1)
    step = round(ratio ** (1 / len(extents)))
    if step < 1 or any(extent % step for extent in extents):
        return False
    counts = [extent // step for extent in extents]
    before = axis.before
    if prod(counts) == keys:
        before = 0
    elif prod(counts) != keys - around:
        return False
    bias = value[..., axis.before : axis.before + inner, before : before + prod(counts)]
    bias = bias.reshape(*bias.shape[:-2], *extents, *counts)
    for place in range(len(extents)):
        rows, columns = -2 * len(extents) + place, -len(extents) + place
        ahead = _cut(_cut(bias, rows, slice(step, None)), columns, slice(1, None))
        behind = _cut(_cut(bias, rows, slice(None, -step)), columns, slice(None, -1))
        if not np.allclose(ahead, behind, rtol=1e-4, atol=1e-6):
            return False
    return True


def _cut(value: NDArray[np.generic], axis: int, part: slice) -> NDArray[np.generic]:
    index = [slice(None)] * value.ndim
    index[axis] = part
    return value[tuple(index)]


def _read(call: Call, name: str) -> NDArray[np.generic] | None:
    from auditor.onnxfile import read_tensor

    value = call.scope.value(name)
    if value is not None:
        return value
    tensor = call.scope.initializer(name)
    return None if tensor is None else read_tensor(call.scope.model, tensor, LARGEST_BIAS)


def _index(call: Call, name: str, size: int) -> NDArray[np.generic] | None:
    """The index of a table of distances, where a bias is gathered from one and is too large to be computed here."""
    for _ in range(MOST_STEPS):
        made = call.scope.producer(name)
        if made is None or not made[1].inputs:
            return None
        scope, node = made
        if node.op == "Gather" and not node.domain and len(node.inputs) > 1:
            index = scope.value(node.inputs[1])
            return index if index is not None and index.dtype.kind in "iu" and index.size == size else None
        name = node.inputs[0]
    return None
