"""Which findings count: waivers, the base of a comparison, the baseline and budgets, over all models of a run.

The last step of an audit, since a waiver is unused only where it matches nothing in any model. Rules that judge the
policy itself run here, on what it made of all other findings.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from auditor.audit.fingerprints import fill_without_model
from auditor.audit.run import Outcome, RuleSet, rule_fault
from auditor.facts.finding import Finding
from auditor.facts.policy import PolicyFacts, WaiverFact
from auditor.facts.report import Accepted, AcceptedBy, ModelReport, Problem, worst_first
from auditor.facts.rule import Context, Need, Rule
from auditor.policy.baseline import Audited, Baseline, Entry, match, stale_by_rule
from auditor.policy.budgets import NO_BUDGETS, counted, overruns
from auditor.policy.select import ignored_for, is_ignored
from auditor.policy.settings import Settings
from auditor.policy.waivers import Waiver
from auditor.policy.words import names
from auditor.sampling.result import Analysis, worst_alias


def settle(
    outcomes: Sequence[Outcome],
    rules: RuleSet,
    settings: Settings,
    baseline: Baseline | None = None,
    reraise: bool = True,
) -> tuple[Outcome, ...]:
    """The outcomes of a run with the findings that count apart from those that do not, worst first.

    ``reraise`` lets faults of rules through; else they become problems of the model.
    """
    run = _Settling(rules, settings, baseline, {rule.code: rule for pack in rules.packs for rule in pack.rules})
    sortings = [None if one.report is None else _sort(run, one, one.report) for one in outcomes]
    unused = _unused(run, outcomes, sortings)
    return tuple(
        one
        if one.report is None or sorting is None
        else _finish(run, one, one.report, sorting, tuple(unused[index]), reraise)
        for index, (one, sorting) in enumerate(zip(outcomes, sortings, strict=True))
    )


def audited(outcome: Outcome, rules: RuleSet, settings: Settings) -> Audited:
    """What a settled outcome with a report, judged without a baseline, gives to one: findings that are not waived.

    Raises:
        ValueError: The outcome has no report.
    """
    if outcome.report is None:
        raise ValueError(f"{outcome.place} was not audited")
    by_code = {rule.code: rule for pack in rules.packs for rule in pack.rules}
    findings = tuple(one for one in outcome.report.findings if Need.POLICY not in by_code[one.rule].needs)
    budgets = settings.budgets or NO_BUDGETS
    limits = budgets.of(outcome.place) if budgets.ratchet else {}
    counts = _counted(limits, findings, outcome.report.analysis, by_code)
    return Audited(outcome.place, findings, frozenset(rule.code for rule in outcome.ran), counts)


@dataclass(frozen=True, slots=True)
class _Settling:
    """What holds for all models. ``by_code`` are all rules at hand."""

    rules: RuleSet
    settings: Settings
    baseline: Baseline | None
    by_code: Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class _Sorting:
    """The findings of one model. ``used`` are the numbers of the waivers that match any of them."""

    counting: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]
    used: frozenset[int]
    facts: PolicyFacts = field(default_factory=PolicyFacts)


def _sort(run: _Settling, outcome: Outcome, report: ModelReport) -> _Sorting:
    """A waiver says most, so it comes first, then the base, then the baseline."""
    settings, findings = run.settings, report.findings
    waivers = [waiver for waiver in settings.waivers if waiver.speaks_of(outcome.place)]
    kept = report.comparison.kept if report.comparison is not None else ()
    in_base = {one.after.fingerprint for one in kept if not one.worse}
    known = match(_entries(run, outcome), findings)
    counting: list[Finding] = []
    accepted: list[Accepted] = []
    used: set[int] = set()
    expired: Counter[int] = Counter()
    for index, finding in enumerate(findings):
        about = [waiver for waiver in waivers if waiver.matches(finding, run.by_code[finding.rule])]
        holding = [waiver for waiver in about if waiver.holds(settings.today)]
        used |= {waiver.number for waiver in about}
        if holding:
            accepted.append(_waived(finding, holding[0]))
            continue
        expired.update(waiver.number for waiver in about)
        if finding.fingerprint in in_base:
            accepted.append(Accepted(finding, AcceptedBy.BASE))
        elif index in known.known:
            accepted.append(Accepted(finding, AcceptedBy.BASELINE))
        else:
            counting.append(finding)
    not_waived = [*counting, *(one.finding for one in accepted if one.by is not AcceptedBy.WAIVER)]
    facts = PolicyFacts(
        expired=tuple(waiver.fact(expired[waiver.number]) for waiver in waivers if expired[waiver.number]),
        stale=stale_by_rule(known.stale),
        over=overruns(*_budget(run, outcome, report, not_waived)),
        strict=settings.strict,
    )
    return _Sorting(tuple(counting), tuple(accepted), frozenset(used), facts)


def _entries(run: _Settling, outcome: Outcome) -> list[Entry]:
    """The entries of the baseline that this audit could have found; the others are neither known nor stale."""
    if run.baseline is None:
        return []
    ran = {rule.code for rule in outcome.ran}
    return [one for one in run.baseline.of(outcome.place) if one.rule in ran]


def _budget(
    run: _Settling, outcome: Outcome, report: ModelReport, findings: Sequence[Finding]
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """The limits of a model, what it has of each, and the bounds of the ratchet."""
    budgets = run.settings.budgets or NO_BUDGETS
    limits = budgets.of(outcome.place)
    recorded: dict[str, float] = {}
    if budgets.ratchet and run.baseline is not None:
        recorded = {name: count for (model, name), count in run.baseline.counts.items() if model == outcome.place}
    return limits, _counted(limits, findings, report.analysis, run.by_code), recorded


def _counted(
    limits: Iterable[str], findings: Iterable[Finding], analysis: Analysis, rules: Mapping[str, Rule]
) -> dict[str, float]:
    return counted(limits, findings, analysis.subsampling, rules, worst_alias(analysis.sites))


def _waived(finding: Finding, waiver: Waiver) -> Accepted:
    return Accepted(finding, AcceptedBy.WAIVER, waiver.reason, waiver.owner, waiver.fact().expires)


def _unused(
    run: _Settling, outcomes: Sequence[Outcome], sortings: Sequence[_Sorting | None]
) -> defaultdict[int, list[WaiverFact]]:
    """The waivers that match nothing, with the first model (its index) in which they could have matched."""
    found: defaultdict[int, list[WaiverFact]] = defaultdict(list)
    for waiver in run.settings.waivers:
        about = [
            index
            for index, (one, sorting) in enumerate(zip(outcomes, sortings, strict=True))
            if sorting is not None and waiver.speaks_of(one.place) and _could_match(waiver, one)
        ]
        if about and not any(waiver.number in one.used for one in sortings if one is not None):
            found[about[0]].append(waiver.fact())
    return found


def _could_match(waiver: Waiver, outcome: Outcome) -> bool:
    """Whether a rule that the waiver names ran on the model; beside a fingerprint any rule will do."""
    return any(not waiver.rule or names(waiver.rule, rule) for rule in outcome.ran)


def _finish(
    run: _Settling,
    outcome: Outcome,
    report: ModelReport,
    sorting: _Sorting,
    unused: tuple[WaiverFact, ...],
    reraise: bool,
) -> Outcome:
    facts = structs.replace(sorting.facts, unused=unused)
    given = {*(need for rule in outcome.ran for need in rule.needs), Need.POLICY}
    ignored = ignored_for(outcome.place, run.settings)
    judging = [rule for rule in run.rules.ready(given) if Need.POLICY in rule.needs and not is_ignored(rule, ignored)]
    findings: list[Finding] = []
    problems: list[Problem] = [*outcome.problems]
    for rule in judging:
        options = run.rules.options[rule.code]
        context = Context(report.analysis, options, report.verification, "", report.comparison, facts)
        try:
            findings += rule.check(context)
        except Exception as error:
            if reraise:
                raise
            problems.append(rule_fault(run.rules, rule, error, report.path))
    counting = [*sorting.counting, *fill_without_model(outcome.place, findings)]
    least = run.settings.min_severity.rank
    settled = structs.replace(
        report,
        findings=tuple(sorted((one for one in counting if one.severity.rank >= least), key=worst_first)),
        accepted=tuple(
            sorted(
                (one for one in sorting.accepted if one.finding.severity.rank >= least),
                key=lambda one: worst_first(one.finding),
            )
        ),
        baselined=run.baseline is not None,
    )
    return replace(outcome, report=settled, problems=tuple(problems), ran=(*outcome.ran, *judging))
