"""What a report means for whoever waits for the exit code."""

from __future__ import annotations

from enum import IntEnum

from auditor.facts.finding import Severity
from auditor.facts.report import ProblemKind, Report
from auditor.policy.settings import FailOn


class ExitCode(IntEnum):
    """The exit codes of every command and format."""

    CLEAN = 0
    FINDINGS = 1  # at or above the fail level
    ERROR = 2  # usage, settings, or a fault of this program or of a rule
    INCOMPLETE = 3  # something could not be audited
    INTERRUPTED = 130


_LEVELS = {FailOn.ERROR: Severity.ERROR, FailOn.WARNING: Severity.WARNING, FailOn.NOTE: Severity.NOTE}


def failing_from(fail_on: FailOn) -> Severity | None:
    """The lightest severity that fails a run; None where none does."""
    return _LEVELS.get(fail_on)


def verdict(report: Report, fail_on: FailOn, exit_zero: bool = False) -> ExitCode:
    """The exit code of an audit.

    A fault of this program or of a rule comes before an incomplete audit, and that before findings: findings of half an
    audit say nothing about the other half. ``exit_zero`` forgives findings only.
    """
    kinds = {problem.kind for problem in report.problems}
    if kinds & {ProblemKind.INTERNAL, ProblemKind.RULE_PACK}:
        return ExitCode.ERROR
    if kinds:
        return ExitCode.INCOMPLETE
    level = failing_from(fail_on)
    failing = level is not None and any(finding.severity.rank >= level.rank for finding in report.findings())
    return ExitCode.FINDINGS if failing and not exit_zero else ExitCode.CLEAN
