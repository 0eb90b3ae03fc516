"""A ConvTranspose with auto_pad or output_shape: the padding that they stand for, as numbers."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, edited
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
        # onnxruntime puts an odd sample in front, unless SAME_UPPER says where.
        begin.append(total // 2 if auto_pad(place.node) == "SAME_UPPER" else total - total // 2)
        end.append(total - begin[-1])
    return edited(
        place,
        "explicit pads",
        auto_pad=None,
        output_shape=None,
        pads=(*begin, *end),
        output_padding=extra if any(extra) else None,
    )


FORM = PortableForm(
    rank=10,
    operators=frozenset({"ConvTranspose"}),
    forms=frozenset({"conv-transpose-same-upper", "conv-transpose-same-lower", "conv-transpose-output-shape"}),
    way=_way,
)
