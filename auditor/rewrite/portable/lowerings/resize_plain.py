"""A Resize whose antialias has nothing to filter (it enlarges, or takes the nearest sample): the same without it."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import Place, PortableForm, Way, edited
from auditor.targets.forms.resize_facts import facts


def _way(place: Place) -> Way:
    words = "the same Resize without antialias, which has no effect"
    if facts(place.node).mode == "cubic":
        return edited(place, words, antialias=None)
    # Of two taps one outside counts as the border sample either way, and onnxruntime takes it in no plain linear one.
    return edited(place, words, antialias=None, exclude_outside=None)


FORM = PortableForm(
    rank=1,
    operators=frozenset({"Resize"}),
    forms=frozenset({"resize-antialias-linear-up", "resize-antialias-cubic-up", "resize-antialias-nearest"}),
    way=_way,
)
