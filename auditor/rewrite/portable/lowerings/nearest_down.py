"""A Resize down by whole factors that takes single samples: a crop to its phase, and a MaxPool over every s-th.

So does a nearest one, and any without antialias whose centres lie on samples.
"""

from __future__ import annotations

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.decimation import decimate
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.targets.forms.resize_facts import ResizedAxis, ResizeFacts, facts, integer_factor, nearest_indices


def _way(place: Place) -> Way:
    how = facts(place.node)
    place.floating()
    shape = place.shape()
    if not how.axes or how.antialias or not all(map(integer_factor, how.axes)):
        raise NotLoweredError("it does not shrink by whole factors")
    if len(shape) < 3 or any(axis.index < 2 or axis.step < 1 for axis in how.axes):
        raise NotLoweredError("it does not shrink the axes of the grid alone")
    starts, steps = [0] * (len(shape) - 2), [1] * (len(shape) - 2)
    for axis in how.axes:
        factor, taken = round(axis.step), _taken(how, axis)
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


def _taken(how: ResizeFacts, axis: ResizedAxis) -> tuple[int, ...] | None:
    """The sample that each output is; None where it lies between samples, or the size is open."""
    if how.mode == "nearest":
        return nearest_indices(how, axis)
    factor = round(axis.step)
    odd_middle = how.coordinate in ("half_pixel", "pytorch_half_pixel") and factor % 2 and axis.after != 1
    if axis.after is None or not (odd_middle or how.coordinate == "asymmetric"):
        return None
    start = 0 if how.coordinate == "asymmetric" else factor // 2
    return tuple(range(start, start + axis.after * factor, factor))


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
            "resize-nearest-off-middle",
            "resize-nearest-off-middle-written",
            "resize-nearest-off-lower",
            "resize-nearest-align-corners-upper",
            "resize-nearest-asymmetric-upper",
            "resize-nearest-rounded-scale-other",
            "resize-nearest-half-pixel-ties-upper",
            "resize-align-corners-fraction",
            "resize-nearest-half-pixel-middle",
            "resize-nearest-align-corners-down",
            "resize-nearest-asymmetric-other",
            "resize-nearest-rounded-scale",
            "resize-linear-half-pixel",
            "resize-linear-asymmetric",
            "resize-cubic-asymmetric",
            "resize-cubic-down",
            "resize-cubic-coefficient",
            "resize-cubic-other-kernel",
            "resize-exclude-outside",
        }
    ),
    way=_way,
)
