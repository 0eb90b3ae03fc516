"""AA401 low-shift-consistency: the answer often differs between two shifts of one image."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._measured import MEASURED_SEVERITIES, beyond_threshold

_SENTENCES = {
    "consistency": "Two shifts of one image get the same top-1 class in {share} of the cases only{interval}.",
    "massc": "Overlapping pixels of two shifts of one image get the same class in {share} of the cases only{interval}.",
}
_ADVICE = "Repair the sampling sites that add most error (AA402), or average over shifts of the input."


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose consistency lies under a threshold with its whole interval."""
    return beyond_threshold(RULE, context, _SENTENCES, _ADVICE)


RULE = Rule(
    code="AA401",
    name="low-shift-consistency",
    summary="The answer often differs between two shifts of one image.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.75, "warning": 0.9},
    needs=frozenset({Need.MEASUREMENT}),
)
