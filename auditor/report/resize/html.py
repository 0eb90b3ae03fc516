"""The comparison of kernels as one HTML file: the verdict, a row per kernel, and what the model sees.

As in :mod:`auditor.report.formats.html` the page reaches nothing outside of itself; its pictures are in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from auditor.facts.resizing import ResizeReport
from auditor.report import RenderOptions
from auditor.report.formats.html import page
from auditor.report.formats.html.pictures import data_image, fitting
from auditor.report.formats.html.tables import Heading, framed, meanings
from auditor.report.formats.html.tree import Child, Element, element, prose
from auditor.report.words.resizing import KernelCells, decimal, explanation, facts, headings, legend, sentence, table
from auditor.resizing.result import (
    ChangedPicture,
    Estimate,
    KernelRow,
    ResizeComparison,
    ResizeVerdict,
    SeenInput,
)
from auditor.text import plain

_PILLS = {
    ResizeVerdict.ALIASES: ("▲ your kernel aliases", "warn"),
    ResizeVerdict.NO_DIFFERENCE: ("✓ no difference found", "good"),
    ResizeVerdict.FILTERS: ("✓ your kernel filters", "good"),
    ResizeVerdict.UNDECIDED: ("○ undecided", "open"),
    ResizeVerdict.NOT_NAMED: ("○ no kernel named as yours", "open"),
}
_STEPS = (0.1, 0.2, 0.4, 1.0, 2.0)  # upper ends of the axis of changes of the score
_PAIRS_OPEN = 2


def render(report: ResizeReport, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one HTML document."""
    style = "\n" + Path(__file__).with_name("resize.css").read_text(encoding="utf-8")
    title = f"aliasaudit resize: {plain(report.path)}"
    return page(title, _body(report), _footer(report), style=style, images=True)


def _footer(report: ResizeReport) -> str:
    parts = [f"aliasaudit {plain(report.version)}"]
    found = report.comparison
    if found is not None:
        parts += [f"{name} {version}" for name, version in found.libraries]
        parts += ["results of 8-bit resizing depend on these versions"] if found.libraries else []
        parts += [f"pictures embedded: {_embedded(found)}"]
    return " · ".join(parts)


def _body(report: ResizeReport) -> Iterator[Child]:
    found = report.comparison
    if report.problems:
        problems = (element("li", plain(problem.message, None)) for problem in report.problems)
        yield element("section", element("h2", "The comparison is incomplete"), element("ul", problems), class_="alert")
    if found is None:
        return
    words, kind = _PILLS[found.judgement.verdict]
    name = plain(report.path).rpartition("/")[2]
    yield element(
        "header",
        element(
            "div",
            element("p", element("b", "Resize in front of "), element("code", name), class_="subject"),
            element("p", " · ".join(facts(found)), class_="facts"),
        ),
        element("span", words, class_=f"verdict-pill {kind}"),
        class_="head",
    )
    yield element("h1", prose(f"{sentence(found)}."), class_="sentence")
    if explanation(found):
        yield element("p", prose(explanation(found)), class_="lead")
    if found.incomplete:
        yield element("p", f"Incomplete: {plain(found.incomplete, None)}", class_="alert")
    yield from _table(found)
    yield element("p", *_keys(), " ", ". ".join(legend(found)), ".", class_="legend")
    yield from _pictures(found)
    yield element("h2", "What to write", class_="part")
    yield element("div", (_code(line.library, line.code, line.deployed) for line in found.code), class_="cards")
    yield from _findings(report)
    yield from _next_step(report, found)
    if found.notes:
        yield element("ul", (element("li", plain(note, None)) for note in found.notes), class_="notes")


def _keys() -> Iterator[Child]:
    yield element("span", "filters before sampling", class_="key blue")
    yield " "
    yield element("span", "samples without a filter", class_="key orange")


