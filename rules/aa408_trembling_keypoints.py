"""AA408 trembling-keypoints: keypoints tremble when the input is shifted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._measured import MEASURED_SEVERITIES, beyond_threshold

_SENTENCES = {
    "nme": "Keypoints lie {share} of the figure's size off, on average, between two shifts of one image{interval}."
}
_ADVICE = (
    "Refine the peaks of heat maps (DARK) where most of it is quantisation, repair the sampling sites"
    " that add most error (AA402), or average over shifts of the input."
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose points tremble by more of the figure than a threshold."""
    return beyond_threshold(RULE, context, _SENTENCES, _ADVICE)


RULE = Rule(
    code="AA408",
    name="trembling-keypoints",
    summary="Keypoints tremble when the input is shifted.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.05, "warning": 0.02},
    since="0.2.0",
    needs=frozenset({Need.MEASUREMENT}),
)
