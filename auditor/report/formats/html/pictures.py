"""Pictures that are in the page itself, as many as it may hold."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator

from auditor.report.formats.html.tree import Element, Value, element

_MOST_BYTES = 250_000  # of pictures in a page


def data_image(mime: str, data: bytes, **attributes: Value) -> Element:
    """A picture of which the text beside it says everything."""
    return element("img", src=f"data:{mime};base64,{b64encode(data).decode()}", alt="", **attributes)


def fitting(sizes: Iterable[int]) -> Iterator[bool]:
    """Which pictures go into the page, from their sizes in bytes, the first the weightiest."""
    left = _MOST_BYTES
    for size in sizes:
        fits = size <= left
        left -= size if fits else 0
        yield fits
