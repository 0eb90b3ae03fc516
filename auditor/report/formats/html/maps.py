"""Where equivariance is lost: the relative error of a layer over a grid of shifts, one scale for all of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from auditor.report.formats.html.axes import round_above
from auditor.report.formats.html.tree import Element, element
from auditor.verify.layers.maps import EquivarianceMap
from auditor.verify.layers.result import LayerResult

SHADES = 9  # the style sheet has a class for each
MOST_CELLS = 65  # per axis of a map

_SIDE = 168.0


def scale_end(layers: Sequence[LayerResult]) -> float:
    """The round number that the darkest shade stands for: not below any error of any layer."""
    errors = [value for layer in layers for row in layer.map.error for value in row if math.isfinite(value)]
    return round_above(max(errors, default=0.0))


def map_chart(grid: EquivarianceMap, end: float) -> Element | None:
    """The relative error by shift, darker where equivariance is lost; None where the map is empty or too large.

    Without a shift at the top left, to the right and down as the shift grows.
    """
    rows, columns = len(grid.error), max((len(row) for row in grid.error), default=0)
    if not rows or not columns or max(rows, columns) > MOST_CELLS:
        return None
    cell = _SIDE / max(rows, columns)
    cells = [
        element("rect", element("title", f"{dy} px down, {dx} px right: error {error:.3f}"), x=column * cell,
                y=row * cell, width=cell, height=cell, class_=f"q{shade(error, end)}")
        for row, (dy, line) in enumerate(zip(grid.dy, grid.error, strict=False))
        for column, (dx, error) in enumerate(zip(grid.dx, line, strict=False))
        if not math.isnan(error)
    ]  # fmt: skip
    words = element("title", f"relative error for shifts of up to {max(grid.dy)} px down and {max(grid.dx)} px right")
    return element(
        "svg", words, cells, class_="map", viewBox=f"0 0 {columns * cell:.2f} {rows * cell:.2f}", role="img",
        width=columns * cell, height=rows * cell,
    )  # fmt: skip


def shade(error: float, end: float) -> int:
    """The shade of an error: 0 for none, the darkest at ``end`` and above."""
    return min(math.ceil(max(error, 0.0) / end * (SHADES - 1) - 1e-9), SHADES - 1)


def legend(end: float) -> Element:
    """The scale of the maps with its two ends."""
    steps = [element("span", class_=f"swatch q{step}") for step in range(SHADES)]
    return element(
        "p",
        "Relative error once the shift is undone; one cell per shift, none at the top left. 0 ",
        steps,
        f" {end:g}",
        class_="legend",
    )
