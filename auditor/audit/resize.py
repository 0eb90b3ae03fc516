"""One model behind several resize kernels, and what the rules say about the deployed one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor._version import __version__
from auditor.audit.run import Examined, ModelFile, Outcome, RuleSet, failure, judge, not_measured, project_path
from auditor.audit.settle import settle
from auditor.facts.report import Problem, ProblemKind, Report
from auditor.facts.resizing import ResizeReport
from auditor.facts.rule import Need
from auditor.onnxfile import read_model
from auditor.policy.baseline import Baseline
from auditor.policy.settings import Settings
from auditor.sampling import analyse
from auditor.verify.errors import VerifyError

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Model
    from auditor.resizing.result import ResizeComparison
    from auditor.sampling.result import Analysis

CompareKernels = Callable[["ModelFile", "Model", "Analysis"], "ResizeComparison"]
"""Runs a model behind several kernels; see :func:`auditor.resizing.run.compare_kernels`."""


@dataclass(frozen=True, slots=True)
class ResizeOutcome:
    """The report of ``resize``, and the audit's report that the exit code is judged by."""

    report: ResizeReport
    judged: Report


def audit_resize(
    file: ModelFile,
    rules: RuleSet,
    settings: Settings,
    compare: CompareKernels,
    baseline: Baseline | None = None,
    reraise: bool = False,
) -> ResizeOutcome:
    """Compare the kernels in front of one model; what cannot be read or measured is a problem of the report.

    ``reraise`` lets faults of this program through.
    """
    found: ResizeComparison | None = None
    try:
        model = read_model(file.path, settings.limits)
        analysis = analyse(model, settings.input_shapes, settings.limits)
        try:
            found = compare(file, model, analysis)
        except VerifyError as error:
            outcome = Outcome(None, (not_measured(error, file.name),))
        else:
            outcome = judge(_examined(file, settings, model, analysis, found), rules, settings, reraise)
    except Exception as error:  # noqa: BLE001 - a fault is a problem of the report
        outcome = failure(error, file.name, reraise)
    (outcome,) = settle([outcome], rules, settings, baseline, reraise)
    report = outcome.report
    return ResizeOutcome(
        ResizeReport(
            __version__,
            file.name,
            found,
            () if report is None else report.findings,
            () if report is None else report.accepted,
            outcome.problems,
        ),
        Report(__version__, () if report is None else (report,), outcome.problems),
    )


def _examined(
    file: ModelFile, settings: Settings, model: Model, analysis: Analysis, found: ResizeComparison
) -> Examined:
    problems = (
        (Problem(ProblemKind.NOT_MEASURED, found.incomplete, file.name, "incomplete"),) if found.incomplete else ()
    )
    place = project_path(file, settings.root)
    # A comparison that is void or not whole gives no findings.
    given = frozenset[Need]() if found.incomplete else frozenset({Need.RESIZE})
    return Examined(file, place, model, analysis, None, "", problems, given, resize=found)
