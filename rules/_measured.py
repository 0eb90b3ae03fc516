"""What the rules about measured numbers share: the bound of an interval that a threshold is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule

from ._common import node_finding, percent

if TYPE_CHECKING:
    from auditor.verify.result import Measure

MEASURED_SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def beyond_threshold(rule: Rule, context: Context, sentences: Mapping[str, str], advice: str) -> Iterator[Finding]:
    """Yield one finding per output and measure that lies beyond a threshold with its whole interval.

    ``sentences`` say it by the name of the measure: ``{share}`` stands for the value in percent, ``{value}`` for the
    number, ``{interval}`` for its interval in words.
    """
    for measure in measures(context, *sentences):
        severity = level(measure, context)
        if severity is not None:
            message = sentences[measure.name].format(
                share=percent(measure.value), value=measure.value, interval=interval_words(measure)
            )
            yield node_finding(rule, None, severity, message, advice, numbers(measure))


def measures(context: Context, *names: str) -> Iterator[Measure]:
    """The measures of these names over all outputs that were measured."""
    for output in context.verification.outputs if context.verification is not None else ():
        for name in names:
            found = output.measure(name)
            if found is not None and found.value == found.value:
                yield found


def level(measure: Measure, context: Context) -> Severity | None:
    """Error or warning where the whole interval lies beyond the option of that name, None where none does.

    Without an interval, for lack of images, a value beyond a threshold is a note: so few images prove nothing.
    """
    for severity in (Severity.ERROR, Severity.WARNING):
        threshold = float(context.options[severity.value])
        bound = measure.value
        if measure.interval is not None:
            bound = measure.interval.high if measure.higher_is_better else measure.interval.low
        if bound < threshold if measure.higher_is_better else bound >= threshold:
            return severity if measure.interval is not None else Severity.NOTE
    return None


def numbers(measure: Measure) -> dict[str, float | int | str]:
    """The value with its interval and the number of images behind it."""
    found: dict[str, float | int | str] = {measure.name: round(measure.value, 4), "images": measure.images}
    if measure.interval is not None:
        found |= {"low": round(measure.interval.low, 4), "high": round(measure.interval.high, 4)}
    return found


def interval_words(measure: Measure) -> str:
    """``, interval 0.72 to 0.80``; says that there is none where images are too few."""
    if measure.interval is None:
        return ", too few images for an interval"
    return f", interval {measure.interval.low:.3f} to {measure.interval.high:.3f}"
