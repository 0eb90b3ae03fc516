"""Operators that only move entries: Reshape, Flatten, Transpose, Squeeze, Unsqueeze, Expand, Tile, SpaceToDepth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

from auditor.sampling.lattice.atoms import fuse, reshape
from auditor.sampling.lattice.contract import coarser
from auditor.sampling.lattice.state import (
    ANONYMOUS,
    ONE,
    UNIT,
    Atom,
    Axis,
    AxisTrack,
    OpaqueError,
    State,
    anonymous,
    finest,
)
from auditor.sampling.ops.interleaved import interleaved
from auditor.sampling.ops.sliding import lost_result
from auditor.sampling.result import SiteKind, Upsampling
from auditor.sampling.spectrum.energies import KEPT, Map, decimation
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.sites import Strided, record_site


def moved(state: State, axes: Sequence[Axis], windows: dict[int, AxisTrack] | None = None) -> State:
    """The same content on other axes."""
    return replace(state, axes=tuple(axes), windows=state.windows if windows is None else windows, response=None)


def reshape_op(call: Call) -> State:
    """Reshape-21: 0 copies a size (unless allowzero), -1 takes the rest."""
    given = call.state(0)
    target = call.numbers(1) if call.has(1) else call.integers("shape")
    if given.axes is None:
        return lost_result(given)
    if target is None:
        raise OpaqueError("the target shape of Reshape is computed from data")
    sizes = list(target)
    if not call.integer("allowzero", 0):
        for index, size in enumerate(sizes):
            if size == 0:
                if index >= len(given.axes):
                    raise OpaqueError("Reshape copies a size that the input does not have")
                sizes[index] = given.axes[index].size
    return interleaved(call, tuple(sizes)) or to_shape(call, given, sizes)


def to_shape(call: Call, given: State, sizes: Sequence[int]) -> State:
    """``given`` in a new row-major shape with at most one -1; raises OpaqueError where atoms are cut unevenly."""
    assert given.axes is not None
    total = prod(axis.size for axis in given.axes)
    known = prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or min(sizes, default=1) < -1 or (known == 0 and total):
        raise OpaqueError("Reshape's target shape is not valid")
    full = [(total // known if known else 0) if size == -1 else size for size in sizes]
    if prod(full) != total:
        raise OpaqueError(f"Reshape from {total} to {prod(full)} elements")
    rooted = _reroot(call, given, full)
    if rooted is not None:
        return rooted
    axes = reshape(given.axes, full)
    if axes is None:
        raise OpaqueError("Reshape cuts a grid axis into uneven parts")
    result = moved(given, axes)
    if given.response is not None and [a for a in axes if a.has_source] == [a for a in given.axes if a.has_source]:
        result = replace(result, response=given.response)
    return _phases_to_channel(call, given, _channels_to_phases(call, result))


def _channels_to_phases(call: Call, state: State) -> State:
    """Records a Reshape that puts channels beside the samples of at least two grid axes: a pixel shuffle.

    One axis alone may as well be flattened for a linear layer, and keeps its channels.
    """
    assert state.axes is not None
    shuffled = [index for index, axis in enumerate(state.axes) if _is_shuffled(axis)]
    if len({state.axes[index].atoms[0].source for index in shuffled}) < 2:
        return state
    axes, windows, factor = list(state.axes), dict(state.windows), []
    for index in shuffled:
        grid, channels = axes[index].atoms
        step = grid.stride / channels.extent
        axes[index] = Axis((Atom(grid.source, step, grid.extent * channels.extent),))
        old = windows[grid.source]
        windows[grid.source] = old._replace(
            offset=old.offset - step * (channels.extent - 1) / 2, grid=finest(axes, grid.source) or old.grid
        )
        call.record.spatial.add(grid.source)
        factor.append(Fraction(channels.extent))
    ref = call.record.ref(call.scope.path, call.node, call.order)
    call.record.upsamplings.append(Upsampling(ref, tuple(factor), ()))
    return moved(state, axes, windows)


def _is_shuffled(axis: Axis) -> bool:
    plain = len(axis.atoms) == 2 and not axis.before and not axis.after
    return plain and axis.atoms[0].source != ANONYMOUS and axis.atoms[1].source == ANONYMOUS


def _reroot(call: Call, given: State, sizes: Sequence[int]) -> State | None:
    """A flat input that is folded into a picture before anything else: the picture's axes are the real source axes."""
    assert given.axes is not None
    if not given.raw or sum(size > 1 for size in sizes) < 2:
        return None
    real = [axis for axis in given.axes if axis.size > 1]
    atom = real[0].single if len(real) == 1 else None
    if atom is None or atom.source < 0 or atom.stride != 1 or atom.extent != call.record.sources[atom.source].size:
        return None
    old = call.record.sources[atom.source]
    windows: dict[int, AxisTrack] = {}
    axes: list[Axis] = []
    for index, size in enumerate(sizes):
        if size == 1:
            axes.append(UNIT)
            continue
        source = call.record.source(old.input.raw, index, size, old.assumed)
        windows[source] = AxisTrack()
        axes.append(Axis((Atom(source, ONE, size),)))
    return replace(given, axes=tuple(axes), windows=windows)


