"""The window that is cut where the content says, at a whole pixel or between two of them.

Gather with a computed start runs where a Slice with one does not. One picture per call is filtered by a convolution
whose weights are computed; where there are several, each with its own offset, the taps are gathered and summed by a
matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.lock.choice import Chosen
from auditor.rewrite.lock.picture import LockedPicture
from auditor.rewrite.lock.tables import TAPS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TURN = [0, 1, 3, 2]


def cut(block: Block, picture: LockedPicture, source: str, choice: tuple[Chosen, Chosen]) -> str:
    """The window (N, C, H, W) of a view (N, C, H, W)."""
    tensor = source
    for side, one in enumerate(choice):
        # Rows, which lie together in memory, are picked far faster than columns.
        tensor = _rows(block, picture, tensor, side, one)
        if one.kernel is not None:
            tensor = _between(block, picture, tensor, side, one.kernel)
        (tensor,) = block.node("Transpose", [tensor], "turned", perm=_TURN)
    return tensor


def _rows(block: Block, picture: LockedPicture, tensor: str, side: int, choice: Chosen) -> str:
    import numpy as np

    run: NDArray[np.int64] | str = _run(block, picture, tensor, side)
    if picture.batch == 1:
        (where,) = block.node("Add", [choice.start, run], "positions")
        return block.node("Gather", [tensor, where], "part", axis=2)[0]
    # GatherND picks per picture, along the axis behind the batch.
    (each,) = block.node("Reshape", [choice.start, np.array([-1, 1, 1], np.int64)], "each")
    if isinstance(run, str):
        (run,) = block.node("Reshape", [run, np.array([1, -1, 1], np.int64)], "run")
    else:
        run = run.reshape(1, -1, 1)
    (where,) = block.node("Add", [each, run], "positions")
    (tensor,) = block.node("Transpose", [tensor], "turned", perm=[0, 2, 1, 3])
    (tensor,) = block.node("GatherND", [tensor, where], "part", batch_dims=1)
    return block.node("Transpose", [tensor], "back", perm=[0, 2, 1, 3])[0]


def _run(block: Block, picture: LockedPicture, tensor: str, side: int) -> NDArray[np.int64] | str:
    """0, 1, 2, ... for each pixel that is read, as an array or, of an open side, a tensor."""
    import numpy as np

    if not picture.open[side]:
        return np.arange(picture.sizes[side] + picture.beyond, dtype=np.int64)
    return _range(block, tensor, picture.room - picture.beyond)


def _range(block: Block, tensor: str, less: int) -> str:
    """0, 1, 2, ... up to the number of rows less so many."""
    import numpy as np

    (sizes,) = block.node("Shape", [tensor], "sizes")
    (length,) = block.node("Gather", [sizes, np.array(2, np.int64)], "length", axis=0)
    (length,) = block.node("Sub", [length, np.array(less, np.int64)], "length")
    return block.node("Range", [np.array(0, np.int64), length, np.array(1, np.int64)], "run")[0]


def _between(block: Block, picture: LockedPicture, tensor: str, side: int, kernel: str) -> str:
    """The rows between those of a tensor (N, C, H + 7, W)."""
    import numpy as np

    if picture.batch == 1:
        (weights,) = block.node("Reshape", [kernel, np.array([1, 1, TAPS, 1], np.int64)], "weights")
        if picture.channels > 1:
            weights = block.concat([weights] * picture.channels, "weights")
        return block.node("Conv", [tensor, weights], "between", group=picture.channels, kernel_shape=[TAPS, 1])[0]
    (weights,) = block.node("Reshape", [kernel, np.array([-1, 1, 1, 1, TAPS], np.int64)], "weights")
    where = _neighbours(block, picture, tensor, side)
    (every,) = block.node("Gather", [tensor, where], "neighbours", axis=2)
    (summed,) = block.node("MatMul", [weights, every], "between")
    return block.node("Reshape", [summed, np.array([0, 0, 0, -1], np.int64)], "between")[0]


def _neighbours(block: Block, picture: LockedPicture, tensor: str, side: int) -> NDArray[np.int64] | str:
    """The pixels (H, TAPS) that each row between others is made of."""
    import numpy as np

    taps = np.arange(TAPS, dtype=np.int64)
    if not picture.open[side]:
        return np.arange(picture.sizes[side], dtype=np.int64)[:, None] + taps
    run = _range(block, tensor, TAPS - 1)
    (first,) = block.node("Reshape", [run, np.array([-1, 1], np.int64)], "first")
    return block.node("Add", [first, taps], "neighbours")[0]
