"""The short forms of a report that ``aliasaudit demo`` shows, each within 80 columns behind an indent of five."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from auditor.facts.comparison import Comparison, ComparisonVerdict
from auditor.facts.report import ModelReport
from auditor.report.words.changes import measured_rows
from auditor.report.words.compared_verdict import headline, verdict_word
from auditor.report.words.grid import meaning
from auditor.report.words.measured import measure_cells
from auditor.report.words.sheet import sheet
from auditor.text import count_text, plain
from auditor.verify.result import Verification

_WIDTH = 75
_SITE_COLUMNS = ("node", "op", "factor", "total", "expected", "verdict")
_MEASURES = {
    "consistency": "pairs of shifts with the same answer",
    "mac": "mean change of the score",
    "accuracy": "right answers, unshifted",
}


def audit_lines(report: ModelReport) -> Iterator[str]:
    """What the subsampling means, a row per sampling site, and how often each rule fired."""
    yield from textwrap.wrap(meaning(report.analysis), _WIDTH)
    page = sheet(report, verbose=False)
    chosen = [page.columns.index(name) for name in _SITE_COLUMNS]
    yield from _columns([_SITE_COLUMNS, *(tuple(row.cells[index] for index in chosen) for row in page.sites)])
    counts = Counter((one.severity, plain(one.rule), plain(one.name)) for one in report.findings)
    for (severity, rule, name), count in counts.items():
        yield f"{count_text(count, severity.value)} {rule} {name}"


def measured_lines(found: Verification) -> Iterator[str]:
    """How many pictures get more than one answer, then the leading measures with their intervals."""
    yield (
        f"{unsteady(found)} of {count_text(found.data.images, 'picture')} get another answer at one of "
        f"{found.shifts.per_image} shifts of up to {found.shifts.radius} px"
    )
    rows = [measure_cells(measure)[:3] for output in found.outputs for measure in output.measures]
    yield from _columns([(*row, _MEASURES[row[0]]) for row in rows if row[0] in _MEASURES])


def compared_lines(found: Comparison, before: Verification, after: Verification) -> Iterator[str]:
    """The verdict, then what each leading measure was and is."""
    # Of a model that got better the table says it all.
    better = found.headline is ComparisonVerdict.BETTER
    yield from [verdict_word(found)] if better else textwrap.wrap(headline(found), _WIDTH)
    yield f"pictures that get another answer: {unsteady(before)} before, {unsteady(after)} after"
    confidence = f"{100 * found.interval_confidence:.4g} %"
    rows = [row for row in measured_rows(found) if row.measure in _MEASURES]
    table = [
        (row.measure, row.base, "to", row.new, row.difference, f"[{row.interval}]" if row.interval else "")
        for row in rows
    ]
    yield from _columns(table)
    yield f"(in brackets the {confidence} interval of the difference, the picture is the unit)"


def unsteady(found: Verification) -> int:
    """How many pictures get another class at one of their shifts."""
    return sum(output.unsteady for output in found.outputs)


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
