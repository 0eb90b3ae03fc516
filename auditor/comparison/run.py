"""Comparing two model files: both audited by the same rules, and where asked for run on the same images and shifts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from auditor.audit.run import (
    Examined,
    Measure,
    ModelFile,
    Outcome,
    RuleSet,
    analysed,
    audit,
    examine,
    failure,
    judge,
    project_path,
    with_measurement,
)
from auditor.comparison.identity import same_model
from auditor.comparison.sizes import shared_shapes
from auditor.comparison.static import compare_sites, graph_verdict, with_findings
from auditor.facts.comparison import Comparison, ComparisonVerdict
from auditor.facts.report import Problem, ProblemKind
from auditor.facts.rule import Need
from auditor.onnxfile.graph import Graph, ModelFormat
from auditor.options.thresholds import Thresholds
from auditor.policy.settings import Settings
from auditor.policy.thresholds import thresholds
from auditor.sampling.analysis import analyse
from auditor.verify.verdict import Looks

if TYPE_CHECKING:
    from auditor.comparison.looks import MeasuredPair


@dataclass(frozen=True, slots=True)
class MeasurePair:
    """Runs a base and the model that is to replace it on the same images, in this order.

    ``together``: on the same windows, for which neither needs a static audit.
    """

    measure: Callable[[Examined, Examined], MeasuredPair]
    together: bool = False


@dataclass(frozen=True, slots=True)
class ModelPair:
    """A model and the one that it is to replace; ``base`` is None where there is none, and all findings are new."""

    base: ModelFile | None
    new: ModelFile


def compare_all(
    changes: Sequence[ModelPair],
    rules: RuleSet,
    settings: Settings,
    measure: Measure | None = None,
    measure_pair: MeasurePair | None = None,
    done: Callable[[ModelFile], None] = lambda _: None,
    reraise: bool = False,
) -> Iterator[Outcome]:
    """Compare pairs of models, one after the other; a model that fails is a problem and does not end the others.

    The outcomes are of the new models, to be settled like those of an audit. ``measure`` runs a model by itself, and
    ``measure_pair`` both of a pair. ``done`` is called after each pair.
    ``reraise`` lets faults of this program through.
    """
    for change in changes:
        yield _compare(change, rules, settings, measure, measure_pair, reraise)
        done(change.new)


def _compare(
    change: ModelPair,
    rules: RuleSet,
    settings: Settings,
    measure: Measure | None,
    measure_pair: MeasurePair | None,
    reraise: bool,
) -> Outcome:
    if change.base is None:
        try:
            return audit(change.new, rules, settings, reraise, measure)
        except Exception as error:  # noqa: BLE001 - as below
            return failure(error, change.new.name, reraise)
    # The base goes by the place of the new model: fingerprints, waivers and options are the same for both.
    base = replace(change.base, place=project_path(change.new, settings.root), beside=change.new.path)
    file = base
    try:
        if measure_pair is not None:
            only_run = measure_pair.together
            before = examine(replace(base, only_run=only_run), settings)
            file = change.new
            after = examine(replace(file, only_run=only_run), settings)
            return compared(before, after, measure_pair, rules, settings, reraise)
        before = examine(base, settings, measure)
        if before.verification is not None and before.verification.incomplete:
            raise KeyboardInterrupt  # half a base is nothing to compare with, so the new model need not run
        file = change.new
        after = examine(replace(change.new, beside=base.path), settings, measure)
        return compare(before, after, rules, settings, reraise)
    except Exception as error:  # noqa: BLE001 - one bad model does not end the comparison of the others
        return failure(error, file.name, reraise)


def compared(
    before: Examined,
    after: Examined,
    measure_pair: MeasurePair | None,
    rules: RuleSet,
    settings: Settings,
    reraise: bool = True,
) -> Outcome:
    """As :func:`compare`, for two models that are measured together, or not at all."""
    if measure_pair is None:
        return compare(before, after, rules, settings, reraise)
    found = measure_pair.measure(before, after)
    before, after = with_measurement(before, found.base), with_measurement(after, found.new)
    if _only_run(before, after):  # compared by their answers alone
        before, after = _without_graph(before), _without_graph(after)
    return compare(before, after, rules, settings, reraise, found.looks)


def _only_run(base: Examined, new: Examined) -> list[Examined]:
    return [seen for seen in (base, new) if seen.model.format is not ModelFormat.ONNX]


def _unread(base: Examined, new: Examined) -> tuple[str, ...]:
    formats = dict.fromkeys(seen.model.format.value for seen in _only_run(base, new))
    return tuple(f"the graphs were not compared: {form} files are run, not read" for form in formats)


def _without_graph(seen: Examined) -> Examined:
    model = replace(seen.model, graph=Graph("", (), (), (), {}), functions={}, opsets={})
    return replace(seen, model=model, analysis=analyse(model), targets=None)


def compare(
    base: Examined,
    new: Examined,
    rules: RuleSet,
    settings: Settings,
    reraise: bool = True,
    looks: Looks | None = None,
) -> Outcome:
    """What became of the base: the outcome of the new model with the comparison in its report.

    Findings that the base has too, at the same place and as heavy, are accepted when the outcome is settled. ``looks``
    say when the measurement of both ended.
    """
    held = thresholds(settings.compare)
    base, new = _at_the_size_of(new, base, settings), _at_the_size_of(base, new, settings)
    graphs, sites = compare_sites(base.model, base.analysis, new.model, new.analysis, base.file.name, settings.limits)
    comparison = structs.replace(
        graphs,
        inconclusive=held.inconclusive,
        confidence=held.confidence,
        base_verification=base.verification,
        same_model=same_model(base.model, new.model),
        looks=looks,
        not_measured=any(problem.kind is ProblemKind.NOT_MEASURED for problem in (*base.problems, *new.problems)),
    )
    comparison, problems = _with_measured(comparison, base, new, held)
    comparison = structs.replace(comparison, remarks=(*comparison.remarks, *_unread(base, new)))
    before = judge(base, rules, settings, reraise)
    after = judge(new, rules, settings, reraise, comparison)
    if before.report is None or after.report is None:
        return after
    comparing = {rule.code for rule in after.ran if Need.COMPARISON in rule.needs}
    comparison = with_findings(
        comparison,
        before.report.findings,
        [one for one in after.report.findings if one.rule not in comparing],
        sites,
    )
    verdict = ComparisonVerdict.UNDECIDED  # of graphs that were not read
    if comparison.same_model or not _only_run(base, new):
        verdict = graph_verdict(
            comparison,
            [one for one in after.report.findings if one.rule in comparing],
            {rule.code for rule in (*before.ran, *after.ran) if Need.MEASUREMENT in rule.needs},
        )
    comparison = structs.replace(comparison, graph_verdict=verdict)
    report = structs.replace(after.report, comparison=comparison)
    return replace(after, report=report, problems=(*before.problems, *after.problems, *problems))


def _at_the_size_of(other: Examined, seen: Examined, settings: Settings) -> Examined:
    """A model as it was examined, analysed at the sizes that the other one fixes and it leaves open."""
    shapes = shared_shapes(seen.model, seen.analysis, other.model)
    shapes = {name: shape for name, shape in shapes.items() if name not in settings.input_shapes}
    if not shapes:
        return seen
    analysis, targets = analysed(seen.model, settings, {**settings.input_shapes, **shapes})
    return replace(seen, analysis=analysis, targets=targets)


def _with_measured(
    comparison: Comparison, base: Examined, new: Examined, held: Thresholds
) -> tuple[Comparison, tuple[Problem, ...]]:
    """The comparison with the measured changes, and a problem where there should be some and are not."""
    if base.verification is None or new.verification is None:
        if not held.require_verify or base.problems or new.problems:
            return comparison, ()  # why nothing was measured is among the problems already
        message = "the settings require a measurement (require-verify): give --verify"
        return comparison, (Problem(ProblemKind.NOT_MEASURED, message, new.file.name, "required"),)
    # The arrays behind a measurement are not for a static comparison to load.
    from auditor.comparison.measured import NotComparableError, compare_measured

    if comparison.looks is not None:
        held = held.but(confidence=1 - comparison.looks.level)
    try:
        measured = compare_measured(base.verification, new.verification, held, comparison.same_model)
    except NotComparableError as error:
        return comparison, (Problem(ProblemKind.NOT_MEASURED, str(error), new.file.name, "not-comparable"),)
    problems = tuple(
        Problem(ProblemKind.NOT_MEASURED, reason, new.file.name, "not-comparable") for reason in measured.unjudged
    )
    return structs.replace(comparison, measured=measured.changes, remarks=measured.remarks), problems
