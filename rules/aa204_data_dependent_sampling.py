"""AA204 data-dependent-sampling: the data decides where a node samples, so no static statement holds behind it."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule

from ._common import node_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per node whose sampling positions depend on the data."""
    for place in context.analysis.data_dependent:
        yield node_finding(
            RULE,
            place.node,
            Severity.NOTE,
            f"Where this node samples depends on the data: {place.reason.rstrip('.')}.",
            "No static audit can follow the grid here: run the model on shifted images to measure its consistency.",
            {},
        )


RULE = Rule(
    code="AA204",
    name="data-dependent-sampling",
    summary="The data decides where a node samples.",
    severities=(Severity.NOTE,),
    check=check,
)
