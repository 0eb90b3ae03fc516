"""The audit of model files: reading, analysis, rules and fingerprints in one line, with nothing printed on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from auditor.audit.fingerprints import fill
from auditor.audit.model_inputs import input_reports
from auditor.audit.packs import Pack, PackError, installed, load_builtin, load_folder
from auditor.facts.comparison import Comparison
from auditor.facts.finding import Finding
from auditor.facts.report import InputReport, ModelReport, Problem, ProblemKind, worst_first
from auditor.facts.rule import Context, Need, OptionValue, Rule
from auditor.onnxfile import ModelFileError, read_model, read_runnable
from auditor.onnxfile.graph import Model
from auditor.onnxfile.scopes import own_names
from auditor.policy.budgets import check_budgets
from auditor.policy.errors import SettingsError
from auditor.policy.select import choose, ignored_for, is_ignored
from auditor.policy.settings import Settings
from auditor.policy.validate import rule_options
from auditor.policy.waivers import check_waivers
from auditor.policy.words import unmatched
from auditor.sampling.analysis import Shapes, analyse, observe
from auditor.sampling.result import Analysis
from auditor.text import ModelText, plain
from auditor.verify.errors import VerifyError, WorkerCrashedError

if TYPE_CHECKING:
    from auditor.facts.targets import TargetOutcome
    from auditor.resizing.result import ResizeComparison
    from auditor.targets.review import TargetReview
    from auditor.verify.layers.alias import AliasMeasurement
    from auditor.verify.result import Verification


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model to audit: where it lies, and what it is called in the report.

    ``place`` is its path in the project where that is not where it lies, as for the base of a comparison. ``only_run``:
    it may be of a format that has no static audit, because it is to be run. ``beside`` is the other model of a
    comparison.
    """

    path: Path
    name: str
    place: str = ""
    only_run: bool = False
    beside: Path | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules at hand, those of them that run, and the options of each by code."""

    packs: tuple[Pack, ...]
    running: tuple[Rule, ...]
    options: Mapping[str, Mapping[str, OptionValue]]

    def ready(self, given: Collection[Need]) -> tuple[Rule, ...]:
        """The running rules whose needs are met."""
        return tuple(rule for rule in self.running if rule.needs.issubset(given))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one model: a report, or problems, or a report with problems where a rule failed.

    ``place`` is the model's path in the project. ``ran`` are the rules that could speak about it.
    """

    report: ModelReport | None
    problems: tuple[Problem, ...] = ()
    place: str = ""
    ran: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Examined:
    """A model before any rule has spoken. ``given`` is what there is for rules to read beside the analysis."""

    file: ModelFile
    place: str
    model: Model
    analysis: Analysis
    verification: Verification | None
    crash: str
    problems: tuple[Problem, ...]
    given: frozenset[Need]
    alias: AliasMeasurement | None = None
    resize: ResizeComparison | None = None
    targets: TargetReview | None = None


# Runs a model on shifted images; see :func:`auditor.verify.runner.verify`.
Measure: TypeAlias = "Callable[[ModelFile, Model, Analysis], Verification]"

# Measures what folds at the sites of a model; see :func:`auditor.verify.layers.alias_runs.measure_alias`.
MeasureAlias: TypeAlias = "Callable[[ModelFile, Model, Analysis], AliasMeasurement]"


def load_packs(settings: Settings) -> tuple[Pack, ...]:
    """The built-in pack, the folders that the settings name, and installed packs whose prefix a selection names.

    Raises:
        SettingsError: A pack cannot be used.
    """
    try:
        packs = _load_packs(settings)
    except PackError as error:
        raise SettingsError(str(error)) from error
    prefixes = [pack.prefix for pack in packs]
    for prefix in prefixes:
        if prefixes.count(prefix) > 1:
            raise SettingsError(f"two rule packs have the prefix {prefix}; leave one out")
    return tuple(packs)


def _load_packs(settings: Settings) -> list[Pack]:
    packs = [load_builtin(), *(load_folder(folder) for folder in settings.rule_dirs)]
    rules = [rule for pack in packs for rule in pack.rules]
    words = [
        selector.text
        for selector in (*(settings.select or ()), *settings.extend_select, *settings.ignore)
        if unmatched(selector.text, rules)
    ]
    if words:
        wanted = [pack for pack in installed() if any(word.startswith(pack.prefix) for word in words)]
        packs += [pack.load() for pack in wanted]
    return packs


