"""Several models on one page: a sentence, cards, and one row per model that leads to its section, worst first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import PurePosixPath

from auditor.facts.finding import Severity
from auditor.facts.report import ModelReport
from auditor.report.formats.html.staircase import steps, verdict_class
from auditor.report.formats.html.tables import Heading, framed, heading, labelled, meanings
from auditor.report.formats.html.tree import Child, Element, element
from auditor.report.words.numbers import factor_text
from auditor.report.words.place import node_name
from auditor.sampling.result import Analysis, SiteVerdict
from auditor.text import count_text, plain

_COLUMNS = (
    Heading("model", "the file, its folder and its size"),
    Heading("grid", "the cumulative subsampling factor: only shifts by multiples of it can leave the answer exactly as "
           "it is", number=True),
    Heading("sites, input to output", "the layers that downsample: factor 1 at the top, 128 at the bottom; a square is "
           "aliased, a triangle has a weak filter, a rhombus mixes phases, a disc is anti-aliased or unknown"),
    Heading("open", "sites without anti-aliasing, of all sites", number=True),
    Heading("errors", "findings of the severity error", number=True),
    Heading("warnings", "findings of the severity warning", number=True),
    Heading("worst finding", "the first of the worst severity, and where it is"),
    Heading("steadiness", "the leading measure under shifts, where the model was run"),
)  # fmt: skip
_CARDS = {
    "errors": "findings of the severity error in all models, and in how many",
    "warnings": "findings of the severity warning in all models, and in how many",
    "sites without anti-aliasing": "nodes that make a grid coarser without a low-pass in front, of all such nodes",
    "coarsest grid": "the largest cumulative subsampling factor, and the model that has it",
    "measured": "models that were run on shifted images",
}
_CLASSES = "sortable overview stacked"
_NAMES = [column.name for column in _COLUMNS]
_WIDE, _HIGH, _MARK = 120.0, 36.0, 3.5
_DEEPEST = 7.0  # octaves of the one scale for all models: 1 to 128
_MOST_STEPS = 24
_HUGE = Fraction(10**15)


def overview(models: Sequence[ModelReport], pages: Sequence[str] = ()) -> Iterator[Element]:
    """What stands above the sections of several models; row n leads to section ``m<n>`` in the order of the report, or
    to the n-th of the ``pages``.
    """
    sites = sum(len(model.analysis.sites) for model in models)
    unprotected = sum(_open(model) for model in models)
    clean = sum(not model.findings for model in models)
    yield element("h1", _sentence(models))
    words = [f"{unprotected} of {count_text(sites, 'sampling site')} without anti-aliasing."] if sites else []
    words += [f"{count_text(clean, 'model')} without a finding."] if clean else []
    yield element("p", " ".join([*words, "The table is sorted by errors, then warnings."]), class_="lead")
    yield element("dl", _cards(models, unprotected, sites), class_="tiles")
    yield meanings([Heading(name, meaning) for name, meaning in _CARDS.items()], "What the numbers mean")
    yield from _table(models, pages)


def _sentence(models: Sequence[ModelReport]) -> str:
    audited = f"{len(models)} models audited"
    for severity in (Severity.ERROR, Severity.WARNING, Severity.NOTE):
        having = sum(_count(model, severity) > 0 for model in models)
        if having:
            return f"{audited}: {having} with {severity.value}s"
    return f"{audited}: no findings"


def _cards(models: Sequence[ModelReport], unprotected: int, sites: int) -> Iterator[Element]:
    for severity in (Severity.ERROR, Severity.WARNING):
        total = sum(_count(model, severity) for model in models)
        having = sum(_count(model, severity) > 0 for model in models)
        kind = severity.value if total else "good"
        yield _card(f"{severity.value}s", str(total), f"in {count_text(having, 'model')}", kind)
    yield _card("sites without anti-aliasing", str(unprotected), f"of {sites}", "" if unprotected else "good")
    known = [(model.analysis.subsampling or Fraction(0), model) for model in models]
    factor, coarsest = max(known, key=lambda pair: pair[0])
    if factor:
        yield _card("coarsest grid", f"{factor_text(factor)} px", _name(coarsest), "")
    measured = sum(model.verification is not None for model in models)
    yield _card("measured", f"{measured} of {len(models)}", f"{len(models) - measured} not yet", "")


def _card(name: str, value: str, below: str, kind: str) -> Element:
    content = element("dd", element("b", value), element("span", below))
    return element("div", element("dt", name), content, class_=f"tile {kind}".rstrip(), title=_CARDS[name])


def _table(models: Sequence[ModelReport], pages: Sequence[str]) -> Iterator[Element]:
    numbered = sorted(enumerate(models, 1), key=lambda pair: (*_weight(pair[1]), pair[0]))
    links = pages or [f"#m{number}" for number in range(1, len(models) + 1)]
    rows = [element("tr", labelled(_cells(links[number - 1], model), _NAMES)) for number, model in numbered]
    head = [heading(column, _sorted_by(column.name)) for column in _COLUMNS]
    content = element("table", element("thead", element("tr", head)), element("tbody", rows), class_=_CLASSES)
    yield framed(content, "models")
    yield meanings(_COLUMNS)


def _sorted_by(name: str) -> str | None:
    return "descending" if name == "errors" else None


def _weight(model: ModelReport) -> tuple[int, int, int]:
    return (
        -_count(model, Severity.ERROR),
        -_count(model, Severity.WARNING),
        -_count(model, Severity.NOTE),
    )


def _cells(link: str, model: ModelReport) -> list[Element]:
    total, analysis = model.analysis.subsampling, model.analysis
    folder = plain(PurePosixPath(model.path).parent.as_posix(), 60)
    size = f"{model.file_bytes / 1e6:.1f}\u00a0MB"
    about = f"{folder} · {size}" if folder != "." else size
    return [
        element("td", element("div", element("a", _name(model), href=link), element("small", about))),
        element(
            "td",
            "-" if total is None else f"{factor_text(total)} px",
            class_="n",
            data_value="" if total is None else float(min(total, _HUGE)),
        ),
        element("td", _spark(analysis), data_value=len(analysis.sites)),
        element("td", f"{_open(model)} of {len(analysis.sites)}", class_="n", data_value=_open(model)),
        element("td", str(_count(model, Severity.ERROR)), class_="n"),
        element("td", str(_count(model, Severity.WARNING)), class_="n"),
        element(
            "td", element("div", _worst(model)), data_value=plain(model.findings[0].rule) if model.findings else ""
        ),
        element("td", element("div", _steadiness(model))),
    ]


def _name(model: ModelReport) -> str:
    return plain(PurePosixPath(model.path).name or model.path, 80)


def _count(model: ModelReport, severity: Severity) -> int:
    return sum(finding.severity is severity for finding in model.findings)


def _open(model: ModelReport) -> int:
    return sum(site.unprotected for site in model.analysis.sites)


def _worst(model: ModelReport) -> Iterable[Child]:
    if not model.findings:
        return [element("span", "no finding", class_="verdict-pill good")]
    finding = model.findings[0]  # worst first
    parts: list[Child] = [
        element("span", plain(finding.rule), class_=f"chip {finding.severity.value}"),
        f" {plain(finding.name)}",
    ]
    if finding.node is not None:
        parts.append(element("small", element("code", node_name(finding.node)[-40:])))
    return parts


def _steadiness(model: ModelReport) -> Iterable[Child]:
    if model.verification is None:
        return ["not measured"]
    from auditor.report.words.measured_headline import headline_measure
    from auditor.report.words.numbers import number

    measure = headline_measure(model.verification)
    if measure is None:
        return ["nothing measured"]
    return [number(measure.value, measure.unit), element("small", plain(measure.name))]


def _spark(analysis: Analysis) -> Element:
    """The sites as a small staircase, on one scale for all models; the numbers stand in the section of the model."""
    found = [(stair.end, site) for stair in steps(analysis.sites)[:_MOST_STEPS] for _, site in stair.sites[:1]]
    wide = _WIDE / (len(found) + 1)
    points, marks = [f"0,{_y(Fraction(1)):.1f}"], []
    level = _y(Fraction(1))
    for place, (factor, site) in enumerate(found, 1):
        x, y = place * wide, _y(factor)
        points += [f"{x:.1f},{level:.1f}", f"{x:.1f},{y:.1f}"]
        marks.append(_mark(x, level, site.verdict))
        level = y
    points.append(f"{_WIDE:.0f},{level:.1f}")
    words = f"{count_text(len(analysis.sites), 'site')}: " + ", ".join(site.verdict.value for _, site in found)
    return element(
        "svg",
        element("title", words if found else "no sites"),
        element("polyline", points=" ".join(points)),
        marks,
        viewBox=f"0 0 {_WIDE:.0f} {_HIGH:.0f}",
        width=int(_WIDE),
        height=int(_HIGH),
        role="img",
        class_="spark",
    )


def _mark(x: float, y: float, verdict: SiteVerdict) -> Element:
    """A shape for a verdict: colours alone do not tell them apart for everybody."""
    r, kind = _MARK, verdict_class(verdict)
    corners = {
        SiteVerdict.ALIASED: ((-r, -r), (r, -r), (r, r), (-r, r)),
        SiteVerdict.WEAK_FILTER: ((0.0, -r), (r, r), (-r, r)),
        SiteVerdict.MIXED_PHASES: ((0.0, -r), (r, 0.0), (0.0, r), (-r, 0.0)),
    }.get(verdict)
    if corners is None:
        return element("circle", cx=x, cy=y, r=r, class_=kind)
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return element("polygon", points=points, class_=kind)


def _y(factor: Fraction) -> float:
    octaves = math.log2(factor.numerator) - math.log2(factor.denominator) if factor > 1 else 0.0
    return 5 + min(octaves / _DEEPEST, 1.0) * (_HIGH - 10)
