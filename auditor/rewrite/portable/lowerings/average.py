"""An average whose padding, ceil_mode or dilation runtimes count in different ways.

Padding that counts is a Pad with zeros and the pool without padding. Of windows that divide by what is inside alone,
the pool behind the Pad divides by the whole kernel, and a constant map corrects it; a dilated one is a convolution.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from auditor.rewrite.graph.windows import SlidingWindow
from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.windows import bordered, window_at
from auditor.targets.forms.form import integer
from auditor.targets.forms.window_facts import auto_pad, sliding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_MAP = 1 << 22
_MOST_CHANNELS = 1 << 16


def _way(place: Place) -> Way:
    place.floating(half=False)
    window = window_at(place)
    corrections = _corrections(place, window)
    dilated = any(spread > 1 and size > 1 for spread, size in zip(window.dilation, window.kernel, strict=True))
    channels = place.result()[1]
    if corrections is not None:
        place.shape()  # its map has a size
        if channels * prod(window.counts) > _MOST_MAP:
            raise NotLoweredError("the map of its counts would be too large")
    if dilated and channels > _MOST_CHANNELS:
        raise NotLoweredError("it has too many channels for a depthwise convolution")

    def write() -> None:
        import numpy as np

        block, dtype = place.block(), place.floating()
        tensor = bordered(place, block, window, lowest=False)
        output = place.output if corrections is None else None
        if dilated:
            share = np.full(window.kernel, 1 / prod(window.kernel))
            weights = np.ascontiguousarray(np.broadcast_to(share, (channels, 1, *window.kernel))).astype(dtype)
            (tensor,) = block.node(
                "Conv",
                [tensor, weights],
                "mean",
                output,
                group=channels,
                kernel_shape=list(window.kernel),
                strides=list(window.stride),
                dilations=list(window.dilation),
            )
        else:
            (tensor,) = block.node(
                "AveragePool",
                [tensor],
                "mean",
                output,
                kernel_shape=list(window.kernel),
                strides=list(window.stride),
            )
        if corrections is not None:
            factors = np.ascontiguousarray(np.broadcast_to(corrections, (1, channels, *window.counts)))
            block.node("Mul", [tensor, factors.astype(dtype)], "counted", place.output)
        replaced(place, block)

    own = prices.AVERAGE * prod(window.counts)
    price = prices.TAP * prod(window.kernel) * prod(window.counts) if dilated else own
    price += prices.padded(window.sizes, window.begin, window.end)
    price += prices.ELEMENT * prod(window.counts) if corrections is not None else 0
    words = "Pad with zeros and " + ("a dilated depthwise convolution" if dilated else "an AveragePool without padding")
    words += "" if corrections is None else ", times a constant map"
    return Way(words, prices.ratio(price, own, channels), write)


def _corrections(place: Place, window: SlidingWindow) -> NDArray[np.float64] | None:
    """The kernel's size over the samples that each window divides by, None where that is 1 everywhere."""
    import numpy as np

    whole = integer(place.node, "count_include_pad", 0) != 0
    counts = np.ones(())
    for axis, explicit in enumerate(sliding(place.node)):
        first, last = 0, window.sizes[axis]
        if whole:
            # The padding of the source counts; what ceil_mode reaches beyond it does not.
            behind = window.end[axis] if auto_pad(place.node) else explicit.end
            first, last = -window.begin[axis], window.sizes[axis] + behind
        starts = np.arange(window.counts[axis]) * window.stride[axis] - window.begin[axis]
        taps = starts[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
        counts = np.multiply.outer(counts, ((taps >= first) & (taps < last)).sum(axis=1))
    if (counts == 0).any():
        raise NotLoweredError("a window of it lies in the padding alone")
    if (counts == prod(window.kernel)).all():
        return None
    return prod(window.kernel) / counts


FORM = PortableForm(
    rank=10,
    operators=frozenset({"AveragePool"}),
    forms=frozenset(
        {
            "average-pool-asymmetric",
            "average-pool-counted",
            "average-pool-counted-asymmetric",
            "average-pool-ceil",
            "average-pool-ceil-padded",
            "average-pool-ceil-counted",
            "average-pool-ceil-counted-18",
            "average-pool-same-upper",
            "average-pool-same-lower",
            "average-pool-same-counted",
            "average-pool-same-counted-odd",
            "pool-dilated-same",
            "average-pool-ceil-counted-unpadded",
            "average-pool-ceil-drops",
            "average-pool-same-fills",
            "average-pool-dilated",
            "pool-same-odd-upper",
            "same-odd-lower",
            "same-off-centre",
        }
    ),
    way=_way,
)
