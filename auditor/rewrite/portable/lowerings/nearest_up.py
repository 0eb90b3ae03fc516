"""A nearest Resize up by whole factors: asymmetric coordinates and floor repeat the same samples."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, edited
from auditor.targets.forms.resize_facts import facts, integer_factor, nearest_indices


def _way(place: Place) -> Way:
    how = facts(place.node)
    if how.mode != "nearest" or how.shrinks or not how.axes or not all(map(integer_factor, how.axes)):
        raise NotLoweredError("it does not enlarge by whole factors")
    for axis in how.axes:
        factor = round(1 / axis.step)
        taken = nearest_indices(how, axis)
        repeated = how.coordinate in ("half_pixel", "pytorch_half_pixel") and how.nearest.startswith("round_prefer")
        if repeated if taken is None else taken == tuple(o // factor for o in range(len(taken))):
            continue
        raise NotLoweredError("it does not repeat every sample equally often")
    return edited(
        place,
        "asymmetric coordinates and floor, which repeat the same samples",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


FORM = PortableForm(
    rank=3,
    operators=frozenset({"Resize"}),
    forms=frozenset(
        {
            "resize-nearest-half-pixel",
            "resize-nearest-half-pixel-ties",
            "resize-nearest-half-pixel-ceil",
            "resize-nearest-half-pixel-other",
            "resize-nearest-off-middle",
            "resize-nearest-off-middle-written",
            "resize-nearest-off-lower",
            "resize-nearest-asymmetric-upper",
            "resize-nearest-rounded-scale-other",
            "resize-nearest-asymmetric-other",
            "resize-nearest-rounded-scale",
        }
    ),
    way=_way,
)
