"""AA601 ignored-by-target: a target leaves out an attribute that decides how a node samples."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._targets import ERROR_OPTIONS, verdict_findings


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per node and target that ignores a part of it."""
    yield from verdict_findings(RULE, context, "ignored")


RULE = Rule(
    code="AA601",
    name="ignored-by-target",
    summary="A deployment target leaves a sampling attribute out, without a word.",
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    options=ERROR_OPTIONS,
    since="0.2.0",
    needs=frozenset({Need.TARGETS}),
)
