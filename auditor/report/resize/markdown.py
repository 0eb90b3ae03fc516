"""The comparison of kernels as Markdown, for a comment or a job summary."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.resizing import ResizeReport
from auditor.report import RenderOptions
from auditor.report.words.resizing import KernelCells, decimal, explanation, facts, headings, legend, sentence, table
from auditor.resizing.result import ResizeComparison
from auditor.text import markdown_code, markdown_words, plain

_NAME = 120
_COLUMNS = ("agreement", "change", "stability", "change_1px", "boxes", "alias", "cost", "pictures")


def render(report: ResizeReport, options: RenderOptions) -> str:
    """The report as Markdown of at most ``options.max_bytes``: what does not fit is left out, and said to be."""
    lines = [f"### Resize in front of {markdown_code(report.path, _NAME)}", ""]
    if report.comparison is not None:
        lines += _comparison(report.comparison)
    for finding in report.findings:
        rule = markdown_words(f"{finding.severity.value} {finding.rule} {finding.name}")
        lines += [f"- **{rule}**: {markdown_words(finding.message)} {markdown_words(finding.advice)}".rstrip()]
    lines += [f"- accepted: {one.finding.rule} {markdown_words(plain(one.reason))}".rstrip() for one in report.accepted]
    lines += [f"> {markdown_words(one.message)}" for one in report.problems]
    return _bounded(lines, options.max_bytes)


def _comparison(found: ResizeComparison) -> Iterator[str]:
    yield f"**{markdown_words(sentence(found))}.**"
    yield ""
    for words in (explanation(found), f"incomplete: {found.incomplete}" if found.incomplete else ""):
        if words:
            yield from (markdown_words(words), "")
    yield f"{markdown_words('; '.join(facts(found)))}."
    yield ""
    names, rows = headings(found), table(found)
    columns = [column for column in _COLUMNS if any(getattr(row, column) not in ("", "-") for row in rows)]
    yield _row(["kernel", *(markdown_words(names[column]) for column in columns)])
    yield _row([":--", *("--:" for _ in columns)])
    yield from (_row([_kernel(row), *(markdown_words(getattr(row, column)) for column in columns)]) for row in rows)
    yield ""
    yield from (
        f"- {line.library}{' (yours)' if line.deployed else ''}: {markdown_code(line.code)}" for line in found.code
    )
    if found.changed:
        yield from ("", "<details><summary>Answers that change most</summary>", "")
        yield _row(["picture", *(seen.kernel for seen in found.changed[0].inputs)])
        yield _row([":--", *(":--" for _ in found.changed[0].inputs)])
        for picture in found.changed:
            yield _row(
                [markdown_code(picture.name, _NAME), *(_answer(seen.answer, seen.score) for seen in picture.inputs)]
            )
        yield from ("", "</details>")
    yield ""
    yield from (f"- {markdown_words(plain(words, None))}" for words in (*legend(found), *found.notes))


def _kernel(row: KernelCells) -> str:
    name = markdown_code(row.kernel)
    return f"**{name} (yours)**" if row.deployed else name


def _answer(words: str, score: float | None) -> str:
    return markdown_words(words if score is None else f"{words}, {decimal(score)}")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bounded(lines: list[str], most: int) -> str:
    text = "\n".join(lines) + "\n"
    if len(text.encode()) <= most:
        return text
    cut = "\n(the rest was cut to fit)\n"
    kept = text.encode()[: most - len(cut.encode())].decode(errors="ignore")
    return kept.rpartition("\n")[0] + cut
