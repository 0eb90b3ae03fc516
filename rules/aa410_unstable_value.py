"""AA410 unstable-value: the numbers of a regression move a lot when the input is shifted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._measured import MEASURED_SEVERITIES, beyond_threshold

_SENTENCES = {
    "relative-change": "Between two shifts of one image the numbers change by {share} of their spread between "
    "images{interval}."
}
_ADVICE = "Repair the sampling sites that add most error (AA402), or average the numbers over shifts."


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose change lies over a threshold, a share of the spread between images."""
    return beyond_threshold(RULE, context, _SENTENCES, _ADVICE)


RULE = Rule(
    code="AA410",
    name="unstable-value",
    summary="The numbers of a regression move a lot when the input is shifted.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.3, "warning": 0.1},
    since="0.2.0",
    needs=frozenset({Need.MEASUREMENT}),
)
