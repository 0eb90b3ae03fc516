"""Tables whose headings explain themselves, and whose rows become lines of their own on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from auditor.report.formats.html.tree import Element, element, prose


class Heading(NamedTuple):
    """A column of a table: its heading, and what stands in it. ``number``: its cells stand at the right."""

    name: str
    meaning: str
    number: bool = False


def heading(column: Heading, aria_sort: str | None = None) -> Element:
    """The heading with its meaning, for those who point at it."""
    kind = "n" if column.number else None
    return element("th", column.name, scope="col", class_=kind, title=column.meaning, aria_sort=aria_sort)


def table(columns: Sequence[Heading], rows: Iterable[Element], label: str, kind: str = "") -> Iterator[Element]:
    """A table that scrolls in its own frame, and below it what its columns mean."""
    head = element("thead", element("tr", map(heading, columns)))
    content = element("table", head, element("tbody", rows), class_=f"{kind} stacked".strip())
    yield framed(content, label)
    yield meanings(columns)


def framed(content: Element, label: str) -> Element:
    """A table in a frame of its own, that the keyboard can scroll."""
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


def meanings(columns: Sequence[Heading], words: str = "What the columns mean") -> Element:
    """The meanings as a list that opens: for touch, for the keyboard and for print."""
    entries = ((element("dt", column.name), element("dd", prose(column.meaning))) for column in columns)
    return element("details", element("summary", words), element("dl", *entries), class_="meanings")


def labelled(cells: Iterable[Element], names: Sequence[str]) -> list[Element]:
    """The cells of a row with the names of their columns, for the class ``stacked`` of the style sheet."""
    return [
        replace(cell, attributes=(*cell.attributes, ("data-label", name)))
        for cell, name in zip(cells, names, strict=True)
    ]
