"""Attributes that are left out, of which some runtimes take another default than the definition has: written out."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, edited
from auditor.targets.forms.form import integers

_COORDINATES_SINCE = 11


def _way(place: Place) -> Way:
    node, written = place.node, dict[str, str | tuple[int, ...]]()
    if node.op in ("Resize", "Upsample"):
        written["mode"] = "nearest"
        if node.op == "Resize" and node.opset >= _COORDINATES_SINCE:
            written["coordinate_transformation_mode"] = "half_pixel"
    elif node.op == "Pad":
        written["mode"] = "constant"
    else:
        written["strides"] = (1,) * len(integers(node, "kernel_shape") or ())
    missing = {name: value for name, value in written.items() if value and name not in node.attributes}
    if not missing:
        raise NotLoweredError("no attribute of it is left out")
    return edited(place, f"{' and '.join(missing)} written out", 1.0, **missing)


FORM = PortableForm(
    rank=0,
    operators=frozenset({"Resize", "Upsample", "AveragePool", "MaxPool", "LpPool", "Pad"}),
    forms=frozenset(
        {
            "resize-mode-left-out",
            "resize-mode-left-out-between",
            "resize-linear-coordinates-left-out",
            "pool-strides-left-out",
            "pad-mode-left-out",
            "upsample-mode-left-out",
        }
    ),
    way=_way,
)
