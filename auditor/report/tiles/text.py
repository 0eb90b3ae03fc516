"""The plan of tiles as lines: for a terminal, and for logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.facts.tiling import TilesReport
from auditor.report import RenderOptions
from auditor.report.lines import BOLD, DIM, GREEN, YELLOW, styled, wrapped
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

_MOST_REASONS = 6


def render(report: TilesReport, options: RenderOptions) -> str:
    """The report, fitted to ``options.width`` columns; without one nothing is wrapped."""
    lines = [f"problem {one.code}: {plain(report.path)}: {one.message}" for one in report.problems]
    if report.plan is not None:
        lines += ["", *_plan(report.plan, options)] if lines else _plan(report.plan, options)
    return "\n".join(lines) + "\n"


def _plan(plan: TilePlan, options: RenderOptions) -> Iterator[str]:
    if not options.quiet:
        yield styled(plain(plan.model), BOLD, options)
    for line in facts(plan):
        yield from wrapped(line, options)
    yield from wrapped(f"{sentence(plan)}.", options, GREEN if plan.exact else YELLOW)
    causes = reasons(plan)
    for cause in causes[:_MOST_REASONS]:
        yield from wrapped(f"  {cause}", options)
    if len(causes) > _MOST_REASONS:
        yield f"    and {len(causes) - _MOST_REASONS} more (--output-format json has all)"
    if plan.tiles:
        yield ""
        yield from _sizes(plan, options)
    if no_tile(plan):
        yield from wrapped(f"{no_tile(plan)}.", options, YELLOW)
    if plan.seams is not None:
        yield ""
        yield from _seams(plan.seams, options)
    if not options.quiet:
        yield from _how(plan, options)


def _how(plan: TilePlan, options: RenderOptions) -> Iterator[str]:
    """How to cut, the maps, the lines for tools, and the notes."""
    if plan.advised is not None:
        yield ""
        yield from wrapped(f"{cutting(plan)}.", options)
    shown = maps(plan)
    if len(shown) > 1 or not plan.separable:
        yield ""
        yield from _grid([MAP_HEADINGS, *shown], options)
    if plan.lines:
        yield ""
    for tool in plan.lines:
        yield f"  {tool.tool}: {tool.code}"
        yield from wrapped(f"  {tool.remark}", options, DIM)
    yield ""
    for words in LEGEND if plan.tiles else ():
        yield from wrapped(words, options, DIM)
    for note in plan.notes:
        yield from wrapped(f"note: {note}", options)
    if plan.seams is None and plan.advised is not None and len(plan.axes) == 2:
        yield from wrapped("next: --verify --images DIR runs tiles beside the whole picture", options)


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
    yield from wrapped(f"measured: {dot.join(seam_facts(seams))}", options)
    for line in seam_lines(seams):
        yield from wrapped(f"  {line}", options)
    yield from wrapped(f"{seam_sentence(seams)}.", options)
    for note in seams.notes:
        yield from wrapped(f"note: {plain(note, None)}", options)


def _grid(rows: Sequence[Sequence[str]], options: RenderOptions) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for index, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield styled(f"  {'  '.join(cells)}".rstrip(), DIM if index == 0 else "", options)
