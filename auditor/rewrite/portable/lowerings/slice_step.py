"""A Slice with steps above 1: a crop, and a MaxPool over single samples with that stride."""

from __future__ import annotations

from math import prod

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.decimation import decimate
from auditor.rewrite.portable.lowering import OPEN_BATCH, NotLoweredError, Place, PortableForm, Way, replaced
from auditor.sampling.ops.index import FAR
from auditor.targets.forms.indexing import slice_axes, slice_numbers, slice_steps


def _way(place: Place) -> Way:
    shape, result = place.shape(), place.result()
    place.floating()
    starts, ends = slice_numbers(place.node, "starts", 1), slice_numbers(place.node, "ends", 2)
    axes, steps = slice_axes(place.node), slice_steps(place.node)
    if starts is None or ends is None or not len(starts) == len(ends) == len(axes) == len(steps):
        raise NotLoweredError("its bounds are computed from the data")
    if len(shape) not in (3, 4, 5) or any(step < 1 for step in steps):
        raise NotLoweredError("it flips an axis")
    if place.open_batch and any(
        axis == 0 and (start or end < min(FAR)) for axis, start, end in zip(axes, starts, ends, strict=True)
    ):
        raise NotLoweredError(OPEN_BATCH)
    first, every = [0] * len(shape), [1] * len(shape)
    for axis, start, step in zip(axes, starts, steps, strict=True):
        first[axis] = min(max(int(start) + (shape[axis] if start < 0 else 0), 0), shape[axis])
        every[axis] = step
    if max(every[:2]) > 1 or first[:2] != [0, 0] or result[:2] != shape[:2] or not prod(result):
        raise NotLoweredError("it cuts the batch or the channels")

    def write() -> None:
        block = place.block()
        decimate(block, place.data, shape[2:], first[2:], every[2:], result[2:], place.output)
        replaced(place, block)

    price = prices.decimation(shape[2:], result[2:], cropped=any(first))
    ratio = prices.ratio(price, prices.PICKED * prod(result[2:]), shape[1])
    return Way("a MaxPool over single samples with stride", ratio, write)


FORM = PortableForm(
    rank=10, operators=frozenset({"Slice"}), forms=frozenset({"slice-step", "slice-step-filtered"}), way=_way
)
