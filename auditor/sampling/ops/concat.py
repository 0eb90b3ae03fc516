"""Concat: channels side by side, padding by copies (circular), class tokens, several scales, and all phases (Focus)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import pairwise, product
from math import gcd
from typing import TYPE_CHECKING

from auditor.sampling.lattice.atoms import fuse
from auditor.sampling.lattice.state import (
    ANONYMOUS,
    ONE,
    UNIT,
    ZERO,
    Atom,
    Axis,
    AxisTrack,
    OpaqueError,
    State,
    anonymous,
    finest,
    merge_window,
)
from auditor.sampling.result import SiteKind
from auditor.sampling.spectrum.energies import KEPT, Map, decimation
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.endings import merged_end
from auditor.sampling.walk.join import broadcast, join_windows, lost_together, merged_windows
from auditor.sampling.walk.phases import stack
from auditor.sampling.walk.sites import Strided, record_site

if TYPE_CHECKING:
    from auditor.sampling.spectrum.alias import Autocorrelation

PICTURES_RANK = 4  # from this rank on axis 0 is the batch; below it may be the channels of a single picture
FEWEST_AXES = 3  # batch, channels and a grid: what strided operators make
FEWEST_FRAMES = 3  # two tensors side by side whose centres differ are a misaligned join, not frames


def concat(call: Call) -> State:
    """Concat-13 (and QLinearConcat): the other axes must agree as in an element-wise join."""
    operands = [call.state(index) for index in _data_inputs(call)]
    names = [call.node.inputs[index] for index in _data_inputs(call)]
    known = [state for state in operands if state.axes is not None]
    if len(known) < len(operands) or not known:
        return replace(lost_together(operands), axes=None)
    rank = len(known[0].axes or ())
    where = call.integer("axis", 1)
    if any(len(state.axes or ()) != rank for state in known) or not -rank <= where < rank:
        raise OpaqueError("Concat's inputs or axis do not fit")
    where %= rank
    if len(operands) == 1:
        return operands[0]
    others = broadcast([_without(state, where) for state in sorted(operands, key=lambda state: state.raw)])
    sizes = [axis.size for axis in others]
    if any([axis.size for axis in _without(state, where)] != sizes for state in operands):
        raise OpaqueError("Concat's inputs differ on another axis")
    copies = stack(call) if where == 0 and rank >= FEWEST_AXES else None
    if copies is not None:
        call.record.stacks.append((call.scope, copies))
    stacked = copies is not None or (where == 0 and rank >= PICTURES_RANK)
    phases = {} if stacked else _complete_phases(operands)
    if phases:
        return _focus(call, operands, others, where, phases)
    along = [state.axis(where) for state in operands]
    if not any(axis.has_source for axis in along):
        frames = None if copies is not None else _frames(operands, where)
        if frames is not None:
            return frames
        joined = anonymous(sum(axis.size for axis in along))
        axes = (*others[:where], joined, *others[where:])
        # Pictures side by side on the batch axis do not meet: no output position reads two of them.
        windows: Mapping[int, AxisTrack] = {} if stacked else join_windows(call, operands, names)
        return replace(
            _state(operands, axes, _beside(operands) if where == 0 else windows), response=_shared_response(operands)
        )
    return _along_grid(call, operands, names, others, where)


def _shared_response(operands: Sequence[State]) -> Autocorrelation | None:
    """The filter that all of them have passed, side by side on channels or as pictures."""
    first = operands[0].response
    if first is None or any(state.response is None for state in operands):
        return None
    lags = [state.response.lags for state in operands if state.response is not None]
    alike = all(one.shape == lags[0].shape and bool((one == lags[0]).all()) for one in lags[1:])
    return first if alike else None


def _beside(operands: Sequence[State]) -> dict[int, AxisTrack]:
    """The windows of pictures side by side on the batch axis, each of which keeps its own centre."""
    windows = merged_windows([state for state in operands if state.windows])
    for source, window in windows.items():
        if all(source in state.windows for state in operands):
            own = [(state.windows[source], state.axis(0).size) for state in operands]
            if any(found.offset != own[0][0].offset or found.pictures for found, _ in own):
                centres = [
                    found.offset + distance for found, count in own for distance in found.pictures or (ZERO,) * count
                ]
                windows[source] = window.beside(centres)
    return windows


def _data_inputs(call: Call) -> list[int]:
    inputs = [index for index, name in enumerate(call.node.inputs) if name]
    return inputs[2::3] if call.node.op == "QLinearConcat" else inputs


def _without(state: State, where: int) -> tuple[Axis, ...]:
    axes = state.axes or ()
    return (*axes[:where], *axes[where + 1 :])


def _state(operands: Sequence[State], axes: tuple[Axis, ...], windows: Mapping[int, AxisTrack]) -> State:
    return State(
        axes,
        windows,
        constant=all(state.constant for state in operands),
        raw=all(state.raw or state.constant for state in operands) and not all(state.constant for state in operands),
        mixing=any(state.mixing for state in operands),
        lost=next((state.lost for state in operands if state.lost is not None), None),
    )


def _complete_phases(operands: Sequence[State]) -> dict[int, tuple[Fraction, int]]:
    """Whether the operands are all s^d phases of one grid, each once: maps each source axis to (fine stride, s)."""
    if any(not state.decimations for state in operands):
        return {}
    sources = operands[0].sources()
    if not sources or any(state.sources() != sources for state in operands):
        return {}
    result: dict[int, tuple[Fraction, int]] = {}
    values: list[list[Fraction]] = []
    for source in sorted(sources):
        offsets = sorted({state.windows[source].offset for state in operands})
        strides = {finest(state.axes or (), source) for state in operands}
        stride = strides.pop()
        if strides or stride is None:
            return {}
        values.append(offsets)
        if len(offsets) > 1:
            step = stride / len(offsets)
            if any(later - earlier != step for earlier, later in pairwise(offsets)):
                return {}
            result[source] = (step, len(offsets))
    seen = sorted(tuple(state.windows[source].offset for source in sorted(sources)) for state in operands)
    return result if result and seen == sorted(product(*values)) else {}


def _focus(
    call: Call, operands: Sequence[State], others: tuple[Axis, ...], where: int, phases: dict[int, tuple[Fraction, int]]
) -> State:
    """All phases of a grid side by side on one axis (YOLO's Focus, Swin's patch merging): a phase-to-channel site."""
    trunk = operands[0]
    windows = dict(trunk.windows)
    members = tuple(dict.fromkeys(index for state in operands for index in state.decimations))
    for source, (step, count) in phases.items():
        first = min(state.windows[source].offset for state in operands)
        old = windows[source]
        windows[source] = old._replace(offset=first + step * (count - 1) / 2, field=old.field + step * (count - 1))
        call.record.spatial.add(source)
    axes = (*others[:where], anonymous(sum(state.axis(where).size for state in operands)), *others[where:])
    atoms = {atom.source: atom for axis in axes for atom in axis.atoms if atom.source in phases}
    factor = tuple(Fraction(phases[source][1]) for source in atoms)
    strided = Strided(
        kind=SiteKind.PHASE_TO_CHANNEL,
        factor=factor,
        atoms=tuple(atoms.values()),
        alias=decimation(factor, Map(None, trunk.raw, KEPT)),
        filtered="all phases are kept as channels, so nothing is lost, but a shift permutes them",
        members=members,
    )
    record_site(call, strided, trunk, windows)
    return replace(_state(operands, axes, windows), decimations=())


def _frames(operands: Sequence[State], where: int) -> State | None:
    """Windows cut one by one and stacked on a new axis: ``[(h, 1, k)]`` at offsets in steps of D become ``[(h, D, n),
    (h, 1, k)]``.
    """
    if len(operands) < FEWEST_FRAMES or any(state.axis(where).size != 1 for state in operands):
        return None
    trunk = operands[0]
    for source in trunk.sources():
        offsets = [state.windows[source].offset if source in state.windows else None for state in operands]
        if None in offsets or len(set(offsets)) == 1:
            continue
        step = (offsets[1] or Fraction(0)) - (offsets[0] or Fraction(0))
        if step == 0 or any(b is None or a is None or b - a != step for a, b in pairwise(offsets)):
            return None
        axes = list(trunk.axes or ())
        axes[where] = Axis((Atom(source, step, len(operands)),))
        return replace(_state(operands, tuple(axes), dict(trunk.windows)), decimations=())
    return None


def _along_grid(
    call: Call, operands: Sequence[State], names: Sequence[str], others: tuple[Axis, ...], where: int
) -> State:
    """Concatenation along a grid axis. The longest piece is the trunk; the others pad it before and after.

    That covers circular padding, roll (where the lattice is unchanged modulo the length) and class tokens. Pieces of
    different strides (the scales of a detector, side by side) leave no common lattice on this axis: it lists places.
    """
    sizes = [state.axis(where).size for state in operands]
    gridded = [index for index, state in enumerate(operands) if state.axis(where).has_source]
    trunk = max(gridded, key=lambda index: (sizes[index], -index))
    before, after = sum(sizes[:trunk]), sum(sizes[trunk + 1 :])
    axis = operands[trunk].axis(where)
    atom = axis.single
    same = all(_stride_like(operands[index].axis(where), axis) for index in gridded)
    windows = dict(join_windows(call, [replace(state, axes=_without(state, where)) for state in operands], names))
    ordered = sorted(operands, key=lambda state: state is not operands[trunk])
    for source in dict.fromkeys(atom.source for atom in axis.atoms if atom.source != ANONYMOUS):
        having = [state.windows[source] for state in ordered if source in state.windows]
        windows[source] = merged_end(reduce(merge_window, having), having, gridded=True)
    if not same:
        joined = _listed(call, [state.axis(where) for state in operands], windows)
    elif atom is not None:
        joined = Axis((Atom(atom.source, atom.stride, sum(sizes)),))
        old = windows[atom.source]
        windows[atom.source] = old._replace(offset=old.offset - atom.stride * before)
    else:
        joined = Axis(axis.atoms, axis.before + before, axis.after + after)
    axes = (*others[:where], joined, *others[where:])
    return _state(operands, axes, windows)


def _listed(call: Call, pieces: Sequence[Axis], windows: dict[int, AxisTrack]) -> Axis:
    """The places of several grids, one after the other; channels that all of them have last stay channels."""
    source = call.record.places(tuple(pieces))
    windows[source] = AxisTrack()
    width = gcd(*(_last_channels(axis) for axis in pieces))
    total = sum(axis.size for axis in pieces)
    return Axis(fuse([Atom(source, ONE, total // width), Atom(ANONYMOUS, ONE, width)]))


def _last_channels(axis: Axis) -> int:
    """How many channels lie side by side at each place of an axis."""
    if axis.before or axis.after or not axis.has_source:
        return 1 if axis.has_source else axis.size
    return axis.atoms[-1].extent if axis.atoms[-1].source == ANONYMOUS else 1


def _stride_like(axis: Axis, trunk: Axis) -> bool:
    mine, its = axis.single, trunk.single
    if mine is None or its is None:
        return axis.atoms == trunk.atoms or axis is UNIT
    return mine.source == its.source and mine.stride == its.stride
