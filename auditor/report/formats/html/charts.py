"""Pictures of what was measured: a measure by shift distance, and equivariance over a grid of shifts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from auditor.report.formats.html.tree import Element, element
from auditor.report.words.measured import number
from auditor.verify.measures import MEASURES
from auditor.verify.result import Curve, CurvePoint, EquivarianceMap

SHADES = 9  # of the maps; the style sheet has a class for each
MOST_CELLS = 65  # per axis of a map

_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 16.0, 40.0
_WIDTH, _HEIGHT = 520.0, 220.0
_MAP = 168.0


def curve_chart(curve: Curve) -> Element | None:
    """The curve with its intervals as a band; None where no point has a value."""
    points = [point for point in curve.points if not math.isnan(point.value)]
    if not points:
        return None
    facts = MEASURES.get(curve.measure)
    unit = facts.unit if facts is not None else "ratio"
    low, high = _range(points, unit)
    right = max(point.distance for point in points) or 1.0

    def x(point: CurvePoint) -> float:
        return _LEFT + point.distance / right * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        inside = min(max(value, low), high)
        return _HEIGHT - _BOTTOM - (inside - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    spans = [(x(point), point.interval) for point in points if point.interval is not None]
    upper = [f"{at:.1f} {y(span.high):.1f}" for at, span in spans]
    lower = [f"{at:.1f} {y(span.low):.1f}" for at, span in reversed(spans)]
    line = "L".join(f"{x(point):.1f} {y(point.value):.1f}" for point in points)
    return element(
        "svg",
        element("title", f"{curve.measure} by shift distance"),
        element("g", _scale(low, high, y, unit), class_="grid"),
        element("path", d=f"M{'L'.join([*upper, *lower])}Z", class_="band") if upper else None,
        element("path", d=f"M{line}", class_="line"),
        (_dot(point, x(point), y(point.value), unit) for point in points),
        element("text", "0", x=_LEFT, y=_HEIGHT - 22, text_anchor="middle", class_="tick"),
        element("text", f"{right:g}", x=_WIDTH - _RIGHT, y=_HEIGHT - 22, text_anchor="end", class_="tick"),
        element("text", "shift, input pixels", x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_HEIGHT - 6, text_anchor="middle",
                class_="tick"),
        class_="chart",
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        role="img",
    )  # fmt: skip


def map_chart(grid: EquivarianceMap) -> Element | None:
    """The cosine by shift, darker where equivariance is lost; None where the map is empty or has no values."""
    rows, columns = len(grid.cosine), max((len(row) for row in grid.cosine), default=0)
    if not rows or not columns or max(rows, columns) > MOST_CELLS:
        return None
    cell = _MAP / max(rows, columns)
    cells = [
        element("rect", element("title", f"dy {dy}, dx {dx}: cosine {cosine:.3f}"), x=column * cell, y=row * cell,
                width=cell, height=cell, class_=f"q{shade(cosine)}")
        for row, (dy, line) in enumerate(zip(grid.dy, grid.cosine, strict=False))
        for column, (dx, cosine) in enumerate(zip(grid.dx, line, strict=False))
        if not math.isnan(cosine)
    ]  # fmt: skip
    return element(
        "svg", cells, class_="map", viewBox=f"0 0 {columns * cell:.2f} {rows * cell:.2f}", role="img",
        width=columns * cell, height=rows * cell,
    )  # fmt: skip


def shade(cosine: float) -> int:
    """0 for a cosine of 1, up to the darkest for 0 and below. The steps are finer near 1, where models differ."""
    lost = min(max(1.0 - cosine, 0.0), 1.0)
    return min(math.ceil(math.sqrt(lost) * (SHADES - 1) - 1e-9), SHADES - 1)


def _range(points: Sequence[CurvePoint], unit: str) -> tuple[float, float]:
    """The ends of the vertical axis: down from 1 for a share that stays high, else up from 0."""
    spans = [point.interval for point in points if point.interval is not None]
    low = min([point.value for point in points] + [span.low for span in spans])
    high = max([point.value for point in points] + [span.high for span in spans])
    if unit == "share" and low >= 0.5:
        return math.floor(low * 10 - 1e-9) / 10, 1.0
    return 0.0, high or 1.0


def _scale(low: float, high: float, y: Callable[[float], float], unit: str) -> Iterator[Element]:
    for part in range(5):
        value = low + (high - low) * part / 4
        at = y(value)
        yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at)
        yield element("text", number(value, unit), x=_LEFT - 8, y=at + 4, text_anchor="end")


def _dot(point: CurvePoint, x: float, y: float, unit: str) -> Element:
    words = f"{point.distance:g} px: {number(point.value, unit)}, {point.pairs} pairs"
    return element("circle", element("title", words), cx=x, cy=y, r=3.5, class_="dot")
