"""Rows of tables that become lines of their own on a phone, each cell with the name of its column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from auditor.report.formats.html.tree import Element


def labelled(cells: Iterable[Element], names: Sequence[str]) -> list[Element]:
    """The cells of a row with the names of their columns, for the class ``stacked`` of the style sheet."""
    return [
        replace(cell, attributes=(*cell.attributes, ("data-label", name)))
        for cell, name in zip(cells, names, strict=True)
    ]
