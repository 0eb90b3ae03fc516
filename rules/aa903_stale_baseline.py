"""AA903 stale-baseline: entries of the baseline that match no finding any more."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding for all stale entries of the model; an error where the run is strict."""
    policy = context.policy
    if policy is None or not policy.stale:
        return
    count = sum(policy.stale.values())
    rules = ", ".join(code if times == 1 else f"{times} of {code}" for code, times in sorted(policy.stale.items()))
    entries = "1 entry of the baseline matches" if count == 1 else f"{count} entries of the baseline match"
    yield node_finding(
        RULE,
        None,
        Severity.ERROR if policy.strict else Severity.NOTE,
        f"{entries} no finding any more ({rules}).",
        "Run `aliasaudit baseline prune`: left behind, they excuse new findings that look alike.",
        {"entries": count},
    )


RULE = Rule(
    code="AA903",
    name="stale-baseline",
    summary="Entries of the baseline match no finding any more.",
    severities=(Severity.ERROR, Severity.NOTE),
    check=check,
    needs=frozenset({Need.POLICY}),
)
