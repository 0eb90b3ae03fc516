"""The table of all lowerings: what each file of :mod:`auditor.rewrite.portable.lowerings` declares."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from auditor.rewrite.portable.lowering import PortableForm
from auditor.rewrite.portable.lowerings import NAMES


@cache
def lowerings() -> tuple[PortableForm, ...]:
    """All lowerings, those that are tried first in front.

    Raises:
        TypeError: a file declares none.
    """
    known: list[PortableForm] = []
    for name in NAMES:
        module = import_module(f"auditor.rewrite.portable.lowerings.{name}")
        declared = getattr(module, "FORM", None)
        if not isinstance(declared, PortableForm):
            raise TypeError(f"{module.__name__} must declare FORM, a PortableForm")
        known.append(declared)
    return tuple(sorted(known, key=lambda lowering: lowering.rank))


def lowered_forms() -> frozenset[str]:
    """The forms that some lowering takes away."""
    return frozenset().union(*(lowering.forms for lowering in lowerings()))