def load_rules(settings: Settings) -> RuleSet:
    """The rules that the settings ask for.

    Raises:
        SettingsError: A pack cannot be used, or a selection, an option, a waiver, a budget or a target names something
            that does not exist.
    """
    _check_targets(settings)
    packs = load_packs(settings)
    rules = [rule for pack in packs for rule in pack.rules]
    check_waivers(settings.waivers, rules, settings.today, settings.origin("waiver"))
    if settings.budgets is not None:
        check_budgets(settings.budgets, rules, settings.origin("budget"))
    return RuleSet(packs, choose(rules, settings), rule_options(settings, rules))


def _check_targets(settings: Settings) -> None:
    if settings.targets:
        from auditor.targets.table import read_targets

        try:
            read_targets(settings.targets)
        except ValueError as error:
            raise SettingsError(f"{settings.origin('targets')}: targets: {error}") from None


def analysed(model: Model, settings: Settings, shapes: Shapes) -> tuple[Analysis, TargetReview | None]:
    """The analysis of a model at these input shapes, and what the targets of the settings make of it.

    Raises:
        ModelFileError: The model exceeds the limits.
    """
    if not settings.targets:
        return analyse(model, shapes, settings.limits), None
    # The tables of the targets are for runs that name one.
    from auditor.targets.forms import OPERATORS
    from auditor.targets.review import review
    from auditor.targets.table import read_targets

    analysis, nodes = observe(model, shapes, settings.limits, OPERATORS)
    return analysis, review(nodes, read_targets(settings.targets))


def audit_all(
    files: Sequence[ModelFile],
    rules: RuleSet,
    settings: Settings,
    done: Callable[[ModelFile], None] = lambda _: None,
    reraise: bool = False,
    measure: Measure | None = None,
    measure_alias: MeasureAlias | None = None,
) -> Iterator[Outcome]:
    """Audit several models, one after the other; a model that fails is a problem and does not end the others.

    ``done`` is called after each model. ``reraise`` lets faults of this program through, for debugging. ``measure``
    also runs the model on shifted images, ``measure_alias`` on pictures for the alias energies of its sites.
    """
    for file in files:
        try:
            outcome = audit(file, rules, settings, reraise, measure, measure_alias)
        except Exception as error:  # noqa: BLE001 - one bad model does not end the audit of the others
            outcome = failure(error, file.name, reraise)
        yield outcome
        done(file)
        if _interrupted(outcome):
            return


def _interrupted(outcome: Outcome) -> bool:
    """Whether the user ended the measurement; the models behind are not begun then."""
    report = outcome.report
    measured = () if report is None else (report.verification, report.alias)
    return any(one is not None and one.incomplete.startswith("interrupted") for one in measured)


def failure(error: Exception, path: str, reraise: bool = False) -> Outcome:
    """What is left of a model that could not be audited; ``reraise``: a fault of this program is raised again."""
    if isinstance(error, ModelFileError):
        kind = ProblemKind.NOT_FOUND if error.kind.value == "missing" else ProblemKind.UNREADABLE
        return Outcome(None, (Problem(kind, error.reason, path, error.kind.value),))
    if reraise:
        raise error
    return Outcome(None, (fault("the analysis", error, path),))


def audit(
    file: ModelFile,
    rules: RuleSet,
    settings: Settings,
    reraise: bool = True,
    measure: Measure | None = None,
    measure_alias: MeasureAlias | None = None,
) -> Outcome:
    """Audit one model. Every finding is reported; :func:`auditor.audit.settle.settle` says which of them count.

    Raises:
        ModelFileError: The file cannot be read or exceeds the limits.
    """
    return judge(examine(file, settings, measure, measure_alias), rules, settings, reraise)


def examine(
    file: ModelFile, settings: Settings, measure: Measure | None = None, measure_alias: MeasureAlias | None = None
) -> Examined:
    """Read, analyse and, with ``measure`` or ``measure_alias``, run one model. Raises ModelFileError."""
    model = (read_runnable if file.only_run else read_model)(file.path, settings.limits)
    analysis, targets = analysed(model, settings, settings.input_shapes)
    place = project_path(file, settings.root)
    given = frozenset([Need.TARGETS] if targets is not None else [])
    seen = Examined(file, place, model, analysis, None, "", (), given, targets=targets)
    try:
        seen = with_measurement(seen, None if measure is None else measure(file, model, analysis))
    except VerifyError as error:
        seen = with_measurement(seen, error)
    try:
        alias = None if measure_alias is None else measure_alias(file, model, analysis)
    except VerifyError as error:
        return dataclass_replace(seen, problems=(*seen.problems, not_measured(error, file.name)))
    return dataclass_replace(seen, problems=(*seen.problems, *_incomplete(alias, file)), alias=alias)


