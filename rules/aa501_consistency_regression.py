"""AA501 consistency-regression: on the same images and shifts the new model is worse than the thresholds allow."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule
from auditor.verify.verdict import Verdict

from ._compared import threshold_finding

_ADVICE = "Find the layer that lost it with `aliasaudit verify`; the sites that are new or worse are listed."


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per threshold that does not hold."""
    for change, condition in () if context.comparison is None else context.comparison.asked:
        if condition.verdict is Verdict.FAIL:
            yield threshold_finding(RULE, Severity.ERROR, change, condition, ", which breaks {limit}", _ADVICE)


RULE = Rule(
    code="AA501",
    name="consistency-regression",
    summary="Run on the same images and shifts, the new model is worse than its base by more than is allowed.",
    severities=(Severity.ERROR,),
    check=check,
    needs=frozenset({Need.COMPARISON, Need.MEASUREMENT}),
)
