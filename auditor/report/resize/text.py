"""The comparison of kernels as lines: for a terminal of any width from 80 columns, and for logs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from auditor.facts.finding import Finding
from auditor.facts.resizing import ResizeReport
from auditor.report import RenderOptions
from auditor.report.words.resizing import KernelCells, explanation, facts, headings, legend, sentence, table
from auditor.resizing.result import ResizeComparison, ResizeVerdict
from auditor.text import plain

_WIDEST_TEXT = 110
_COLUMNS = ("agreement", "change", "stability", "change_1px", "boxes", "alias", "cost", "pictures")
_LESS_NEEDED = ("pictures", "cost", "change", "alias", "change_1px", "boxes")
_RIGHT = frozenset({"change", "change_1px", "alias", "cost", "pictures"})
_BOLD, _RED, _GREEN, _YELLOW, _DIM, _END = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_COLOURS = {
    ResizeVerdict.ALIASES: _RED,
    ResizeVerdict.NO_DIFFERENCE: _GREEN,
    ResizeVerdict.FILTERS: _GREEN,
    ResizeVerdict.UNDECIDED: _YELLOW,
    ResizeVerdict.NOT_NAMED: "",
}


def render(report: ResizeReport, options: RenderOptions) -> str:
    """The report, fitted to ``options.width`` columns; without one nothing is wrapped."""
    lines: list[str] = []
    if report.comparison is not None:
        lines += _comparison(report.comparison, options)
    for finding in report.findings:
        lines += ["", *_finding(finding, options)]
    for accepted in report.accepted:
        words = f"accepted by the {accepted.by.value}: {accepted.finding.rule} {accepted.finding.name}"
        lines += _wrapped(f"{words}{f', {plain(accepted.reason)}' if accepted.reason else ''}", options)
    lines += [f"problem {one.code}: {plain(report.path)}: {one.message}" for one in report.problems]
    return "\n".join(lines).lstrip("\n") + "\n"


def _comparison(found: ResizeComparison, options: RenderOptions) -> Iterator[str]:
    dot = "·" if options.unicode else "-"
    verdict = found.judgement.verdict
    if not options.quiet:
        yield f"{_styled(plain(found.model), _BOLD, options)}"
        yield from _wrapped(f" {dot} ".join(facts(found)), options)
        yield ""
        yield from _rows(found, options)
        yield ""
    mark = f"{'◀' if options.unicode else '<'} yours. " if found.deployed else ""
    yield from _wrapped(f"{mark}{sentence(found)}.", options, _COLOURS[verdict])
    if verdict is not ResizeVerdict.FILTERS and explanation(found):
        yield from _wrapped(explanation(found), options)
    if found.incomplete:
        yield from _wrapped(f"incomplete: {found.incomplete}", options, _YELLOW)
    line = next((line for line in found.code if line.deployed), found.code[0])
    if verdict is not ResizeVerdict.FILTERS:
        yield f"  write:  {line.code}"
    if options.quiet:
        return
    yield ""
    for words in legend(found):
        yield from _wrapped(words, options, _DIM)
    for note in found.notes:
        yield from _wrapped(f"note: {plain(note, None)}", options)


def _rows(found: ResizeComparison, options: RenderOptions) -> Iterator[str]:
    names, rows = headings(found), table(found)
    fields = [field for field in _COLUMNS if any(getattr(row, field) not in ("", "-") for row in rows)]
    columns = _columns(fields, names, rows, options)
    # What says least goes first where the terminal is too narrow.
    for field in _LESS_NEEDED:
        if options.width is None or _width(columns) < options.width:
            break
        fields = [kept for kept in fields if kept != field]
        columns = _columns(fields, names | {"agreement": "agrees"}, rows, options)
    widths = [max(map(len, column)) for column in columns]
    right = [False, *(field in _RIGHT for field in fields)]
    for index, cells in enumerate(zip(*columns, strict=True)):
        style = _DIM if index == 0 else _style(rows[index - 1], found)
        yield _styled(f"  {_aligned(cells, widths, right)}", style, options)


def _columns(
    fields: Sequence[str], names: Mapping[str, str], rows: Sequence[KernelCells], options: RenderOptions
) -> list[list[str]]:
    arrow = " ◀" if options.unicode else " <"
    first = ["kernel", *(row.kernel + (arrow if row.deployed else "") for row in rows)]
    return [first, *([names[field], *(getattr(row, field) for row in rows)] for field in fields)]


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in columns)


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if flush else cell.ljust(width)
        for cell, width, flush in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip()


def _style(row: KernelCells, found: ResizeComparison) -> str:
    return (_COLOURS[found.judgement.verdict] or _BOLD) if row.deployed else ""


def _finding(finding: Finding, options: RenderOptions) -> Iterator[str]:
    colour = {"error": _RED, "warning": _YELLOW}.get(finding.severity.value, "")
    yield from _wrapped(f"{finding.severity.value} {finding.rule} {finding.name}: {finding.message}", options, colour)
    if finding.advice:
        yield from _wrapped(f"advice: {finding.advice}", options)


def _wrapped(words: str, options: RenderOptions, style: str = "") -> Iterator[str]:
    width = None if options.width is None else min(options.width, _WIDEST_TEXT)
    parts = [f"  {words}"] if width is None else _folded(words, width - 1)
    yield from (_styled(part, style, options) for part in parts)


def _folded(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _styled(line: str, style: str, options: RenderOptions) -> str:
    return f"{style}{line}{_END}" if options.colour and style else line
