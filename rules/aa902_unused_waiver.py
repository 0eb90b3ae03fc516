"""AA902 unused-waiver: a waiver that matches nothing in any audited model that it speaks of."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding, waiver_words


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per waiver without use; an error where the run is strict."""
    policy = context.policy
    for waiver in policy.unused if policy is not None else ():
        yield node_finding(
            RULE,
            None,
            Severity.ERROR if policy is not None and policy.strict else Severity.WARNING,
            f"{waiver_words(waiver)} matches no finding.",
            "Remove it: left behind, it will excuse the next finding that happens to fit.",
            {"waiver": waiver.number, "owner": waiver.owner},
        )


RULE = Rule(
    code="AA902",
    name="unused-waiver",
    summary="A waiver matches nothing in the models that it speaks of.",
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    needs=frozenset({Need.POLICY}),
)
