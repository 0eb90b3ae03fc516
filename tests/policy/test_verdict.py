from __future__ import annotations

import pytest

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import Problem, ProblemKind, Report
from auditor.policy.settings import FailOn
from auditor.policy.verdict import ExitCode, verdict
from tests.report.samples import analysis, model_report


def report(severity: Severity | None, *kinds: ProblemKind) -> Report:
    findings = () if severity is None else (Finding("AA101", "strided-max-pool", severity, "It is."),)
    return Report("0", (model_report(analysis(), findings),), tuple(Problem(kind, "it is") for kind in kinds))


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        (None, FailOn.NOTE, 0),
        (Severity.NOTE, FailOn.NOTE, 1),
        (Severity.NOTE, FailOn.WARNING, 0),
        (Severity.WARNING, FailOn.NOTE, 1),
        (Severity.WARNING, FailOn.WARNING, 1),
        (Severity.WARNING, FailOn.ERROR, 0),
        (Severity.ERROR, FailOn.ERROR, 1),
        (Severity.ERROR, FailOn.NEVER, 0),
    ],
)
def test_findings_at_or_above_the_fail_level_exit_with_1(severity: Severity, fail_on: FailOn, code: int) -> None:
    assert verdict(report(severity), fail_on) == code
    assert verdict(report(severity), fail_on, exit_zero=True) == 0


@pytest.mark.parametrize("kind", [ProblemKind.NO_INPUTS, ProblemKind.NOT_FOUND, ProblemKind.UNREADABLE])
@pytest.mark.parametrize("severity", [None, Severity.ERROR])
@pytest.mark.parametrize("exit_zero", [False, True])
def test_half_an_audit_exits_with_3_whatever_it_found(kind: ProblemKind, severity: Severity, exit_zero: bool) -> None:
    assert verdict(report(severity, kind), FailOn.NEVER, exit_zero) is ExitCode.INCOMPLETE


def test_a_fault_of_the_program_exits_with_2_even_when_more_is_missing() -> None:
    both = report(Severity.ERROR, ProblemKind.UNREADABLE, ProblemKind.INTERNAL)
    assert verdict(both, FailOn.ERROR, exit_zero=True) is ExitCode.ERROR
