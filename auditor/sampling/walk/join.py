"""Tensors that meet: element-wise operators and the channel-wise side of Concat must agree in lattice.

Two tensors that are added, multiplied or concatenated must agree in effective stride *and* in the centre of their
receptive fields (Araujo et al., Distill 2019, "Alignment issues"). On disagreement the trace records the misalignment
and goes on along the trunk, the most direct branch: an offset belongs to the join that brings it in, so that a chain of
residual blocks has one small offset each and not their sum at its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from math import prod
from operator import and_

from auditor.sampling.lattice.state import (
    NO_WINDOWS,
    UNIT,
    ZERO,
    Atom,
    Axis,
    AxisTrack,
    OpaqueError,
    Resized,
    State,
    finest,
    merge_window,
)
from auditor.sampling.result import MisalignedJoin
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.copies import middle, neighbours
from auditor.sampling.walk.endings import merged_end
from auditor.text import ModelText


def broadcast(operands: Sequence[tuple[Axis, ...]]) -> tuple[Axis, ...]:
    """The axes of an element-wise result (NumPy broadcasting); a grid axis wins over an anonymous one of equal size.

    Of two grids the first wins. Where two network inputs meet, that should be the one that was worked on: the other may
    be the state of a streaming model, whose own sampling nobody knows.
    """
    rank = max((len(axes) for axes in operands), default=0)
    result: list[Axis] = []
    for back in range(rank, 0, -1):
        best, best_size = UNIT, 1
        for axes in operands:
            if len(axes) < back:
                continue
            axis = axes[-back]
            if axis is best:
                continue
            size = axis.size
            if size == 1:
                continue
            if best_size == 1:
                best, best_size = axis, size
            elif size != best_size:
                raise OpaqueError(f"operands of sizes {best_size} and {size} meet on one axis")
            elif not best.has_source and axis.has_source:
                best = axis
        result.append(best)
    return tuple(result)


def join_windows(call: Call, operands: Sequence[State], names: Sequence[str]) -> Mapping[int, AxisTrack]:
    """The windows of tensors that meet, recording a misaligned join for every source axis on which they disagree."""
    carriers = [index for index, state in enumerate(operands) if state.windows]
    if not carriers:
        return NO_WINDOWS
    first = operands[carriers[0]].windows
    if all(operands[index].windows is first for index in carriers[1:]):
        return first
    averaged: Mapping[int, Fraction] = {}
    if _lie_apart([operands[index] for index in carriers]):
        averaged = middle(call.record, call.scope, call.node) or neighbours(call.scope, call.node)
    if averaged:
        merged = merged_windows([operands[index] for index in carriers])
        moved = {source: (merged[source], centre) for source, centre in averaged.items()}
        return merged | {
            source: track._replace(offset=centre, aside=track.aside + track.offset - centre)
            for source, (track, centre) in moved.items()
        }
    for source in sorted({source for index in carriers for source in operands[index].windows}):
        meeting = [index for index in carriers if source in operands[index].sources()]
        strides, centres, last = _lattices([operands[index] for index in meeting], source)
        resized = [operands[index].windows[source].resized for index in meeting]
        compare(call, source, strides, centres, [names[index] for index in meeting], resized, last)
    return merged_windows([operands[index] for index in carriers])


def _lie_apart(operands: Sequence[State]) -> bool:
    """Whether the centres of tensors that meet differ on a source axis."""
    first = operands[0].windows
    return any(
        source in first and first[source].offset != window.offset
        for state in operands[1:]
        for source, window in state.windows.items()
    )


def _lattices(operands: Sequence[State], source: int) -> tuple[list[Fraction | None], list[Fraction], int]:
    """Stride and first centre of every operand along a source axis, and the last index that they have in common.

    What was summed over a part of a split axis (the windows, or what lies within one) stands for that part as a whole,
    and meets every sample of it: their middle.
    """
    own = [Counter(_atoms(state, source)) for state in operands]
    strides = [finest(state.axes or (), source) for state in operands]
    centres = [state.windows[source].offset for state in operands]
    common = reduce(and_, own) if own else Counter()
    if common and len({sum(atoms.values()) for atoms in own}) > 1:
        spans = [[atom.stride * (atom.extent - 1) for atom in (atoms - common).elements()] for atoms in own]
        centres = [centre + sum(lengths, ZERO) / 2 for centre, lengths in zip(centres, spans, strict=True)]
        strides = [min(abs(atom.stride) for atom in common)] * len(own)
    extents = {tuple(atom.extent for atom in atoms) for atoms in own}
    single = len(extents) == 1 and len(next(iter(extents))) == 1
    return strides, centres, next(iter(extents))[0] - 1 if single else 0


def merged_windows(operands: Sequence[State]) -> dict[int, AxisTrack]:
    """The windows of tensors that meet: on each source axis the lattice of the trunk, and every operand's history.

    The trunk has the most positions (the queries of attention, not the windows that its keys lie in), and of those the
    smallest receptive field.
    """
    merged: dict[int, AxisTrack] = {}
    for source in sorted({source for state in operands for source in state.windows}):
        having = [state for state in operands if source in state.windows]
        gridded = [state for state in having if source in state.sources()]
        trunk = min(gridded or having, key=lambda state: (-_positions(state, source), state.windows[source].field))
        window = trunk.windows[source]
        for state in having:
            if state is not trunk:
                both = any(state is one for one in gridded) and any(trunk is one for one in gridded)
                window = merge_window(window, state.windows[source], gridded=both)
        if len(gridded) > 1:
            deep = max((state.windows[source] for state in gridded), key=lambda one: one.field)
            window = window._replace(deepest=deep.offset + deep.deepest - window.offset)
        others = [state.windows[source] for state in having]
        merged[source] = merged_end(window, others, gridded=bool(gridded))
    return merged


def _atoms(state: State, source: int) -> Iterator[Atom]:
    return (atom for axis in state.axes or () for atom in axis.atoms if atom.source == source)


def _positions(state: State, source: int) -> int:
    """How many samples of a source axis a tensor tells apart."""
    return prod(atom.extent for atom in _atoms(state, source))


def compare(
    call: Call,
    source: int,
    strides: Sequence[Fraction | None],
    offsets: Sequence[Fraction],
    names: Sequence[str],
    resized: Sequence[Resized | None] = (),
    last: int = 0,
) -> None:
    """Records a misaligned join where branches that meet on a source axis differ in stride or centre.

    ``last`` is the last index on the axis, where that is known: branches of different strides drift apart on the way.
    ``resized`` is the last Resize on each branch, which is to blame where other coordinates would bring them together.
    """
    if len(offsets) < 2 or source < 0 or (len(set(strides)) == 1 and len(set(offsets)) == 1):
        return
    steps = [stride or ZERO for stride in strides]
    delta = _apart(steps, offsets, last)
    remedy = _remedy(offsets, resized, delta) if len(set(resized)) > 1 else None
    call.record.joins.append(
        MisalignedJoin(
            node=call.record.ref(call.scope.path, call.node, call.order),
            source=source,
            strides=tuple(steps),
            offsets=tuple(offsets),
            delta=delta,
            branches=tuple(ModelText(name) for name in names),
            resize=None if remedy is None else call.record.refs.get(remedy[0]),
            coordinates="" if remedy is None else remedy[1],
        )
    )


def _apart(strides: Sequence[Fraction], offsets: Sequence[Fraction], last: int) -> Fraction:
    ends = [offset + stride * last for stride, offset in zip(strides, offsets, strict=True)]
    return max(max(offsets) - min(offsets), max(ends) - min(ends))


def _remedy(offsets: Sequence[Fraction], resized: Sequence[Resized | None], delta: Fraction) -> tuple[int, str] | None:
    """The Resize whose coordinates keep the branches apart, by its order, and those that would bring them together."""
    best, found = delta, None
    for index, step in enumerate(resized):
        if step is None:
            continue
        for moved, coordinates in ((step.centred, "half_pixel"), (ZERO, "asymmetric")):
            others = [*offsets[:index], offsets[index] - step.taken + moved, *offsets[index + 1 :]]
            left = max(others) - min(others)
            if left < best:
                best, found = left, (step.node, coordinates)
    return found


def join(call: Call, operands: Sequence[State], names: Sequence[str], *, linear: bool = False) -> State:
    """The state of an element-wise operator. ``linear``: at most a scaling and an offset per sample or channel."""
    known = [index for index, state in enumerate(operands) if state.axes is not None]
    lost = next((state.lost for state in operands if state.lost is not None), None)
    moving = [index for index in known if not operands[index].constant]
    if len(known) < len(operands) and not any(operands[index].windows for index in known):
        return lost_together(operands)  # nothing says that the operand of unknown shape is the smaller one
    if len(moving) == 1:
        trunk = operands[moving[0]]
        assert trunk.axes is not None
        axes = broadcast([trunk.axes, *[operands[index].axes or () for index in known if index != moving[0]]])
        same = axes == trunk.axes
        if same and lost == trunk.lost and (linear or trunk.response is None) and not trunk.decimations:
            return trunk
        return State(
            axes,
            trunk.windows,
            raw=trunk.raw,
            response=trunk.response if linear else None,
            mixing=trunk.mixing,
            lost=lost,
            decimations=trunk.decimations,
        )
    if not known:
        return lost_together(operands)
    axes = broadcast([operands[index].axes or () for index in sorted(known, key=lambda index: operands[index].raw)])
    windows = join_windows(call, operands, names)
    return State(
        axes,
        windows,
        constant=all(state.constant for state in operands),
        raw=bool(moving) and all(operands[index].raw for index in moving),
        mixing=any(state.mixing for state in operands),
        lost=lost,
    )


def lost_together(operands: Sequence[State]) -> State:
    """The state of a result whose grid is not known because no operand's is."""
    windows: dict[int, AxisTrack] = {}
    for state in operands:
        for source, window in state.windows.items():
            if source in windows:
                ended = [one for one in (windows[source], window) if one.ending is not None]
                merged = merge_window(windows[source], window)
                window = merged_end(merged, ended, gridded=False) if ended else merged
            windows[source] = window
    return State(
        None,
        windows,
        constant=all(state.constant for state in operands),
        lost=next((state.lost for state in operands if state.lost is not None), None),
    )
