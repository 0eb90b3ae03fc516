"""What became of a base, as the text reports say it: the verdict, then the numbers, the sites and the findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.facts.comparison import Comparison, ComparisonVerdict
from auditor.facts.finding import Finding
from auditor.report.words.changes import VERDICT_WORDS, MeasuredRow, leading_rows, moved_outputs, output_rows
from auditor.report.words.compared_verdict import reason, verdict_word
from auditor.report.words.geometry import geometry_lines
from auditor.report.words.place import node_name, node_op, rule_title
from auditor.report.words.site_changes import site_changes, sites_summary
from auditor.text import count_text, plain

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ComparedSheet:
    """A comparison in rows and lines, each beginning with words of the tool.

    ``numbers`` and ``sites`` are tables under their headings, empty where there is nothing to show; ``more`` are the
    rows of the measures that matter less. ``why`` are sentences of our own on what a verdict rests on, ``summary`` what
    is as it was, and ``named`` lines with names in them: findings that went or got heavier, remarks.
    """

    word: str
    verdict: ComparisonVerdict
    base: str
    reason: str
    numbers: Rows
    more: Rows
    why: tuple[str, ...]
    sites: Rows
    summary: str
    named: tuple[str, ...]


def compared_sheet(found: Comparison, fold: bool = False) -> ComparedSheet:
    """Put a comparison into words; ``fold`` leaves out the measures that matter less."""
    leading, others = leading_rows(found)
    others = [] if fold else others
    several = len({row.output for row in (*leading, *others)}) > 1
    return ComparedSheet(
        word=verdict_word(found),
        verdict=found.headline,
        base=plain(found.base),
        reason=reason(found),
        numbers=(_heading(found), *(_cells(row, several) for row in leading)) if leading else (),
        more=tuple(_cells(row, several) for row in others),
        why=tuple(_why([*leading, *others])),
        sites=tuple(_sites(found)),
        summary="; ".join([*sites_summary(found), *moved_outputs(found), *filter(None, [found.by_graphs])]),
        named=(*geometry_lines(found), *_named(found)),
    )


def _heading(found: Comparison) -> tuple[str, ...]:
    images = max((change.images for change in found.measured), default=0)
    interval = f"{100 * found.interval_confidence:.4g} % interval"
    return f"on {count_text(images, 'image')}", "base", "new", "difference", interval, ""


def _cells(row: MeasuredRow, several: bool) -> tuple[str, ...]:
    output = f" of {plain(row.output, 40)}" if several else ""
    verdict = VERDICT_WORDS[row.verdict] if row.verdict else ""
    return f"{row.measure}{output}", row.base, row.new, row.difference, row.interval or "-", verdict


def _why(rows: Sequence[MeasuredRow]) -> Iterator[str]:
    for row in rows:
        if row.detail:
            yield f"{row.measure}: {VERDICT_WORDS[row.verdict]} ({row.detail})"
        yield from (f"{row.measure}: {note}" for note in row.notes)


def _sites(found: Comparison) -> Iterator[tuple[str, ...]]:
    changes = site_changes(found)
    if changes:
        yield "", "site", "base", "new"
    for change in changes:
        base = f"{change.form}: {change.base}" if change.form else change.base
        yield change.word, change.name, base, change.new


def _named(found: Comparison) -> Iterator[str]:
    for name, before, after in output_rows(found):
        yield f"subsampling to {plain(name)}: {before} in the base, {after} here"
    for kept in found.kept:
        if kept.worse:
            before, after = kept.before.severity.value, kept.after.severity.value
            yield f"worse, {before} to {after}: {finding_place(kept.after)}"
    for finding in found.fixed:
        yield f"fixed: {finding.severity.value} {finding_place(finding)}"
    yield from (f"note: {plain(remark)}" for remark in found.notes)


def finding_place(finding: Finding) -> str:
    """Rule and place of a finding on one line."""
    node = finding.node
    return rule_title(finding) if node is None else f"{rule_title(finding)} at {node_name(node)} ({node_op(node)})"
