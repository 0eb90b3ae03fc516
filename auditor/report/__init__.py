"""Reports: the :class:`~auditor.report.model.Report` value and one pure renderer per format.

A renderer is ``render(report, options) -> str``. It reads nothing but its arguments and writes nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module

from auditor.findings import Severity
from auditor.report.model import Report


class Format(str, Enum):
    """The report formats, by the name of the ``--output-format`` option."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITLAB = "gitlab"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How to render. JSON reads none of it: it holds everything, always the same.

    ``width`` is the number of terminal columns to fit into; None means that nothing is wrapped or cut. ``colour`` sets
    terminal colours, ``unicode`` allows characters beyond ASCII in our own words. ``terminal`` asks for tables laid out
    for the eye. ``quiet`` leaves out what is no finding, ``verbose`` adds detail, ``statistics`` a count per rule.
    These are for the text format.

    ``show_accepted`` puts the findings that do not count into a text and a SARIF report too, each with the reason.
    ``max_bytes`` bounds a Markdown report: GitHub drops a job summary over 1 MiB whole, and refuses a comment over
    65 536 characters.
    ``fail_on`` is the lightest severity that fails a JUnit test; None: none does.
    """

    width: int | None = None
    colour: bool = False
    unicode: bool = False
    terminal: bool = False
    quiet: bool = False
    verbose: bool = False
    statistics: bool = False
    show_accepted: bool = False
    max_bytes: int = 1_000_000
    fail_on: Severity | None = Severity.ERROR


def render(report: Report, output_format: Format, options: RenderOptions | None = None) -> str:
    """The report in one format, ending in a newline where it is not empty."""
    options = options or RenderOptions()
    return _renderer(output_format, options)(report, options)


# Imported when they are asked for.
_MODULES = {
    Format.JSON: "json_format",
    Format.SARIF: "sarif",
    Format.GITHUB: "github",
    Format.MARKDOWN: "markdown",
    Format.JUNIT: "junit",
    Format.GITLAB: "gitlab",
    Format.HTML: "html",
}


def _renderer(output_format: Format, options: RenderOptions) -> Callable[[Report, RenderOptions], str]:
    laid_out = "terminal" if options.terminal or options.colour else "plain_text"
    module = import_module(f"auditor.report.{_MODULES.get(output_format, laid_out)}")
    renderer: Callable[[Report, RenderOptions], str] = module.render
    return renderer
