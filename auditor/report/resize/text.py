"""The comparison of kernels as lines: for a terminal of any width from 80 columns, and for logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditor.facts.finding import Finding
from auditor.facts.resizing import ResizeReport
from auditor.report import RenderOptions
from auditor.report.lines import BOLD, DIM, GREEN, RED, YELLOW, styled, wrapped
from auditor.report.words.resizing import KernelCells, explanation, facts, headings, legend, sentence, table
from auditor.resizing.result import ResizeComparison, ResizeVerdict
from auditor.text import plain

_COLUMNS = ("agreement", "change", "stability", "change_1px", "boxes", "alias", "cost", "pictures")
_LESS_NEEDED = ("pictures", "cost", "change", "alias", "change_1px", "boxes")
_RIGHT = frozenset({"change", "change_1px", "alias", "cost", "pictures"})
_COLOURS = {
    ResizeVerdict.ALIASES: RED,
    ResizeVerdict.NO_DIFFERENCE: GREEN,
    ResizeVerdict.FILTERS: GREEN,
    ResizeVerdict.UNDECIDED: YELLOW,
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
        lines += wrapped(f"{words}{f', {plain(accepted.reason)}' if accepted.reason else ''}", options)
    lines += [f"problem {one.code}: {plain(report.path)}: {one.message}" for one in report.problems]
    return "\n".join(lines).lstrip("\n") + "\n"


def _comparison(found: ResizeComparison, options: RenderOptions) -> Iterator[str]:
    dot = "·" if options.unicode else "-"
    verdict = found.judgement.verdict
    if not options.quiet:
        yield f"{styled(plain(found.model), BOLD, options)}"
        yield from wrapped(f" {dot} ".join(facts(found)), options)
        yield ""
        yield from _rows(found, options)
        yield ""
    mark = f"{'◀' if options.unicode else '<'} yours. " if found.deployed else ""
    yield from wrapped(f"{mark}{sentence(found)}.", options, _COLOURS[verdict])
    if verdict is not ResizeVerdict.FILTERS and explanation(found):
        yield from wrapped(explanation(found), options)
    if found.incomplete:
        yield from wrapped(f"incomplete: {found.incomplete}", options, YELLOW)
    line = next((line for line in found.code if line.deployed), found.code[0])
    if verdict is not ResizeVerdict.FILTERS:
        yield f"  write:  {line.code}"
    if options.quiet:
        return
    yield ""
    for words in legend(found):
        yield from wrapped(words, options, DIM)
    for note in found.notes:
        yield from wrapped(f"note: {plain(note, None)}", options)


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
        style = DIM if index == 0 else _style(rows[index - 1], found)
        yield styled(f"  {_aligned(cells, widths, right)}", style, options)


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
    return (_COLOURS[found.judgement.verdict] or BOLD) if row.deployed else ""


def _finding(finding: Finding, options: RenderOptions) -> Iterator[str]:
    colour = {"error": RED, "warning": YELLOW}.get(finding.severity.value, "")
    yield from wrapped(f"{finding.severity.value} {finding.rule} {finding.name}: {finding.message}", options, colour)
    if finding.advice:
        yield from wrapped(f"advice: {finding.advice}", options)
