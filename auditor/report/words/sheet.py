"""What the text report says, before anything is laid out: safe strings in rows and blocks.

This is where model text is opened for people. The layouts (:mod:`plain_text`, :mod:`terminal`) see only what
:func:`auditor.text.plain` made of it, and must begin every line with words of the tool's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import Accepted, AcceptedBy, InputReport, ModelReport, ProblemKind, Report
from auditor.onnxfile.noderef import NodeRef
from auditor.report.words.compared import ComparedSheet, compared_sheet, finding_place
from auditor.report.words.compared_verdict import undecided
from auditor.report.words.folding import kept_findings, kept_sites, more_findings, more_sites, site_severities
from auditor.report.words.grid import subsampling
from auditor.report.words.numbers import axes_text, factor_text, percent_text, shape_text
from auditor.report.words.place import rule_page
from auditor.report.words.targets import target_lines
from auditor.sampling.result import Site, SiteVerdict
from auditor.text import ModelText, count_text, plain

if TYPE_CHECKING:
    from auditor.verify.layers.alias import AliasMeasurement
    from auditor.verify.result import Verification

SITE_COLUMNS = ("#", "node", "op", "kernel/stride", "factor", "total", "flat", "expected", "verdict")
MEASURED_COLUMN = "measured"  # in front of the verdict, where the alias energy was measured
SEVERITY_COLUMN = "severity"  # in front of the verdict, where a finding is at a site


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One sampling site. ``cells`` follow the columns of the sheet; ``reason`` says why it is passed or unknown.

    ``severity`` is that of the worst finding at it.
    """

    cells: tuple[str, ...]
    verdict: SiteVerdict
    reason: str
    severity: Severity | None = None

    @property
    def verdict_and_reason(self) -> str:
        """``anti-aliased: binomial low-pass of 3 taps``."""
        return f"{self.verdict.value}: {self.reason}" if self.reason else self.verdict.value


