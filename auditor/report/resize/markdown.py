"""The comparison of kernels as Markdown, for a comment or a job summary."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.facts.resizing import ResizeReport
from auditor.report import RenderOptions
from auditor.report.markdown_page import BLANK, MarkdownPage
from auditor.report.words.resizing import KernelCells, decimal, explanation, facts, headings, legend, sentence, table
from auditor.resizing.result import ChangedPicture, ResizeComparison
from auditor.text import markdown_code, markdown_words, plain

_NAME = 120
_COLUMNS = ("agreement", "change", "stability", "change_1px", "boxes", "alias", "cost", "pictures")


def render(report: ResizeReport, options: RenderOptions) -> str:
    """The report as lines, at most ``options.max_bytes`` bytes of UTF-8 in all."""
    page = MarkdownPage(options.max_bytes)
    page.add(f"### Resize in front of {markdown_code(report.path, _NAME)}", BLANK)
    if report.comparison is not None:
        _comparison(page, report.comparison)
    for finding in report.findings:
        rule = markdown_words(f"{finding.severity.value} {finding.rule} {finding.name}")
        page.add(f"- **{rule}**: {markdown_words(finding.message)} {markdown_words(finding.advice)}".rstrip())
    page.rows(f"- accepted: {one.finding.rule} {markdown_words(plain(one.reason))}".rstrip() for one in report.accepted)
    page.rows(f"> {markdown_words(one.message)}" for one in report.problems)
    return page.text()


def _comparison(page: MarkdownPage, found: ResizeComparison) -> None:
    page.add(f"**{markdown_words(sentence(found))}.**", BLANK)
    for words in (explanation(found), f"incomplete: {found.incomplete}" if found.incomplete else ""):
        if words:
            page.add(markdown_words(words), BLANK)
    page.add(f"{markdown_words('; '.join(facts(found)))}.", BLANK)
    names, rows = headings(found), table(found)
    columns = [column for column in _COLUMNS if any(getattr(row, column) not in ("", "-") for row in rows)]
    page.add(
        _row(["kernel", *(markdown_words(names[column]) for column in columns)]),
        _row([":--", *("--:" for _ in columns)]),
    )
    page.rows(_row([_kernel(row), *(markdown_words(getattr(row, column)) for column in columns)]) for row in rows)
    page.add(BLANK)
    page.rows(
        f"- {line.library}{' (yours)' if line.deployed else ''}: {markdown_code(line.code)}" for line in found.code
    )
    if found.changed:
        _changed(page, found.changed)
    page.add(BLANK)
    page.rows(f"- {markdown_words(plain(words, None))}" for words in (*legend(found), *found.notes))


def _changed(page: MarkdownPage, pictures: Sequence[ChangedPicture]) -> None:
    page.unfold("Answers that change most")
    page.add(
        _row(["picture", *(seen.kernel for seen in pictures[0].inputs)]),
        _row([":--", *(":--" for _ in pictures[0].inputs)]),
    )
    for picture in pictures:
        answers = (_answer(seen.answer, seen.score) for seen in picture.inputs)
        page.add(_row([markdown_code(picture.name, _NAME), *answers]))
    page.fold()


def _kernel(row: KernelCells) -> str:
    name = markdown_code(row.kernel)
    return f"**{name} (yours)**" if row.deployed else name


def _answer(words: str, score: float | None) -> str:
    return markdown_words(words if score is None else f"{words}, {decimal(score)}")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
