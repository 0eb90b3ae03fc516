"""What to write for tools that cut pictures: their own names for tile, overlap and halo.

MONAI steps by ``int(roi_size * (1 - overlap))`` and averages where windows overlap, with the weights of
``roi_weight_map`` where it is given, none below a thousandth (``sliding_window_inference``). SAHI steps by
``slice_height - int(slice_height * overlap_height_ratio)``. bioimage.io crops ``halo`` from both sides of an output.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from auditor.tiling.result import TileAxis, TileMap, TilePlan, TileSize, ToolLine

_DECIMALS = (2, 3, 4, 5, 6, 7)


def tool_lines(plan: TilePlan) -> tuple[ToolLine, ...]:
    """The lines for the first tile of a plan; none where there is no tile."""
    chosen = plan.advised
    if chosen is None:
        return ()
    lines = [_monai(chosen)] if plan.separable else []
    if len(plan.axes) == 2:
        lines.append(_sahi(chosen))
    if plan.separable:
        lines.append(_bioimage(plan.axes, plan.maps[0]))
    return tuple(lines)


def stepping(length: int, step: int) -> str:
    """The shortest overlap, as a share of a tile, from which a program gets this step."""
    for decimals in _DECIMALS:
        share = round((length - step) / length, decimals)
        for near in (share, share + 10**-decimals, share - 10**-decimals):
            words = f"{near:.{decimals}f}"
            if near >= 0 and int(length * (1 - float(words))) == step:
                return words
    return repr((length - step - 0.5) / length)


def overlapping(length: int, overlap: int) -> str:
    """The shortest share of a tile from which a program gets this overlap."""
    for decimals in _DECIMALS:
        share = round(overlap / length, decimals)
        for near in (share, share + 10**-decimals):
            words = f"{near:.{decimals}f}"
            if int(float(words) * length) == overlap:
                return words
    return repr((overlap + 0.5) / length)


def _monai(tile: TileSize) -> ToolLine:
    shares = [stepping(length, step) for length, step in zip(tile.size, tile.step, strict=True)]
    share = shares[0] if len(set(shares)) == 1 else f"({', '.join(shares)})"
    size = f"({', '.join(map(str, tile.size))}{',' if len(tile.size) == 1 else ''})"
    return ToolLine(
        "MONAI",
        f"sliding_window_inference(image, roi_size={size}, sw_batch_size=1, predictor=net, overlap={share},"
        ' mode="gaussian")',
        "steps on the grid, but averages in what is spoilt at cuts: softer seams, not exact ones",
    )


def _sahi(tile: TileSize) -> ToolLine:
    (height, width), (tall, wide) = tile.size, tile.overlap
    return ToolLine(
        "SAHI",
        f"get_sliced_prediction(image, model, slice_height={height}, slice_width={width},"
        f" overlap_height_ratio={overlapping(height, tall)}, overlap_width_ratio={overlapping(width, wide)})",
        "for boxes: add the size of your largest object to the overlap, in multiples of the grid",
    )


def _bioimage(axes: Sequence[TileAxis], target: TileMap) -> ToolLine:
    sizes, halos = [], []
    for axis, stride in zip(axes, target.stride, strict=True):
        halo = _both_sides(axis, stride)
        least = int(2 * halo) // axis.grid * axis.grid + axis.grid
        open_size = f"{{min: {least}, step: {axis.grid}}}"
        sizes.append(f"{axis.name[0]} {open_size if axis.size is None else axis.size}")
        halos.append(f"{axis.name[0]} {halo / stride}")
    return ToolLine(
        "bioimage.io",
        f"size of the input: {', '.join(sizes)}; halo of the output: {', '.join(halos)}",
        "cropped from both sides of the output, so that crops join on the grid",
    )


def _both_sides(axis: TileAxis, stride: Fraction) -> Fraction:
    """The halo in input pixels that, cropped from both sides, leaves a step on the grid."""
    half = Fraction(axis.grid, 2)
    unit = half if (half / stride).denominator == 1 and (axis.size is None or axis.size % axis.grid == 0) else 2 * half
    return ceil(max(axis.halo) / unit) * unit
