"""AA501 consistency-regression: on the same images and shifts the new model is worse than the thresholds allow."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.comparison import Comparison, Condition, MeasuredChange, needed_words
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding

_MEANING = {"fail": Severity.ERROR, "warn": Severity.NOTE}


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per threshold that does not hold, or of which that is not known and not to be passed over."""
    comparison = context.comparison
    for change in comparison.measured if comparison is not None else ():
        for condition in change.conditions:
            severity = _severity(condition, comparison)
            if severity is not None and comparison is not None:
                yield _finding(change, condition, severity, comparison.confidence)


def _severity(condition: Condition, comparison: Comparison | None) -> Severity | None:
    if condition.verdict.value == "fail":
        return Severity.ERROR
    if condition.verdict.value == "pass" or comparison is None:
        return None
    return _MEANING.get(comparison.inconclusive)


def _finding(change: MeasuredChange, condition: Condition, severity: Severity, confidence: float) -> Finding:
    numbers: dict[str, float | int | str] = {
        "measure": change.measure,
        "base": round(change.base, 6),
        "new": round(change.new, 6),
        "difference": round(change.difference, 6),
        "threshold": condition.name,
        "limit": condition.limit,
        "images": change.images,
        "verdict": condition.verdict.value,
    }
    if change.interval is not None:
        numbers |= {"low": round(change.interval.low, 6), "high": round(change.interval.high, 6)}
    if change.ratio is not None:
        numbers["typical_ratio"] = round(change.ratio.value, 4)
        if change.ratio.interval is not None:
            numbers |= {"low": round(change.ratio.interval.low, 4), "high": round(change.ratio.interval.high, 4)}
    if condition.largest_change is not None:
        numbers["largest_change"] = condition.largest_change
    if condition.images_needed is not None and condition.images_enough is not None:
        numbers |= {"images_needed": condition.images_needed, "images_enough": condition.images_enough}
    moved = f"{change.measure} went from {_value(change, change.base)} to {_value(change, change.new)}"
    limit = f"{condition.name} {_limit(change, condition)}"
    if condition.verdict.value == "fail":
        message = f"{moved} on the same {change.images} images and shifts, which breaks {limit}{_span(change)}."
        advice = "Find the layer that lost it with `aliasaudit verify`; the sites that are new or worse are listed."
    else:
        message = f"{moved} on the same {change.images} images and shifts: undecided against {limit}{_span(change)}."
        advice = _more_images(condition, confidence)
    return node_finding(RULE, None, severity, message[0].upper() + message[1:], advice, numbers)


def _more_images(condition: Condition, confidence: float) -> str:
    words = needed_words(condition.images_needed, condition.images_enough)
    if condition.images_needed is None:
        return f"This is {words}: allow more, or state a smaller largest-change if you know one."
    return f"{words[0].upper()}{words[1:]} ({100 * confidence:.4g} % confidence): --images, --images-limit."


def _span(change: MeasuredChange) -> str:
    if change.ratio is not None:
        ratio = change.ratio.interval
        ends = "" if ratio is None else f", {ratio.low:.2f} to {ratio.high:.2f} at {100 * ratio.confidence:.4g} %"
        return f" (typical image x{change.ratio.value:.2f}{ends})"
    span = change.interval
    if span is None:
        return ""
    low, high = (_difference(change, value) for value in (span.low, span.high))
    return f" (difference {low} to {high}, {100 * span.confidence:.4g} % interval)"


def _limit(change: MeasuredChange, condition: Condition) -> str:
    if condition.name == "max-jitter-rise":
        return f"{100 * condition.limit:.4g} %"
    if condition.name == "max-relative-drop":
        return f"{100 * condition.limit:.4g} % of the base"
    if condition.name == "max-absolute-drop" and change.unit == "share":
        return f"{100 * condition.limit:.4g} points"
    return _value(change, condition.limit)


def _value(change: MeasuredChange, value: float) -> str:
    return f"{100 * value:.4g} %" if change.unit == "share" else f"{value:.4g}"


def _difference(change: MeasuredChange, value: float) -> str:
    return f"{100 * value:+.2f} points" if change.unit == "share" else f"{value:+.4f}"


RULE = Rule(
    code="AA501",
    name="consistency-regression",
    summary="Run on the same images and shifts, the new model is worse than its base by more than is allowed.",
    severities=(Severity.ERROR, Severity.NOTE),
    check=check,
    needs=frozenset({Need.COMPARISON, Need.MEASUREMENT}),
)
