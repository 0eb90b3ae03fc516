"""AA901 expired-waiver: a finding counts again because the day of its waiver has passed."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding, waiver_words


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per waiver that would excuse something if it had not expired."""
    for waiver in context.policy.expired if context.policy is not None else ():
        one = waiver.findings == 1
        yield node_finding(
            RULE,
            None,
            Severity.ERROR,
            f"{waiver_words(waiver)} expired after {waiver.expires}, so {waiver.findings}"
            f" finding{'' if one else 's'} count{'s' if one else ''} again.",
            "Repair what was waived and remove the waiver, or give it a new day and a reason that still holds.",
            {"waiver": waiver.number, "expires": waiver.expires, "findings": waiver.findings, "owner": waiver.owner},
        )


RULE = Rule(
    code="AA901",
    name="expired-waiver",
    summary="The day of a waiver has passed; what it excused counts again.",
    severities=(Severity.ERROR,),
    check=check,
    needs=frozenset({Need.POLICY}),
)
