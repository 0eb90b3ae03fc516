"""Reports: the :class:`~auditor.facts.report.Report` value and one pure renderer per format.

A renderer is ``render(report, options) -> str``. It reads nothing but its arguments and writes nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.facts.report import Report


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How to render. JSON reads none of it: it holds everything, always the same.

    ``width`` is the number of terminal columns to fit into; None means that nothing is wrapped or cut. ``colour`` sets
    terminal colours, ``unicode`` allows characters beyond ASCII in our own words. ``terminal`` asks for tables laid out
    for the eye, ``fold`` for no more than the worst of a long list, and ``links`` for codes of rules that lead to their
    pages. ``quiet`` leaves out what is no finding, ``verbose`` adds detail, ``statistics`` a count per rule. These are
    for the text format.

    ``show_accepted`` puts the findings that do not count into a text and a SARIF report too, each with the reason.
    ``max_bytes`` bounds a Markdown report: GitHub drops a job summary over 1 MiB whole, and refuses a comment over
    65 536 characters.
    ``fail_on`` is the lightest severity that fails a JUnit test; None: none does.
    """

    width: int | None = None
    colour: bool = False
    unicode: bool = False
    terminal: bool = False
    fold: bool = False
    links: bool = False
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


def pages(report: Report, options: RenderOptions) -> dict[str, str]:
    """The report as a folder of HTML pages, by file name."""
    made: dict[str, str] = import_module("auditor.report.formats.html").folder(report, options)
    return made


# Imported when they are asked for.
_MODULES = {
    Format.JSON: "json.document",
    Format.SARIF: "formats.sarif",
    Format.GITHUB: "formats.github",
    Format.MARKDOWN: "formats.markdown",
    Format.JUNIT: "formats.junit",
    Format.GITLAB: "formats.gitlab",
    Format.HTML: "formats.html",
    Format.NETRON: "formats.netron",
    Format.EXPLORER: "formats.explorer",
    Format.MODEL_CARD: "formats.model_card",
}


def _renderer(output_format: Format, options: RenderOptions) -> Callable[[Report, RenderOptions], str]:
    laid_out = "formats.terminal" if options.terminal or options.colour else "formats.text"
    module = import_module(f"auditor.report.{_MODULES.get(output_format, laid_out)}")
    renderer: Callable[[Report, RenderOptions], str] = module.render
    return renderer
