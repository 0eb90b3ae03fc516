"""What a comparison found, in words: the rows and sentences that the formats lay out.

Text that is not our own is left as :class:`~auditor.text.ModelText` or as the finding it belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.facts.comparison import (
    Comparison,
    ComparisonVerdict,
    Condition,
    GridChange,
    MeasuredChange,
    needed_words,
    worst_verdict,
)
from auditor.report.words.numbers import factor_text
from auditor.text import ModelText, count_text
from auditor.verify.result import Verdict, titled

VERDICT_WORDS = {"fail": "fail", "inconclusive": "undecided", "pass": "pass"}
_FLOOR = "min"  # the threshold that asks nothing of the base


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One measure in both models. ``verdict`` is fail, inconclusive, pass, or empty where nothing was asked of it.

    ``notes`` are sentences on what the verdict assumes.
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


def headline(found: Comparison) -> str:
    """What the measured comparison comes to, in a few words; empty where nothing was measured."""
    minimum = {
        Verdict.FAIL: "MINIMUM NOT HELD",
        Verdict.INCONCLUSIVE: "MINIMUM UNDECIDED",
        Verdict.PASS: "minimum held",
    }
    words = [_base_words(found), *(words for verdict, words in minimum.items() if verdict is found.against_minimum)]
    return ", ".join(filter(None, words))


def undecided(found: Comparison | None) -> bool:
    """Whether no threshold fails, and one cannot be judged with the images that there are."""
    verdicts = {row.verdict for row in measured_rows(found)} if found is not None else set()
    return "inconclusive" in verdicts and "fail" not in verdicts


def _base_words(found: Comparison) -> str:
    verdict = found.against_base
    drops = [(change, condition) for change, condition in found.asked if condition.name != _FLOOR]
    if verdict is ComparisonVerdict.SAME_MODEL:
        return "SAME MODEL (equal graph and weights)"
    if verdict is ComparisonVerdict.UNDECIDED:
        condition = next(condition for _, condition in drops if condition.verdict is Verdict.INCONCLUSIVE)
        return f"UNDECIDED ({needed_words(condition.images_needed, condition.images_enough)})"
    if verdict is ComparisonVerdict.NO_DIFFERENCE_FOUND:
        return f"NO DIFFERENCE FOUND (at most {allowed_text(*drops[0])}, {100 * found.confidence:.4g} %)"
    return "" if verdict is None else verdict.value.upper()


def allowed_text(change: MeasuredChange, condition: Condition) -> str:
    """What a threshold on a change allows."""
    if condition.name == "max-jitter-rise":
        return f"{100 * condition.limit:.4g} % more jitter"
    if condition.name == "max-relative-drop":
        return f"{100 * condition.limit:.4g} % of the base worse"
    if condition.name == _FLOOR:
        return _number(condition.limit, change.unit)
    unit = change.unit == "share"
    return f"{100 * condition.limit:.4g} points worse" if unit else f"{condition.limit:g} worse"


def sentences(found: Comparison) -> Iterator[str]:
    """Verdict, findings, sites and subsampling against the base, the weightiest first; each without a full stop."""
    if verdict := headline(found):
        yield verdict
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
    for output in found.outputs:
        if output.grid is not None and max(output.grid.shift, output.grid.detour) > 0:
            yield grid_words(output.grid)


def grid_words(grid: GridChange) -> str:
    """How far the centres of an output moved, or else those of its deepest path."""
    if grid.shift:
        return f"output centre moved by {factor_text(grid.shift)} px"
    return f"the deepest path to the output moved by {factor_text(grid.detour)} px"


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
        base=_value(change, change.base, None if change.ratio is None else change.ratio.base_largest),
        new=_value(change, change.new, None if change.ratio is None else change.ratio.new_largest),
        difference=_moved(change),
        interval=_span(change),
        verdict="" if worst is None else worst.value,
        detail="; ".join(_condition(condition) for condition in change.conditions if condition.verdict is worst),
        notes=tuple(_notes(change)),
    )


def _value(change: MeasuredChange, value: float, largest: float | None) -> str:
    text = _number(value, change.unit)
    return text if largest is None else f"{text} (largest {_number(largest, change.unit)})"


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
    return f"{_difference(span.low, change.unit)} to {_difference(span.high, change.unit)}"


def _condition(condition: Condition) -> str:
    words = f"{condition.name} {condition.limit:g}"
    if condition.largest_change is not None:
        words += f", largest-change {condition.largest_change:g}"
    if condition.verdict.value != "inconclusive":
        return words
    return f"{words}; {needed_words(condition.images_needed, condition.images_enough)}"


def _notes(change: MeasuredChange) -> Iterator[str]:
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
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.2f} px" if unit == "px" else f"{value:.3f}"


def _difference(value: float, unit: str) -> str:
    """Differences of shares are percentage points."""
    if math.isnan(value):
        return "-"
    return f"{100 * value:+.1f} points" if unit == "share" else f"{value:+.2f} px" if unit == "px" else f"{value:+.3f}"
