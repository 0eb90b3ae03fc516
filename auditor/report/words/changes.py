"""What a comparison found, in words: the rows and sentences that the formats lay out.

Text that is not our own is left as :class:`~auditor.text.ModelText` or as the finding it belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.facts.comparison import Comparison, GridChange, MeasuredChange, worst_verdict
from auditor.report.words.compared_verdict import graph_changes, headline
from auditor.report.words.numbers import factor_text
from auditor.report.words.site_changes import sites_summary
from auditor.text import ModelText
from auditor.verify.result import titled
from auditor.verify.verdict import Condition, needed_words

VERDICT_WORDS = {"fail": "fail", "inconclusive": "undecided", "pass": "pass"}


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One measure in both models. ``verdict`` is fail, inconclusive, pass, or empty where nothing was asked of it.

    ``interval`` is in the unit of ``difference``. ``notes`` are sentences on what the verdict assumes.
    """

    output: ModelText
    measure: str
    base: str
    new: str
    difference: str
    interval: str
    verdict: str
    detail: str
    notes: tuple[str, ...] = ()


def sentences(found: Comparison) -> Iterator[str]:
    """Verdict, findings, sites and subsampling against the base, the weightiest first; each without a full stop."""
    yield headline(found)
    if found.verdict is not None:
        yield ", ".join(graph_changes(found)) or "the graphs have the same sites and findings"
    yield from sites_summary(found)
    yield from moved_outputs(found)


def moved_outputs(found: Comparison) -> Iterator[str]:
    """The outputs whose grid lies elsewhere than in the base: clauses."""
    for output in found.outputs:
        if output.grid is not None and max(output.grid.shift, output.grid.detour) > 0:
            yield grid_words(output.grid)


def grid_words(grid: GridChange) -> str:
    """How far the centres of an output moved, or else those of its deepest path."""
    if grid.shift:
        return f"output centre moved by {factor_text(grid.shift)} px"
    return f"the deepest path to the output moved by {factor_text(grid.detour)} px"


# Beside what is held to a threshold, a reader looks for these first.
_LEADING = ("accuracy", "top1-change", "mac-1px")
_ROWS = 3


def leading_rows(found: Comparison) -> tuple[list[MeasuredRow], list[MeasuredRow]]:
    """The measures that matter, all that are held to a threshold and at least three, and the others."""
    asked = [change for change in found.measured if change.conditions]
    others = [change for change in found.measured if not change.conditions]
    known = [change for name in _LEADING for change in others if change.measure == name and not change.protocol]
    ordered = [*asked, *known, *(change for change in others if change not in known)]
    count = max(len(asked), _ROWS)
    rows = [_row(change) for change in ordered]
    return rows[:count], rows[count:]


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
    worst = worst_verdict(change.conditions)
    return MeasuredRow(
        output=change.output,
        measure=titled(change.measure, change.protocol),
        base=_number(change.base, change.unit),
        new=_number(change.new, change.unit),
        difference=_moved(change),
        interval=_span(change),
        verdict="" if worst is None else worst.value,
        detail="; ".join(_condition(condition) for condition in change.conditions if condition.verdict is worst),
        notes=tuple(_notes(change)),
    )


def _moved(change: MeasuredChange) -> str:
    difference = _difference(change.difference, change.unit)
    return difference if change.ratio is None else f"{difference}, typical x{change.ratio.value:.2f}"


def _span(change: MeasuredChange) -> str:
    if change.ratio is not None:
        ratio = change.ratio.interval
        return "" if ratio is None else f"x{ratio.low:.2f} to x{ratio.high:.2f}"
    span = change.interval
    if span is None:
        return ""
    ends = [_difference(end, change.unit) for end in (span.low, span.high)]
    return " to ".join(end.removesuffix(" points").removesuffix(" px") for end in ends)


def _condition(condition: Condition) -> str:
    words = f"{condition.name} {condition.limit:g}"
    if condition.largest_change is not None:
        words += f", largest-change {condition.largest_change:g}"
    if condition.verdict.value != "inconclusive":
        return words
    return f"{words}; {needed_words(condition.images_needed, condition.images_enough)}"


def _notes(change: MeasuredChange) -> Iterator[str]:
    if change.ratio is not None:
        largest = [_number(value, change.unit) for value in (change.ratio.base_largest, change.ratio.new_largest)]
        yield f"largest of any image: {largest[0]} in the base, {largest[1]} here"
    if not change.conditions:
        return
    if change.unseen is not None:
        yield (
            f"no image changed; up to {100 * change.unseen:.1f} % of all images could and would not show in"
            f" {change.images}"
        )
    for condition in change.conditions:
        if condition.otherwise is not None and condition.twice_seen is not None:
            points = change.unit == "share"
            most = f"{100 * condition.twice_seen:.3g} points" if points else f"{condition.twice_seen:.3g}"
            verdict = VERDICT_WORDS[condition.otherwise.value]
            yield f"{verdict} if no image changes by more than {most} (twice the largest change seen)"


def _number(value: float, unit: str) -> str:
    if math.isnan(value):
        return "-"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.2f} px" if unit == "px" else f"{value:.{_digits(unit)}f}"


def _difference(value: float, unit: str) -> str:
    """Differences of shares are percentage points."""
    if math.isnan(value):
        return "-"
    if unit == "share":
        return f"{100 * value:+.1f} points"
    return f"{value:+.2f} px" if unit == "px" else f"{value:+.{_digits(unit)}f}"


def _digits(unit: str) -> int:
    return 4 if unit == "variance" else 3