_MEANINGS = {
    "kernel": "how pictures are shrunk to the size of the model's input, by library and filter",
    "agreement": "pictures with the answer that the reference kernel gives",
    "change": "how far the score lies from that behind the reference kernel, on average",
    "stability": "answers that stay when the picture moves by one of its own pixels",
    "change_1px": "how far the score moves then, on average",
    "boxes": "boxes that the reference has too, and those that differ",
    "alias": "share of a photograph's power that is expected to fold",
    "cost": "median time of the library itself per million pixels of the picture",
}


def _table(found: ResizeComparison) -> Iterator[Element]:
    names, cells = headings(found), table(found)
    columns = [
        "agreement",
        "change",
        "stability",
        "change_1px",
        *(["boxes"] if cells[-1].boxes else []),
        "alias",
        "cost",
    ]
    columns = [column for column in columns if any(getattr(row, column) not in ("", "-") for row in cells)]
    notes = {"change": "lower is better", "change_1px": "lower is better"}
    head = [
        element(
            "th",
            names[column],
            element("small", notes[column]) if column in notes else None,
            scope="col",
            title=_MEANINGS[column],
        )
        for column in ("kernel", *columns)
    ]
    largest = _axis_end(found)
    rows = [
        element(
            "tr",
            element(
                "th",
                element("code", row.kernel),
                element("span", " ◀ yours", class_="yours") if shown.deployed else None,
                element("small", "filters first" if row.low_pass else "no filter"),
                scope="row",
            ),
            (element("td", _cell(row, shown, column, largest), data_label=names[column]) for column in columns),
            class_=f"{'blue' if row.low_pass else 'orange'}{' deployed' if shown.deployed else ''}",
        )
        for row, shown in zip(found.rows, cells, strict=True)
    ]
    grid = element("table", element("thead", element("tr", head)), element("tbody", rows), class_="kernels stacked")
    yield framed(grid, "kernels")
    yield meanings([Heading(names[column], _MEANINGS[column]) for column in ("kernel", *columns)])


def _axis_end(found: ResizeComparison) -> float:
    """The end of the axis of changes: the next step above the highest end of an interval."""
    changes = [one for row in found.rows for one in (row.change, row.change_1px) if one is not None]
    ends = [one.value if one.interval is None else one.interval.high for one in changes]
    return next((step for step in _STEPS if step >= max(ends, default=0)), _STEPS[-1])


def _cell(row: KernelRow, shown: KernelCells, column: str, largest: float) -> list[Child]:
    estimates: dict[str, tuple[Estimate | None, float]] = {
        "agreement": (row.agreement, 1.0),
        "stability": (row.stability, 1.0),
        "change": (row.change, largest),
        "change_1px": (row.change_1px, largest),
    }
    text = getattr(shown, column)
    estimate, end = estimates.get(column, (None, 1.0))
    if column == "agreement" and row.agreement is None:
        return [element("span", "reference", class_="soft")]
    if estimate is None:
        return [element("span", text or "-")]
    number, _, ends = text.partition(" [")
    words = f"{number}, {100 * estimate.interval.low:.0f} to {100 * estimate.interval.high:.0f} %" if (
        estimate.interval is not None and end == 1.0 and column in ("agreement", "stability")
    ) else number  # fmt: skip
    return [_bar(estimate, end, words), element("b", number), element("small", f"[{ends}" if ends else "")]


def _bar(estimate: Estimate, end: float, words: str) -> Element:
    def x(value: float) -> float:
        return min(max(value / end, 0.0), 1.0) * 100

    span = estimate.interval
    whisker = [] if span is None else [
        element("path", d=f"M{x(span.low):.1f} 5H{x(span.high):.1f}M{x(span.low):.1f} 2V8M{x(span.high):.1f} 2V8"),
    ]  # fmt: skip
    return element(
        "svg",
        element("title", words),
        element("rect", x=0, y=1.5, width=100, height=7, rx=1, class_="ground"),
        element("rect", x=0, y=1.5, width=x(estimate.value), height=7, rx=1, class_="value"),
        whisker,
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        role="img",
        class_="bar",
    )


