"""The report as GitHub-flavoured Markdown, for a job summary or a comment on a pull request.

What a reviewer needs stands first: the headline and one row per model. Findings and sites are folded. Names of a model
stand in code spans inside one line, where nothing acts. The report ends on a whole line below a number of bytes: GitHub
drops what is longer altogether.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from auditor.facts.comparison import Comparison
from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport, Report
from auditor.report import RenderOptions
from auditor.report.markdown_page import BLANK, MarkdownPage
from auditor.report.words.changes import MeasuredRow, measured_rows, output_rows, sentences, undecided
from auditor.report.words.numbers import axes_text, factor_text, percent_text
from auditor.report.words.place import node_name, node_op, origin_text, rule_title
from auditor.report.words.sheet import ACCEPTED_WORDS, alias_text, alias_words, subsampling
from auditor.sampling.result import Site, worst_alias
from auditor.text import count_text, markdown_code, markdown_words, markup

if TYPE_CHECKING:
    from auditor.verify.layers.alias import AliasMeasurement
    from auditor.verify.result import Verification
    from auditor.verify.time.result import TimeResult

# By this a later run finds the comment that it edits.
MARKER = "<!-- aliasaudit -->"

_NAME = 120
_SIGNS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.NOTE: "💬"}
_CLEAN = "✅"
_VERDICTS = {"fail": "❌ fail", "inconclusive": "⚠️ undecided", "pass": "✅ pass"}


def render(report: Report, options: RenderOptions) -> str:
    """The report as lines, at most ``options.max_bytes`` bytes of UTF-8 in all."""
    page = MarkdownPage(options.max_bytes)
    page.add(MARKER, f"### {_headline(report)}")
    if report.problems:
        page.add(BLANK)
        page.rows(f"- **incomplete** {_where(one.path)}{markdown_words(one.message)}" for one in report.problems)
    if report.remarks:
        page.add(BLANK)
        page.rows(f"- {markdown_words(remark)}" for remark in report.remarks)
    if report.models:
        page.add(
            BLANK,
            "| model | subsampling | sites without anti-aliasing | worst alias energy | errors | warnings | notes |",
            "| :-- | --: | --: | --: | --: | --: | --: |",
        )
        page.rows(_overview(model) for model in report.models)
    for model in report.models:
        if model.comparison is not None:
            _compared(page, model, model.comparison, len(report.models) > 1)
    for model in report.models:
        _model(page, model)
    return page.text()


def _headline(report: Report) -> str:
    counts = {severity: count for severity, count in report.by_severity().items() if count}
    sign = "❌" if report.problems else _SIGNS[next(iter(counts))] if counts else _CLEAN
    found = ", ".join(count_text(count, severity.value) for severity, count in counts.items()) or "no findings"
    models = count_text(len(report.models), "model")
    if not report.models:
        return f"{sign} aliasaudit: no model was audited{'; the audit is incomplete' if report.problems else ''}"
    new = "new: " if counts and any(model.baselined for model in report.models) else ""
    accepted = Counter(one.by for model in report.models for one in model.accepted)
    others = [f"{accepted[by]} {word}" for by, word in ACCEPTED_WORDS.items() if accepted[by]]
    known = f" ({', '.join(others)})" if others else ""
    open_verdicts = sum(undecided(model.comparison) for model in report.models)
    known += f"; {count_text(open_verdicts, 'comparison')} undecided" if open_verdicts else ""
    if report.problems and not counts:
        models = f"the {models} that could be audited"
    incomplete = "; the audit is incomplete" if report.problems else ""
    return f"{sign} aliasaudit: {new}{found} in {models}{known}{incomplete}"


def _where(path: str) -> str:
    return f"{markdown_code(path, _NAME)}: " if path else ""


def _overview(model: ModelReport) -> str:
    sites = model.analysis.sites
    worst = worst_alias(sites)
    energy = "-" if worst is None else f"{percent_text(worst.value)} {'expected' if worst.expected else 'flat'}"
    counts = [sum(finding.severity is severity for finding in model.findings) for severity in _SIGNS]
    cells = [
        markdown_code(model.path, _NAME),
        "-" if model.analysis.subsampling is None else factor_text(model.analysis.subsampling),
        f"{sum(site.unprotected for site in sites)} of {len(sites)}",
        energy,
        *map(str, counts),
    ]
    return _row(cells)


def _model(page: MarkdownPage, model: ModelReport) -> None:
    findings, sites = model.findings, model.analysis.sites
    counted = f"{count_text(len(findings), 'finding')}, {count_text(len(sites), 'sampling site')}"
    page.unfold(f"<code>{markup(model.path, _NAME)}</code>: {counted}")
    page.add(markdown_words(subsampling(model)))
    if model.verification is not None:
        page.add(BLANK, _measurement(model.verification), BLANK)
        page.add("| output | measure | value | interval | rests on |", "| :-- | :-- | --: | :-- | --: |")
        page.rows(_measures(model.verification))
        _margins(page, model.verification)
        if model.verification.time is not None:
            _over_time(page, model.verification.time)
    if findings:
        page.add(BLANK, "| | rule | where | what |", "| :-- | :-- | :-- | :-- |")
        page.rows(_finding(finding) for finding in findings)
        page.add(BLANK)
        page.rows(_advice(findings))
    if sites:
        page.add(
            BLANK,
            f"| # | site | op | factor | total | flat | expected |{' measured |' if model.alias else ''} verdict |",
            f"| --: | :-- | :-- | --: | --: | --: | --: |{' --: |' if model.alias else ''} :-- |",
        )
        page.rows(_site(index, site, model.alias) for index, site in enumerate(sites, 1))
        words = "; ".join(alias_words(model.alias))
        if words:
            page.add(BLANK, markdown_words(words))
    page.fold()


def _finding(finding: Finding) -> str:
    title, message = markdown_words(rule_title(finding)), markdown_words(finding.message)
    return _row([_SIGNS[finding.severity], title, _place(finding), message])


def _place(finding: Finding) -> str:
    node = finding.node
    if node is None:
        return ""
    origin = origin_text(node.origin)
    where = f"{markdown_code(node_name(node), _NAME)} {markdown_code(node_op(node))}"
    return f"{where} from {markdown_code(origin, _NAME)}" if origin else where


def _advice(findings: Sequence[Finding]) -> Iterator[str]:
    """What to do, once for each rule and wording."""
    for (title, advice), _ in groupby(findings, key=lambda finding: (rule_title(finding), finding.advice)):
        if advice:
            yield f"- **{markdown_words(title)}** {markdown_words(advice)}"


def _site(index: int, site: Site, measured: AliasMeasurement | None) -> str:
    flat, expected = (None, None) if site.alias is None else (site.alias.flat, site.alias.expected)
    cells = [
        str(index),
        markdown_code(node_name(site.node), _NAME),
        markdown_code(node_op(site.node)),
        axes_text(site.factor),
        axes_text(site.cumulative),
        percent_text(flat) or "-",
        percent_text(expected) or "-",
        *(() if measured is None else (alias_text(measured, index) or "-",)),
        site.verdict.value,
    ]
    return _row(cells)


def _compared(page: MarkdownPage, model: ModelReport, found: Comparison, several: bool) -> None:
    """What a reviewer of a changed model looks for, not folded."""
    subject = f"{markdown_code(model.path, _NAME)} against" if several else "Against"
    page.add(BLANK, f"{subject} {markdown_code(found.base, _NAME)}: **{markdown_words('; '.join(sentences(found)))}**")
    page.rows(["", *(f"- {markdown_words(remark)}" for remark in found.remarks)] if found.remarks else ())
    if found.measured:
        page.add(
            BLANK,
            "| | measure | output | base | new | difference | interval | because |",
            "| :-- | :-- | :-- | --: | --: | --: | :-- | :-- |",
        )
        page.rows(_measured_change(row) for row in measured_rows(found))
    outputs = list(output_rows(found))
    if outputs:
        page.add(BLANK, "| output | cumulative factor before | after |", "| :-- | --: | --: |")
        page.rows(_row([markdown_code(name, _NAME), before, after]) for name, before, after in outputs)
    changed = [("added", one) for one in found.added] + [("worse", one.after) for one in found.kept if one.worse]
    changed += [("fixed", one) for one in found.fixed]
    if changed:
        page.add(BLANK, "| | finding | where |", "| :-- | :-- | :-- |")
        page.rows(_row([word, markdown_words(rule_title(one)), _place(one)]) for word, one in changed)


def _measured_change(row: MeasuredRow) -> str:
    cells = [_VERDICTS.get(row.verdict, ""), markdown_words(row.measure), markdown_code(row.output, _NAME)]
    because = "; ".join(filter(None, (row.detail, *row.notes)))
    return _row([*cells, row.base, row.new, row.difference, row.interval or "-", markdown_words(because)])


def _measurement(found: Verification) -> str:
    """What the numbers were measured with, in one line."""
    data, shifts = found.data, found.shifts
    facts = [
        f"Measured on {count_text(len(data.used), 'image')} ({data.kind.value})",
        f"protocol {shifts.protocol.value} with {shifts.reach}",
        *([shifts.counted] if shifts.counted else []),
        found.preprocessing_words,
        f"{found.provider.used}, {found.provider.software}",
    ]
    return f"{markdown_words('; '.join(facts))}."


def _measures(found: Verification) -> Iterator[str]:
    from auditor.report.words.measured import images_words, number

    for output in found.outputs:
        for measure in output.measures:
            span = measure.interval
            ends = f"{number(span.low, measure.unit)} to {number(span.high, measure.unit)}" if span is not None else "-"
            name = markdown_words(measure.title)
            yield _row(
                [
                    markdown_code(output.output, _NAME),
                    name,
                    number(measure.value, measure.unit),
                    ends,
                    images_words(measure),
                ]
            )


def _margins(page: MarkdownPage, found: Verification) -> None:
    from auditor.report.words.margins import margin_line

    for output in found.outputs:
        if output.margin is not None:
            page.add(BLANK, f"Margin: {markdown_words(margin_line(output.margin))}.")


def _over_time(page: MarkdownPage, found: TimeResult) -> None:
    from auditor.report.words.over_time import HEAD, sentences, summary, time_rows

    page.add(BLANK, f"{markdown_words(summary(found))}.", BLANK)
    page.add(_row(HEAD), "| :-- | :-- | :-- | --: | :-- |")
    page.rows(_row([markdown_words(cell) for cell in row]) for row in time_rows(found))
    page.add(BLANK)
    page.rows(f"- {markdown_words(sentence)}" for sentence in sentences(found))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
