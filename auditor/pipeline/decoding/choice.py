"""Which layout a model's outputs have: one, or a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module

import numpy as np

from auditor.choices import suggestion
from auditor.pipeline.decoding.answers import Detections
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Signature

_FAMILIES = (
    "ultralytics",
    "grids",
    "rows",
    "yolox",
    "selected",
    "queries",
    "pairs",
    "anchors",
    "levels",
    "masks",
    "blaze",
    "points",
    "people",
    "numbers",
    "lines",
    "regions",
)


@cache
def layouts() -> Mapping[str, Layout]:
    """Every layout by its name.

    >>> "yolov8" in layouts()
    True
    """
    known = (layout for family in _FAMILIES for layout in import_module(f"{__package__}.families.{family}").LAYOUTS)
    return {layout.name: layout for layout in known}


def candidates(signature: Signature) -> tuple[Layout, ...]:
    """The layouts with the strongest evidence: one is an answer, none or several are a question."""
    evidence = {name: evidence_of(layout, signature) for name, layout in layouts().items()}
    best = max(evidence.values(), default=Evidence.NONE)
    if best is Evidence.NONE:
        evidence = {name: _evidence_of_parts(layout, signature) for name, layout in layouts().items()}
        best = max(evidence.values(), default=Evidence.NONE)
    if best is Evidence.NONE:
        return ()
    return tuple(layouts()[name] for name, strength in evidence.items() if strength is best)


def read_part(layout: Layout, signature: Signature) -> Signature:
    """The outputs that a layout reads: all of them, or those that fit it where others stand beside.

    Exports have outputs beside the answer: raw heads, features, a second head of the training.

    Raises:
        LayoutError: two parts fit equally well.
    """
    if len(signature.arrays) == 1 or evidence_of(layout, signature) is not Evidence.NONE:
        return signature
    fitting = [part for part in parts_of(signature) if evidence_of(layout, part) >= Evidence.VALUES]
    if len(fitting) > 1:
        names = " and ".join(" with ".join(part.names) for part in fitting)
        raise LayoutError(
            f"the outputs {names} have the layout {layout.name} each: give one of them (--measured-output)"
        )
    return fitting[0] if fitting else signature


def _evidence_of_parts(layout: Layout, signature: Signature) -> Evidence:
    """How sure a layout of objects is of a part of the outputs; shapes alone say too little where others are left."""
    if layout.answer is not Detections:
        return Evidence.NONE
    best = max((evidence_of(layout, part) for part in parts_of(signature)), default=Evidence.NONE)
    return best if best >= Evidence.VALUES else Evidence.NONE


def parts_of(signature: Signature) -> Iterator[Signature]:
    """Each output alone, and all but each."""
    names = list(signature.outputs)
    alone = [(name,) for name in names]
    others = [tuple(other for other in names if other != name) for name in names]
    for kept in dict.fromkeys([*alone, *others] if len(names) > 1 else ()):
        yield replace(signature, outputs={name: signature.outputs[name] for name in kept})


def evidence_of(layout: Layout, signature: Signature) -> Evidence:
    """How sure a layout is: not at all where its recogniser comes upon a rank or a length that it never has."""
    try:
        with np.errstate(all="ignore"):
            return layout.fits(signature)
    except (ArithmeticError, IndexError, ValueError):
        return Evidence.NONE


def choose(signature: Signature, name: str) -> Layout:
    """The layout called ``name``, or, for ``auto``, the only one that fits.

    Raises:
        LayoutError: there is no such layout, none fits, or several fit equally well; the message names them.
    """
    if name != "auto":
        if name not in layouts():
            raise LayoutError(f"unknown layout {name!r}{suggestion(name, layouts())}: one of {', '.join(layouts())}")
        return layouts()[name]
    fitting = candidates(signature)
    if len(fitting) == 1:
        return fitting[0]
    shapes = ", ".join(f"{output} {list(array.shape)}" for output, array in signature.outputs.items())
    if not fitting:
        raise LayoutError(f"no known layout fits the outputs {shapes}; name one with --layout")
    names = " or ".join(f"{layout.name} ({layout.family})" for layout in fitting)
    raise LayoutError(f"the outputs {shapes} fit {names}; say which with --layout")
