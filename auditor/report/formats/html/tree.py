"""HTML and SVG as trees that are escaped when they are written: no text can become markup by accident."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from auditor.text import ModelText, exact, markup, plain

Child: TypeAlias = "Element | ModelText | str | None"
Value: TypeAlias = "ModelText | str | int | float | bool | None"

_VOID = frozenset({"meta", "br", "hr", "img"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
# Elements that begin a line of the file, so that it can be read and compared.
_LINES = frozenset(
    (
        *("html", "head", "meta", "title", "style", "body", "main", "section", "header", "footer", "script"),
        *("h1", "h2", "h3", "h4", "p", "div", "ul", "li", "dl", "table", "thead", "tbody", "tr", "details"),
        *("figure", "svg"),
    )
)


@dataclass(frozen=True, slots=True)
class Element:
    """An element. ``static`` is content of our own that is written as it is: the style sheet and the script."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Child, ...]
    static: str = ""


def element(tag: str, *children: Child | Iterable[Child], **attributes: Value) -> Element:
    """An element of these children, lists of children taken apart.

    Underscores in attribute names stand for hyphens, one at the end for nothing (``class_``). None and False leave an
    attribute out, True leaves it without a value. Numbers are written with at most two decimals.
    """
    flat: list[Child] = []
    for child in children:
        if child is None or isinstance(child, (Element, ModelText, str)):
            flat.append(child)
        else:
            flat.extend(child)
    given = ((name.rstrip("_").replace("_", "-"), _value(value)) for name, value in attributes.items())
    return Element(tag, tuple((name, value) for name, value in given if value is not None), tuple(flat))


def serialised(root: Element) -> str:
    """The tree as text."""
    return "".join(_parts(root))


def _parts(root: Element) -> Iterator[str]:
    if not _NAME.fullmatch(root.tag):
        raise ValueError(f"not the name of an element: {root.tag}")
    yield "\n" if root.tag in _LINES else ""
    yield f"<{root.tag}"
    for name, value in root.attributes:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not the name of an attribute: {name}")
        yield f' {name}="{markup(value, None)}"'
    yield ">"
    if root.tag in _VOID:
        return
    yield root.static
    text = ""  # neighbouring texts are escaped together, as they would be read together
    for child in root.children:
        if isinstance(child, Element):
            yield markup(text, None)
            text = ""
            yield from _parts(child)
        elif child is not None:
            text += exact(child)
    yield markup(text, None)
    yield f"</{root.tag}>"


def _value(value: Value) -> str | None:
    if value is None or value is False:
        return None
    if value is True:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value) if isinstance(value, int) else exact(value)


def prose(text: str) -> list[Child]:
    """A sentence of our own: words between backticks become code, and numbers are kept with their per cent sign."""
    parts = plain(text, None).replace(" %", "\u00a0%").split("`")
    if len(parts) % 2 == 0:
        return ["`".join(parts)]
    return [element("code", part) if index % 2 else part for index, part in enumerate(parts)]
