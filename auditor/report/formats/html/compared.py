"""The part of the page about what changed since the model that is to be replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.facts.comparison import Comparison
from auditor.facts.finding import Finding
from auditor.report.formats.html.tree import Child, Element, element, prose
from auditor.report.words.changes import VERDICT_WORDS, MeasuredRow, measured_rows, output_rows, sentences
from auditor.report.words.place import node_name, node_op, rule_title
from auditor.text import plain

_MEASURED = (("measure", None), ("base", "n"), ("new", "n"), ("difference", "n"), ("interval", "n"), ("verdict", None))
_OUTPUTS = (("output", None), ("factor before", "n"), ("factor after", "n"))
VERDICT_CLASSES = {"fail": "v-aliased", "inconclusive": "v-weak-filter", "pass": "v-anti-aliased"}


def compared(found: Comparison) -> Iterator[Child]:
    """The headline of the comparison, the measures of both models, and the findings that came and went."""
    yield element("h3", "Compared with ", element("code", plain(found.base)))
    yield element("p", prose("; ".join(sentences(found))), class_="meaning")
    if found.notes:
        yield element("ul", (element("li", prose(note)) for note in found.notes))
    if found.measured:
        yield _table(_MEASURED, [_measured(row) for row in measured_rows(found)], "measures of both models")
    outputs = [
        element("tr", element("th", element("code", plain(name)), scope="row"), _number(before), _number(after))
        for name, before, after in output_rows(found)
    ]
    if outputs:
        yield _table(_OUTPUTS, outputs, "outputs")
    worse = [one.after for one in found.kept if one.worse]
    yield from _listed("Added", found.added)
    yield from _listed("Worse than before", worse)
    yield from _listed("Fixed", found.fixed)


def _measured(row: MeasuredRow) -> Element:
    verdict = (
        element("span", VERDICT_WORDS[row.verdict], class_=f"verdict {VERDICT_CLASSES[row.verdict]}")
        if row.verdict
        else None
    )
    detail = [element("div", prose(text), class_="origin") for text in (row.detail, *row.notes) if text]
    name = element("th", plain(row.measure), " ", element("div", element("code", plain(row.output)), class_="origin"),
                   scope="row")  # fmt: skip
    values = (row.base, row.new, row.difference, row.interval or "-")
    return element("tr", name, (_number(value) for value in values), element("td", verdict, detail))


def _number(value: str) -> Element:
    return element("td", prose(value), class_="n")


def _listed(words: str, findings: Sequence[Finding]) -> Iterator[Element]:
    if findings:
        yield element("h4", words)
        yield element("ul", (_finding(one) for one in findings))


def _finding(finding: Finding) -> Element:
    chip = element("span", finding.severity.value, class_=f"chip {finding.severity.value}")
    where: list[Child] = []
    if finding.node is not None:
        where = [" at ", element("code", node_name(finding.node)), " ",
                 element("span", node_op(finding.node), class_="op")]  # fmt: skip
    return element("li", chip, " ", rule_title(finding), where)


def _table(columns: Sequence[tuple[str, str | None]], rows: Sequence[Element], label: str) -> Element:
    head = [element("th", words, scope="col", class_=kind) for words, kind in columns]
    table = element("table", element("thead", element("tr", head)), element("tbody", rows))
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)
