"""The text report for logs, pipes and files: ASCII words, aligned columns, nothing wrapped, nothing cut, no colour."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from auditor.facts.report import Report
from auditor.report import RenderOptions
from auditor.report.words.compared import ComparedSheet
from auditor.report.words.next_steps import next_steps
from auditor.report.words.sheet import FindingBlock, Sheet, problems, sheet, statistics, summary_lines
from auditor.text import plain


def render(report: Report, options: RenderOptions) -> str:
    """The report as lines. Every line begins with words of the tool, never with text of a model."""
    lines = [_problem(*problem) for problem in problems(report, unmeasured=True)]
    lines += [""] if lines else []
    for model in report.models:
        page = sheet(model, options.verbose, options.unicode, options.show_accepted, options.fold)
        lines += _model(page, options.quiet)
        lines.append("")
    others = [_problem(*problem) for problem in problems(report)]
    others += [f"note: {plain(remark, None)}" for remark in report.remarks]
    lines += [*others, ""] if others else []
    if options.statistics:
        lines += [*_columns(statistics(report), "  "), ""]
    lines += summary_lines(report)
    lines += [] if options.quiet else next_steps(report)
    return "\n".join(lines) + "\n"


def _problem(code: str, path: str, message: str) -> str:
    return f"problem {code}: {path + ': ' if path else ''}{message}"


def _model(page: Sheet, quiet: bool) -> Iterator[str]:
    yield f"model {page.path}"
    if page.compared is not None:
        yield from _compared(page.compared)
        if not quiet:
            yield ""
    if not quiet:
        if page.facts:
            yield f"  {', '.join(page.facts)}"
        yield f"  {page.meaning}"
        yield from (f"  {line}" for line in page.targets)
        if page.sites:
            yield ""
            rows = [(*row.cells[:-1], row.verdict_and_reason) for row in page.sites]
            yield from _columns([page.columns, *rows], "  ")
        yield from (f"  {line}" for line in (page.more_sites, page.legend) if line)
        if page.findings:
            yield ""
    for block in page.findings:
        yield from _finding(block)
    if page.more_findings:
        yield f"  {page.more_findings}"
    yield from (f"  {line}" for line in page.accepted)
    measured = page.measured_in_short if quiet else page.measured
    if measured and (page.findings or not quiet):
        yield ""
    yield from (f"  {line}" if line else "" for line in measured)


def _compared(page: ComparedSheet) -> Iterator[str]:
    yield f"  {page.word}, compared with {page.base}: {page.reason}"
    for table in (page.numbers + page.more, page.sites):
        if table:
            yield ""
            yield from (line.rstrip() for line in _columns(table, "  "))
    yield from ("", f"  {page.summary}") if page.summary else ()
    yield from (f"  {line}" for line in (*page.why, *page.named))


def _finding(block: FindingBlock) -> Iterator[str]:
    where = f" at {block.where}" if block.where else ""
    yield f"  {block.severity.value} {block.rule}{where}: {block.message}"
    for label, text in block.facts:
        yield f"    {label}: {text}"
    if block.advice:
        yield f"    {block.advice_label}: {block.advice}"


def _columns(rows: Sequence[Sequence[str]], indent: str) -> list[str]:
    """Left-aligned columns two spaces apart; the last one is left ragged."""
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        indent
        + "".join(text + " " * (width - _cells(text) + 2) for text, width in zip(row, widths, strict=False))
        + row[-1]
        for row in rows
    ]


def _cells(text: str) -> int:
    """How many terminal cells a text takes: two for wide East Asian characters, none for combining marks."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) != 0 for character in text)
