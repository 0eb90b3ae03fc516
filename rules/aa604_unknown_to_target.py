"""AA604 unknown-to-target: nothing is known of what a target makes of a node, or of the versions asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

if TYPE_CHECKING:
    from auditor.targets.review import UncoveredVersions, UnknownForms


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per target with forms that its table does not have, and per target of unknown versions."""
    if context.targets is None:
        return
    for gap in context.targets.uncovered:
        yield _of_versions(gap)
    for unknown in sorted(context.targets.unknown, key=lambda one: one.nodes[0].order):
        yield _of_forms(unknown)


def _of_versions(gap: UncoveredVersions) -> Finding:
    what = "so none of its nodes were judged" if gap.all_of_them else "so earlier versions were not judged"
    return Finding(
        RULE.code,
        RULE.name,
        Severity.NOTE,
        f"Not known for {gap.asked}: the table of {gap.title} is of {gap.known}, {what}.",
        "Compare the model on the target with onnxruntime on a few inputs, or ask for the versions that are known.",
        numbers={"target": gap.target, "versions": gap.known},
    )


def _of_forms(unknown: UnknownForms) -> Finding:
    first, *others = unknown.nodes
    count = f"{len(unknown.nodes)} nodes" if others else "this node"
    how = f"measured with {unknown.measured}" if unknown.measured else "from sources and threads"
    return Finding(
        RULE.code,
        RULE.name,
        Severity.NOTE,
        f"Not known for {unknown.title} at {count}: {_listed(unknown.forms)} ({how}).",
        "Compare these nodes on the target with onnxruntime on a few inputs, or write them in a portable form.",
        node=first,
        related=tuple(others),
        numbers={"target": unknown.target, "nodes": len(unknown.nodes)},
    )


def _listed(forms: tuple[str, ...]) -> str:
    return "; ".join(forms[:5]) + (f"; and {len(forms) - 5} more" if len(forms) > 5 else "")


RULE = Rule(
    code="AA604",
    name="unknown-to-target",
    summary="Nothing is known of what a deployment target makes of a sampling form.",
    severities=(Severity.NOTE,),
    check=check,
    since="0.2.0",
    needs=frozenset({Need.TARGETS}),
)
