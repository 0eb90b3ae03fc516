"""AA407 unstable-boxes: boxes of a detector appear or disappear when the input is shifted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding, percent
from ._measured import MEASURED_SEVERITIES, interval_words, level, measures, numbers


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose boxes come and go more often than a threshold with the whole interval."""
    for measure in measures(context, "flicker"):
        severity = level(measure, context)
        if severity is not None:
            yield node_finding(
                RULE,
                None,
                severity,
                f"{percent(measure.value)} of the boxes appear or disappear between two shifts of one "
                f"image{interval_words(measure)}.",
                "Repair the sampling sites that add most error (AA402); until then confirm a box over several frames, "
                "or use a lower threshold for a box that was there before than for a new one.",
                numbers(measure),
            )


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
