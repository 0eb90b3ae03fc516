"""The results of the Python interface as JSON and as a page in a notebook; :mod:`auditor.document` names this module.

The documents are those of ``--output-format json``, where a command writes one about such a result.
"""

from __future__ import annotations

from html import escape

from auditor._version import __version__
from auditor.codec import encode, text
from auditor.facts.comparison import Comparison
from auditor.facts.formats import Format
from auditor.facts.report import ModelReport, Report
from auditor.facts.resizing import ResizeReport
from auditor.facts.tiling import TilesReport
from auditor.policy.settings import Settings
from auditor.repair.result import Repaired
from auditor.report import render
from auditor.report.formats.html.tree import Child, element
from auditor.report.resize import render_resize
from auditor.resizing.result import ResizeComparison
from auditor.sampling.result import Analysis
from auditor.tiling.result import TilePlan
from auditor.verify.result import Verification

_FRAME_HEIGHT = 640  # pixels, about the first screen of a report


def to_json(result: object) -> str:
    """The JSON document about a result.

    Raises:
        TypeError: There is no document about such a value.
    """
    if isinstance(result, (ResizeReport, ResizeComparison)):
        return render_resize(_resize_report(result), Format.JSON)
    if isinstance(result, (TilesReport, TilePlan)):
        return encode(result if isinstance(result, TilesReport) else TilesReport(__version__, result.model, result))
    if isinstance(result, Repaired):
        from auditor.report.repair.result import repaired_json

        return repaired_json(result)
    if isinstance(result, Settings):
        from auditor.policy.rows import rows

        return text({name: {"value": value, "origin": origin} for name, (value, origin) in rows(result).items()})
    if isinstance(result, (Report, ModelReport)):
        return encode(_report(result))
    if isinstance(result, (Verification, Comparison, Analysis)):
        return encode(result)
    raise TypeError(f"no JSON document describes a {type(result).__name__}")


def _report(result: Report | ModelReport) -> Report:
    """A report on one model as the report of a run on that model."""
    if isinstance(result, Report):
        return result
    run = result.run
    return Report(
        version=__version__,
        models=(result,),
        settings={} if run is None else run.settings,
        rules=() if run is None else run.rules,
    )


def _resize_report(result: ResizeReport | ResizeComparison) -> ResizeReport:
    return result if isinstance(result, ResizeReport) else ResizeReport(__version__, result.model, result)


def to_html(result: object) -> str:
    """A result as one HTML element that depends on nothing around it.

    Raises:
        TypeError: There is no page about such a value.
    """
    # The page has escaped what it names; escaped once more, it is the value of one attribute. Without an origin of its
    # own the frame runs the page's script and reaches nothing else.
    return (
        f'<iframe srcdoc="{escape(_page(result))}" sandbox="allow-scripts" title="aliasaudit" width="100%"'
        f' height="{_FRAME_HEIGHT}" frameborder="0"></iframe>'
    )


def _page(result: object) -> str:
    from auditor.report.formats.html import page

    if isinstance(result, (Report, ModelReport)):
        return render(_report(result), Format.HTML)
    if isinstance(result, (ResizeReport, ResizeComparison)):
        return render_resize(_resize_report(result), Format.HTML)
    section: list[Child]
    if isinstance(result, Verification):
        from auditor.report.formats.html.measured import layers, measured

        section = [*measured(result), *layers(result)]
    elif isinstance(result, Comparison):
        from auditor.report.formats.html.compared import compared

        section = list(compared(result, None))
    else:
        raise TypeError(f"there is no page about a {type(result).__name__}")
    return page("aliasaudit", [element("section", section, class_="model")], f"aliasaudit {__version__}")
