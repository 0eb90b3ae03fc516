"""A comparison of resize kernels in words: the sentences and cells that the formats lay out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from auditor.resizing.judge import LESS_STABLE
from auditor.resizing.result import Estimate, KernelRow, ResizeComparison, ResizeVerdict
from auditor.text import count_text
from auditor.verify.result import Task
from auditor.verify.statistics import MIN_IMAGES, Needed

_ANSWERS = {
    Task.CLASSIFICATION: "answers",
    Task.EMBEDDING: "answers",
    Task.DENSE: "positions",
    Task.DETECTION: "boxes",
}
_CHANGE = {
    Task.CLASSIFICATION: "MAC",
    Task.EMBEDDING: "1 - cosine",
    Task.DENSE: "change",
    Task.DETECTION: "score change",
}
_CHANGE_MEANING = {
    Task.CLASSIFICATION: "MAC: mean change of the winning class's probability",
    Task.EMBEDDING: "1 - cosine: of the two vectors; below 0.95 an answer counts as another",
    Task.DENSE: "change: share of positions with another class, or the relative error of a map without classes",
    Task.DETECTION: "score change: of the boxes that both answers have",
}
_ANSWER_NOUN = {Task.DENSE: "position", Task.DETECTION: "box"}


@dataclass(frozen=True, slots=True)
class KernelCells:
    """One row of the table as text; empty where there is nothing to show."""

    kernel: str
    deployed: bool
    low_pass: bool
    agreement: str
    change: str
    stability: str
    change_1px: str
    alias: str
    boxes: str
    cost: str
    pictures: str


def facts(found: ResizeComparison) -> list[str]:
    """What was compared, in parts for one line."""
    pictures, (height, width) = found.pictures, found.input_size
    shortest, longest = pictures.sides
    sizes = f"{shortest:,} px" if shortest == longest else f"{shortest:,} to {longest:,} px"
    least, most = (f"{factor:.2g}" for factor in pictures.factors)
    target = f"{height} px" if height == width else f"{width} x {height} px"
    how = f"fit {found.fit}, --preset {found.preset}" if found.preset else found.how  # which begins with the fit
    factor = least if least == most else f"{least} to {most}"
    return [
        f"{count_text(len(pictures.used), 'picture')} of {sizes} to {target} (factor {factor})",
        "shift: one pixel of the picture, before the resize",
        how,
        f"{found.task.value}{f' ({found.layout})' if found.layout else ''}",
    ]


def headline(found: ResizeComparison) -> str:
    """The verdict in one sentence, with the numbers that carry it, without a full stop."""
    row = found.row(found.deployed)
    verdict = found.judgement.verdict
    if row is None or verdict is ResizeVerdict.NOT_NAMED:
        return _not_named(found)
    if row.agreement is None:
        return f"{row.kernel} is the reference: it filters before it samples"
    if verdict is ResizeVerdict.FILTERS:
        return (
            f"{row.kernel} filters before it samples, so nothing here is to be repaired; its answers agree with "
            f"{found.reference} in {share(row.agreement.value)}{_within(row.agreement)}"
        )
    if verdict is ResizeVerdict.ALIASES:
        return _aliases(found, row)
    if verdict is ResizeVerdict.NO_DIFFERENCE:
        return (
            f"no difference found: {row.kernel} changes {_changed(found, row)}, at most"
            f" {share(found.judgement.allowed)} with {100 * found.confidence:.4g} % confidence"
        )
    return f"undecided: {row.kernel} changes {_changed(found, row)}; {_what_decides(found, row)}"


def sentence(found: ResizeComparison) -> str:
    """The headline with a capital letter, unless it begins with the name of a kernel."""
    words = headline(found)
    named = any(words.startswith(row.kernel) for row in found.rows)
    return words if named else f"{words[0].upper()}{words[1:]}"


def explanation(found: ResizeComparison) -> str:
    """What one pixel of the picture does behind both kernels, and how sure that is; empty where nothing is to say."""
    row, base = found.row(found.deployed), found.row(found.reference)
    if row is None or base is None or row is base or row.stability is None or base.stability is None:
        return ""
    rest = f"{share(1 - row.stability.value)} of the {_ANSWERS[found.task]}"
    words = f"After a move by one pixel {rest} change, {share(1 - base.stability.value)} behind {base.kernel}"
    return f"{words}{_sureness(row)}."


def table(found: ResizeComparison) -> list[KernelCells]:
    """One row of text per kernel."""
    return [_cells(found, row) for row in found.rows]


def headings(found: ResizeComparison) -> dict[str, str]:
    """The headings of the columns by field."""
    change = _CHANGE[found.task]
    return {
        "kernel": "kernel",
        "agreement": f"agrees with {found.reference}",
        "change": f"{change} against it",
        "stability": "same after 1 px",
        "change_1px": f"{change} 1 px",
        "alias": "alias",
        "boxes": "lost, gained",
        "cost": "ms/MP",
        "pictures": "pictures",
    }


def legend(found: ResizeComparison) -> list[str]:
    """What the columns mean, one clause each."""
    notes = [
        f"[ ]: {100 * found.confidence:.4g} % interval, the picture is the unit",
        f"same after 1 px: {_ANSWERS[found.task]} that stay when the picture moves by one of its own pixels",
        _CHANGE_MEANING[found.task],
        "alias: share of a photograph's power that is expected to fold (power falls as 1/f^2.7)",
        "ms/MP: median time of the library itself per million pixels of the picture; - where other code stood in",
    ]
    if all(row.stability is None or row.stability.interval is None for row in found.rows):
        notes[0] = f"no intervals: they take {MIN_IMAGES} pictures with an answer"
    return notes


def share(value: float) -> str:
    """A share as whole per cent, with one decimal where it is small."""
    percent = 100 * value
    return f"{percent:.1f} %" if 0 < percent < 9.95 and round(percent) != percent else f"{percent:.0f} %"


def needed_pictures(needed: Needed | None) -> str:
    """How many pictures would decide, or that no practical number does."""
    if needed is None:
        return "no practical number of pictures decides"
    if needed.low == needed.high:
        return f"{needed.low:,} pictures would decide it, if all stays as it is"
    return f"about {needed.low:,} to {needed.high:,} pictures would decide it, if all stays as it is"


def decimal(value: float) -> str:
    """A score or a change in three decimals."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def _aliases(found: ResizeComparison, row: KernelRow) -> str:
    changes, less = found.judgement.changes_answers, found.judgement.less_stable
    parts = []
    if changes:
        parts.append(f"changes {_changed(found, row)} against {found.reference}")
    if less and row.stability is not None:
        parts.append(f"a one-pixel move changes {share(1 - row.stability.value)} of them")
    if len(parts) == 2:
        return f"{row.kernel} {parts[0]}, and {parts[1]}: the resize aliases, not the model"
    subject = f"{row.kernel} {parts[0]}" if changes else f"behind {row.kernel} {parts[0]}"
    return f"{subject}: the resize aliases"