def _pictures(found: ResizeComparison) -> Iterator[Element]:
    if not found.changed:
        return
    height, width = found.input_size
    yield element("h2", "What the model sees", class_="part")
    yield element(
        "p",
        f"{_which(len(found.changed))} most between {found.changed[0].inputs[0].kernel} and "
        f"{found.changed[0].inputs[1].kernel}, at the model's resolution of {width} x {height} px; the small picture "
        "is the part that differs most, enlarged.",
        class_="facts",
    )
    for index, (changed, fits) in enumerate(_within_budget(found)):
        pair = element("div", (_seen(seen, fits) for seen in changed.inputs), class_="cards seen")
        title = f"{plain(changed.name).rpartition('/')[2]}, {_sizes(changed)}"
        yield element("details", element("summary", title), pair, open=index < _PAIRS_OPEN, class_="pair")


def _which(count: int) -> str:
    return "The picture whose answer differs" if count == 1 else f"The {count} pictures whose answers differ"


def _within_budget(found: ResizeComparison) -> Iterator[tuple[ChangedPicture, bool]]:
    """The pictures whose answers changed, and whether the page shows them."""
    sizes = (
        sum(len(seen.thumbnail.data) + len(seen.detail) for seen in changed.inputs if seen.thumbnail)
        for changed in found.changed
    )
    return zip(found.changed, fitting(sizes), strict=True)


def _embedded(found: ResizeComparison) -> int:
    """How many pictures the page holds, each as every kernel gives it."""
    shown = (seen for changed, fits in _within_budget(found) if fits for seen in changed.inputs)
    return sum(seen.thumbnail is not None for seen in shown)


def _sizes(changed: ChangedPicture) -> str:
    return f"{changed.size[1]:,} x {changed.size[0]:,} px, factor {max(changed.factor):.2g}"


def _seen(seen: SeenInput, embedded: bool) -> Element:
    thumbnail = seen.thumbnail
    pictures: list[Element] = []
    if thumbnail is not None and embedded:
        pictures.append(data_image("image/jpeg", thumbnail.data, class_="thumb"))
        if seen.detail:
            pictures.append(data_image("image/png", seen.detail, class_="thumb detail"))
    score = "" if seen.score is None else decimal(seen.score)
    return element(
        "div",
        element("div", pictures, class_="thumbs") if pictures else None,
        element("p", element("b", plain(seen.answer)), element("b", score), class_="answer"),
        element("p", element("code", seen.kernel), class_="facts"),
        class_="card",
    )


def _code(library: str, code: str, deployed: bool) -> Element:
    return element(
        "div",
        element(
            "p", element("b", f"Python, {library}"), element("span", " ◀ yours", class_="yours") if deployed else None
        ),
        element("pre", element("code", code)),
        class_="card",
    )


def _findings(report: ResizeReport) -> Iterator[Element]:
    if not (report.findings or report.accepted):
        return
    yield element("h2", "Findings", class_="part")
    for finding in report.findings:
        yield element(
            "div",
            element("h4", f"{finding.severity.value} {finding.rule} {finding.name}"),
            element("p", plain(finding.message, None)),
            element("p", plain(finding.advice, None)) if finding.advice else None,
            class_=f"finding {finding.severity.value}",
        )
    for accepted in report.accepted:
        yield element("p", f"accepted: {accepted.finding.rule} {plain(accepted.reason)}", class_="facts")


def _next_step(report: ResizeReport, found: ResizeComparison) -> Iterator[Element]:
    preset = f" --preset {found.preset}" if found.preset else ""
    best = found.deployed if found.judgement.verdict is ResizeVerdict.FILTERS else found.code[0].kernel
    yield element("h2", "Next step", class_="part")
    yield element(
        "div",
        element("p", "With the resize settled, measure what is left: the model itself."),
        element("pre", element("code", f"aliasaudit verify{preset} --resize {best} --images DIR {plain(report.path)}")),
        class_="card",
    )
