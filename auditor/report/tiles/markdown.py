"""The plan of tiles as Markdown, for a comment or a job summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.facts.tiling import TilesReport
from auditor.report import RenderOptions
from auditor.report.markdown_page import BLANK, MarkdownPage
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
from auditor.text import markdown_code, markdown_words, plain
from auditor.tiling.result import TilePlan

_NAME = 120


def render(report: TilesReport, options: RenderOptions) -> str:
    """The report as lines, at most ``options.max_bytes`` bytes of UTF-8 in all."""
    page = MarkdownPage(options.max_bytes)
    page.add(f"### Tiles for {markdown_code(report.path, _NAME)}", BLANK)
    page.rows(f"> {markdown_words(one.message)}" for one in report.problems)
    if report.plan is not None:
        if report.problems:
            page.add(BLANK)
        _plan(page, report.plan)
    return page.text()


def _plan(page: MarkdownPage, plan: TilePlan) -> None:
    page.add(f"**{markdown_words(sentence(plan))}.**", BLANK)
    page.rows(f"- {markdown_words(line)}" for line in (*facts(plan), *reasons(plan)))
    page.add(BLANK)
    if plan.tiles:
        rows = [(cells.tile, cells.step, f"{cells.work} x", cells.memory) for cells in table(plan)]
        marked = [
            tuple(f"**{cell}**" if cells.advised else cell for cell in row)
            for row, cells in zip(rows, table(plan), strict=True)
        ]
        _table(page, HEADINGS[:4], marked)
    for words in (no_tile(plan), cutting(plan)):
        if words:
            page.add(markdown_words(f"{words}."), BLANK)
    if plan.seams is not None:
        page.add(f"{markdown_words(seam_sentence(plan.seams))}.", BLANK)
        page.rows(f"- {markdown_words(line)}" for line in seam_lines(plan.seams))
        page.add(BLANK, f"{markdown_words('; '.join(seam_facts(plan.seams)))}.", BLANK)
    shown = maps(plan)
    if len(shown) > 1 or not plan.separable:
        _table(page, MAP_HEADINGS, [(markdown_code(cells.name, _NAME), *cells[1:]) for cells in shown])
    for line in plan.lines:
        page.add(f"- {line.tool}: {markdown_code(line.code, None)} ({markdown_words(line.remark)})")
    page.add(BLANK)
    more = plan.seams.notes if plan.seams is not None else ()
    page.rows(
        f"- {markdown_words(plain(words, None))}" for words in (*(LEGEND if plan.tiles else ()), *plan.notes, *more)
    )


def _table(page: MarkdownPage, head: Sequence[object], rows: Iterable[Sequence[str]]) -> None:
    page.add(
        f"| {' | '.join(map(str, head))} |",
        f"| {' | '.join('--:' if place else ':--' for place in range(len(head)))} |",
    )
    page.rows(f"| {' | '.join(row)} |" for row in rows)
    page.add(BLANK)
