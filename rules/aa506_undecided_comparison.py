"""AA506 undecided-comparison: the images do not tell whether the new model is worse than the thresholds allow."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule
from auditor.verify.verdict import Condition, Verdict, needed_words

from ._compared import threshold_finding

_SEVERITIES = {"fail": Severity.ERROR, "warn": Severity.NOTE}


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per threshold of which it is open whether it holds, unless that is to be passed over."""
    comparison = context.comparison
    if comparison is None:
        return
    severity = _SEVERITIES.get(comparison.inconclusive)
    for change, condition in comparison.asked if severity is not None else ():
        if condition.verdict is Verdict.INCONCLUSIVE and severity is not None:
            advice = _more_images(condition, comparison.confidence)
            yield threshold_finding(RULE, severity, change, condition, ": undecided against {limit}", advice)


def _more_images(condition: Condition, confidence: float) -> str:
    words = needed_words(condition.images_needed, condition.images_enough)
    if condition.images_needed is None:
        return f"This is {words}: allow more, or state a smaller largest-change if you know one."
    return f"{words[0].upper()}{words[1:]} ({100 * confidence:.4g} % confidence): --images, --images-limit."


RULE = Rule(
    code="AA506",
    name="undecided-comparison",
    summary="The images do not tell whether the new model is worse than its base by more than is allowed.",
    severities=(Severity.ERROR, Severity.NOTE),
    check=check,
    since="0.3.0",
    needs=frozenset({Need.COMPARISON, Need.MEASUREMENT}),
)
