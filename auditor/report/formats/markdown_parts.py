"""The parts of a Markdown report that an audit and a comparison share. Names of a model stand in code spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport
from auditor.onnxfile.noderef import NodeRef
from auditor.report.markdown_page import BLANK, MarkdownPage
from auditor.report.words.numbers import axes_text, percent_text
from auditor.report.words.place import node_name, node_op, origin_text, rule_page, rule_title
from auditor.report.words.sheet import alias_text, alias_words
from auditor.report.words.targets import target_lines
from auditor.sampling.result import Site
from auditor.text import count_text, markdown_code, markdown_words

if TYPE_CHECKING:
    from auditor.verify.layers.alias import AliasMeasurement
    from auditor.verify.result import Verification
    from auditor.verify.time.result import TimeResult

NAME = 120
SIGNS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.NOTE: "💬"}
CLEAN = "✅"


def row(cells: Sequence[str]) -> str:
    """One row of a table."""
    return f"| {' | '.join(cells)} |"


def rule_words(finding: Finding, code_only: bool = False) -> str:
    """Code and name of a rule, or its code alone; the code leads to its page."""
    code, name = markdown_words(finding.rule), markdown_words(finding.name)
    page = rule_page(finding)
    linked = code if page is None else f"[{code}]({page})"
    return linked if code_only else f"{linked} {name}"


def place(finding: Finding) -> str:
    """The node of a finding with its operator, and where it comes from; empty where it is about none."""
    node = finding.node
    if node is None:
        return ""
    origin = origin_text(node.origin)
    where = node_words(node)
    return f"{where} from {markdown_code(origin, NAME)}" if origin else where


def node_words(node: NodeRef) -> str:
    """A node with its operator."""
    return f"{markdown_code(node_name(node), NAME)} {markdown_code(node_op(node))}"


def targets_part(page: MarkdownPage, model: ModelReport) -> None:
    """A line per deployment target that the model was audited for, none without."""
    lines = target_lines(model)
    if lines:
        page.add(BLANK)
        page.rows(f"- {markdown_words(line)}" for line in lines)


def findings_part(page: MarkdownPage, findings: Sequence[Finding]) -> None:
    """A table of findings, and what to do about them."""
    if not findings:
        return
    page.add(BLANK, "| | rule | where | what |", "| :-- | :-- | :-- | :-- |")
    page.rows(row([SIGNS[one.severity], rule_words(one), place(one), markdown_words(one.message)]) for one in findings)
    page.add(BLANK)
    page.rows(advice_lines(findings))


def advice_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """What to do, once for each rule and wording."""
    for (title, advice), _ in groupby(findings, key=lambda finding: (rule_title(finding), finding.advice)):
        if advice:
            yield f"- **{markdown_words(title)}** {markdown_words(advice)}"


def sites_part(page: MarkdownPage, model: ModelReport) -> None:
    """The table of all sampling sites."""
    sites, measured = model.analysis.sites, model.alias
    if not sites:
        return
    page.add(
        BLANK,
        f"| # | site | op | factor | total | flat | expected |{' measured |' if measured else ''} verdict |",
        f"| --: | :-- | :-- | --: | --: | --: | --: |{' --: |' if measured else ''} :-- |",
    )
    page.rows(_site(index, site, measured) for index, site in enumerate(sites, 1))
    words = "; ".join(alias_words(measured))
    if words:
        page.add(BLANK, markdown_words(words))


def _site(index: int, site: Site, measured: AliasMeasurement | None) -> str:
    flat, expected = (None, None) if site.alias is None else (site.alias.flat, site.alias.expected)
    cells = [
        str(index),
        markdown_code(node_name(site.node), NAME),
        markdown_code(node_op(site.node)),
        axes_text(site.factor),
        axes_text(site.cumulative),
        percent_text(flat) or "-",
        percent_text(expected) or "-",
        *(() if measured is None else (alias_text(measured, index) or "-",)),
        site.verdict.value,
    ]
    return row(cells)


def measurement_part(page: MarkdownPage, found: Verification) -> None:
    """What was measured, and with what."""
    if found.required is not None:
        from auditor.report.words.required import required_words

        verdict, *ended = required_words(found.required)
        page.add(BLANK, f"**{markdown_words(verdict)}**")
        for line in ended:
            page.add(BLANK, f"{markdown_words(line)}.")
    page.add(BLANK, measurement_words(found), BLANK)
    page.add("| output | measure | value | interval | rests on |", "| :-- | :-- | --: | :-- | --: |")
    page.rows(_measures(found))
    _margins(page, found)
    if found.time is not None:
        _over_time(page, found.time)


def measurement_words(found: Verification) -> str:
    """What the numbers were measured with, in one line."""
    from auditor.report.words.measured import run_words

    data, shifts = found.data, found.shifts
    facts = [
        f"Measured on {count_text(data.images, 'image')} ({data.kind.value})",
        f"protocol {shifts.protocol.value} with {shifts.reach}",
        *([shifts.counted] if shifts.counted else []),
        found.preprocessing_words,
        f"{found.provider.used}, {found.provider.software}",
        run_words(found),
    ]
    return f"{markdown_words('; '.join(facts))}."


def _measures(found: Verification) -> Iterator[str]:
    from auditor.report.words.measured import images_words
    from auditor.report.words.numbers import number

    for output in found.outputs:
        for measure in output.measures:
            span = measure.interval
            ends = f"{number(span.low, measure.unit)} to {number(span.high, measure.unit)}" if span is not None else "-"
            yield row(
                [
                    markdown_code(output.output, NAME),
                    markdown_words(measure.title),
                    number(measure.value, measure.unit),
                    ends,
                    images_words(measure),
                ]
            )


def _margins(page: MarkdownPage, found: Verification) -> None:
    from auditor.report.words.margins import margin_line
    from auditor.report.words.ripple import ripple_line
    from auditor.report.words.splitting import split_lines

    for output in found.outputs:
        if output.margin is not None:
            page.add(BLANK, f"Margin: {markdown_words(margin_line(output.margin))}.")
        if output.splits:
            page.add(BLANK)
            page.rows(f"- {markdown_words(line)}" for line in split_lines(output))
        if output.ripple is not None:
            page.add(BLANK, f"Ripple: {markdown_words(ripple_line(output.ripple))}.")


def _over_time(page: MarkdownPage, found: TimeResult) -> None:
    from auditor.report.words.over_time import HEAD, sentences, summary, time_rows

    page.add(BLANK, f"{markdown_words(summary(found))}.", BLANK)
    page.add(row(HEAD), "| :-- | :-- | :-- | --: | :-- |")
    page.rows(row([markdown_words(cell) for cell in cells]) for cells in time_rows(found))
    page.add(BLANK)
    page.rows(f"- {markdown_words(sentence)}" for sentence in sentences(found))
