"""What a comparison found, in words: the rows and sentences that the formats lay out.

Text that is not our own is left as :class:`~auditor.text.ModelText` or as the finding it belongs to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.gate import Comparison, Condition, MeasuredChange
from auditor.report.numbers import count_text, factor_text
from auditor.text import ModelText

_WORST_FIRST = ("fail", "inconclusive", "pass")


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One measure in both models. ``verdict`` is fail, inconclusive, pass, or empty where nothing was asked of it."""

    output: ModelText
    measure: str
    base: str
    new: str
    difference: str
    interval: str
    verdict: str
    detail: str


def sentences(found: Comparison) -> Iterator[str]:
    """Findings, sites and subsampling against the base, the weightiest first; each a clause without a full stop."""
    worse = sum(kept.worse for kept in found.kept)
    counts = [(len(found.added), "added"), (worse, "worse"), (len(found.fixed), "fixed")]
    changed = [f"{count_text(count, 'finding')} {word}" for count, word in counts if count]
    same = len(found.kept) - worse
    yield (
        ", ".join(changed)
        if changed
        else f"no finding added or fixed, {same} kept"
        if same
        else "no findings in either"
    )
    if found.before != found.after:
        yield f"cumulative factor {factor_text(found.before)} to {factor_text(found.after)}"
    sites = [(len(found.new_sites), "new"), (len(found.removed_sites), "gone")]
    moved = [f"{count_text(count, 'sampling site')} {word}" for count, word in sites if count]
    if moved:
        yield ", ".join(moved)
    verdicts = Counter(row.verdict for row in measured_rows(found) if row.verdict)
    if verdicts:
        yield "measured: " + ", ".join(f"{verdicts[word]} {word}" for word in _WORST_FIRST if verdicts[word])


def measured_rows(found: Comparison) -> list[MeasuredRow]:
    """The measures of both models, in the order of the comparison."""
    return [_row(change) for change in found.measured]


def output_rows(found: Comparison) -> Iterator[tuple[ModelText, str, str]]:
    """The outputs whose cumulative factor changed: name, before and after; - where a model has no such output."""
    for change in found.outputs:
        name = change.new if change.new is not None else change.base
        if name is None or (change.before == change.after and change.base is not None and change.new is not None):
            continue
        before = "-" if change.base is None else factor_text(change.before)
        yield name, before, "-" if change.new is None else factor_text(change.after)


def _row(change: MeasuredChange) -> MeasuredRow:
    verdicts = {condition.verdict.value for condition in change.conditions}
    worst = next((word for word in _WORST_FIRST if word in verdicts), "")
    span = change.interval
    return MeasuredRow(
        output=change.output,
        measure=change.measure,
        base=_number(change.base, change.unit),
        new=_number(change.new, change.unit),
        difference=_difference(change.difference, change.unit),
        interval=""
        if span is None
        else f"{_difference(span.low, change.unit)} to {_difference(span.high, change.unit)}",
        verdict=worst,
        detail="; ".join(_condition(one) for one in change.conditions if one.verdict.value == worst),
    )


def _condition(condition: Condition) -> str:
    needed = f", about {condition.images_needed} images would decide" if condition.images_needed is not None else ""
    return f"{condition.name} {condition.limit:g}{needed}"


def _number(value: float, unit: str) -> str:
    if math.isnan(value):
        return "-"
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.2f} px" if unit == "px" else f"{value:.3f}"


def _difference(value: float, unit: str) -> str:
    """Differences of shares are percentage points."""
    if math.isnan(value):
        return "-"
    return f"{100 * value:+.1f} points" if unit == "share" else f"{value:+.2f} px" if unit == "px" else f"{value:+.3f}"
