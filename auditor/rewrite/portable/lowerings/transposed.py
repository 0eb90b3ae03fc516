"""A ConvTranspose with auto_pad, output_shape or uneven pads: even padding as numbers, or a Slice of all of it."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, edited, replaced
from auditor.targets.forms.form import integers
from auditor.targets.forms.window_facts import auto_pad, sliding


def _way(place: Place) -> Way:
    place.shape()
    axes, result = sliding(place.node), place.result()[2:]
    if not axes or len(axes) != len(result):
        raise NotLoweredError("the size of its kernel is not known")
    extra = integers(place.node, "output_padding") or (0,) * len(axes)
    begin, end = [], []
    for axis, size, added in zip(axes, result, extra, strict=True):
        if axis.size is None:
            raise NotLoweredError("the size of its input is not known")
        total = axis.stride * (axis.size - 1) + added + axis.reach - size
        if total < 0:
            raise NotLoweredError("its output is larger than what its kernel reaches")
        if not auto_pad(place.node) and not integers(place.node, "output_shape"):
            begin.append(axis.begin)
        else:
            # onnxruntime puts an odd sample in front, unless SAME_UPPER says where.
            begin.append(total // 2 if auto_pad(place.node) == "SAME_UPPER" else total - total // 2)
        end.append(total - begin[-1])
    if begin != end:
        crop = (tuple(begin), tuple(result))
        return Way("ConvTranspose without padding, and a Slice", 1.0, lambda: _write(place, extra, *crop))
    return edited(
        place,
        "explicit pads",
        auto_pad=None,
        output_shape=None,
        pads=(*begin, *end),
        output_padding=extra if any(extra) else None,
    )


def _write(place: Place, extra: tuple[int, ...], begin: tuple[int, ...], result: tuple[int, ...]) -> None:
    block = place.block()
    whole = block.editor.fresh(f"{place.output}/whole")
    added = list(extra) if any(extra) else None
    block.copy(place.part, {}, whole, "whole", auto_pad=None, output_shape=None, pads=None, output_padding=added)
    stops = [first + size for first, size in zip(begin, result, strict=True)]
    block.slice(whole, begin, stops, [axis + 2 for axis in range(len(begin))], "cut", place.output)
    replaced(place, block)


FORM = PortableForm(
    rank=10,
    operators=frozenset({"ConvTranspose"}),
    forms=frozenset(
        {
            "conv-transpose-same-upper",
            "conv-transpose-same-strided",
            "conv-transpose-same-gaps",
            "conv-transpose-same-output-padding",
            "conv-transpose-same-unpadded",
            "conv-transpose-same-lower-odd",
            "conv-transpose-output-shape-grouped",
            "conv-transpose-same-lower",
            "conv-transpose-output-shape",
            "conv-transpose-output-shape-upper",
            "conv-transpose-output-shape-odd",
            "conv-transpose-asymmetric",
        }
    ),
    way=_way,
)
