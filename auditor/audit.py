"""The audit of model files: reading, analysis, rules and fingerprints in one line, with nothing printed on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.findings import Finding
from auditor.fingerprints import fill
from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.graph import Model
from auditor.packs import Pack, PackError, installed, load_builtin, load_folder
from auditor.policy.errors import SettingsError
from auditor.policy.select import choose, ignored_for, is_ignored, unmatched
from auditor.policy.settings import Settings
from auditor.policy.validate import rule_options
from auditor.report.model import InputReport, ModelReport, Problem, ProblemKind, worst_first
from auditor.rule import Context, OptionValue, Rule
from auditor.sampling import analyse
from auditor.sampling.result import Analysis
from auditor.text import ModelText


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model to audit: where it lies, and what it is called in the report."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules at hand, those of them that run, and the options of each by code."""

    packs: tuple[Pack, ...]
    running: tuple[Rule, ...]
    options: Mapping[str, Mapping[str, OptionValue]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one model: a report, or problems, or a report with problems where a rule failed."""

    report: ModelReport | None
    problems: tuple[Problem, ...] = ()


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
        SettingsError: A pack cannot be used, or a selection or an option names something that does not exist.
    """
    packs = load_packs(settings)
    rules = [rule for pack in packs for rule in pack.rules]
    return RuleSet(packs, choose(rules, settings), rule_options(settings, rules))


def audit_all(
    files: Sequence[ModelFile],
    rules: RuleSet,
    settings: Settings,
    done: Callable[[ModelFile], None] = lambda _: None,
    reraise: bool = False,
) -> Iterator[Outcome]:
    """Audit several models, one after the other; a model that fails is a problem and does not end the others.

    ``done`` hears of every finished model. ``reraise`` lets faults of this program through, for debugging.
    """
    for file in files:
        try:
            yield audit(file, rules, settings, reraise)
        except ModelFileError as error:
            kind = ProblemKind.NOT_FOUND if error.kind.value == "missing" else ProblemKind.UNREADABLE
            yield Outcome(None, (Problem(kind, error.reason, file.name, error.kind.value),))
        except Exception as error:
            if reraise:
                raise
            yield Outcome(None, (_fault("the analysis", error, file.name),))
        done(file)


def audit(file: ModelFile, rules: RuleSet, settings: Settings, reraise: bool = True) -> Outcome:
    """Audit one model.

    Raises:
        ModelFileError: The file cannot be read or exceeds the limits.
    """
    model = read_model(file.path, settings.limits)
    analysis = analyse(model, settings.input_shapes, settings.limits)
    findings: list[Finding] = []
    problems: list[Problem] = []
    place = _place(file, settings.root)
    ignored = ignored_for(place, settings)
    for rule in rules.running:
        if is_ignored(rule, ignored):
            continue
        try:
            found = list(rule.check(Context(analysis, rules.options[rule.code])))
        except Exception as error:
            if reraise:
                raise
            problems.append(_fault(f"rule {rule.code}", error, file.name))
        else:
            findings += [finding for finding in found if finding.severity.rank >= settings.min_severity.rank]
    findings = [*fill(model, place, findings, settings.limits)]
    return Outcome(_model_report(file, model, analysis, findings), tuple(problems))


def _model_report(file: ModelFile, model: Model, analysis: Analysis, findings: Iterable[Finding]) -> ModelReport:
    return ModelReport(
        path=file.name,
        file_bytes=model.file_bytes,
        ir_version=model.ir_version,
        opsets=dict(sorted(model.opsets.items())),
        producer=ModelText(model.producer),
        inputs=tuple(_inputs(model, analysis)),
        analysis=analysis,
        findings=tuple(sorted(findings, key=worst_first)),
    )


def _inputs(model: Model, analysis: Analysis) -> Iterator[InputReport]:
    """The inputs that a user feeds: those that no initializer gives a value."""
    sources = {(source.input.raw, source.axis): source for source in analysis.sources}
    for value in model.graph.inputs:
        if value.name in model.graph.initializers:
            continue
        found = [sources.get((value.name, axis)) for axis in range(len(value.dims or ()))]
        yield InputReport(
            name=ModelText(value.name),
            dims=None if value.dims is None else tuple(_dim(dim) for dim in value.dims),
            sizes=tuple(None if source is None else source.size for source in found),
            assumed=tuple(axis for axis, source in enumerate(found) if source is not None and source.assumed),
        )


def _dim(dim: int | str | None) -> int | ModelText | None:
    return ModelText(dim) if isinstance(dim, str) else dim


def _place(file: ModelFile, root: Path) -> str:
    """The model's path in the project, the same on every machine; what the user called it where it lies elsewhere."""
    path, root = file.path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file.name


def _fault(what: str, error: Exception, path: str) -> Problem:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    message = (
        f"{what} failed on this model ({reason}); please report this, with the output of `aliasaudit --debug check`"
    )
    return Problem(ProblemKind.INTERNAL, message, path)