def _phases_to_channel(call: Call, given: State, result: State) -> State:
    """Records a Reshape that puts fine atoms of a grid beside its coarse ones, on a channel axis (pixel-unshuffle,
    patchify).
    """
    assert given.axes is not None
    assert result.axes is not None
    if len(result.axes) >= len(given.axes) and all(len(axis.atoms) < 2 for axis in result.axes):
        return result
    whole = [_whole_sources(result.axes, index) for index in range(len(result.axes))]
    owners: dict[int, list[tuple[int, Fraction]]] = {}
    for index, axis in enumerate(result.axes):
        for atom in axis.atoms:
            if atom.source >= 0:
                owners.setdefault(atom.source, []).append((index, abs(atom.stride)))
    phases: dict[int, tuple[int, Fraction]] = {}
    for source, places in owners.items():
        fine_index = min(places, key=lambda place: place[1])[0]
        outside = [stride for index, stride in places if index != fine_index]
        if fine_index == 0 or whole[fine_index]:
            continue  # phases on the batch axis (SpaceToBatch) are worked on one by one, the tokens of a strip alike
        if not outside or min(outside) <= result.windows[source].grid:
            continue
        fine_axis = result.axes[fine_index]
        coarse = [index for index, stride in places if stride == min(outside)]
        # Coarse positions that are folded with others into tokens or windows, or stand on the batch axis as strips or
        # windows do, are left to whatever contracts the phases.
        alone = all(index > 0 and len(result.axes[index].atoms) == 1 for index in coarse)
        if len(fine_axis.atoms) > 1 and alone:
            phases[source] = (coarse[0], min(outside))
    if not phases:
        return result
    return _record_phases(call, given, result, phases)


def _whole_sources(axes: Sequence[Axis], place: int) -> set[int]:
    """The grids that lie on an axis with all that is left of them: tokens, and no phases beside channels."""
    own = {atom.source for atom in axes[place].atoms if atom.source != ANONYMOUS}
    return own - {atom.source for index, axis in enumerate(axes) if index != place for atom in axis.atoms}


def _record_phases(call: Call, given: State, result: State, phases: dict[int, tuple[int, Fraction]]) -> State:
    assert result.axes is not None
    windows = dict(result.windows)
    ordered = sorted(phases, key=lambda source: phases[source][0])
    factor = []
    for source in ordered:
        stride = phases[source][1]
        factor.append(stride / windows[source].grid)
        windows[source] = coarser(windows[source], stride)
        call.record.spatial.add(source)
    after = replace(result, windows=windows)
    patchy = given.raw and all(step >= 4 for step in factor)
    strided = Strided(
        kind=SiteKind.PATCH_EMBEDDING if patchy else SiteKind.PHASE_TO_CHANNEL,
        factor=tuple(factor),
        atoms=tuple(_coarse(result.axes[phases[source][0]], source, phases[source][1]) for source in ordered),
        alias=decimation(factor, Map(None, given.raw, KEPT)),
        filtered="all phases are kept as channels, so nothing is lost, but a shift permutes them",
    )
    record_site(call, strided, given, windows)
    return after


def _coarse(axis: Axis, source: int, stride: Fraction) -> Atom | None:
    return next((atom for atom in axis.atoms if atom.source == source and abs(atom.stride) == stride), None)


def flatten(call: Call) -> State:
    """Flatten-21: two axes, split before ``axis``."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    axis = call.integer("axis", 1)
    axis = axis + rank if axis < 0 else axis
    if not 0 <= axis <= rank:
        raise OpaqueError("Flatten's axis is out of range")
    sizes = [entry.size for entry in given.axes]
    return to_shape(call, given, [prod(sizes[:axis]), prod(sizes[axis:])])


def transpose(call: Call) -> State:
    """Transpose-21: a permutation of the axes, reversed by default."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    perm = call.integers("perm") or tuple(range(rank - 1, -1, -1))
    if sorted(perm) != list(range(rank)):
        raise OpaqueError("Transpose's perm is not a permutation of the axes")
    return replace(given, axes=tuple(given.axes[index] for index in perm))


