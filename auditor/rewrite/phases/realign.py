"""Where a shift of the grid at one place puts the samples of other grids, and how they are put back.

Phase ``a`` of a site reads its input ``a`` samples further on: ``a S`` pixels of the network input, for a map of
stride S. On another grid of stride T, that of a skip connection or of a dense output, this is a translation by
``a S / T`` samples (:mod:`auditor.sampling` has the exact S and T). It is exact where that is a whole number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Padding

Shift = Mapping[int, Fraction]
"""How far a phase is shifted, in pixels of the network input, by source axis; axes that stay are left out."""

Samples = Mapping[int, int]
"""The same on one tensor: samples by tensor axis."""

FOLDED = "positions share an axis of a tensor with others (rows, scales), where phases cannot be put back in place"

_UNKNOWN = -1  # in the place of a source axis that the analysis does not know
_LAST = 2**31 - 1


def shift_on(editor: GraphEditor, tensor: str, axes: Sequence[int], move: Sequence[int]) -> Shift:
    """The shift of ``move`` samples along ``axes`` of a tensor."""
    lattices = editor.lattices(tensor) or ()
    found: dict[int, Fraction] = {}
    for axis, step in zip(axes, move, strict=True):
        if step:
            lattice = lattices[axis] if axis < len(lattices) else None
            found[_UNKNOWN if lattice is None else lattice.source] = step * (lattice.stride if lattice else Fraction(1))
    return found


def samples_of(editor: GraphEditor, tensor: str, shift: Shift) -> Samples | None:
    """How many samples a shift is on each axis of a tensor; None where that is no whole number, or the whole map.

    Raises TailError where the analysis does not know the tensor's grid.
    """
    lattices = editor.lattices(tensor)
    if lattices is None:
        raise TailError("a tensor that the analysis lost meets its map again")
    if not editor.folded(tensor).isdisjoint(shift):
        raise TailError(FOLDED)
    found: dict[int, int] = {}
    for axis, lattice in enumerate(lattices):
        if lattice is None:
            continue
        if _UNKNOWN in shift:
            return None
        distance = shift.get(lattice.source, Fraction(0)) / lattice.stride
        if distance.denominator != 1 or not 0 <= distance < lattice.size:
            return None
        if distance:
            found[axis] = int(distance)
    return found


def moved_on(block: Block, tensor: str, samples: Samples) -> str:
    """The tensor from its ``samples``-th sample on; its last sample is repeated where it ends."""
    if not samples:
        return tensor
    rank = len(block.editor.shape(tensor) or ())
    end = [samples.get(axis, 0) for axis in range(rank)]
    longer = block.pad(tensor, [0] * rank, end, Padding.EDGE)
    return block.slice(longer, list(samples.values()), [_LAST] * len(samples), list(samples), "moved")


def moved_back(block: Block, phase: str, samples: Samples, first: str) -> str:
    """A phase ``samples`` further back, on the grid of the phase ``first``; samples of that one stand in front."""
    if not samples:
        return phase
    ends = [-count for count in samples.values()]
    made = block.slice(phase, [0] * len(ends), ends, list(samples), "cut")
    waiting = dict(samples)
    for axis, count in samples.items():
        del waiting[axis]
        # On the axes that are still to be filled the border begins where the phase does.
        starts, stops = [0, *waiting.values()], [count, *[_LAST] * len(waiting)]
        border = block.slice(first, starts, stops, [axis, *waiting], "border")
        made = block.concat([border, made], "placed", axis=axis)
    return made
