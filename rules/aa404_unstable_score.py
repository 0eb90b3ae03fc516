"""AA404 unstable-score: the score of the winning class moves a lot when the input is shifted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding
from ._measured import MEASURED_SEVERITIES, interval_words, level, measures, numbers


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose mean change of score lies over a threshold with its whole interval."""
    for measure in measures(context, "mac"):
        severity = level(measure, context)
        if severity is not None:
            yield node_finding(
                RULE,
                None,
                severity,
                f"The probability of the winning class changes by {measure.value:.3f} on average between two shifts of "
                f"one image{interval_words(measure)}.",
                "Average two diagonal phases at the last site, or the input over shifts of one pixel: both lower this "
                "number without retraining. Thresholds on scores need this much slack until then.",
                numbers(measure),
            )


RULE = Rule(
    code="AA404",
    name="unstable-score",
    summary="The score of the winning class moves a lot when the input is shifted.",
    severities=MEASURED_SEVERITIES,
    check=check,
    options={"error": 0.15, "warning": 0.05},
    needs=frozenset({Need.MEASUREMENT}),
)
