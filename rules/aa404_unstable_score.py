"""AA404 unstable-score: the score of the winning class moves a lot when the input is shifted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._measured import MEASURED_SEVERITIES, beyond_threshold

_SENTENCES = {
    "mac": "The probability of the winning class changes by {value:.3f} on average between two shifts of one"
    " image{interval}."
}
_ADVICE = (
    "Average two diagonal phases at the last site, or the input over shifts of one pixel: both lower "
    "this number without retraining. Thresholds on scores need this much slack until then."
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose mean change of score lies over a threshold with its whole interval."""
    return beyond_threshold(RULE, context, _SENTENCES, _ADVICE)


RULE = Rule(
    code="AA404",
    name="unstable-score",
    summary="The score of the winning class moves a lot when the input is shifted.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.15, "warning": 0.05},
    needs=frozenset({Need.MEASUREMENT}),
)
