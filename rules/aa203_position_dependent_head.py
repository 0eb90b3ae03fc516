"""AA203 position-dependent-head: weights or constants that belong to a position of the grid."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import HeadKind

from ._common import node_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per position encoding and per node that makes heads position-dependent, in graph order."""
    findings = [*_encodings(context), *_heads(context)]
    return iter(sorted(findings, key=lambda finding: -1 if finding.node is None else finding.node.order))


def _heads(context: Context) -> Iterator[Finding]:
    seen: set[int] = set()
    for index, head in enumerate(context.analysis.heads):
        if head.kind is not HeadKind.POSITION_DEPENDENT:
            continue
        if head.cause is not None and head.cause.order in seen:
            continue
        if head.cause is not None:
            seen.add(head.cause.order)
        yield node_finding(
            RULE,
            head.cause,
            Severity.NOTE,
            "The head gives every position of the grid its own weights: no shift of the input leaves the output exact.",
            "No blur repairs this. Pool over the grid before the dense layer and retrain, or train on shifted images;"
            " without retraining, average the outputs over shifts of the input.",
            {"output": index},
        )


def _encodings(context: Context) -> Iterator[Finding]:
    for encoding in context.analysis.encodings:
        yield node_finding(
            RULE,
            encoding.node,
            Severity.NOTE,
            "A constant that varies over the grid enters here, such as a position encoding: no shift passes it unseen.",
            "No blur repairs this. Relative or convolutional position encodings keep equivariance, and need training.",
            {"axes": len(encoding.sources)},
        )


RULE = Rule(
    code="AA203",
    name="position-dependent-head",
    summary="Weights or constants that belong to positions rule out shift-invariance; no blur repairs that.",
    severities=(Severity.NOTE,),
    check=check,
)
