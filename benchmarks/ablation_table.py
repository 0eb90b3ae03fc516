"""The ablation as Markdown: one table per model, the original first, then its rewrites by their measured cost.

Rewrites that have no numbers stand with their reasons below the table, those that no model can have at the top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# The name of a measure in the reports of `fix`, that of its column, and whether its change is told in points; else in
# per cent of the original's value, as suits what has no natural unit.
COLUMNS = (
    ("consistency", "consistency", True),
    ("massc", "same class (mASSC)", True),
    ("flicker", "flicker of boxes", True),
    ("mac", "MAC", False),
    ("mac-1px", "MAC, 1 px", False),
    ("equivariance-error", "equivariance error", False),
    ("score-deviation", "score deviation", False),
    ("centre-jitter", "jitter of centres, px", False),
    ("cosine", "cosine", True),
    ("j", "J", False),
    ("j-1px", "J, 1 px", False),
    ("score-j", "J of scores", False),
)
# What two models agree on; anything else is a number beside its name.
_AGREEMENTS = {"agreement": "classes", "position-agreement": "positions", "box-agreement": "boxes"}
MOST_MEASURES = 3  # of a model: the first that it has, in the order of COLUMNS
ORIGINAL = "original"
BEGIN, END = "<!-- begin: ablation -->", "<!-- end: ablation -->"
_NONE = "–"  # noqa: RUF001 - an en dash, as the docs write it


@dataclass(frozen=True, slots=True)
class Row:
    """One rewrite of one model. ``gain`` is that of ``fix --output-format json``; without it, ``reason`` says why.

    ``multiply_adds`` and ``size`` (of the file) are ratios to the original; ``note`` stands with the rewrite's name.
    """

    task: str
    model: str
    rewrite: str
    images: int
    gain: Mapping[str, Any] | None = None
    multiply_adds: float | None = None
    size: float | None = None
    note: str = ""
    reason: str = ""

    def values(self) -> dict[str, Any]:
        """The row as plain values, of which it can be made again."""
        return asdict(self)


def table(rows: Iterable[Row]) -> str:
    """Markdown: a heading for every task and a table for every model, in the order of the rows."""
    found = list(rows)
    common = _common(found)
    told = {(row.rewrite, _short(row.reason)) for row in common}
    lead = [f"No model of these can have {_reasons(common)}.\n"] if common else []
    tasks: dict[str, list[Row]] = {}
    for row in found:
        tasks.setdefault(row.task, []).append(row)
    own = {task: [row for row in rows if (row.rewrite, _short(row.reason)) not in told] for task, rows in tasks.items()}
    return "\n".join((*lead, *(_task(task, rows) for task, rows in own.items())))


def by_model(rows: Iterable[Row], most: int = MOST_MEASURES) -> str:
    """Markdown: a table for every model, with at most so many measures, without headings for tasks."""
    return "\n".join(_models(list(rows), most))


def placed(page: str, text: str, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """A page with the text between its two marks in place of what stands there.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"the page has no lines {marks[0]} and {marks[1]}")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def _task(task: str, rows: Sequence[Row]) -> str:
    return "\n".join([f"## {task[0].upper()}{task[1:]}", "", *_models(rows)])


def _models(rows: Sequence[Row], most: int = MOST_MEASURES) -> list[str]:
    lines: list[str] = []
    models: dict[str, list[Row]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    for model, found in models.items():
        measured = sorted((row for row in found if row.gain is not None), key=_cost)
        counts = sorted({_images(row) for row in measured})
        span = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))) if counts else ""
        lines += [f"### {model} ({span} images)" if span else f"### {model}", ""]
        if measured:
            lines += [*_table(measured, most), ""]
        if len(measured) < len(found):
            lines += [f"Without numbers: {_reasons([row for row in found if row.gain is None], found)}.", ""]
    return lines


def _table(measured: Sequence[Row], most: int) -> Iterator[str]:
    shown = _shown(measured, most)
    header = ["rewrite", *(name for _, name, _ in shown), "accuracy or agreement", "multiply-adds", "time", "file"]
    yield _line(header)
    yield _line(["---"] + ["--:"] * (len(header) - 1))
    yield _line(_original(measured[0], shown))
    for row in measured:
        yield _line(_cells(row, measured[0], shown))


def _common(rows: Sequence[Row]) -> list[Row]:
    """One row of each rewrite that every model refuses for one and the same reason."""
    known: dict[str, list[Row]] = {}
    for row in rows:
        known.setdefault(row.rewrite, []).append(row)
    models = len({row.model for row in rows})
    return [found[0] for found in known.values() if len(found) == models > 1 and _same_reason(found)]


def _same_reason(rows: Sequence[Row]) -> bool:
    return all(row.gain is None for row in rows) and len({_short(row.reason) for row in rows}) == 1


