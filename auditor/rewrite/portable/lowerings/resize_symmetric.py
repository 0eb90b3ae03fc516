"""Coordinates half_pixel_symmetric where the output size is whole: they are half_pixel."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, edited
from auditor.targets.forms.resize_facts import facts, whole


def _way(place: Place) -> Way:
    if not whole(facts(place.node)):
        raise NotLoweredError("the size that its scale asks for is not whole")
    return edited(place, "coordinates half_pixel, the same here", coordinate_transformation_mode="half_pixel")


FORM = PortableForm(rank=2, operators=frozenset({"Resize"}), forms=frozenset({"resize-half-pixel-symmetric"}), way=_way)
