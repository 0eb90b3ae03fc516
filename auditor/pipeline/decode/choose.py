"""Which layout a model's outputs have: one, or a question."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from auditor.choices import suggestion
from auditor.pipeline.decode.layout import Evidence, Layout, LayoutError, Signature

_FAMILIES = (
    "ultralytics",
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
        return ()
    return tuple(layouts()[name] for name, strength in evidence.items() if strength is best)


def evidence_of(layout: Layout, signature: Signature) -> Evidence:
    """How sure a layout is: not at all where its recogniser comes upon a rank or a length that it never has."""
    try:
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
