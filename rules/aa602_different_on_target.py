"""AA602 different-on-target: a target computes other values than onnxruntime, or another shape."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._targets import ERROR_OPTIONS, verdict_findings


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per node and target that computes it differently."""
    yield from verdict_findings(RULE, context, "differs")


RULE = Rule(
    code="AA602",
    name="different-on-target",
    summary="A deployment target computes other values or another shape than onnxruntime, without a word.",
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    options=ERROR_OPTIONS,
    since="0.2.0",
    needs=frozenset({Need.TARGETS}),
)