def _changed(found: ResizeComparison, row: KernelRow) -> str:
    """``25 of 64 answers (29 to 50 %)``."""
    agreement = row.agreement
    assert agreement is not None
    if found.task in _ANSWER_NOUN:
        return f"{share(1 - agreement.value)} of the {_ANSWERS[found.task]}{_within(agreement, turned=True)}"
    count = round((1 - agreement.value) * agreement.pictures)
    return f"{count} of {agreement.pictures} answers{_within(agreement, turned=True)}"


def _within(estimate: Estimate, turned: bool = False) -> str:
    """`` (29 to 50 %)``."""
    span = estimate.interval
    if span is None:
        return ""
    low, high = (1 - span.high, 1 - span.low) if turned else (span.low, span.high)
    return f" ({100 * low:.0f} to {100 * high:.0f} %)"


def _what_decides(found: ResizeComparison, row: KernelRow) -> str:
    measured = 0 if row.agreement is None else row.agreement.pictures
    if measured < MIN_IMAGES:
        return f"it rests on {count_text(measured, 'picture')}, and an interval takes {MIN_IMAGES}"
    if row.peer and row.surely_changes(found.judgement.allowed):
        return f"{row.peer}, which filters, may change as many, and {needed_pictures(found.judgement.needed)}"
    return f"{share(found.judgement.allowed)} would be no difference, and {needed_pictures(found.judgement.needed)}"


def _sureness(row: KernelRow) -> str:
    loss = row.stability_loss
    if loss is None:
        return ""
    if loss.interval is None:
        return f", on {count_text(loss.pictures, 'picture')}"
    low, high = 100 * loss.interval.low, 100 * loss.interval.high
    if row.is_less_stable(LESS_STABLE):
        return f" (difference {low:.0f} to {high:.0f} points)"
    if loss.interval.low > 0:
        return f" (difference {low:.1f} to {high:.0f} points)"
    return f"; whether that is a difference, {loss.pictures} pictures cannot tell ({low:.0f} to {high:.0f} points)"


def _not_named(found: ResizeComparison) -> str:
    others = [row for row in found.rows if row.agreement is not None and not row.low_pass]
    hint = "name yours with --resize KERNEL or --preset"
    worst = min(others, key=lambda row: row.agreement.value if row.agreement else 1.0, default=None)
    if worst is None or worst.agreement is None:
        return f"no kernel was named as deployed: {hint}"
    return f"of the kernels without a filter {worst.kernel} changes most, {_changed(found, worst)}; {hint}"


def _cells(found: ResizeComparison, row: KernelRow) -> KernelCells:
    reference = row.agreement is None
    boxes = row.boxes
    measured = row.agreement or row.stability
    return KernelCells(
        kernel=row.kernel,
        deployed=row.kernel == found.deployed,
        low_pass=row.low_pass,
        agreement="reference" if reference else _share_cell(row.agreement),
        change="" if reference else _number_cell(row.change),
        stability=_share_cell(row.stability),
        change_1px=_number_cell(row.change_1px),
        alias=share(row.alias) if row.alias >= 0.0005 else "<0.1 %",
        boxes="" if boxes is None else f"{boxes.lost}, {boxes.gained} of {boxes.reference}",
        cost="-" if row.cost is None else f"{row.cost.value / 1000:.1f}",
        pictures="0" if measured is None else str(measured.pictures),
    )


def _share_cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not measured"
    span = estimate.interval
    ends = "" if span is None else f" [{100 * span.low:.0f}, {100 * span.high:.0f}]"
    return f"{100 * estimate.value:.0f} %{ends}"


def _number_cell(estimate: Estimate | None) -> str:
    return "not measured" if estimate is None else decimal(estimate.value)
