"""AA409 unstable-text: a text reader reads another text when the input is shifted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._measured import MEASURED_SEVERITIES, beyond_threshold

_SENTENCES = {"text-changes": "The text differs in {share} of the pairs of shifts of one image{interval}."}
_ADVICE = (
    "Crop lines with a margin, and read them twice, one pixel apart: accept what both readings agree "
    "on. See AA402 for the sampling sites that add most error."
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose share of changed readings lies over a threshold with its whole interval."""
    return beyond_threshold(RULE, context, _SENTENCES, _ADVICE)


RULE = Rule(
    code="AA409",
    name="unstable-text",
    summary="A text reader reads another text when the input is shifted.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.15, "warning": 0.05},
    since="0.2.0",
    needs=frozenset({Need.MEASUREMENT}),
)
