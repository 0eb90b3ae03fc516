"""What every result offers a caller: a JSON document, and a view in a notebook.

Later rooms write them, so the package itself names the writers once, with :func:`provide`. They import what they need
when a caller asks: a result costs nothing that nobody looks at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Writer: TypeAlias = Callable[[Any], str]

_writers: dict[str, Writer] = {}


def provide(*, document: Writer, page: Writer) -> None:
    """Name what writes the JSON document about a result, and the HTML element that a notebook shows."""
    _writers.update(document=document, page=page)


class Documented:
    """A result that can be written as JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The document of :meth:`to_json` as plain dictionaries, lists, numbers and text.

        Names have their exact text, as in the model: escape them before they are shown.
        """
        import json

        document: dict[str, Any] = json.loads(self.to_json())
        return document

    def to_json(self) -> str:
        """What ``--output-format json`` writes about this result: ASCII, keys sorted, ending in a newline."""
        return _writers["document"](self)


class Shown(Documented):
    """A result that a notebook shows as a page."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The HTML report in a frame of its own, which neither reads the notebook nor changes how it looks."""
        return _writers["page"](self)
