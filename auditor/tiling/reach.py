"""How far an output looks into the picture: exact intervals, from the output back to the input.

For every output index within one period of the grid the intervals of all nodes in front are followed backwards, and
the union is taken where branches meet (Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019). Outputs of an upsampling differ in what they read, so all of a period are followed, not one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias

from auditor.onnxfile.noderef import NodeRef
from auditor.tiling.links import Key, Link, LinkMap, Read
from auditor.tiling.maps import Blocked, Moved, Part, ReadMap

MOST_PHASES = 1024
Step: TypeAlias = "tuple[Key, list[tuple[Key, ReadMap]]]"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A node behind which no part of the picture is enough, and why."""

    node: NodeRef
    reason: str


@dataclass(frozen=True, slots=True)
class AxisReach:
    """What the outputs of one map read along one axis of the picture, in input pixels.

    ``stride`` is the distance of neighbouring outputs, ``period`` that of outputs which read alike. ``parts`` are the
    intervals of the outputs of one period, from index 0 on.
    """

    stride: Fraction
    period: Fraction
    parts: tuple[Part, ...]

    @property
    def before(self) -> Fraction:
        """A: the furthest that an output looks to the left of its place, as a number that is 0 or negative."""
        return min(part.low - self.stride * index for index, part in enumerate(self.parts))

    @property
    def behind(self) -> Fraction:
        """B: the same to the right."""
        return max(part.high - self.stride * index for index, part in enumerate(self.parts))

    @property
    def field(self) -> Fraction:
        """The largest receptive field of an output."""
        return max(part.high - part.low for part in self.parts) + 1

    def spoilt_left(self) -> Fraction:
        """Input pixels of a tile's outputs, from a cut on its left on, that read beyond it."""
        count = 0
        for index, part in enumerate(self.parts):
            turns = ceil(-part.low / self.period)  # the first period in which it stays inside
            if turns > 0:
                count = max(count, (turns - 1) * len(self.parts) + index + 1)
        return count * self.stride

    def spoilt_right(self, length: int, outputs: int | None = None) -> Fraction:
        """Input pixels up to a cut on the right of a tile of ``length`` pixels whose outputs are spoilt or missing."""
        first = outputs
        for index, part in enumerate(self.parts):
            turns = floor((length - 1 - part.high) / self.period) + 1  # the first period in which it reads beyond
            bad = max(turns * len(self.parts) + index, 0)
            first = bad if first is None else min(first, bad)
        return length - (first or 0) * self.stride


def on_the_way(links: Sequence[Link], output: Key, sources: frozenset[int]) -> list[Link]:
    """The links between the picture and an output, last first. ``sources`` is one axis of the picture."""
    wanted = {output}
    found = []
    for link in reversed(links):
        if link.output in wanted:
            found.append(link)
            wanted.update(read.tensor for read in link.reads if not sources.isdisjoint(read.maps))
    return found


def obstacles(way: Sequence[Link], sources: frozenset[int]) -> dict[int, Obstacle]:
    """The nodes on the way that read more than a window, by their order."""
    found: dict[int, Obstacle] = {}
    for link in way:
        for read in link.reads:
            how = _map(read, sources)
            if isinstance(how, Blocked):
                found.setdefault(link.node.order, Obstacle(link.node, how.reason))
    return found


def _map(read: Read, sources: frozenset[int]) -> LinkMap:
    """The map of one axis of the picture, by whichever of its names the operand has it."""
    known = [read.maps[source] for source in sorted(sources) if source in read.maps]
    return next((how for how in known if how is not None), None)


def reach(
    way: Sequence[Link], output: Key, sources: frozenset[int], stride: Fraction, period: Fraction, inputs: Sequence[Key]
) -> AxisReach:
    """The intervals of the outputs of one period along one axis of the picture, on the local path.

    ``way`` is that of :func:`on_the_way`; what is blocked there is left out.

    Raises:
        ValueError: the period is not followed, or the local path does not lead to the input.
    """
    count = period / stride
    if count.denominator != 1 or count > MOST_PHASES:
        raise ValueError(f"a period of {period} with outputs {stride} apart is not followed")
    steps: list[Step] = []
    for link in way:
        maps = [(read.tensor, _map(read, sources)) for read in link.reads]
        steps.append((link.output, [(t, how) for t, how in maps if how is not None and not isinstance(how, Blocked)]))
    parts = []
    for index in range(int(count)):
        place = stride * index
        part = _follow(steps, output, Part(place, place), inputs)
        if part is None:
            raise ValueError("the local path does not lead to the input")
        parts.append(part)
    return AxisReach(stride, period, tuple(parts))


def _follow(steps: Sequence[Step], output: Key, start: Part, inputs: Sequence[Key]) -> Part | None:
    parts: dict[Key, Part] = {output: start}
    for tensor, reads in steps:
        part = parts.get(tensor)
        if part is None:
            continue
        for operand, how in reads:
            found = how.read(part)
            if found is None:
                continue
            known = parts.get(operand)
            parts[operand] = found if known is None or known == found else known.hull(found)
    ends = [parts[key] for key in inputs if key in parts]
    if not ends:
        return None
    hull = ends[0]
    for end in ends[1:]:
        hull = hull.hull(end)
    return hull


def differing(first: Sequence[Link], second: Sequence[Link]) -> dict[int, Obstacle]:
    """The nodes that read otherwise in a picture of another size, by their order."""
    others = {link.output: link for link in second}
    found: dict[int, Obstacle] = {}
    for link in first:
        other = others.get(link.output)
        if other is None:
            continue
        maps = {(read.tensor, source): how for read in other.reads for source, how in read.maps.items()}
        for read in link.reads:
            for source, how in read.maps.items():
                there = maps.get((read.tensor, source), how)
                if how != there and not isinstance(how, Blocked) and how is not None:
                    found.setdefault(link.node.order, Obstacle(link.node, _why(there)))
    return found


def _why(there: object) -> str:
    if isinstance(there, Blocked):
        return there.reason
    if isinstance(there, Moved):
        return "its window or padding depends on the size of the picture"
    return "it resizes to a size that does not follow that of the picture"
