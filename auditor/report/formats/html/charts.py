"""Pictures of what was measured by distance and along a path: numbers over pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from auditor.report.formats.html.axes import ValueAxis, upright
from auditor.report.formats.html.tree import Element, element
from auditor.report.words.numbers import number
from auditor.text import plain
from auditor.verify.measures import MEASURES
from auditor.verify.result import Curve, CurvePoint

_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 16.0, 40.0
_WIDTH, _HEIGHT = 520.0, 220.0
_WIDE, _NARROW, _CAP = 1080.0, 344.0, 4.0
_NAME = 24
_NARROW_NAMES = 92.0  # pixels for the names at the ends of lines
_MOST_MARKS = 16
_MOST_TICKS, _FEW_TICKS = 12, 4

_Scale: TypeAlias = Callable[[float], float]


def curve_chart(curve: Curve) -> Element | None:
    """The curve with its intervals as whiskers, one place for each distance; None where no point has a value."""
    points = [point for point in curve.points if not math.isnan(point.value)]
    if not points:
        return None
    facts = MEASURES.get(curve.measure)
    unit = facts.unit if facts is not None else "ratio"
    spans = [point.interval.high for point in points if point.interval is not None]
    axis = ValueAxis.of([*(point.value for point in points), *spans], unit)
    floor, room = _HEIGHT - _BOTTOM, _WIDTH - _LEFT - _RIGHT

    def y(value: float) -> float:
        return floor - axis.place(value) * (floor - _TOP)

    places = [_LEFT + room * (index + 0.5) / len(points) for index in range(len(points))]
    line = "L".join(f"{x:.1f} {y(point.value):.1f}" for x, point in zip(places, points, strict=True))
    whiskers = [
        f"M{x:.1f} {y(span.low):.1f}V{y(span.high):.1f}"
        f"M{x - _CAP:.1f} {y(span.low):.1f}h{2 * _CAP:g}M{x - _CAP:.1f} {y(span.high):.1f}h{2 * _CAP:g}"
        for x, point in zip(places, points, strict=True)
        if (span := point.interval) is not None
    ]
    return element(
        "svg",
        element("title", f"{curve.measure} by shift distance"),
        element("g", upright(axis, _LEFT, _WIDTH - _RIGHT, _TOP, floor), class_="grid"),
        element("path", d="".join(whiskers), class_="whisker") if whiskers else None,
        element("path", d=f"M{line}", class_="line"),
        (_dot(point, x, y(point.value), unit) for x, point in zip(places, points, strict=True)),
        (
            element("text", f"{point.distance:g}", x=x, y=_HEIGHT - 22, text_anchor="middle", class_="tick")
            for x, point in zip(places, points, strict=True)
        ),
        element("text", "shift, px", x=_LEFT + room / 2, y=_HEIGHT - 6, text_anchor="middle", class_="tick"),
        class_="chart",
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        role="img",
    )


def _dot(point: CurvePoint, x: float, y: float, unit: str) -> Element:
    span = point.interval
    ends = "" if span is None else f", {number(span.low, unit)} to {number(span.high, unit)}"
    words = f"{point.distance:g} px: {number(point.value, unit)}{ends}, {point.pairs} pairs"
    return element("circle", element("title", words), cx=x, cy=y, r=3.5, class_="dot")


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a path: its name, its unit, and a value for every step of one pixel."""

    name: str
    unit: str
    values: tuple[float, ...]


def path_chart(
    series: Sequence[Series], period: int | None, threshold: float | None = None, narrow: bool = False
) -> Element | None:
    """Lines over the steps of a path, the multiples of the grid's ``period`` marked; None where nothing is known.

    The lines share one unit. ``threshold`` is drawn across. A ``narrow`` one has the width of a phone.
    """
    series = [one for one in series if len(one.values) > 1 and any(map(math.isfinite, one.values))]
    if not series:
        return None
    unit, last = series[0].unit, max(len(one.values) for one in series) - 1
    known = [value for one in series for value in one.values if math.isfinite(value)]
    low = min(0.0, *known)
    axis = (
        ValueAxis(1.0, 0.25, "ratio") if unit == "probability" else ValueAxis.of([value - low for value in known], unit)
    )
    width = _NARROW if narrow else _WIDE
    floor, right = _HEIGHT - _BOTTOM, width - (_NARROW_NAMES if narrow else 150.0)

    def x(step: float) -> float:
        return _LEFT + (right - _LEFT) * step / last

    def y(value: float) -> float:
        return floor - axis.place(value - low) * (floor - _TOP)

    marks = list(range(period, last + 1, period)) if period and last // period <= _MOST_MARKS else []
    return element(
        "svg",
        element("title", f"{', '.join(one.name for one in series)} as the picture moves by {last} px"),
        element("g", upright(axis, _LEFT, right, _TOP, floor), class_="grid") if not low else None,
        (_mark(x(step), step, index, floor) for index, step in enumerate(marks, 1)),
        element("path", d=f"M{_LEFT} {y(threshold):.1f}H{right}", class_="threshold")
        if threshold is not None
        else None,
        _lines(series, x, y),
        _names(series, y, right, 12 if narrow else _NAME),
        (
            element("text", f"{step:g}", x=x(step), y=_HEIGHT - 22, text_anchor="middle", class_="tick")
            for step in _steps(last, period, _FEW_TICKS if narrow else _MOST_TICKS)
        ),
        element("text", "picture moved, px", x=(_LEFT + right) / 2, y=_HEIGHT - 6, text_anchor="middle", class_="tick"),
        class_="chart narrow" if narrow else "chart wide",
        viewBox=f"0 0 {width:.0f} {_HEIGHT:.0f}",
        role="img",
    )


def _mark(x: float, step: int, times: int, floor: float) -> Element:
    words = f"S = {step} px" if times == 1 else f"{times} S"
    return element(
        "g",
        element("line", x1=x, x2=x, y1=_TOP, y2=floor),
        element("text", words, x=x, y=_TOP - 4, text_anchor="middle"),
        class_="period",
    )


def _lines(series: Sequence[Series], x: _Scale, y: _Scale) -> Iterator[Element]:
    for index, one in enumerate(series):
        pieces: list[str] = []
        pen = "M"
        for step, value in enumerate(one.values):
            if not math.isfinite(value):
                pen = "M"
                continue
            pieces.append(f"{pen}{x(step):.1f} {y(value):.1f}")
            pen = "L"
        yield element("path", d="".join(pieces), class_=f"line s{index % 3}")


def _names(series: Sequence[Series], y: _Scale, right: float, most: int) -> Iterator[Element]:
    """The names at the ends of the lines, moved apart where they would cover each other."""
    ends = [
        (next((value for value in reversed(one.values) if math.isfinite(value)), 0.0), index)
        for index, one in enumerate(series)
    ]
    lowest = math.inf
    for value, index in sorted(ends):
        at = min(y(value) + 4, lowest - 15)
        lowest = at
        name = plain(series[index].name)
        short = name if len(name) <= most else f"{name[: most - 1]}…"
        yield element("text", short, x=right + 8, y=at, class_=f"name s{index % 3}")


def _steps(last: int, period: int | None, most: int) -> list[float]:
    """Ticks at quarters of the period where there is one, else at four even places."""
    step = (period / 4 if period and period % 4 == 0 else float(period)) if period and period <= last else last / 4
    count = int(last / step + 1e-9)
    while count > most:
        step, count = 2 * step, int(last / (2 * step) + 1e-9)
    return [round(index * step) for index in range(count + 1)]
