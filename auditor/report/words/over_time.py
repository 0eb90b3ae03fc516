"""What was measured over the frames of a clip, in words: the rows of a table, and a sentence on what explains it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from auditor.report.words.margins import margin_line
from auditor.text import count_text, plain
from auditor.verify.interval import Interval
from auditor.verify.time.facts import TIME_MEASURES
from auditor.verify.time.result import Explained, TimeMeasure, TimeResult

HEAD = ("over time", "all", "at rest", "rests on", "meaning")
_CHANGES = {"score": "the change of scores", "position": "the jitter of positions", "mask": "the flicker of masks"}
_HARDLY = 0.15
_SOME = 0.05


class TimeRow(NamedTuple):
    """One measure: over all that was followed, and over what is at rest."""

    name: str
    everything: str
    at_rest: str
    rests_on: str
    meaning: str


def summary(found: TimeResult) -> str:
    """What was seen, in one line."""
    parts = [count_text(found.frames, "frame")]
    if found.motion is not None:
        parts.append(f"motion {found.motion:.2f} px a frame (median)")
    parts.append(f"{100 * found.at_rest:.0f} % of the picture at rest between neighbours")
    return ", ".join(parts)


def time_rows(found: TimeResult) -> list[TimeRow]:
    """The measures, what is at rest beside all."""
    rows = []
    for measure in found.measures:
        if measure.static and found.measure(measure.name) is not None:
            continue
        resting = measure if measure.static else found.measure(measure.name, static=True)
        everything = "-" if measure.static else _value(measure)
        rows.append(
            TimeRow(
                plain(measure.name, 60),
                everything,
                "-" if resting is None else _value(resting),
                f"{measure.pairs} of {found.frames - 1} pairs of frames",
                TIME_MEASURES[measure.name].meaning,
            )
        )
    return rows


def _value(measure: TimeMeasure) -> str:
    return " ".join(filter(None, (_number(measure.value, measure.unit), _span(measure.interval, measure.unit))))


def _number(value: float, unit: str) -> str:
    if value != value:
        return "-"
    if unit == "per 100 frames":
        return f"{value:.1f} per 100 frames"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.2f} px" if unit == "px" else f"{value:.3f}"


def _span(interval: Interval | None, unit: str) -> str:
    if interval is None:
        return ""
    scale, digits = {"share": (100, 1), "per 100 frames": (1, 1), "px": (1, 2)}.get(unit, (1, 3))
    return f"[{scale * interval.low:.{digits}f}, {scale * interval.high:.{digits}f}]"


def sentences(found: TimeResult) -> Iterator[str]:
    """How much of the change the sampling grid explains, where the interval supports it, and what would hold it."""
    for one in found.explained:
        what = f"{_CHANGES.get(one.of, 'the change')} of {'what is at rest' if one.static else 'all that is followed'}"
        yield _sentence(one, what)
    if found.margin is not None:
        yield f"over all frames, {margin_line(found.margin, 'frames')}"
    if not found.explained:
        yield "how much of the change is aliasing cannot be told: nothing is followed whose motion is known"


def _sentence(one: Explained, what: str) -> str:
    if not one.told or one.share is None or one.interval is None:
        return f"how much of {what} is aliasing cannot be told: {plain(one.why, None)}"
    low, high = 100 * one.interval.low, 100 * one.interval.high
    grid = "" if one.grid is None else f" of {one.grid:g} px"
    span = f"[{low:.0f}, {high:.0f}], {one.pairs} pairs of frames"
    if one.interval.high < _HARDLY:
        return f"at most {high:.0f} % of {what} is explained by the sampling grid{grid} ({span}): `fix` cannot reach it"
    if one.interval.low < _SOME:
        return f"between {low:.0f} and {high:.0f} % of {what} is explained by the sampling grid{grid} ({span})"
    return (
        f"about {100 * one.share:.0f} % of {what} is explained by the sampling grid{grid} ({span}); "
        "`fix` can reach that part"
    )
