"""The plan of tiles as lines: for a terminal, and for logs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from auditor.facts.tiling import TilesReport
from auditor.report import RenderOptions
from auditor.report.words.tiling import (
    HEADINGS,
    LEGEND,
    MAP_HEADINGS,
    cutting,
    facts,
    maps,
    no_tile,
    reasons,
    seam_facts,
    seam_lines,
    seam_sentence,
    sentence,
    table,
)
from auditor.text import plain
from auditor.tiling.result import Seams, TilePlan

_WIDEST_TEXT = 110
_MOST_REASONS = 6
_BOLD, _GREEN, _YELLOW, _DIM, _END = "\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


def render(report: TilesReport, options: RenderOptions) -> str:
    """The report, fitted to ``options.width`` columns; without one nothing is wrapped."""
    lines: list[str] = []
    if report.plan is not None:
        lines += _plan(report.plan, options)
    lines += [f"problem {one.code}: {plain(report.path)}: {one.message}" for one in report.problems]
    return "\n".join(lines) + "\n"


def _plan(plan: TilePlan, options: RenderOptions) -> Iterator[str]:
    if not options.quiet:
        yield _styled(plain(plan.model), _BOLD, options)
    for line in facts(plan):
        yield from _wrapped(line, options)
    yield from _wrapped(f"{sentence(plan)}.", options, _GREEN if plan.exact else _YELLOW)
    causes = reasons(plan)
    for cause in causes[:_MOST_REASONS]:
        yield from _wrapped(f"  {cause}", options)
    if len(causes) > _MOST_REASONS:
        yield f"    and {len(causes) - _MOST_REASONS} more (--output-format json has all)"
    if plan.tiles:
        yield ""
        yield from _sizes(plan, options)
    if no_tile(plan):
        yield from _wrapped(f"{no_tile(plan)}.", options, _YELLOW)
    if plan.seams is not None:
        yield ""
        yield from _seams(plan.seams, options)
    if not options.quiet:
        yield from _how(plan, options)


def _how(plan: TilePlan, options: RenderOptions) -> Iterator[str]:
    """How to cut, the maps, the lines for tools, and the notes."""
    if plan.advised is not None:
        yield ""
        yield from _wrapped(f"{cutting(plan)}.", options)
    shown = maps(plan)
    if len(shown) > 1 or not plan.separable:
        yield ""
        yield from _grid([MAP_HEADINGS, *shown], options)
    if plan.lines:
        yield ""
    for tool in plan.lines:
        yield f"  {tool.tool}: {tool.code}"
        yield from _wrapped(f"  {tool.remark}", options, _DIM)
    yield ""
    for words in LEGEND if plan.tiles else ():
        yield from _wrapped(words, options, _DIM)
    for note in plan.notes:
        yield from _wrapped(f"note: {note}", options)
    if plan.seams is None and plan.advised is not None and len(plan.axes) == 2:
        yield from _wrapped("next: --verify --images DIR runs tiles beside the whole picture", options)


def _sizes(plan: TilePlan, options: RenderOptions) -> Iterator[str]:
    arrow = "◀" if options.unicode else "<"
    rows = [(*HEADINGS[:4], "")]
    rows += [
        (cells.tile, cells.step, f"{cells.work} x", cells.memory, arrow if cells.advised else "")
        for cells in table(plan)
    ]
    yield from _grid(rows, options)


def _seams(seams: Seams, options: RenderOptions) -> Iterator[str]:
    dot = " · " if options.unicode else " - "
    yield from _wrapped(f"measured: {dot.join(seam_facts(seams))}", options)
    for line in seam_lines(seams):
        yield from _wrapped(f"  {line}", options)
    yield from _wrapped(f"{seam_sentence(seams)}.", options)
    for note in seams.notes:
        yield from _wrapped(f"note: {plain(note, None)}", options)


def _grid(rows: Sequence[Sequence[str]], options: RenderOptions) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for index, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield _styled(f"  {'  '.join(cells)}".rstrip(), _DIM if index == 0 else "", options)


def _wrapped(words: str, options: RenderOptions, style: str = "") -> Iterator[str]:
    width = None if options.width is None else min(options.width, _WIDEST_TEXT)
    deeper = "  " * (1 + words.startswith("  "))
    text = words.strip()
    folded = (
        [f"{deeper}{text}"]
        if width is None
        else textwrap.wrap(text, width - 1, initial_indent=deeper, subsequent_indent=deeper, break_on_hyphens=False)
    )
    yield from (_styled(part, style, options) for part in folded)


def _styled(line: str, style: str, options: RenderOptions) -> str:
    return f"{style}{line}{_END}" if options.colour and style else line