@dataclass(frozen=True, slots=True)
class FindingBlock:
    """One finding. ``where`` is the place in the model, ``facts`` are labelled lines about it: module, source, related.

    ``advice`` is empty where the finding after it gives the same, so that advice stands once for a run of findings;
    ``advised`` counts the run. ``page`` is the address of the rule's page, empty where there is none.
    """

    severity: Severity
    rule: str
    where: str
    message: str
    facts: tuple[tuple[str, str], ...]
    advice: str
    advised: int
    page: str = ""

    @property
    def advice_label(self) -> str:
        """``advice``, or ``advice for these 3``."""
        return "advice" if self.advised == 1 else f"advice for these {self.advised}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One model: header, what its subsampling means, sites in graph order, findings worst first.

    ``facts`` each begin with a word of ours. ``legend`` explains the numbers of the table and is empty without a table.
    ``measured`` are the lines of a measurement, none where the model was not run, ``measured_in_short`` what is left of
    them where little is asked for. ``accepted`` are lines about findings that do not count, each with the reason; none
    where they are not asked for. ``compared`` is what changed since a base, None where there is none. ``columns`` head
    the cells of the sites. ``more_sites`` and ``more_findings`` say what a folded sheet leaves out. ``targets`` are
    lines about the deployment targets that were asked for.
    """

    path: str
    facts: tuple[str, ...]
    meaning: str
    sites: tuple[SiteRow, ...]
    legend: str
    findings: tuple[FindingBlock, ...]
    measured: tuple[str, ...] = ()
    measured_in_short: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    compared: ComparedSheet | None = None
    columns: tuple[str, ...] = SITE_COLUMNS
    more_sites: str = ""
    more_findings: str = ""
    targets: tuple[str, ...] = ()


def sheet(
    model: ModelReport, verbose: bool, unicode: bool = False, accepted: bool = False, fold: bool = False
) -> Sheet:
    """Put one model's report into words; ``unicode`` allows characters beyond ASCII, ``accepted`` lists what is.

    ``fold`` leaves out of a long list what matters least; of a comparison, all that is as it was.
    """
    sites, severities = model.analysis.sites, site_severities(model)
    kept = kept_sites(sites, severities) if fold else range(len(sites))
    kept = [] if fold and model.comparison is not None else kept
    findings = kept_findings(model.findings) if fold else model.findings
    return Sheet(
        path=plain(model.path),
        facts=tuple(facts(model)),
        meaning=subsampling(model),
        sites=tuple(_site_row(index, sites[index], model.alias, severities) for index in kept),
        columns=(
            *SITE_COLUMNS[:-1],
            *(() if model.alias is None else (MEASURED_COLUMN,)),
            *((SEVERITY_COLUMN,) if severities else ()),
            SITE_COLUMNS[-1],
        ),
        legend="; ".join(filter(None, (_legend(sites), *alias_words(model.alias)))) if kept else "",
        findings=tuple(_blocks(findings, model.baselined, verbose)),
        measured_in_short=_measured_in_short(model),
        measured=_measured(model.verification, unicode, fold and model.comparison is not None),
        accepted=tuple(map(_accepted, model.accepted)) if accepted else (),
        targets=tuple(target_lines(model)),
        compared=None if model.comparison is None else compared_sheet(model.comparison, fold),
        more_sites=more_sites(sites, kept),
        more_findings=more_findings(model.findings) if fold else "",
    )


ACCEPTED_WORDS = {AcceptedBy.WAIVER: "waived", AcceptedBy.BASELINE: "known", AcceptedBy.BASE: "in the base too"}


def _accepted(one: Accepted) -> str:
    why = [plain(one.reason)] if one.reason else []
    why += [f"owner {plain(one.owner)}"] if one.owner else []
    why += [f"until {plain(one.expires)}"] if one.expires else []
    head = f"{ACCEPTED_WORDS[one.by]}: {one.finding.severity.value} {finding_place(one.finding)}"
    return f"{head}: {', '.join(why)}" if why else head


def _measured(found: Verification | None, unicode: bool, brief: bool) -> tuple[str, ...]:
    if found is None:
        return ()
    from auditor.report.words.measured import condition_lines, measured_lines

    return tuple(condition_lines(found) if brief else measured_lines(found, unicode))


def _measured_in_short(model: ModelReport) -> tuple[str, ...]:
    """What of a measurement is left where only findings and the summary are asked for; a comparison has its own."""
    if model.verification is None or model.comparison is not None:
        return ()
    from auditor.report.words.measured import quiet_lines

    return tuple(quiet_lines(model.verification))


def summary_lines(report: Report, width: int = 80) -> list[str]:
    """The summary on as many lines as it needs to stay within so many columns, broken between its clauses."""
    lines: list[str] = []
    for clause in summary(report).split("; "):
        joined = f"{lines[-1]}; {clause}" if lines else clause
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(clause)
    return lines


def summary(report: Report) -> str:
    """What was audited and what came of it, in one line."""
    by_severity = report.by_severity()
    sites = [site for model in report.models for site in model.analysis.sites]
    counts = [count_text(count, severity.value) for severity, count in by_severity.items() if count]
    # "No findings" of models that nobody looked at would read as a pass.
    parts = [f"{count_text(len(report.models), 'model')} audited"]
    parts += [", ".join(counts) or "no findings"] if report.models else []
    accepted = Counter(one.by for model in report.models for one in model.accepted)
    parts += [f"{accepted[by]} {word}" for by, word in ACCEPTED_WORDS.items() if accepted[by]]
    if sites:
        open_sites = sum(site.unprotected for site in sites)
        parts.append(f"{open_sites} of {count_text(len(sites), 'site')} without anti-aliasing")
    totals = [model.analysis.subsampling for model in report.models]
    known = [total for total in totals if total is not None]
    if known:
        parts.append(f"grid {factor_text(max(known))}")
    if open_verdicts := sum(undecided(model.comparison) for model in report.models):
        parts.insert(1, f"{count_text(open_verdicts, 'comparison')} undecided")
    if report.problems:
        parts.append(f"{count_text(len(report.problems), 'problem')}, the audit is incomplete")
    return "; ".join(parts)


def problems(report: Report, unmeasured: bool = False) -> list[tuple[str, str, str]]:
    """Code, path (or nothing) and message of each part of the audit that is missing.

    ``unmeasured`` are those of a measurement alone: what was asked for is missing, so they stand in front of the rest.
    """
    wanted = [one for one in report.problems if (one.kind is ProblemKind.NOT_MEASURED) is unmeasured]
    return [(plain(problem.code), plain(problem.path), plain(problem.message, None)) for problem in wanted]


def statistics(report: Report) -> list[tuple[str, str, str]]:
    """A count per rule, most frequent first, under a heading."""
    rows = [(str(count), plain(code), plain(name)) for (code, name), count in report.by_rule().items()]
    return [("count", "rule", "name"), *rows]


def facts(model: ModelReport) -> Iterable[str]:
    """What the file is: each fact begins with a word of ours."""
    if "ai.onnx" in model.opsets:
        yield f"opset {model.opsets['ai.onnx']}"
    if model.producer:
        yield f"from {plain(model.producer, 60)}"
    spatial = {model.analysis.sources[index].input for index in model.analysis.spatial}
    shown = [item for item in model.inputs if item.name in spatial] or list(model.inputs)
    for item in shown[:4]:
        yield f"input {_input(item)}"
    if len(shown) > 4:
        yield f"and {len(shown) - 4} more inputs"


def _input(item: InputReport) -> str:
    if item.dims is None:
        return f"{plain(item.name, 60)} of unknown shape"
    dims = [_dim(dim, size) for dim, size in zip(item.dims, item.sizes, strict=True)]
    shape = f"{plain(item.name, 60)} {'x'.join(dims)}"
    return f"{shape} ({chosen_size(item)})" if item.assumed else shape


def chosen_size(item: InputReport) -> str:
    """The sizes that the audit chose for the axes which the file leaves open, and by what."""
    sizes = "x".join(str(item.sizes[axis]) for axis in item.assumed)
    by = "told by the file's metadata" if item.told else "assumed"
    return f"{sizes} {by}, see --input-shape"


def _dim(declared: int | ModelText | None, size: int | None) -> str:
    if size is not None:
        return str(size)
    return plain(declared, 30) if isinstance(declared, ModelText) else "?" if declared is None else str(declared)


def _legend(sites: Sequence[Site]) -> str:
    energies = [site.alias for site in sites if site.alias is not None]
    if not energies:
        return ""
    words = "flat: alias energy of white noise, a property of the filter"
    if all(alias.expected is None for alias in energies):
        reasons = dict.fromkeys(alias.missing for alias in energies if alias.missing)
        return f"{words}; expected: not known, since {', '.join(reasons)}" if reasons else words
    return f"{words}; expected: share of the activations that folds, half to twice that on photographs"


def alias_words(found: AliasMeasurement | None) -> Iterator[str]:
    """On what measured alias energies rest, for people; nothing where none were asked for."""
    if found is not None:
        yield from ([f"measured: share that folds on {found.words}"] if found.images else [])
        yield from (plain(note) for note in found.notes)


def alias_text(found: AliasMeasurement | None, index: int) -> str:
    """The measured alias energy of the site of this number, counted from 1, and on how many images where not on all."""
    one = None if found is None else found.sites.get(index - 1)
    if found is None or one is None:
        return ""
    of = f" ({count_text(one.images, 'image')})" if one.images < found.images else ""
    return f"{percent_text(one.share)}{of}"


def _site_row(index: int, site: Site, measured: AliasMeasurement | None, severities: Mapping[int, Severity]) -> SiteRow:
    given, severity = site.verdict, severities.get(index)
    alias = site.alias
    cells = (
        str(index + 1),
        _name(site.node),
        plain(site.node.op, 40),
        "/".join(filter(None, (shape_text(site.kernel), axes_text(map(Fraction, site.stride))))),
        axes_text(site.factor),
        axes_text(site.cumulative),
        percent_text(alias.flat) if alias is not None else "",
        percent_text(alias.expected) if alias is not None else "",
        *(() if measured is None else (alias_text(measured, index + 1),)),
        *(("" if severity is None else severity.value,) if severities else ()),
        given.value,
    )
    # Elsewhere the numbers of the row are the reason.
    reason = plain(site.reason) if not site.unprotected or given is SiteVerdict.UNKNOWN else ""
    return SiteRow(tuple(cell or "-" for cell in cells), given, reason, severity)


def _blocks(findings: Sequence[Finding], baselined: bool, verbose: bool) -> Iterable[FindingBlock]:
    run = 0
    for index, finding in enumerate(findings):
        run += 1
        following = findings[index + 1] if index + 1 < len(findings) else None
        repeated = following is not None and (following.rule, following.advice) == (finding.rule, finding.advice)
        yield FindingBlock(
            severity=finding.severity,
            rule=f"{plain(finding.rule)} {plain(finding.name)}{' (new)' if baselined else ''}",
            where=_place(finding.node) if finding.node is not None else "",
            message=plain(finding.message, None),
            facts=tuple(_finding_facts(finding, verbose)),
            advice="" if repeated else plain(finding.advice, None),
            advised=run,
            page=rule_page(finding) or "",
        )
        run = run if repeated else 0


def _finding_facts(finding: Finding, verbose: bool) -> Iterable[tuple[str, str]]:
    origin = finding.node.origin if finding.node is not None else None
    if origin is not None and origin.module:
        yield "module", ", ".join(plain(text) for text in (origin.module, origin.source) if text)
    elif origin is not None and origin.source:
        yield "source", plain(origin.source)
    if verbose:
        for node in finding.related:
            yield "with", _place(node)
        for key, value in sorted(finding.numbers.items()):
            yield plain(key), plain(str(value))
        if finding.fingerprint:
            yield "fingerprint", plain(finding.fingerprint)


def _place(node: NodeRef) -> str:
    return f"{_name(node)} ({plain(node.op, 60)})"


def _name(node: NodeRef) -> str:
    """A node without a name is found by what it computes."""
    return plain(node.name) if node.name else f"-> {plain(node.output)}"
