"""The measured part of the reports of ``fix``: what a rewrite gained and cost, and what a search found. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from auditor import __version__
from auditor.gate import Comparison, MeasuredChange
from auditor.report.changes import measured_rows
from auditor.report.numbers import count_text, json_number
from auditor.report.rewriting import SCHEMA
from auditor.rewrite.search.gain import Agreement, Gain, Loss, Speed, Yardstick
from auditor.rewrite.search.search import Search, Trial
from auditor.text import inert_json, plain
from auditor.verify.result import Interval
from auditor.verify.statistics import FEW_IMAGES

NOT_RISEN = (
    "nothing was written: --require-gain asks that consistency or MAC surely got better, and neither surely worse"
)
NOTHING_HELPS = "nothing helps: no candidate within the budget surely gained, so nothing was written"
_CHOSEN = (
    "note: the best of several on the same images looks a little better than it is: measure it on other images with "
    "`aliasaudit verify`"
)
_SHOWN = (
    "consistency",
    "mac",
    "accuracy",
    "shifted-accuracy",
    "massc",
    "equivariance-error",
    "cosine",
    "flicker",
    "score-deviation",
)
_TITLES = {"mac": "MAC"}
_AGREED = {
    Yardstick.ORIGINAL: "inputs with the original's top-1 class",
    Yardstick.POSITIONS: "positions with the original's class",
    Yardstick.BOXES: "boxes that the original has too",
    Yardstick.COSINE: "cosine to the original's output",
}
_LOST = {
    Yardstick.LABELS: "accuracy",
    Yardstick.ORIGINAL: "agreement below the original's own consistency",
    Yardstick.POSITIONS: "agreement, position by position, below the original's own under shifts",
    Yardstick.BOXES: "agreement, box by box, below the original's own under shifts",
    Yardstick.COSINE: "cosine to the original's output, below the original's own under shifts",
}


def gain_lines(gain: Gain) -> Iterator[str]:
    """A rewrite beside its original, each line beginning with words of the tool."""
    images = max((change.images for change in gain.changes), default=0)
    yield f"measured on {count_text(images, 'image')}, both models on the same shifts; differences with 95 % intervals"
    shown = tuple(change for change in gain.changes if change.measure in _SHOWN)
    rows = [("", "original", "rewritten", "change", "")]
    rows += [
        (row.measure, row.base, row.new, row.difference, f"[{row.interval}]" if row.interval else "")
        for row in measured_rows(Comparison("", measured=shown))
    ]
    if gain.agreement is not None:
        rows.append(("agreement", "", _agreed(gain.agreement), "", _AGREED[gain.agreement.yardstick]))
    if gain.speed is not None:
        rows.append(("time", "", _speed(gain.speed), "", f"[{gain.speed.low:.2f} to {gain.speed.high:.2f}]"))
    yield from (f"  {line}" for line in _columns(rows))
    yield from (f"  note: {remark}" for remark in gain.remarks)


def gain_json(gain: Gain) -> dict[str, Any]:
    """A rewrite beside its original."""
    agreement, loss, speed = gain.agreement, gain.loss, gain.speed
    return {
        "changes": {change.measure: _change(change) for change in gain.changes},
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


def search_text(name: str, found: Search) -> str:
    """The table of a search, and the measured gain of the best."""
    budget = found.budget
    limits = f"cost at most x{budget.cost:g}, loss at most {100 * budget.loss:g} points of {_yardstick(found)}"
    lines = [
        f"model {plain(name)}",
        f"  searched {count_text(len(found.trials), 'candidate')} on {count_text(found.images, 'image')}",
        f"  budget: {limits}",
        "",
        *(f"  {line}" for line in _columns(_table(found))),
        "  * no other candidate that was measured on all images is cheaper and gains more",
    ]
    failed = [trial for trial in found.trials if trial.reason]
    lines += [f"  failed: {trial.candidate.name}: {plain(trial.reason)}" for trial in failed]
    if found.images < FEW_IMAGES:
        lines.append(f"  note: {found.images} images are few: intervals are wide, and what gains little is not told")
    best = found.best
    if best is None or best.gain is None:
        return "\n".join([*lines, "", NOTHING_HELPS]) + "\n"
    lines += ["", f"best: {best.candidate.name}", *(f"  {line}" for line in gain_lines(best.gain)), "", _CHOSEN]
    return "\n".join(lines) + "\n"


def search_remarks(found: Search) -> Iterator[str]:
    """What a search tried, one clause for each candidate, for the report of another command."""
    budget, tried = found.budget, count_text(len(found.trials), "candidate")
    limits = f"cost at most x{budget.cost:g}, loss at most {100 * budget.loss:g} points of {_yardstick(found)}"
    yield f"searched {tried} on {count_text(found.images, 'image')}: {limits}"
    (names, *titles, _), *rows = _table(found)
    assert names == "candidate"
    for trial, (name, *cells, verdict) in zip(found.trials, rows, strict=True):
        facts = ", ".join(f"{title} {cell}" for title, cell in zip(titles, cells, strict=True) if cell)
        why = f" ({plain(trial.reason)})" if trial.reason else ""
        yield f"{name}: {facts}: {verdict.removesuffix(' *')}{why}"


def search_json(name: str, found: Search, written: str | None, backup: str | None) -> str:
    """A search as a JSON document."""
    trials = [
        {
            "candidate": trial.candidate.name,
            "multiply_adds_ratio": json_number(trial.candidate.cost),
            "verdict": trial.verdict.value,
            "images": trial.images,
            "frontier": trial.frontier,
            "reason": trial.reason or None,
            "gain": None if trial.gain is None else gain_json(trial.gain),
        }
        for trial in found.trials
    ]
    whole = {
        "schema": SCHEMA,
        "version": __version__,
        "model": name,
        "strategy": "auto",
        "budget": {"max_cost": json_number(found.budget.cost), "max_drop": json_number(found.budget.loss)},
        "best": None if found.best is None else found.best.candidate.name,
        "candidates": trials,
        "written": written,
        "backup": backup,
    }
    return inert_json(json.dumps(whole, indent=1, sort_keys=True, allow_nan=False)) + "\n"


def _table(found: Search) -> list[tuple[str, ...]]:
    gains = [trial.gain for trial in found.trials if trial.gain is not None]
    leading = tuple(change.measure for change in gains[0].leading) if gains else ("consistency", "mac")
    titles = [_TITLES.get(measure, measure) for measure in leading]
    header = ("candidate", "cost", "time", "images", *titles, "agreement", "loss", "verdict")
    return [header, *(_row(trial, leading) for trial in found.trials)]


def _row(trial: Trial, leading: Sequence[str]) -> tuple[str, ...]:
    gain = trial.gain
    name, cost = trial.candidate.name, trial.candidate.cost
    predicted = "?" if cost is None else f"x{cost:.3g}"
    if gain is None:
        return (name, predicted, "", "", *("" for _ in leading), "", "", trial.verdict.value)
    return (
        name,
        predicted,
        "" if gain.speed is None else _speed(gain.speed),
        str(trial.images),
        *(_cell(gain.change(measure)) for measure in leading),
        "" if gain.agreement is None else _agreed(gain.agreement),
        "" if gain.loss is None else _loss(gain.loss),
        f"{trial.verdict.value}{' *' if trial.frontier else ''}",
    )


def _cell(change: MeasuredChange | None) -> str:
    if change is None:
        return "-"
    (row,) = measured_rows(Comparison("", measured=(change,)))
    return f"{row.difference} [{row.interval.replace(' points', '')}]" if row.interval else row.difference


def _loss(loss: Loss) -> str:
    span = "" if loss.interval is None else f" [{_points(loss.interval.low)} to {_points(loss.interval.high)}]"
    return f"{_points(loss.value)} points{span}"


def _points(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:+.1f}"  # no minus in front of nothing


def _yardstick(found: Search) -> str:
    losses = (trial.gain.loss for trial in found.trials if trial.gain is not None)
    return _LOST[next((loss.yardstick for loss in losses if loss is not None), Yardstick.LABELS)]


def _agreed(agreement: Agreement) -> str:
    in_share = agreement.yardstick is not Yardstick.COSINE
    return f"{100 * agreement.value:.1f} %" if in_share else f"{agreement.value:.4f}"


def _speed(speed: Speed) -> str:
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


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned columns two spaces apart; the last one is left ragged. All cells are our own ASCII words."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        ("".join(f"{text:{width + 2}}" for text, width in zip(row, widths, strict=False)) + row[-1]).rstrip()
        for row in rows
    ]