def with_measurement(seen: Examined, measured: Verification | VerifyError | None) -> Examined:
    """A model with what was measured on it, or with why it was not; None where it was not tried."""
    if measured is None:
        return seen
    if isinstance(measured, VerifyError):
        problems = (*seen.problems, not_measured(measured, seen.file.name))
        if not isinstance(measured, WorkerCrashedError):
            return dataclass_replace(seen, problems=problems)
        return dataclass_replace(seen, crash=str(measured), problems=problems, given=seen.given | {Need.MEASUREMENT})
    problems = (*seen.problems, *_incomplete(measured, seen.file))
    return dataclass_replace(seen, verification=measured, problems=problems, given=seen.given | {Need.MEASUREMENT})


def _incomplete(measured: Verification | AliasMeasurement | None, file: ModelFile) -> Iterator[Problem]:
    if measured is not None and measured.incomplete:
        yield Problem(ProblemKind.NOT_MEASURED, measured.incomplete, file.name, "incomplete")


def judge(
    seen: Examined, rules: RuleSet, settings: Settings, reraise: bool = True, comparison: Comparison | None = None
) -> Outcome:
    """What the rules say about a model, but for those that judge the policy itself."""
    given = seen.given | ({Need.COMPARISON} if comparison is not None else frozenset())
    ignored = ignored_for(seen.place, settings)
    ran = tuple(rule for rule in rules.ready(given) if not is_ignored(rule, ignored))
    findings: list[Finding] = []
    problems = [*seen.problems]
    for rule in ran:
        options = rules.options[rule.code]
        try:
            context = Context(
                seen.analysis,
                options,
                seen.verification,
                seen.crash,
                comparison,
                resize=seen.resize,
                targets=seen.targets,
            )
            findings += _findings(rule, context)
        except Exception as error:
            if reraise:
                raise
            problems.append(rule_fault(rules, rule, error, seen.file.name))
    findings = [*fill(seen.model, seen.place, findings, settings.limits)]
    inputs = tuple(input_reports(seen.model, seen.analysis, settings.input_shapes))
    report = replace(
        _model_report(seen.file, seen.model, seen.analysis, inputs, findings),
        verification=seen.verification,
        comparison=comparison,
        alias=seen.alias,
        targets=() if seen.targets is None else _target_outcomes(seen.targets),
    )
    return Outcome(report, tuple(problems), seen.place, ran)


def _target_outcomes(review: TargetReview) -> tuple[TargetOutcome, ...]:
    from auditor.audit.targets import target_outcomes

    return target_outcomes(review)


def _findings(rule: Rule, context: Context) -> Iterator[Finding]:
    """What a rule finds; raises TypeError or ValueError where it yields something else."""
    for finding in rule.check(context):
        if not isinstance(finding, Finding):
            raise TypeError(f"check must yield auditor.Finding, not {type(finding).__name__}")
        if finding.rule != rule.code:
            raise ValueError(f"check must yield findings of {rule.code}, not of {finding.rule}")
        yield finding


def _model_report(
    file: ModelFile, model: Model, analysis: Analysis, inputs: tuple[InputReport, ...], findings: Iterable[Finding]
) -> ModelReport:
    return ModelReport(
        path=file.name,
        file_bytes=model.file_bytes,
        ir_version=model.ir_version,
        opsets={domain or "ai.onnx": version for domain, version in sorted(model.opsets.items())},
        producer=ModelText(model.producer),
        inputs=inputs,
        analysis=analysis,
        findings=tuple(sorted(findings, key=worst_first)),
        format=model.format,
        node_names=own_names(model.graph),
    )


def project_path(file: ModelFile, root: Path) -> str:
    """The model's path in the project, the same on every machine; what the user called it where it lies elsewhere."""
    if file.place:
        return file.place
    path, root = file.path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file.name


def not_measured(error: VerifyError, path: str) -> Problem:
    """A measurement that was not made, as a problem of the model."""
    detail = f" ({plain(error.detail, 300)})" if error.detail else ""
    return Problem(ProblemKind.NOT_MEASURED, f"{error}{detail}", path)


def rule_fault(rules: RuleSet, rule: Rule, error: Exception, path: str) -> Problem:
    """A rule that failed, as a problem of the model: ours to be reported, one of a user's pack to be mended."""
    pack = next(pack for pack in rules.packs if rule in pack.rules)
    if pack.builtin:
        return fault(f"rule {rule.code}", error, path)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    message = (
        f"rule {rule.code} of the rule pack {pack.name} failed at {pack.blame(rule, error)} ({reason}); "
        f"mend the rule, or leave it out with --ignore {rule.code}"
    )
    return Problem(ProblemKind.RULE_PACK, message, path)


def fault(what: str, error: Exception, path: str) -> Problem:
    """A fault of this program or of a rule, as a problem of the model that it came up with."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    message = (
        f"{what} failed on this model ({reason}); please report this, with the output of `aliasaudit --debug check`"
    )
    return Problem(ProblemKind.INTERNAL, message, path)
