"""A circular Pad: what stands at the other end of the map, cut off and joined on, axis by axis."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import OPEN_BATCH, NotLoweredError, Place, PortableForm, Way, replaced
from auditor.targets.forms.form import integers


def _way(place: Place) -> Way:
    shape = place.shape()
    rank = len(shape)
    pads = place.node.input(1).values or integers(place.node, "pads")
    named = place.node.input(3).values
    axes = tuple(range(rank)) if not place.node.input(3).given else tuple(int(axis) % rank for axis in named or ())
    if pads is None or len(pads) != 2 * len(axes) or not axes:
        raise NotLoweredError("how far it pads is computed from the data")
    amounts = [
        (axis, int(pads[place_of]), int(pads[place_of + len(axes)]))
        for place_of, axis in enumerate(axes)
        if pads[place_of] or pads[place_of + len(axes)]
    ]
    if not amounts or any(not 0 <= amount <= shape[axis] for axis, *sides in amounts for amount in sides):
        raise NotLoweredError("it pads by less than nothing, or by more than the map")
    if place.open_batch and any(axis == 0 for axis, *_ in amounts):
        raise NotLoweredError(OPEN_BATCH)

    def write() -> None:
        block, tensor = place.block(), place.data
        for number, (axis, begin, end) in enumerate(amounts):
            size = shape[axis]
            front = [block.slice(tensor, [size - begin], [size], [axis], "front")] if begin else []
            back = [block.slice(tensor, [0], [end], [axis], "back")] if end else []
            output = place.output if number == len(amounts) - 1 else None
            tensor = block.concat([*front, tensor, *back], "circle", output, axis=axis)
        replaced(place, block)

    return Way("Slice and Concat per axis", 1.0, write)


FORM = PortableForm(rank=10, operators=frozenset({"Pad"}), forms=frozenset({"pad-wrap"}), way=_way)