def _axes_argument(call: Call, rank: int) -> tuple[int, ...] | None:
    axes = call.numbers(1) if call.has(1) else call.integers("axes")
    if axes is None:
        if call.has(1):
            raise OpaqueError("the axes are computed from data")
        return None
    if any(not -rank <= axis < rank for axis in axes):
        raise OpaqueError("an axis is out of range")
    return tuple(axis % rank for axis in axes)


def squeeze(call: Call) -> State:
    """Squeeze-21: drops axes of size 1."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    axes = _axes_argument(call, len(given.axes))
    if axes is None:
        axes = tuple(index for index, axis in enumerate(given.axes) if axis.size == 1)
    if any(given.axes[index].size != 1 for index in axes):
        raise OpaqueError("Squeeze drops an axis that is larger than 1")
    return replace(given, axes=tuple(axis for index, axis in enumerate(given.axes) if index not in axes))


def unsqueeze(call: Call) -> State:
    """Unsqueeze-21: inserts axes of size 1."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    count = len((call.numbers(1) if call.has(1) else call.integers("axes")) or ())
    axes = _axes_argument(call, len(given.axes) + count)
    if axes is None or len(set(axes)) != count:
        raise OpaqueError("Unsqueeze's axes are not known or repeat")
    old = iter(given.axes)
    result = [UNIT if index in axes else next(old) for index in range(len(given.axes) + count)]
    return replace(given, axes=tuple(result))


def expand(call: Call) -> State:
    """Expand-13: broadcasting to a shape; repeats of a size-1 axis carry no grid."""
    given = call.state(0)
    shape = call.numbers(1)
    if given.axes is None:
        return lost_result(given)
    if shape is None or min(shape, default=0) < 0:
        raise OpaqueError("the target shape of Expand is computed from data")
    rank = max(len(shape), len(given.axes))
    own = [UNIT] * (rank - len(given.axes)) + list(given.axes)
    asked = [1] * (rank - len(shape)) + list(shape)
    axes = []
    for axis, size in zip(own, asked, strict=True):
        if axis.size not in (1, size) and size != 1:
            raise OpaqueError("Expand's shape does not fit its input")
        axes.append(anonymous(size) if axis.size == 1 else axis)
    return moved(given, axes)


def tile(call: Call) -> State:
    """Tile-13: repeating a grid axis leaves no single lattice, unless it is repeated once."""
    given = call.state(0)
    repeats = call.numbers(1)
    if given.axes is None:
        return lost_result(given)
    if repeats is None or len(repeats) != len(given.axes) or min(repeats, default=1) < 0:
        raise OpaqueError("the repeats of Tile are computed from data")
    axes = []
    for axis, times in zip(given.axes, repeats, strict=True):
        if times == 1:
            axes.append(axis)
        elif axis.has_source:
            raise OpaqueError("Tile repeats a grid axis")
        else:
            axes.append(anonymous(axis.size * times))
    return moved(given, axes)


def space_to_depth(call: Call) -> State:
    """SpaceToDepth-13: Reshape to (N, C, H/b, b, W/b, b), Transpose to (N, b, b, C, H/b, W/b), Reshape."""
    given = call.state(0)
    block = call.integer("blocksize", 0)
    if given.axes is None:
        return lost_result(given)
    sizes = [axis.size for axis in given.axes]
    if len(sizes) != 4 or block < 1 or sizes[2] % block or sizes[3] % block:
        raise OpaqueError("blocksize does not fit the tensor")
    batch, channels, height, width = sizes
    split = reshape(given.axes, [batch, channels, height // block, block, width // block, block])
    if split is None:
        raise OpaqueError("SpaceToDepth cuts a grid axis into uneven parts")
    channel = Axis(fuse([*split[3].atoms, *split[5].atoms, *split[1].atoms]))
    result = moved(given, [split[0], channel, split[2], split[4]])
    phases: dict[int, tuple[int, Fraction]] = {}
    for index in (2, 3):
        atom = result.axis(index).single
        if atom is not None and block > 1 and abs(atom.stride) > result.windows[atom.source].grid:
            phases[atom.source] = (index, finest([result.axis(index)], atom.source) or ONE)
    return _record_phases(call, given, result, phases) if phases else result
