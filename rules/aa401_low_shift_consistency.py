"""AA401 low-shift-consistency: the answer often differs between two shifts of one image."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding, percent
from ._measured import MEASURED_SEVERITIES, interval_words, level, measures, numbers

_WHAT = {
    "consistency": "Two shifts of one image get the same top-1 class in",
    "massc": "Overlapping pixels of two shifts of one image get the same class in",
}


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose consistency lies under a threshold with its whole interval."""
    for measure in measures(context, *_WHAT):
        severity = level(measure, context)
        if severity is not None:
            yield node_finding(
                RULE,
                None,
                severity,
                f"{_WHAT[measure.name]} {percent(measure.value)} of the cases only{interval_words(measure)}.",
                "Repair the sampling sites that add most error (AA402), or average over shifts of the input.",
                numbers(measure),
            )


RULE = Rule(
    code="AA401",
    name="low-shift-consistency",
    summary="The answer often differs between two shifts of one image.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.75, "warning": 0.9},
    needs=frozenset({Need.MEASUREMENT}),
)
