"""The part of the page about what changed since the model that is to be replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.facts.comparison import Comparison, ComparisonVerdict
from auditor.facts.finding import Finding
from auditor.facts.search import SearchFacts
from auditor.report.formats.html.both_answers import both_answers
from auditor.report.formats.html.both_objects import both_objects
from auditor.report.formats.html.tables import Heading, labelled, table
from auditor.report.formats.html.tree import Child, Element, element, prose
from auditor.report.words.changes import (
    VERDICT_WORDS,
    MeasuredRow,
    leading_rows,
    measured_rows,
    moved_outputs,
    output_rows,
)
from auditor.report.words.numbers import MINUS
from auditor.report.words.place import node_name, node_op, rule_title
from auditor.report.words.site_changes import SiteChange, site_changes, sites_summary
from auditor.text import plain
from auditor.verify.measures import MEASURES
from auditor.verify.result import Verification

_MEASURED = (
    Heading("measure", "what was measured with both models on the same images and shifts"),
    Heading("base", "the model that is to be replaced", number=True),
    Heading("new", "this model", number=True),
    Heading("difference", "new less base; typical: the ratio on the typical image", number=True),
    Heading("interval", "between these ends the difference over all such images lies", number=True),
    Heading("verdict", "whether the thresholds that were asked for hold, and which they are"),
)
_OUTPUTS = (
    Heading("output", "an output of the model"),
    Heading("factor before", "how many times coarser than the input its grid is in the base", number=True),
    Heading("factor after", "the same in this model", number=True),
)
_SITES = (
    Heading("sampling site", "a node of either model that makes the grid coarser, and what it is"),
    Heading(
        "base", "share of the activations that is expected to fold there in the base, and the verdict on its filter"
    ),
    Heading("new", "the same in this model"),
    Heading("change", "whether less or more folds than before, or what else differs"),
)
VERDICT_CLASSES = {"fail": "v-aliased", "inconclusive": "v-weak-filter", "pass": "v-anti-aliased"}
# A sign and a class of the style sheet for each verdict.
TONES = {
    ComparisonVerdict.WORSE: ("■", "error"),
    ComparisonVerdict.MINIMUM_NOT_HELD: ("■", "error"),
    ComparisonVerdict.UNDECIDED: ("○", "warning"),
    ComparisonVerdict.NO_DIFFERENCE_FOUND: ("✓", "open"),
    ComparisonVerdict.BETTER: ("✓", "good"),
    ComparisonVerdict.SAME_MODEL: ("✓", "open"),
}
_CARDS = 3


def numbers(found: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """What stands in the cards: a measure, its values in both models, by how much they differ, and its meaning."""
    for row in leading_rows(found)[0][:_CARDS]:
        base, new = (value.replace(" %", "\u00a0%") for value in (row.base, row.new))
        unit = base[-2:] if base.endswith("\u00a0%") and new.endswith("\u00a0%") else ""
        interval = f" ({row.interval})" if row.interval else ""
        difference = f"{row.difference}{interval}".replace("-", MINUS)
        meaning = MEASURES[row.measure].meaning if row.measure in MEASURES else ""
        yield f"{plain(row.measure)}, base → new", f"{base.removesuffix(unit)} → {new}", difference, meaning


def compared(found: Comparison, new: Verification | None, search: SearchFacts | None = None) -> Iterator[Child]:
    """Pictures with the answers of both models, what changed in the graph, and the measures of both.

    What the notes say of the candidates of a ``search`` is left to its table.
    """
    if found.base_verification is not None and new is not None:
        yield from both_answers(found.base_verification, new)
        yield from both_objects(found.base_verification, new)
    yield element("h3", "What changed since ", element("code", plain(found.base)))
    changes = site_changes(found)
    if changes:
        yield from table(_SITES, [_site(change) for change in changes], "sampling sites of both models")
    rest = [*sites_summary(found), *moved_outputs(found)]
    if rest:
        yield element("p", prose(f"{'; '.join(rest)}."), class_="facts")
    outputs = [
        _row([element("th", element("code", plain(name)), scope="row"), _number(before), _number(after)], _OUTPUTS)
        for name, before, after in output_rows(found)
    ]
    if outputs:
        yield from table(_OUTPUTS, outputs, "outputs")
    worse = [one.after for one in found.kept if one.worse]
    yield from _listed("Findings added", found.added)
    yield from _listed("Findings worse than before", worse)
    yield from _listed("Findings fixed", found.fixed)
    if found.measured:
        yield element("h3", "Both models measured")
        level = f"{100 * found.interval_confidence:.4g}"
        yield element("p", f"Intervals of the difference hold {level} %; the image is the unit.", class_="facts")
        yield from table(_MEASURED, [_measured(row) for row in measured_rows(found)], "measures of both models")
    told = set() if search is None else {one.words for one in search.tried}
    notes = [note for note in found.notes if note not in told]
    if notes:
        yield element("ul", (element("li", prose(note)) for note in notes))


def _site(change: SiteChange) -> Element:
    tone = None if change.better is None else "v-anti-aliased" if change.better else "v-aliased"
    name = element(
        "th",
        element("code", plain(change.name)),
        element("div", change.form, class_="origin") if change.form else None,
        scope="row",
    )
    word = element("span", change.word, class_=f"verdict {tone}") if tone else change.word
    # Operators of a model stand in these: text, and nothing in it marks anything up.
    cells = [element("td", text.replace(" %", "\u00a0%")) for text in (change.base, change.new)]
    cells.append(element("td", word))
    return _row([name, *cells], _SITES)


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
    last = element("td", element("div", verdict, detail))
    return _row([name, *(_number(value) for value in values), last], _MEASURED)


def _number(value: str) -> Element:
    return element("td", prose(value), class_="n")


def _row(cells: Sequence[Element], columns: Sequence[Heading]) -> Element:
    return element("tr", labelled(cells, [column.name for column in columns]))


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
