"""The report as GitHub-flavoured Markdown, for a job summary or a comment on a pull request.

What a reviewer needs stands first: the headline and one row per model. Findings and sites are folded. Names of a model
stand in code spans inside one line, where nothing acts. The report ends on a whole line below a number of bytes: GitHub
drops what is longer altogether.
"""

from __future__ import annotations

from collections import Counter

from auditor.facts.report import ModelReport, Report
from auditor.report import RenderOptions
from auditor.report.formats.markdown_compared import compared_headline, compared_part
from auditor.report.formats.markdown_parts import (
    CLEAN,
    NAME,
    SIGNS,
    findings_part,
    measurement_part,
    row,
    sites_part,
    targets_part,
)
from auditor.report.markdown_page import BLANK, MarkdownPage
from auditor.report.words.grid import subsampling
from auditor.report.words.numbers import factor_text, percent_text
from auditor.report.words.sheet import ACCEPTED_WORDS, chosen_size
from auditor.sampling.result import worst_alias
from auditor.text import count_text, markdown_code, markdown_words, markup

# By this a later run finds the comment that it edits.
MARKER = "<!-- aliasaudit -->"


def render(report: Report, options: RenderOptions) -> str:
    """The report as lines, at most ``options.max_bytes`` bytes of UTF-8 in all."""
    page = MarkdownPage(options.max_bytes)
    compared = any(model.comparison is not None for model in report.models)
    headline = compared_headline(report, options.fail_on) if compared else _headline(report)
    page.add(MARKER, f"### {headline}")
    if report.problems:
        page.add(BLANK)
        page.rows(f"- **incomplete** {_where(one.path)}{markdown_words(one.message)}" for one in report.problems)
    if report.remarks:
        page.add(BLANK)
        page.rows(f"- {markdown_words(remark)}" for remark in report.remarks)
    if compared:
        compared_part(page, report, options.fail_on)
    else:
        _audited(page, report)
    return page.text()


def _audited(page: MarkdownPage, report: Report) -> None:
    """A row per model, then the folded rest."""
    if report.models:
        page.add(
            BLANK,
            "| model | subsampling | sites without anti-aliasing | worst alias energy | errors | warnings | notes |",
            "| :-- | --: | --: | --: | --: | --: | --: |",
        )
        page.rows(_overview(model) for model in report.models)
    for model in report.models:
        _model(page, model)


def _headline(report: Report) -> str:
    counts = {severity: count for severity, count in report.by_severity().items() if count}
    sign = "❌" if report.problems else SIGNS[next(iter(counts))] if counts else CLEAN
    found = ", ".join(count_text(count, severity.value) for severity, count in counts.items()) or "no findings"
    models = count_text(len(report.models), "model")
    if not report.models:
        return f"{sign} aliasaudit: no model was audited{'; the audit is incomplete' if report.problems else ''}"
    new = "new: " if counts and any(model.baselined for model in report.models) else ""
    accepted = Counter(one.by for model in report.models for one in model.accepted)
    others = [f"{accepted[by]} {word}" for by, word in ACCEPTED_WORDS.items() if accepted[by]]
    known = f" ({', '.join(others)})" if others else ""
    if report.problems and not counts:
        models = f"the {models} that could be audited"
    incomplete = "; the audit is incomplete" if report.problems else ""
    return f"{sign} aliasaudit: {new}{found} in {models}{known}{incomplete}"


def _where(path: str) -> str:
    return f"{markdown_code(path, NAME)}: " if path else ""


def _overview(model: ModelReport) -> str:
    sites = model.analysis.sites
    worst = worst_alias(sites)
    energy = "-" if worst is None else f"{percent_text(worst.value)} {'expected' if worst.expected else 'flat'}"
    counts = [sum(finding.severity is severity for finding in model.findings) for severity in SIGNS]
    cells = [
        markdown_code(model.path, NAME),
        "-" if model.analysis.subsampling is None else factor_text(model.analysis.subsampling),
        f"{sum(site.unprotected for site in sites)} of {len(sites)}",
        energy,
        *map(str, counts),
    ]
    return row(cells)


def _model(page: MarkdownPage, model: ModelReport) -> None:
    findings, sites = model.findings, model.analysis.sites
    counted = f"{count_text(len(findings), 'finding')}, {count_text(len(sites), 'sampling site')}"
    page.unfold(f"<code>{markup(model.path, NAME)}</code>: {counted}")
    page.add(markdown_words(subsampling(model)))
    page.rows(markdown_words(f"Size of the input: {chosen_size(item)}.") for item in model.inputs if item.assumed)
    targets_part(page, model)
    if model.verification is not None:
        measurement_part(page, model.verification)
    findings_part(page, findings)
    sites_part(page, model)
    page.fold()
