"""Reports: the :class:`~auditor.report.model.Report` value and one pure renderer per format.

A renderer is ``render(report, options) -> str``. It reads nothing but its arguments and writes nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from auditor.report.model import Report


class Format(str, Enum):
    """The report formats, by the name of the ``--output-format`` option."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How to render. Only the text format reads any of it; programs get everything, always the same.

    ``width`` is the number of terminal columns to fit into; None means that nothing is wrapped or cut. ``colour`` sets
    terminal colours, ``unicode`` allows characters beyond ASCII in our own words. ``terminal`` asks for tables laid out
    for the eye. ``quiet`` leaves out what is no finding, ``verbose`` adds detail, ``statistics`` a count per rule.
    """

    width: int | None = None
    colour: bool = False
    unicode: bool = False
    terminal: bool = False
    quiet: bool = False
    verbose: bool = False
    statistics: bool = False


def render(report: Report, output_format: Format, options: RenderOptions | None = None) -> str:
    """The report in one format, ending in a newline. Renderers are imported when they are asked for."""
    return _renderer(output_format, options or RenderOptions())(report, options or RenderOptions())


def _renderer(output_format: Format, options: RenderOptions) -> Callable[[Report, RenderOptions], str]:
    if output_format is Format.JSON:
        from auditor.report.json_format import render as renderer
    elif options.terminal or options.colour:
        from auditor.report.terminal import render as renderer
    else:
        from auditor.report.plain_text import render as renderer
    return renderer
