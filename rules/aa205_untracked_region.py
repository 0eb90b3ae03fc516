"""AA205 untracked-region: the analysis lost the grid, and says what that hides."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import Untracked

from ._common import node_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per place where the analysis stopped."""
    for place in context.analysis.untracked:
        yield node_finding(
            RULE,
            place.node,
            Severity.WARNING if place.hidden_strided else Severity.NOTE,
            f"The analysis lost the sampling grid here: {place.reason.rstrip('.')}. {_hidden(place)}",
            "Export with fixed input sizes and standard operators where you can, or run the model on shifted images to"
            " measure its consistency.",
            {"hidden_nodes": place.hidden_nodes, "hidden_strided": place.hidden_strided},
        )


def _hidden(place: Untracked) -> str:
    if not place.hidden_nodes:
        return "No node depends on it."
    nodes = "1 node depends" if place.hidden_nodes == 1 else f"{place.hidden_nodes} nodes depend"
    strided = "none of them strided" if not place.hidden_strided else f"{place.hidden_strided} of them strided"
    return f"{nodes} on it and {'was' if place.hidden_nodes == 1 else 'were'} not audited, {strided}."


RULE = Rule(
    code="AA205",
    name="untracked-region",
    summary="The analysis lost the sampling grid; what lies behind is not audited.",
    severities=(Severity.WARNING, Severity.NOTE),
    check=check,
)
