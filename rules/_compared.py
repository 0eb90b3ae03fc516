"""What the rules about a measured comparison share: one threshold, what it was held against, and the interval."""

from __future__ import annotations

from auditor.facts.comparison import MeasuredChange
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Rule
from auditor.verify.verdict import Condition

from ._common import node_finding


def threshold_finding(
    rule: Rule, severity: Severity, change: MeasuredChange, condition: Condition, outcome: str, advice: str
) -> Finding:
    """The finding about a threshold. ``outcome`` says in a clause what came of it and names ``{limit}``."""
    moved = f"{change.measure} went from {_value(change, change.base)} to {_value(change, change.new)}"
    clause = outcome.format(limit=f"{condition.name} {_limit(change, condition)}")
    message = f"{moved} on the same {change.images} images and shifts{clause}{_span(change)}."
    return node_finding(rule, None, severity, message[0].upper() + message[1:], advice, _numbers(change, condition))


def _numbers(change: MeasuredChange, condition: Condition) -> dict[str, float | int | str]:
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
    return numbers


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
