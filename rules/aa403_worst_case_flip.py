"""AA403 worst-case-flip: some small shift changes the answer for many images."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._measured import MEASURED_SEVERITIES, beyond_threshold

_SENTENCES = {
    "worst-case": "For {share} of the images some shift of the exhaustive square changes the top-1 class{interval}."
}
_ADVICE = "Average over shifts of the input where single frames decide; one frame can always be the worst one."


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output where an exhaustive search of shifts was made and flips many images."""
    return beyond_threshold(RULE, context, _SENTENCES, _ADVICE)


RULE = Rule(
    code="AA403",
    name="worst-case-flip",
    summary="Some small shift changes the answer for many images.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.5, "warning": 0.25},
    needs=frozenset({Need.MEASUREMENT}),
)
