"""The key of a grid lock: where the content of a picture lies modulo a period.

The phases of the S-periodic part of the gradient energy of a smoothed grey picture,

    e = (dx^2 + dy^2)^1.5 under half a sine,     A_k = sum e(y, x) exp(2 pi i k y / S) for k = 1 to 4,

and the same along x. What is smoothed wavers little under noise, resizing and compression, and moves with the content.
Taper and waves stand in one matrix T with columns (taper, taper cos, taper sin, taper cos 2, ...): ``T' e T`` holds all
of these sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.lock.picture import LockedPicture
from auditor.rewrite.lock.tables import LOST, SMOOTHING, harmonics, taper, waves

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_END = (1 << 31) - 1


def width(period: int) -> int:
    """How many columns the matrix T has."""
    return 1 + 2 * harmonics(period)


def entries(period: int) -> tuple[range, range]:
    """Where the flattened sums hold the cosine and sine parts along rows, and along columns."""
    wide = width(period)
    return range(wide, wide**2, wide), range(1, wide)


def sums(block: Block, picture: LockedPicture, source: str) -> str:
    """The sums (N, width * width) of a float32 picture (N, C, H, W)."""
    import numpy as np

    smooth = source if picture.channels == 1 else _mean(block, source, picture.channels)
    for _ in range(2):
        # MNN crashes on a pool without strides.
        side = [SMOOTHING, SMOOTHING]
        (smooth,) = block.node("AveragePool", [smooth], "smooth", kernel_shape=side, strides=[1, 1])
    squares = [_squared_slope(block, smooth, axis) for axis in (2, 3)]
    (squared,) = block.node("Add", squares, "squared")
    (length,) = block.node("Sqrt", [squared], "length")
    (energy,) = block.node("Mul", [squared, length], "energy")
    across = _table(block, picture, 1, energy)
    (lines,) = block.node("MatMul", [energy, across], "across")
    down = _table(block, picture, 0, energy)
    if isinstance(down, str):
        (down,) = block.node("Transpose", [down], "table", perm=[1, 0])
    else:
        down = np.ascontiguousarray(down.T)
    (square,) = block.node("MatMul", [down, lines], "down")
    return block.node("Reshape", [square, np.array([-1, width(picture.period) ** 2], np.int64)], "sums")[0]


def _squared_slope(block: Block, smooth: str, axis: int) -> str:
    """The squared difference along an axis, without the border of the other.

    Twice the slope: no factor changes where sums have their phase. Differences of parts are far faster than a
    convolution of one channel.
    """
    inner = block.slice(smooth, [1], [-1], [5 - axis], "inner")
    parts = [block.slice(inner, [start], [end], [axis], "side") for start, end in ((2, _END), (0, -2))]
    (slope,) = block.node("Sub", parts, "slope")
    return block.node("Mul", [slope, slope], "square")[0]


def _mean(block: Block, tensor: str, channels: int) -> str:
    """The mean of the channels, which are few and far apart in memory: their sum is faster than a reduction."""
    import numpy as np

    total, *others = (block.slice(tensor, [place], [place + 1], [1], "channel") for place in range(channels))
    for one in others:
        (total,) = block.node("Add", [total, one], "sum")
    return block.node("Mul", [total, np.array(1 / channels, np.float32)], "grey")[0]


def _table(block: Block, picture: LockedPicture, side: int, energy: str) -> NDArray[np.float32] | str:
    """The matrix (length, width) of a side; of one that the file leaves open it is computed from its length."""
    import numpy as np

    first = picture.border + LOST
    if picture.open[side]:
        return _computed(block, picture, side, energy, first)
    length = picture.fed[side] - 2 * LOST
    weight = taper(length)[:, None]
    return np.concatenate([weight, weight * waves(length, first, picture.period)], axis=1)


def _computed(block: Block, picture: LockedPicture, side: int, energy: str, first: int) -> str:
    import numpy as np

    (sizes,) = block.node("Shape", [energy], "sizes")
    (count,) = block.node("Gather", [sizes, np.array(2 + side, np.int64)], "count", axis=0)
    (run,) = block.node("Range", [np.array(0, np.int64), count, np.array(1, np.int64)], "run")
    (places,) = block.node("Cast", [run], "places", to=int(DataType.FLOAT))
    (places,) = block.node("Reshape", [places, np.array([-1, 1], np.int64)], "places")
    (total,) = block.node("Cast", [count], "total", to=int(DataType.FLOAT))
    (share,) = block.node("Div", [_plus(block, places, 0.5), total], "share")
    (weight,) = block.node("Sin", [_times(block, share, np.pi)], "taper")
    angle = _times(block, _plus(block, places, first), 2 * np.pi / picture.period)
    columns = [weight]
    for order in range(1, harmonics(picture.period) + 1):
        faster = _times(block, angle, order)
        for wave in ("Cos", "Sin"):
            (values,) = block.node(wave, [faster], "wave")
            columns.append(block.node("Mul", [values, weight], "wave")[0])
    return block.concat(columns, "table", axis=1)


def _plus(block: Block, tensor: str, number: float) -> str:
    import numpy as np

    return block.node("Add", [tensor, np.array(number, np.float32)], "places")[0]


def _times(block: Block, tensor: str, number: float) -> str:
    import numpy as np

    return block.node("Mul", [tensor, np.array(number, np.float32)], "angle")[0]
