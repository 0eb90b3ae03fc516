"""A comparison as a comment on a pull request: the verdict in the heading, three numbers, the changed sites.

Everything else is folded: what to do, what was fixed, all sites, and how the numbers were measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from auditor.facts.comparison import Comparison, ComparisonVerdict
from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport, Report
from auditor.report.formats.markdown_parts import (
    CLEAN,
    NAME,
    SIGNS,
    findings_part,
    measurement_part,
    node_words,
    place,
    row,
    rule_words,
    sites_part,
    targets_part,
)
from auditor.report.markdown_page import BLANK, MarkdownPage
from auditor.report.words.changes import MeasuredRow, leading_rows, moved_outputs, output_rows
from auditor.report.words.compared_verdict import reason
from auditor.report.words.grid import subsampling
from auditor.report.words.place import node_name
from auditor.report.words.site_changes import SiteChange, site_changes, sites_summary
from auditor.text import count_text, markdown_code, markdown_words

_OF_ONE = {
    ComparisonVerdict.WORSE: " got worse",
    ComparisonVerdict.MINIMUM_NOT_HELD: " does not hold the minimum",
    ComparisonVerdict.UNDECIDED: ": undecided",
    ComparisonVerdict.NO_DIFFERENCE_FOUND: ": no difference found",
    ComparisonVerdict.BETTER: " got better",
    ComparisonVerdict.SAME_MODEL: ": the same model",
}
_OF_MANY = {
    ComparisonVerdict.WORSE: "worse",
    ComparisonVerdict.MINIMUM_NOT_HELD: "below the minimum",
    ComparisonVerdict.UNDECIDED: "undecided",
    ComparisonVerdict.BETTER: "better",
    ComparisonVerdict.NO_DIFFERENCE_FOUND: "without a difference",
    ComparisonVerdict.SAME_MODEL: "unchanged",
}
_DOUBTFUL = {ComparisonVerdict.WORSE, ComparisonVerdict.MINIMUM_NOT_HELD, ComparisonVerdict.UNDECIDED}
_QUIET = {ComparisonVerdict.NO_DIFFERENCE_FOUND, ComparisonVerdict.SAME_MODEL}
_VERDICTS = {"fail": "❌ ", "inconclusive": "⚠️ ", "pass": ""}
_MARKS = {True: "✅ ", False: "❌ ", None: ""}


def compared_headline(report: Report, fail_on: Severity | None) -> str:
    """What became of all models, in one line."""
    failing = any(_fails(model, fail_on) for model in report.models)
    verdicts = [model.comparison.headline for model in report.models if model.comparison is not None]
    sign = SIGNS[Severity.ERROR] if report.problems or failing else CLEAN
    if sign == CLEAN and (_DOUBTFUL.intersection(verdicts) or len(verdicts) < len(report.models)):
        sign = SIGNS[Severity.WARNING]
    end = "; the comparison is incomplete" if report.problems else ""
    if len(report.models) == 1:
        return f"{sign} aliasaudit: {_title(report.models[0], fail_on)}{end}"
    counts = Counter(verdicts)
    words = [f"{counts[verdict]} {word}" for verdict, word in _OF_MANY.items() if counts[verdict]]
    new = len(report.models) - len(verdicts)
    words += [f"{new} new"] if new else []
    return f"{sign} aliasaudit: of {len(report.models)} models {', '.join(words)}{end}"


def compared_part(page: MarkdownPage, report: Report, fail_on: Severity | None) -> None:
    """Each model: what a reviewer looks for, then the folded rest."""
    several = len(report.models) > 1
    if several:
        page.add(BLANK, "| | model | verdict | errors | warnings | notes |", "| :-- | :-- | :-- | --: | --: | --: |")
        page.rows(_overview(model, fail_on) for model in report.models)
    for model in report.models:
        found = model.comparison
        if several and (found is None or found.headline not in _QUIET or model.findings):
            page.add(BLANK, f"#### {_title(model, fail_on)}")
        if found is None:
            _new(page, model)
        elif not several or found.headline not in _QUIET or model.findings:
            _model(page, model, found, _fails(model, fail_on))
    page.add(BLANK, f"<sub>aliasaudit {markdown_words(report.version)}</sub>")


def _title(model: ModelReport, fail_on: Severity | None) -> str:
    name = markdown_code(model.path, NAME)
    counts = Counter(finding.severity for finding in model.findings)
    words = ", ".join(count_text(counts[severity], severity.value) for severity in SIGNS if counts[severity])
    if model.comparison is None:
        return f"{name} is new: {words or 'no findings'}"
    verdict = model.comparison.headline
    blocked = _fails(model, fail_on) and verdict not in (ComparisonVerdict.WORSE, ComparisonVerdict.MINIMUM_NOT_HELD)
    return f"{name}{_OF_ONE[verdict]}{f', but {words}' if blocked else ''}"


def _fails(model: ModelReport, fail_on: Severity | None) -> bool:
    return fail_on is not None and any(one.severity.rank >= fail_on.rank for one in model.findings)


def _overview(model: ModelReport, fail_on: Severity | None) -> str:
    verdict = None if model.comparison is None else model.comparison.headline
    sign = (
        SIGNS[Severity.ERROR] if _fails(model, fail_on) else SIGNS[Severity.WARNING] if verdict in _DOUBTFUL else CLEAN
    )
    counts = [str(sum(finding.severity is severity for finding in model.findings)) for severity in SIGNS]
    return row([sign, markdown_code(model.path, NAME), "new" if verdict is None else _OF_MANY[verdict], *counts])


def _new(page: MarkdownPage, model: ModelReport) -> None:
    """A model without a base is audited."""
    page.add(BLANK, markdown_words(subsampling(model)))
    targets_part(page, model)
    findings_part(page, model.findings)
    if model.analysis.sites:
        page.unfold(f"All sampling sites ({len(model.analysis.sites)})")
        sites_part(page, model)
        page.fold()
    if model.verification is not None:
        page.unfold("How it was measured")
        measurement_part(page, model.verification)
        page.fold()


def _model(page: MarkdownPage, model: ModelReport, found: Comparison, fails: bool) -> None:
    why = reason(found)
    page.add(BLANK, f"{markdown_words(why[:1].upper() + why[1:])}.")
    leading, others = leading_rows(found)
    _numbers(page, found, leading)
    changes = site_changes(found)
    if changes:
        page.add(BLANK, "| | sampling site | base | new |", "| :-- | :-- | :-- | :-- |")
        page.rows(map(_site_change, changes))
    page.add(BLANK, _summary(model, found))
    page.rows(["", *(f"- {markdown_words(remark)}" for remark in found.notes)] if found.notes else ())
    _outputs(page, found)
    if model.findings:
        undecided = found.headline is ComparisonVerdict.UNDECIDED and not fails
        page.unfold("What would decide it" if undecided else "What to do", is_open=fails)
        findings_part(page, model.findings)
        page.fold()
    if found.fixed:
        page.unfold(f"{count_text(len(found.fixed), 'finding')} fixed")
        page.rows(f"- {rule_words(one)}{f' at {place(one)}' if one.node is not None else ''}" for one in found.fixed)
        page.fold()
    if model.analysis.sites:
        page.unfold(f"All sampling sites ({len(model.analysis.sites)})")
        page.add(markdown_words(subsampling(model)))
        targets_part(page, model)
        sites_part(page, model)
        page.fold()
    if model.verification is not None:
        page.unfold("How it was measured")
        _why(page, [*leading, *others])
        _numbers(page, found, others)
        measurement_part(page, model.verification)
        page.fold()


def _numbers(page: MarkdownPage, found: Comparison, rows: Sequence[MeasuredRow]) -> None:
    if not rows:
        return
    images = count_text(max(change.images for change in found.measured), "image")
    several = len({change.output for change in found.measured}) > 1
    interval = f"{100 * found.interval_confidence:.4g} % interval"
    page.add(BLANK, f"| on {images} | base | new | difference | {interval} |", "| :-- | --: | --: | --: | --: |")
    page.rows(_number(cells, several) for cells in rows)


def _number(cells: MeasuredRow, several: bool) -> str:
    output = f" of {markdown_code(cells.output, NAME)}" if several else ""
    name = f"{_VERDICTS.get(cells.verdict, '')}{markdown_words(cells.measure)}{output}"
    return row(
        [
            name,
            cells.base,
            cells.new if cells.new == "-" else f"**{cells.new}**",
            cells.difference,
            cells.interval or "-",
        ]
    )


def _why(page: MarkdownPage, rows: Sequence[MeasuredRow]) -> None:
    """What each verdict rests on."""
    lines = [(one.measure, words) for one in rows for words in (one.detail, *one.notes) if words]
    page.rows(f"- {markdown_words(f'{measure}: {words}')}" for measure, words in lines)


def _site_change(change: SiteChange) -> str:
    was = (
        ""
        if change.was is None or node_name(change.was) == node_name(change.node)
        else f", before {node_words(change.was)}"
    )
    form = f" {markdown_words(change.form)}" if change.form else ""
    name = f"{markdown_code(node_name(change.node), NAME)}{form}{was}"
    new = markdown_words(change.new)
    cells = [markdown_words(change.base), new if new == "-" else f"**{new}**"]
    return row([f"{_MARKS[change.better]}{change.word}", name, *cells])


def _summary(model: ModelReport, found: Comparison) -> str:
    """What is as it was and what is not, in one line."""
    facts = [markdown_words(words) for words in (*sites_summary(found), *moved_outputs(found))]
    counting = model.findings
    named = [_short(finding) for finding in counting[:_NAMED]]
    named += [f"{len(counting) - _NAMED} more"] if len(counting) > _NAMED else []
    if named:
        facts.append(f"{count_text(len(counting), 'finding counts', 'findings count')}: {', '.join(named)}")
    if found.by_graphs:
        facts.append(markdown_words(found.by_graphs))
    return f"Compared with {markdown_code(found.base, NAME)}: {' · '.join(facts)}."


_NAMED = 3


def _short(finding: Finding) -> str:
    """Code and node of a finding."""
    where = "" if finding.node is None else f" at {markdown_code(node_name(finding.node), NAME)}"
    return f"{rule_words(finding, code_only=True)}{where}"


def _outputs(page: MarkdownPage, found: Comparison) -> None:
    outputs = list(output_rows(found))
    if outputs:
        page.add(BLANK, "| output | cumulative factor before | after |", "| :-- | --: | --: |")
        page.rows(row([markdown_code(name, NAME), before, after]) for name, before, after in outputs)
