"""How a picture is to be cut: the options of ``tiles``, beside those of a measurement."""

from __future__ import annotations

from auditor.options.kinds import memory, number, side_lengths, switch
from auditor.options.option import Group, option
from auditor.options.panels import Panel


class Tiling(Group):
    """The limits of a tile, and whether it is run."""

    memory: int | None = option(
        memory("SIZE"),
        "Largest tile that fits, such as 8GB. By an estimate from shapes, with half as much again.",
        Panel.INPUT,
    )
    tile: tuple[int, ...] | None = option(
        side_lengths("HxW"), "Plan for tiles of this size. Such as 512x768, or one number for all sides.", Panel.INPUT
    )
    verify: bool = option(
        switch(), "Run tiles, and measure the seam. Beside the whole picture, in a process of its own.", Panel.MEASURING
    )
    tolerance: float = option(
        number("SHARE", 1e-9, below=1, must="a share of the output's range such as 0.001"),
        "Difference to ignore. As a share of the range of the output.",
        Panel.MEASURING,
        default=0.001,
    )
