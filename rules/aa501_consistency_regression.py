"""AA501 consistency-regression: on the same images and shifts the new model is worse than the thresholds allow."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.findings import Finding, Severity
from auditor.gate import Comparison, Condition, MeasuredChange
from auditor.rule import Context, Need, Rule

from ._common import node_finding

_MEANING = {"fail": Severity.ERROR, "warn": Severity.WARNING}


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
    if condition.images_needed is not None:
        numbers["images_needed"] = condition.images_needed
    moved = f"{change.measure} went from {_value(change, change.base)} to {_value(change, change.new)}"
    limit = f"{condition.name} {_limit(change, condition)}"
    if condition.verdict.value == "fail":
        message = f"{moved} on the same {change.images} images and shifts, which breaks {limit}{_span(change)}."
        advice = "Find the layer that lost it with `aliasaudit verify`; the sites that are new or worse are listed."
    else:
        message = f"{moved} on the same {change.images} images and shifts: too close to {limit} to say{_span(change)}."
        advice = _more_images(condition, confidence)
    return node_finding(RULE, None, severity, message[0].upper() + message[1:], advice, numbers)


def _more_images(condition: Condition, confidence: float) -> str:
    if condition.images_needed is None:
        return "More images are unlikely to decide it: the difference is about as large as what is allowed."
    return f"About {condition.images_needed} images would decide it at {100 * confidence:.4g} % confidence: --images."


def _span(change: MeasuredChange) -> str:
    span = change.interval
    if span is None:
        return ""
    low, high = (_difference(change, value) for value in (span.low, span.high))
    return f" (difference {low} to {high}, {100 * span.confidence:.4g} % interval)"


def _limit(change: MeasuredChange, condition: Condition) -> str:
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
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    needs=frozenset({Need.COMPARISON, Need.MEASUREMENT}),
)
