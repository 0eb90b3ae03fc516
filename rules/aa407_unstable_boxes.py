"""AA407 unstable-boxes: boxes of a detector appear or disappear when the input is shifted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._measured import MEASURED_SEVERITIES, beyond_threshold

_SENTENCES = {"flicker": "{share} of the boxes appear or disappear between two shifts of one image{interval}."}
_ADVICE = (
    "Repair the sampling sites that add most error (AA402); until then confirm a box over several "
    "frames, or use a lower threshold for a box that was there before than for a new one."
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose boxes come and go more often than a threshold with the whole interval."""
    return beyond_threshold(RULE, context, _SENTENCES, _ADVICE)


RULE = Rule(
    code="AA407",
    name="unstable-boxes",
    summary="Boxes of a detector appear or disappear when the input is shifted.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.3, "warning": 0.1},
    since="0.2.0",
    needs=frozenset({Need.MEASUREMENT}),
)
