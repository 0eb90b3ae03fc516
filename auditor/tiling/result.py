"""What ``tiles`` finds: grid, halo and overlap of a model's tiles, what they cost, and what forbids them."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from msgspec import Struct

from auditor.document import Documented
from auditor.onnxfile.noderef import NodeRef
from auditor.text import ModelText


class TileAxis(Struct, frozen=True):
    """One axis of the picture, in input pixels.

    ``size`` is that of the model's input, null where it is open. ``grid``: corners of tiles are multiples of it.
    ``receptive_field`` is the widest part that an output of the local path reads. ``halo`` is what is spoilt at a cut
    on the left or top, and on the right or bottom. ``overlap``: neighbouring tiles share at least that much, a multiple
    of the grid where tiles are.
    """

    name: str
    size: int | None
    grid: int
    receptive_field: Fraction
    halo: tuple[Fraction, Fraction]
    overlap: int


class TileMap(Struct, frozen=True):
    """A map that is put together from its tiles; per axis in the order of the plan.

    ``output``: it is an output of the model, and else a map in front of one that is not a map. ``axes`` are the axes of
    the tensor that stand for those of the picture. ``stride`` is the
    distance of neighbouring values in input pixels. ``reach`` is how far a value reads to the left of its place (0 or
    negative) and to its right. ``cropped`` is how many values are spoilt at a cut on the left and on the right.
    """

    tensor: ModelText
    output: bool
    axes: tuple[int, ...]
    stride: tuple[Fraction, ...]
    receptive_field: tuple[Fraction, ...]
    reach: tuple[tuple[Fraction, Fraction], ...]
    cropped: tuple[tuple[int, int], ...]


class TileObstacle(Struct, frozen=True):
    """A node behind which no overlap makes tiles equal to the whole picture, and the ``reason``."""

    node: NodeRef
    reason: str


class TileSize(Struct, frozen=True):
    """Tiles of one size, in input pixels per axis.

    ``step`` is the distance of neighbouring tiles. ``work`` is how many pixels are computed for each of a large
    picture. ``memory_bytes`` estimates the largest sum of weights and live activations for one tile, null where shapes
    are not known. ``fits``: it is within the limit, or there is none. ``advised``: the one that ``lines`` are about.
    """

    size: tuple[int, ...]
    overlap: tuple[int, ...]
    step: tuple[int, ...]
    work: float
    memory_bytes: int | None
    fits: bool = True
    advised: bool = False


class ToolLine(Struct, frozen=True):
    """What to write for one tool, and what to know about it."""

    tool: str
    code: str
    remark: str = ""


class SeamRow(Struct, frozen=True):
    """The greatest difference of tiled against whole where neighbouring tiles overlap by ``overlap`` pixels.

    ``absolute`` is in the unit of the output, and ``difference`` a share of the output's range over all pictures; null
    where nothing was left to compare. ``picture`` is the one where it is greatest.
    """

    overlap: tuple[int, ...]
    difference: float | None
    absolute: float | None
    picture: ModelText | None


class Seams(Struct, frozen=True):
    """Tiles run beside the whole picture. ``rows`` begin with the advised overlap, and half of it.

    ``sufficient`` is the smallest overlap at which the difference stays below ``tolerance``, null where none does.
    ``canvas`` and ``tile`` are the sizes that ran, ``mirrored`` how many pictures were continued by reflection to reach
    them. ``compared`` counts the values of the advised overlap.
    """

    rows: tuple[SeamRow, ...]
    sufficient: tuple[int, ...] | None
    tolerance: float
    pictures: int
    canvas: tuple[int, ...]
    tile: tuple[int, ...]
    mirrored: int
    compared: int
    provider: str
    notes: tuple[str, ...] = ()


class TilePlan(Documented, Struct, frozen=True):
    """How a picture is cut for one ``model``. ``exact``: tiles with this overlap give what the whole picture gives.

    ``obstacles`` are why not. ``separable`` is false where the model's outputs are not maps, so that ``maps`` lie in
    front of them. ``tiles`` are sizes to choose from, largest first. ``lines`` is what to write for other tools.
    ``limit_bytes`` is the memory that was given. ``seams`` is what was measured.
    """

    computed: ClassVar[tuple[str, ...]] = ("exact",)

    model: str
    input: ModelText
    axes: tuple[TileAxis, ...]
    maps: tuple[TileMap, ...]
    obstacles: tuple[TileObstacle, ...]
    separable: bool
    tiles: tuple[TileSize, ...]
    lines: tuple[ToolLine, ...]
    notes: tuple[str, ...]
    limit_bytes: int | None = None
    seams: Seams | None = None

    @property
    def exact(self) -> bool:
        """Whether tiles with this overlap give what the whole picture gives."""
        return not self.obstacles

    @property
    def advised(self) -> TileSize | None:
        """The size of tile that is advised; None where there is none that fits."""
        return next((tile for tile in self.tiles if tile.advised), None)

    def __repr__(self) -> str:
        kind = "exact" if self.exact else "approximate"
        grid = " x ".join(str(axis.grid) for axis in self.axes)
        overlap = " x ".join(str(axis.overlap) for axis in self.axes)
        return f"<TilePlan: grid {grid}, overlap {overlap}, {kind}>"
