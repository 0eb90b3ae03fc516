"""The text report for a person at a terminal: colours and tables by Rich, fitted to the width of the terminal.

Names are shortened in the middle, never wrapped: a wrapped name would start a line with text of the model, which a CI
runner that shows a forced-colour report may take for a command. Our own sentences are wrapped with an indent.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from auditor.facts.comparison import ComparisonVerdict
from auditor.facts.finding import Severity
from auditor.facts.report import Report
from auditor.report import RenderOptions
from auditor.report.words.compared import ComparedSheet
from auditor.report.words.next_steps import next_steps
from auditor.report.words.sheet import (
    SITE_COLUMNS,
    FindingBlock,
    Sheet,
    SiteRow,
    problems,
    sheet,
    statistics,
    summary_lines,
)
from auditor.sampling.result import SiteVerdict
from auditor.text import plain

_UNBOUNDED = 100_000
_COMFORTABLE = 100  # below this many columns the table of sites is abbreviated
_NARROWEST_NODE = 12
_WIDEST_TEXT = 110  # longer lines of prose are hard to read

_SEVERITY_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
_VERDICT_STYLES = {
    SiteVerdict.ALIASED: "red",
    SiteVerdict.WEAK_FILTER: "yellow",
    SiteVerdict.ANTI_ALIASED: "green",
    SiteVerdict.MIXED_PHASES: "yellow",
    SiteVerdict.LABELS: "green",
    SiteVerdict.UNKNOWN: "dim",
}
_HEADLINE_STYLES = {
    ComparisonVerdict.WORSE: "bold red",
    ComparisonVerdict.MINIMUM_NOT_HELD: "bold red",
    ComparisonVerdict.UNDECIDED: "bold yellow",
    ComparisonVerdict.NO_DIFFERENCE_FOUND: "bold",
    ComparisonVerdict.BETTER: "bold green",
    ComparisonVerdict.SAME_MODEL: "bold",
}
_RIGHT_ALIGNED = {"#", "factor", "total", "flat", "expected", "measured"}
_SHORT_HEADINGS = {"kernel/stride": "kernel"}
_LONGEST_OP, _LONGEST_OP_NARROW = 16, 12
_NODE, _OP = map(SITE_COLUMNS.index, ("node", "op"))


def render(report: Report, options: RenderOptions) -> str:
    """The report laid out for ``options.width`` columns; None means as wide as the text needs."""
    page = _TerminalPage(options)
    unmeasured = problems(report, unmeasured=True)
    for problem in unmeasured:
        page.problem(*problem)
    if unmeasured:
        page.line(Text())
    for model in report.models:
        page.model(sheet(model, options.verbose, options.unicode, options.show_accepted, options.fold))
    others = problems(report)
    for problem in others:
        page.problem(*problem)
    for remark in report.remarks:
        page.prose(f"note: {plain(remark, None)}")
    if others or report.remarks:
        page.line(Text())
    if options.statistics:
        page.table(statistics(report))
        page.line(Text())
    for line in summary_lines(report, min(options.width or _UNBOUNDED, _WIDEST_TEXT)):
        page.prose(line, style=_summary_style(report))
    for line in () if options.quiet else next_steps(report, options.width):
        page.line(Text(line))
    return page.text()


class _TerminalPage:
    """A terminal page under construction; writes into a string."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._width = options.width or _UNBOUNDED
        self._narrow = self._width < _COMFORTABLE
        self._ellipsis = "…" if options.unicode else "..."
        self._stream = io.StringIO()
        self._console = Console(
            file=self._stream,
            width=_UNBOUNDED,  # everything is fitted here; Rich would cut what is too wide
            color_system="standard" if options.colour else None,
            force_terminal=options.colour,
            no_color=not options.colour,
            legacy_windows=False,
            markup=False,
            highlight=False,
            emoji=False,
            _environ={},
        )

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._stream.getvalue().split("\n"))

    def line(self, text: Text) -> None:
        """Print one line as it is."""
        self._console.print(text, soft_wrap=True)

    def model(self, page: Sheet) -> None:
        """Print one model."""
        self.line(Text.assemble(("model ", "dim"), (self._short(page.path, self._width - 6), "bold")))
        if page.compared is not None:
            self._compared(page.compared)
            if not self._options.quiet:
                self.line(Text())
        if not self._options.quiet:
            self._facts(page.facts)
            self.prose(page.meaning, "  ")
            for line in page.targets:
                self.prose(line, "  ")
            if page.sites:
                self.line(Text())
                self._sites(page.sites, page.columns)
            if page.more_sites:
                self.line(Text())
                self.prose(page.more_sites, "  ", style="dim")
            if page.legend:
                self.prose(page.legend, "  ", style="dim")
            if page.findings:
                self.line(Text())
        for block in page.findings:
            self._finding(block)
        if page.more_findings:
            self.prose(page.more_findings, "  ", style="dim")
        for line in page.accepted:
            self.line(Text(self._short(f"  {line}", self._width), style="dim"))
        measured = page.measured_in_short if self._options.quiet else page.measured
        if measured and (page.findings or not self._options.quiet):
            self.line(Text())
        for line in measured:
            self._measured(line)
        self.line(Text())

    def _measured(self, line: str) -> None:
        """Print a line of a measurement: words are wrapped, and the rows of a table end where the terminal does."""
        if cell_len(line) + 2 <= self._width:
            self.line(Text(f"  {line}" if line else ""))
        elif line.startswith(" "):
            kept = line[: self._width - 2 - len(self._ellipsis)]
            while cell_len(kept) + 2 + len(self._ellipsis) > self._width:  # wide characters
                kept = kept[:-1]
            self.line(Text(f"  {kept.rstrip()}{self._ellipsis}"))
        else:
            wrapped = textwrap.wrap(line, max(min(self._width, _WIDEST_TEXT) - 2, 20), subsequent_indent="  ")
            for part in wrapped:
                self.line(Text(f"  {part}"))

    def _compared(self, page: ComparedSheet) -> None:
        """Print what became of the base."""
        head = Text.assemble("  ", (page.word, _HEADLINE_STYLES[page.verdict]), ", compared with ")
        joined = f"{page.base}: {page.reason}"
        if cell_len(joined) <= self._width - head.cell_len:
            self.line(head.append(joined))
        else:
            self.line(head.append(self._short(page.base, self._width - head.cell_len)))
            self.prose(page.reason, "    ")
        for rows, name in ((page.numbers + page.more, 0), (page.sites, 1)):
            if rows:
                self.line(Text())
                self._fitted(rows, name)
        if page.summary or page.why or page.named:
            self.line(Text())
        for line in filter(None, (page.summary, *page.why)):
            self.prose(line, "  ")
        for line in page.named:
            self.line(Text(self._short(f"  {line}", self._width)))

    def _fitted(self, rows: Sequence[Sequence[str]], name: int) -> None:
        """Print rows under a heading; the column ``name`` is shortened to what the others leave.

        Where it would have to be, columns that say nothing are left out first.
        """
        if sum(max(map(cell_len, column)) + 2 for column in zip(*rows, strict=True)) > self._width:
            told = [any(cell.strip("- ") for cell in column[1:]) for column in zip(*rows, strict=True)]
            rows = [[cell for cell, says in zip(row, told, strict=True) if says] for row in rows]
            name = sum(told[:name])
        widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        room = max(self._width - sum(widths) + widths[name] - 2 * len(widths), _NARROWEST_NODE)
        self.table(
            [[self._short(cell, room) if place == name else cell for place, cell in enumerate(row)] for row in rows]
        )

    def problem(self, code: str, path: str, message: str) -> None:
        """Print one part of the audit that is missing."""
        head = Text.assemble(("problem", "bold red"), f" {code}")
        if path:
            head.append(" at ", style="dim")
            head.append(self._short(path, self._width - head.cell_len))
        self.line(head)
        self.prose(message, "  ")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows of our own short words under a heading."""
        table = _new_table(gap=2)
        for heading in rows[0]:
            table.add_column(heading, no_wrap=True)
        for row in rows[1:]:
            table.add_row(*map(Text, row))
        self._print_table(table)

    def prose(self, text: str, indent: str = "", label: str = "", style: str = "") -> None:
        """Print our own words, wrapped; the label is dimmed and sets the lines after the first further in."""
        wrapped = [text]
        if self._options.width is not None:
            room = max(min(self._width, _WIDEST_TEXT) - len(indent), 20)
            wrapped = textwrap.wrap(label + text, room, subsequent_indent="  " if label else "") or [""]
            wrapped[0] = wrapped[0][len(label) :]
        for number, line in enumerate(wrapped):
            self.line(Text.assemble(indent, (label if number == 0 else "", "dim"), (line, style)))

    def _facts(self, facts: Sequence[str]) -> None:
        """Print the facts on as few lines as hold them whole."""
        lines: list[str] = []
        for fact in facts:
            joined = f"{lines[-1]}, {fact}" if lines else fact
            if lines and cell_len(joined) <= self._width - 2:
                lines[-1] = joined
            else:
                lines.append(self._short(fact, self._width - 2))
        for line in lines:
            self.line(Text("  " + line, style="dim"))

    def _sites(self, rows: Sequence[SiteRow], columns: Sequence[str]) -> None:
        narrow = self._narrow
        headings = [_SHORT_HEADINGS.get(name, name) if narrow else name for name in columns]
        cells = [self._cells(row) for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(headings, *cells, strict=True)]
        gap = 1 if narrow else 2
        room = self._width - sum(widths) + widths[_NODE] - gap * len(widths) - 2
        node_width = max(_NARROWEST_NODE, min(widths[_NODE], room))
        with_reasons = 0 < max(cell_len(row.reason) for row in rows) <= room - node_width
        table, expected = _new_table(gap), columns.index("expected")
        for name, heading in zip(columns, headings, strict=True):
            table.add_column(heading, justify="right" if name in _RIGHT_ALIGNED else "left", no_wrap=True)
        if with_reasons:
            table.add_column("because", no_wrap=True)
        for row, texts in zip(rows, cells, strict=True):
            shown = [Text(text) for text in texts]
            shown[0].stylize("dim")
            shown[_NODE] = Text(self._short(texts[_NODE], node_width))
            for coloured in (shown[expected], shown[-1]):
                coloured.stylize(_VERDICT_STYLES[row.verdict])
            if row.severity is not None:
                shown[-2].stylize(_SEVERITY_STYLES[row.severity])
            table.add_row(*shown, *([Text(row.reason, style="dim")] if with_reasons else []))
        self._print_table(table)

    def _print_table(self, table: Table) -> None:
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))

    def _cells(self, row: SiteRow) -> list[str]:
        cells = list(row.cells)
        if self._options.width is not None:
            cells[_OP] = self._short(cells[_OP], _LONGEST_OP_NARROW if self._narrow else _LONGEST_OP)
        return cells

    def _finding(self, block: FindingBlock) -> None:
        rule = f"bold link {block.page}" if self._options.links and block.page else "bold"
        head = Text.assemble("  ", (block.severity.value, _SEVERITY_STYLES[block.severity]), " ", (block.rule, rule))
        if block.where:
            head.append(" at ", style="dim")
            head.append(self._short(block.where, self._width - head.cell_len))
        self.line(head)
        self.prose(block.message, "    ")
        for label, text in block.facts:
            start = f"    {label}: "
            self.line(Text.assemble((start, "dim"), self._short(text, self._width - len(start))))
        if block.advice:
            self.prose(block.advice, "    ", f"{block.advice_label}: ")

    def _short(self, text: str, width: int) -> str:
        """The text within so many terminal cells, shortened in the middle: both ends of a node's name say most."""
        if cell_len(text) <= width:
            return text
        width = max(width - len(self._ellipsis), 2)
        head, tail = text[: (width + 1) // 2], text[-(width // 2) :]
        while cell_len(head) + cell_len(tail) > width and len(head) + len(tail) > 2:  # wide characters
            head, tail = head[:-1], tail[1:]
        return head + self._ellipsis + tail


def _new_table(gap: int) -> Table:
    # No box: the columns stand clear, and an encoding without line-drawing characters shows the same.
    return Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")


def _summary_style(report: Report) -> str:
    if report.problems or any(finding.severity is Severity.ERROR for finding in report.findings()):
        return "bold red"
    return "bold yellow" if report.findings() else "bold green"
