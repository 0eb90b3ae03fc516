"""A nearest Resize down by whole factors: a crop to its phase, and a MaxPool over single samples with that stride."""

from __future__ import annotations

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.decimation import decimate
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.targets.forms.resize_facts import facts, integer_factor, nearest_indices


def _way(place: Place) -> Way:
    how = facts(place.node)
    place.floating()
    shape = place.shape()
    if how.mode != "nearest" or not how.axes or not all(map(integer_factor, how.axes)):
        raise NotLoweredError("it does not shrink by whole factors")
    if len(shape) < 3 or any(axis.index < 2 or axis.step < 1 for axis in how.axes):
        raise NotLoweredError("it does not shrink the axes of the grid alone")
    starts, steps = [0] * (len(shape) - 2), [1] * (len(shape) - 2)
    for axis in how.axes:
        factor, taken = round(axis.step), nearest_indices(how, axis)
        if taken is None or taken != tuple(taken[0] + o * factor for o in range(len(taken))):
            raise NotLoweredError("its samples are not evenly spaced")
        starts[axis.index - 2], steps[axis.index - 2] = taken[0], factor
    result = place.result()

    def write() -> None:
        block = place.block()
        decimate(block, place.data, shape[2:], starts, steps, result[2:], place.output)
        replaced(place, block)

    price = prices.decimation(shape[2:], result[2:], cropped=any(starts))
    ratio = prices.ratio(price, prices.resize(how, shape, result), shape[1])
    return Way("a MaxPool over single samples with stride", ratio, write)


FORM = PortableForm(
    rank=4,
    operators=frozenset({"Resize"}),
    forms=frozenset(
        {
            "resize-nearest-asymmetric-down",
            "resize-nearest-half-pixel",
            "resize-nearest-half-pixel-ties",
            "resize-nearest-half-pixel-ceil",
            "resize-nearest-half-pixel-other",
            "resize-nearest-asymmetric-other",
            "resize-nearest-rounded-scale",
        }
    ),
    way=_way,
)
