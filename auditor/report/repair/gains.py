"""What a rewrite gained and cost, measured beside its original. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from auditor.facts.comparison import Comparison, MeasuredChange
from auditor.repair.search.gain import Agreement, Gain, Speed, Yardstick
from auditor.report.words.changes import measured_rows
from auditor.report.words.numbers import json_number
from auditor.text import count_text
from auditor.verify.interval import Interval
from auditor.verify.measures import MEASURES
from auditor.verify.result import titled

NOT_RISEN = (
    "nothing was written: --require-gain asks that consistency or MAC surely got better, and neither surely worse"
)
_AGREED = {
    Yardstick.ORIGINAL: "inputs with the original's top-1 class",
    Yardstick.POSITIONS: "positions with the original's class",
    Yardstick.BOXES: "boxes that the original has too",
    Yardstick.COSINE: "cosine to the original's output",
}


def gain_lines(gain: Gain) -> Iterator[str]:
    """A rewrite beside its original, each line beginning with words of the tool."""
    images = max((change.images for change in gain.changes), default=0)
    yield f"measured on {count_text(images, 'image')}, both models on the same shifts; differences with 95 % intervals"
    shown = tuple(change for change in gain.changes if MEASURES[change.measure].summary)
    rows = [("", "original", "rewritten", "change", "")]
    rows += [
        (row.measure, row.base, row.new, row.difference, f"[{row.interval}]" if row.interval else "")
        for row in measured_rows(Comparison("", measured=shown))
    ]
    if gain.agreement is not None:
        rows.append(("agreement", "", agreed_text(gain.agreement), "", _AGREED[gain.agreement.yardstick]))
    if gain.speed is not None:
        rows.append(("time", "", speed_text(gain.speed), "", f"[{gain.speed.low:.2f} to {gain.speed.high:.2f}]"))
    yield from (f"  {line}" for line in columns(rows))
    yield from (f"  note: {remark}" for remark in gain.remarks)


def gain_json(gain: Gain) -> dict[str, Any]:
    """A rewrite beside its original."""
    agreement, loss, speed = gain.agreement, gain.loss, gain.speed
    return {
        "changes": {titled(change.measure, change.protocol): _change(change) for change in gain.changes},
        "agreement": None
        if agreement is None
        else {
            "by": agreement.yardstick.value,
            "value": json_number(agreement.value),
            "interval": _interval(agreement.interval),
        },
        "loss": None
        if loss is None
        else {"by": loss.yardstick.value, "value": json_number(loss.value), "interval": _interval(loss.interval)},
        "time_ratio": None
        if speed is None
        else {"value": json_number(speed.ratio), "interval": [json_number(speed.low), json_number(speed.high)]},
        "rose": gain.rose,
        "remarks": [*gain.remarks],
    }


def agreed_text(agreement: Agreement) -> str:
    """How much of the original's answers is given, with its unit."""
    in_share = agreement.yardstick is not Yardstick.COSINE
    return f"{100 * agreement.value:.1f} %" if in_share else f"{agreement.value:.4f}"


def speed_text(speed: Speed) -> str:
    """The measured factor in time."""
    return f"x{speed.ratio:.2f}"


def _change(change: MeasuredChange) -> dict[str, Any]:
    return {
        "original": json_number(change.base),
        "rewritten": json_number(change.new),
        "difference": json_number(change.difference),
        "interval": _interval(change.interval),
        "images": change.images,
    }


def _interval(span: Interval | None) -> list[float | int | None] | None:
    return None if span is None else [json_number(span.low), json_number(span.high)]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned columns two spaces apart; the last one is left ragged. All cells are our own ASCII words."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        ("".join(f"{text:{width + 2}}" for text, width in zip(row, widths, strict=False)) + row[-1]).rstrip()
        for row in rows
    ]
