"""AA603 refused-by-target: a target does not load or run a node."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._targets import verdict_findings


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per node and target that refuses it."""
    yield from verdict_findings(RULE, context, "refused")


RULE = Rule(
    code="AA603",
    name="refused-by-target",
    summary="A deployment target does not load or run a sampling form.",
    severities=(Severity.ERROR,),
    check=check,
    since="0.2.0",
    needs=frozenset({Need.TARGETS}),
)