def _reasons(refused: Sequence[Row], rows: Sequence[Row] = ()) -> str:
    """The rewrites behind one another, with a reason once where neighbours share it.

    The variants of a rewrite, which a comma tells apart, are one where all of them among ``rows`` share their reason.
    """
    names: dict[str, list[str]] = {}
    for row in refused:
        family = row.rewrite.partition(",")[0]
        variants = [one for one in rows if one.rewrite.partition(",")[0] == family]
        name = family if variants and _same_reason(variants) else row.rewrite
        told = names.setdefault(_short(row.reason), [])
        if name not in told:
            told.append(name)
    return "; ".join(f"{' and '.join(found)} ({reason})" for reason, found in names.items())


def _cost(row: Row) -> float:
    """What a row is sorted by: its measured cost, so that it stands beside the averaging at its cost."""
    time = None if row.gain is None else row.gain["time_ratio"]
    return math.inf if time is None else float(time["value"])


def _shown(rows: Sequence[Row], most: int) -> list[tuple[str, str, bool]]:
    known = [row.gain["changes"] for row in rows if row.gain is not None]
    return [column for column in COLUMNS if any(column[0] in changes for changes in known)][:most]


def _images(row: Row) -> int:
    """The images that counted; those that a model cannot use are left out by the measurement."""
    changes = {} if row.gain is None else row.gain["changes"]
    return max((change["images"] for change in changes.values()), default=row.images)


def _original(row: Row, shown: Sequence[tuple[str, str, bool]]) -> list[str]:
    assert row.gain is not None
    changes = row.gain["changes"]
    values = [_value(changes.get(measure), points) for measure, _, points in shown]
    return [ORIGINAL, *values, _value(_accuracy(changes), points=True), "1", "1", "1"]


def _value(change: Mapping[str, Any] | None, points: bool) -> str:
    if change is None or change["original"] is None:
        return _NONE
    return f"{100 * change['original']:.1f} %" if points else f"{change['original']:.3g}"


def _cells(row: Row, first: Row, shown: Sequence[tuple[str, str, bool]]) -> list[str]:
    assert row.gain is not None
    assert first.gain is not None
    changes, base = row.gain["changes"], first.gain["changes"]
    time = row.gain["time_ratio"]
    return [
        f"{row.rewrite}: {row.note}" if row.note else row.rewrite,
        *(
            _change(changes.get(measure), points) + _base(changes, base, measure, points)
            for measure, _, points in shown
        ),
        _answers(row.gain),
        _ratio(row.multiply_adds),
        _ratio(None if time is None else time["value"]),
        _ratio(row.size),
    ]


def _base(changes: Mapping[str, Any], base: Mapping[str, Any], measure: str, points: bool) -> str:
    """The value that a change is one of, where it is not that of the first row.

    A detector is compared on the pictures in which both models find boxes, and those are not the same for all rewrites.
    """
    own, known = _value(changes.get(measure), points), _value(base.get(measure), points)
    return "" if own in (known, _NONE) else f" (original {own})"


def _change(change: Mapping[str, Any] | None, points: bool) -> str:
    """A difference with its interval, in points or in per cent of the original's value; strong where it is surely one.

    Sure is what the interval says as it is printed: neither side of it reaches 0.
    """
    if change is None or change["difference"] is None:
        return _NONE
    unit = 100.0 if points else 100 / change["original"] if change["original"] else float("nan")
    text = _signed(unit * change["difference"]) + ("" if points else " %")
    if change["interval"] is None:
        return text
    low, high = (round(unit * end, 1) for end in change["interval"])
    return f"{f'**{text}**' if low * high > 0 else text} [{_signed(low)} to {_signed(high)}]"


def _answers(gain: Mapping[str, Any]) -> str:
    """The change of accuracy where there are labels, else the share of answers that are the original's."""
    accuracy = _accuracy(gain["changes"])
    if accuracy is not None:
        return _change(accuracy, points=True)
    agreement = gain.get("agreement")
    if agreement is None or agreement["value"] is None:
        return _NONE
    what = _AGREEMENTS.get(agreement["by"])
    return (
        f"{agreement['by']} {agreement['value']:.3f}" if what is None else f"{100 * agreement['value']:.1f} % of {what}"
    )


def _accuracy(changes: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """That of all shifted inputs, which tells more; else that of the unshifted ones; None without labels."""
    known = [changes[name] for name in ("shifted-accuracy", "accuracy") if name in changes]
    found: Mapping[str, Any] | None = next((one for one in known if one["difference"] is not None), None)
    return found


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"x{value:.2f}"


def _signed(value: float) -> str:
    return f"{round(value, 1) + 0.0:+.1f}"  # no minus in front of nothing


def _short(reason: str) -> str:
    """The reason up to its advice, in one line of Markdown."""
    return reason.partition("; ")[0].partition(": ")[0].replace("|", "/").replace("\n", " ")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
