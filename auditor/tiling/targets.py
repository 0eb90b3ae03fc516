"""Which maps of a model are put together from tiles: its outputs, or what lies in front of an output without a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from auditor.sampling.result import Analysis, Head, HeadKind, Lattice
from auditor.tiling.links import Key, Link
from auditor.tiling.pictures import PictureAxis

_ENDS = {
    HeadKind.POOLED: "ends in one answer for the whole picture",
    HeadKind.POSITION_DEPENDENT: "ends in weights for each position",
    HeadKind.ATTENTION: "ends in attention over the whole picture",
    HeadKind.CLASS_TOKEN: "ends in one answer for the whole picture",
    HeadKind.SEQUENCE: "ends in a sequence",
}


@dataclass(frozen=True, slots=True)
class MapTarget:
    """A map: its tensor, the axes of it that have a grid, and the lattice and the period of each.

    ``output``: it is an output of the model.
    """

    tensor: Key
    axes: tuple[int, ...]
    lattices: tuple[Lattice, ...]
    periods: tuple[Fraction | None, ...]
    output: bool


@dataclass(frozen=True, slots=True)
class TileTargets:
    """The maps of a model. ``ends`` are the outputs that are none, with why no tiles of them can be put together.

    ``others`` lie on other axes than the picture that is cut. ``listing`` are those that list what was found in the
    maps (boxes, points), which are merged, not put together.
    """

    maps: tuple[MapTarget, ...]
    ends: tuple[tuple[Head, str], ...]
    listing: tuple[Head, ...]
    others: tuple[MapTarget, ...] = ()


def on_axes(targets: TileTargets, axes: Sequence[PictureAxis]) -> TileTargets:
    """The maps that lie on these axes of the picture, in their order; those that do not become ``others``."""

    def lies(target: MapTarget) -> bool:
        if len(target.lattices) != len(axes):
            return False
        return all(lattice.source in axis.sources for lattice, axis in zip(target.lattices, axes, strict=True))

    fitting = tuple(target for target in targets.maps if lies(target))
    return replace(targets, maps=fitting, others=tuple(target for target in targets.maps if not lies(target)))


def find_targets(analysis: Analysis, links: Sequence[Link]) -> TileTargets:
    """The maps among the outputs, or those that lie directly in front of outputs that are not maps."""
    maps: list[MapTarget] = []
    ends: list[tuple[Head, str]] = []
    listing: list[Head] = []
    for head in analysis.heads:
        if not head.period:
            continue  # does not depend on the picture
        if head.kind is HeadKind.DENSE and _whole(head.lattice, head):
            periods = tuple(head.period.get(lattice.source) for lattice in head.lattice)
            axes = _grid_axes(analysis, head.output.raw)
            maps.append(MapTarget(("", head.output.raw), axes, head.lattice, periods, True))
        elif head.kind in _ENDS:
            ends.append((head, _ENDS[head.kind]))
        else:
            listing.append(head)
    if not maps:
        found: dict[Key, MapTarget] = {}
        for head in (*(head for head, _ in ends), *listing):
            for target in _in_front(analysis, links, head):
                found.setdefault(target.tensor, target)
        maps = list(found.values())
    return TileTargets(tuple(maps), tuple(ends), tuple(listing))


def _grid_axes(analysis: Analysis, name: str) -> tuple[int, ...]:
    return tuple(index for index, lattice in enumerate(analysis.tensors[name]) if lattice is not None)


def _whole(lattices: Sequence[Lattice], head: Head) -> bool:
    """Whether a tensor has a plain axis for every axis of a picture that it depends on."""
    return bool(lattices) and len(lattices) >= min(len(head.period), 2)


def _in_front(analysis: Analysis, links: Sequence[Link], head: Head) -> list[MapTarget]:
    waiting = {("", head.output.raw)}
    found: list[MapTarget] = []
    for link in reversed(links):
        if link.output not in waiting:
            continue
        for read in link.reads:
            scope, name = read.tensor
            known = analysis.tensors.get(name) if not scope and name in analysis.tensors else None
            lattices = tuple(lattice for lattice in known or () if lattice is not None)
            if _whole(lattices, head):
                periods = tuple(head.period.get(lattice.source) for lattice in lattices)
                if read.tensor not in waiting and all(target.tensor != read.tensor for target in found):
                    found.append(MapTarget(read.tensor, _grid_axes(analysis, name), lattices, periods, False))
            else:
                waiting.add(read.tensor)
    return found
