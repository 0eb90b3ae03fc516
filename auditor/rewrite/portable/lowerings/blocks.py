"""SpaceToDepth and DepthToSpace as convolutions with 0/1 weights.

SpaceToDepth is a strided convolution. DepthToSpace of mode DCR with blocks of 2 is its channels permuted and mode CRD,
with other blocks a transposed convolution.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.targets.forms.form import integer, text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_CHANNELS = 1 << 10
_CRD_SINCE = 11


def _way(place: Place) -> Way:
    shape = place.shape(fixed=False)
    size = integer(place.node, "blocksize", 1)
    if len(shape) != 4 or size < 1:
        raise NotLoweredError("it does not work on a map of four axes")
    dtype = place.floating()
    gathers, dcr = place.node.op == "SpaceToDepth", text(place.node, "mode", "DCR") == "DCR"
    if max(shape[1], shape[1] * size**2 if gathers else 1) > _MOST_CHANNELS:
        raise NotLoweredError("it has too many channels for a product with 0/1 weights")
    permutes = not gathers and dcr and size == 2 and place.editor.opset >= _CRD_SINCE

    def write() -> None:
        block, square = place.block(), [size, size]
        if gathers:
            weights = _gathering(shape[1], size).astype(dtype)
            block.node("Conv", [place.data, weights], "blocks", place.output, kernel_shape=square, strides=square)
        elif permutes:
            weights = _turned(shape[1], size).astype(dtype)
            (turned,) = block.node("Conv", [place.data, weights], "channels", kernel_shape=[1, 1])
            block.node("DepthToSpace", [turned], "blocks", place.output, blocksize=size, mode="CRD")
        else:
            weights = _spreading(shape[1], size, dcr).astype(dtype)
            inputs = [place.data, weights]
            block.node("ConvTranspose", inputs, "blocks", place.output, kernel_shape=square, strides=square)
        replaced(place, block)

    # A product over all channels per sample, where the operator copies.
    inner = shape[1] * (size**2 if gathers else 1)
    words = "a 1x1 convolution and DepthToSpace of mode CRD" if permutes else "a convolution with 0/1 weights"
    return Way(words, prices.ratio(inner + prices.GATHERED, prices.GATHERED, prod(shape[1:])), write)


def _gathering(channels: int, size: int) -> NDArray[np.float64]:
    """Output channel (row, column, channel) takes one sample of a block."""
    import numpy as np

    weights = np.zeros((size, size, channels, channels, size, size))
    for row in range(size):
        for column in range(size):
            for channel in range(channels):
                weights[row, column, channel, channel, row, column] = 1
    return weights.reshape(size * size * channels, channels, size, size)


def _spreading(channels: int, size: int, dcr: bool) -> NDArray[np.float64]:
    """Input channel (row, column, map), or (map, row, column), goes to one sample of a block."""
    import numpy as np

    maps = channels // size**2
    weights = np.zeros((channels, maps, size, size))
    for channel in range(channels):
        block, place = (channel % maps, channel // maps) if dcr else (channel // size**2, channel % size**2)
        weights[channel, block, place // size, place % size] = 1
    return weights


def _turned(channels: int, size: int) -> NDArray[np.float64]:
    """Channels (row, column, map) in the order (map, row, column)."""
    import numpy as np

    order = np.arange(channels).reshape(size * size, -1).T.reshape(-1)
    weights: NDArray[np.float64] = np.eye(channels)[order].reshape(channels, channels, 1, 1)
    return weights


FORM = PortableForm(
    rank=10,
    operators=frozenset({"SpaceToDepth", "DepthToSpace"}),
    forms=frozenset({"space-to-depth", "space-to-depth-channels", "depth-to-space-dcr", "depth-to-space-crd-wide"}),
    way=_way,
)
