"""AA503 over-budget: more findings of a rule, more subsampling or aliasing than the settings allow a model."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding, number


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per budget that the model exceeds."""
    for over in context.policy.over if context.policy is not None else ():
        limit, found = number(over.limit), number(over.found)
        where = "the ratchet of the baseline" if over.ratcheted else "the budget"
        yield node_finding(
            RULE,
            None,
            Severity.ERROR,
            f"{over.name} is {found} here, and {where} is {limit}.",
            "Repair or waive what is too much. To allow more, raise the budget"
            + (" and write the baseline again." if over.ratcheted else "."),
            {"budget": over.name, "limit": limit, "found": found},
        )


RULE = Rule(
    code="AA503",
    name="over-budget",
    summary="A model has more findings of a rule, more subsampling or more aliasing than its budget.",
    severities=(Severity.ERROR,),
    check=check,
    needs=frozenset({Need.POLICY}),
)
