"""A plan of tiles in words and cells, the same in every format."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from auditor.report.words.numbers import factor_text
from auditor.report.words.place import node_name, node_op
from auditor.text import count_text, plain
from auditor.tiling.result import Seams, TileAxis, TilePlan

_SIDES = {
    "height": ("top", "bottom"),
    "width": ("left", "right"),
    "depth": ("front", "back"),
    "length": ("start", "end"),
}
_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


class TileCells(NamedTuple):
    """One size of tile as cells of a table."""

    tile: str
    step: str
    work: str
    memory: str
    advised: bool


def facts(plan: TilePlan) -> list[str]:
    """Grid, receptive field, halo and overlap: one line where all axes agree, else one per axis."""
    alike = len({(axis.grid, axis.receptive_field, axis.halo, axis.overlap) for axis in plan.axes}) == 1
    if alike:
        first = [_SIDES.get(axis.name, ("start", "end"))[0] for axis in plan.axes]
        last = [_SIDES.get(axis.name, ("start", "end"))[1] for axis in plan.axes]
        return [_axis_facts(plan, plan.axes[0], " and ".join(reversed(first)), " and ".join(reversed(last)))]
    lines = []
    for axis in plan.axes:
        before, behind = _SIDES.get(axis.name, ("start", "end"))
        lines.append(f"{axis.name}: {_axis_facts(plan, axis, before, behind)}")
    return lines


def _axis_facts(plan: TilePlan, axis: TileAxis, before: str, behind: str) -> str:
    left, right = (pixels(side) for side in axis.halo)
    halo = f"halo {left} px" if left == right else f"halo {left} px {before}, {right} px {behind}"
    local = "" if plan.exact else "local "
    field = f"{local}receptive field {pixels(axis.receptive_field)} px"
    return f"grid {pixels(axis.grid)} px, {field}, {halo}, overlap {pixels(axis.overlap)} px"


def sentence(plan: TilePlan) -> str:
    """What tiles of this plan give, without a full stop."""
    if plan.exact:
        made = "give what the whole picture gives" if plan.separable else "give the maps that the whole picture gives"
        return f"Exact: tiles on the grid, without their halo at cuts, {made}"
    return "Approximate: no overlap makes tiles equal to the whole picture"


def reasons(plan: TilePlan) -> list[str]:
    """The obstacles, those with one reason together."""
    groups: dict[str, list[str]] = {}
    for obstacle in plan.obstacles:
        groups.setdefault(obstacle.reason, []).append(f"{node_name(obstacle.node)} ({node_op(obstacle.node)})")
    return [f"{_first_of(names, 'more node', 'more nodes')}: {reason}" for reason, names in groups.items()]


def _first_of(names: Sequence[str], more: str, several: str) -> str:
    return f"{names[0]} and {count_text(len(names) - 1, more, several)}" if len(names) > 1 else names[0]


def no_tile(plan: TilePlan) -> str:
    """Why no tile can be advised, and what to do; empty where one is."""
    if plan.advised is not None:
        return ""
    if not plan.tiles:
        short = [axis for axis in plan.axes if axis.size is not None and axis.size <= axis.overlap]
        if not short:
            return ""
        names = " and ".join(f"{axis.name} {pixels(axis.size or 0)}" for axis in short)
        return (
            f"No tile: the input has a fixed {names}, which is not larger than the overlap;"
            " export the model with a larger or an open size"
        )
    smallest = min(tile.memory_bytes or 0 for tile in plan.tiles)
    return f"No tile fits: the smallest of these needs about {size_text(smallest)}"


def table(plan: TilePlan) -> list[TileCells]:
    """The sizes of tile, largest first."""
    return [
        TileCells(
            lengths(tile.size),
            lengths(tile.step),
            f"{tile.work:.2f}" if tile.work < 100 else f"{tile.work:.0f}",
            "?" if tile.memory_bytes is None else size_text(tile.memory_bytes),
            tile.advised,
        )
        for tile in plan.tiles
    ]


HEADINGS = TileCells("tile", "step", "work", "memory", False)
LEGEND = (
    "work: pixels computed for each pixel of a large picture",
    "memory: an estimate from shapes, of weights and live activations; a limit is kept with half as much again",
)


def cutting(plan: TilePlan) -> str:
    """How to cut and keep, with the numbers of the advised tile; empty without one."""
    tile = plan.advised
    if tile is None:
        return ""
    kept = []
    for axis, step in zip(plan.axes, tile.step, strict=True):
        kept.append(f"{axis.name} {pixels(axis.halo[0])} to {pixels(axis.halo[0] + step)}")
    if len({word.partition(" ")[2] for word in kept}) == 1:
        kept = [kept[0].partition(" ")[2]]
    return (
        f"Cut every {lengths(tile.step)} px; of each tile keep what stands for its px {', '.join(kept)},"
        " and all up to the borders of the picture"
    )


class MapCells(NamedTuple):
    """One map as cells of a table; several with the same numbers are one."""

    name: str
    stride: str
    field: str
    cropped: str


def maps(plan: TilePlan) -> list[MapCells]:
    """The maps of a plan, those with the same numbers together."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for target in plan.maps:
        cells = (
            _per_axis(target.stride),
            _per_axis(target.receptive_field),
            " x ".join(dict.fromkeys(f"{left} and {right}" for left, right in target.cropped)),
        )
        groups.setdefault(cells, []).append(plain(target.tensor, 60))
    return [MapCells(_first_of(names, "more", "more"), *cells) for cells, names in groups.items()]


MAP_HEADINGS = MapCells("map", "stride", "receptive field", "values spoilt at cuts")


def seam_lines(seams: Seams) -> list[str]:
    """What running tiles beside the whole picture showed."""
    lines = []
    for row in seams.rows:
        words = "nothing left to compare" if row.difference is None else difference_text(row.difference)
        worst = f" ({plain(row.picture, 60)})" if row.picture is not None and (row.difference or 0) > 0 else ""
        lines.append(f"overlap {lengths(row.overlap)} px: {words}{worst}")
    return lines


def seam_sentence(seams: Seams) -> str:
    """The overlap that is enough in practice, without a full stop."""
    tolerance = difference_text(seams.tolerance)
    if seams.sufficient is None:
        return f"No overlap that was tried keeps the difference below {tolerance} of the output's range"
    return f"An overlap of {lengths(seams.sufficient)} px keeps the difference below {tolerance} of the output's range"


def seam_facts(seams: Seams) -> list[str]:
    """What was run."""
    mirrored = f", {seams.mirrored} continued by reflection" if seams.mirrored else ""
    return [
        f"{count_text(seams.pictures, 'picture')} of {lengths(seams.canvas)} px{mirrored}",
        f"tiles of {lengths(seams.tile)} px",
        f"{seams.compared:,} values compared",
        seams.provider,
    ]


def difference_text(value: float) -> str:
    """A relative difference: ``0``, ``3e-07``, ``0.012``."""
    return "0" if value == 0 else f"{value:.1g}" if value < 0.001 else f"{value:.2g}"


def pixels(value: Fraction | int) -> str:
    """A number of pixels: ``1,024``, ``4.5``, ``17/3``."""
    return f"{int(value):,}" if Fraction(value).denominator == 1 else factor_text(Fraction(value))


def lengths(values: Sequence[int]) -> str:
    """Lengths per axis: one number where all agree."""
    texts = [pixels(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else " x ".join(texts)


def size_text(count: int) -> str:
    """A number of bytes: ``3.1 GB``."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} B"


def _per_axis(values: Sequence[Fraction]) -> str:
    texts = [pixels(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else " x ".join(texts)
