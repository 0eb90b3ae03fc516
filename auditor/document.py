"""What every result offers a caller: a JSON document, and a view in a notebook.

The renderers live in a later room, so they are named here and imported by that name when a caller asks for them: a
result costs nothing that nobody looks at.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

_RENDERER = "auditor.report.result"


class Documented:
    """A result that can be written as JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The document of :meth:`to_json` as plain dictionaries, lists, numbers and text.

        Names have their exact text, as in the model: escape them before they are shown.
        """
        document: dict[str, Any] = json.loads(self.to_json())
        return document

    def to_json(self) -> str:
        """What ``--output-format json`` writes about this result: ASCII, keys sorted, ending in a newline."""
        text: str = import_module(_RENDERER).to_json(self)
        return text


class Shown(Documented):
    """A result that a notebook shows as a page."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The HTML report in a frame of its own, which neither reads the notebook nor changes how it looks."""
        fragment: str = import_module(_RENDERER).to_html(self)
        return fragment
