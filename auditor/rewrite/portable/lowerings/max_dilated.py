"""A dilated MaxPool: a Pad, then per axis one crop for every tap and their maximum; strides by single samples."""

from __future__ import annotations

from math import prod

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.decimation import decimate
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.lowerings.max_padding import INDICES
from auditor.rewrite.portable.windows import bordered, window_at

_MOST = 16  # taps of an axis


def _way(place: Place) -> Way:
    if place.node.results > 1:
        raise NotLoweredError(INDICES)
    place.floating()
    place.shape()
    window = window_at(place)
    if max(window.kernel) > _MOST:
        raise NotLoweredError("it has too many taps for a crop each")

    def write() -> None:
        block = place.block()
        tensor = bordered(place, block, window, lowest=True)
        sizes = [n + b + e for n, b, e in zip(window.sizes, window.begin, window.end, strict=True)]
        strided = any(step > 1 for step in window.stride)
        for axis in range(window.rank):
            if window.kernel[axis] == 1:
                continue
            length = sizes[axis] - window.reach[axis]
            last = axis == max(a for a in range(window.rank) if window.kernel[a] > 1)
            starts = [tap * window.dilation[axis] for tap in range(window.kernel[axis])]
            crops = [block.slice(tensor, [start], [start + length], [axis + 2], "tap") for start in starts]
            for place_of, crop in enumerate(crops[1:], 1):
                ends = last and not strided and place_of == len(crops) - 1
                (joined,) = block.node("Max", [crops[0], crop], "largest", place.output if ends else None)
                crops[0] = joined
            tensor, sizes[axis] = crops[0], length
        if strided:
            decimate(block, tensor, sizes, [0] * window.rank, window.stride, window.counts, place.output)
        replaced(place, block)

    # Cropped and compared at every sample, where the pool works on those that it keeps.
    own = prices.MAXIMUM * prod(window.counts)
    price = prices.padded(window.sizes, window.begin, window.end)
    price += 2 * prices.ELEMENT * sum(window.kernel) * prod(window.dense)
    return Way("one crop for every tap and axis, and their maximum", prices.ratio(price, own, place.result()[1]), write)


FORM = PortableForm(
    rank=20,
    operators=frozenset({"MaxPool"}),
    forms=frozenset({"max-pool-dilated", "max-pool-dilated-strided"}),
    way=_way,
)
