"""Reductions over axes: ReduceMean, ReduceMax, …, ArgMax, and what only looks along one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from auditor.sampling.lattice.contract import contract
from auditor.sampling.lattice.state import UNIT, Atom, OpaqueError, State, finest
from auditor.sampling.ops.sliding import lost_result
from auditor.sampling.result import AliasEnergy, DataDependentSampling, HeadKind, SiteKind
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.energies import Map, filtered, map_of_sides, max_pooled
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.endings import finish
from auditor.sampling.walk.sites import Strided, record_site

LARGEST_RESPONSE = 1024


def reduce(call: Call) -> State:
    """ReduceX-18 (axes as attribute or input): pooling over a whole grid axis ends it, over its fine atoms it is a
    pool.
    """
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    listed = call.has(1) and call.node.op != "QLinearReduceMean"  # which has a scale there
    axes = call.numbers(1) if listed else call.integers("axes")
    if listed and axes is None:
        raise OpaqueError("the axes of a reduction are computed from data")
    if not axes:
        axes = () if call.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return reduced(call, given, axes, keep=bool(call.integer("keepdims", 1)), selects=False)


def arg_reduce(call: Call) -> State:
    """ArgMax-13, ArgMin-13: along channels a label map, along a grid a position that the data choose."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    return reduced(call, given, (call.integer("axis", 0),), keep=bool(call.integer("keepdims", 1)), selects=True)


def reduced(call: Call, given: State, axes: Sequence[int], *, keep: bool, selects: bool) -> State:
    """``given`` without (or with size 1 at) ``axes``."""
    assert given.axes is not None
    rank = len(given.axes)
    if any(not -rank <= axis < rank for axis in axes):
        raise OpaqueError("an axis of a reduction is out of range")
    gone = {axis % rank for axis in axes}
    if not gone:
        return given
    kept = tuple(axis for index, axis in enumerate(given.axes) if index not in gone)
    result = contract(given, gone)
    shape = tuple(UNIT if index in gone else axis for index, axis in enumerate(given.axes)) if keep else kept
    over_grid = any(given.axes[index].has_source for index in gone)
    finish(call, result.windows, result.ended, HeadKind.DATA_DEPENDENT if selects else HeadKind.POOLED)
    if selects and over_grid:
        where = call.record.ref(call.scope.path, call.node, call.order)
        call.record.data_dependent.append(
            DataDependentSampling(where, "the largest entry of a grid axis picks a position")
        )
    state = State(
        shape,
        result.windows,
        constant=given.constant,
        mixing=given.mixing or bool(result.ended),
        lost=given.lost,
    )
    if result.decimated:
        _record(
            call, given, state, result.decimated, {s: _taps(given, gone, s, f) for s, f in result.decimated.items()}
        )
    return state


def _alias(
    call: Call, given: State, kernel: tuple[int, ...], factor: tuple[Fraction, ...], *, mean: bool
) -> AliasEnergy | None:
    stride = [float(step) for step in factor]
    box = spectra.of_average_pool(kernel)
    window = box if mean else spectra.of_max_pool(kernel)
    if box is None or window is None:
        return None
    read = _map(call, given, stride)
    return filtered(box, stride, read) if mean else max_pooled(window, box, stride, read)


def _map(call: Call, given: State, stride: list[float]) -> Map:
    """The map in front of a Reshape that split its axes: their parts make up its sides."""
    sides: dict[int, int] = {}
    for axis in given.axes or ():
        for atom in axis.atoms:
            if atom.source in call.record.spatial:
                sides[atom.source] = sides.get(atom.source, 1) * atom.extent
    return map_of_sides(list(sides.values()), given.raw, stride)


def _taps(given: State, gone: set[int], source: int, factor: Fraction) -> int:
    """How many neighbours a reduction takes in: the fine part of a grid, which may overlap with the next one."""
    atoms = [atom for index in gone for atom in (given.axes or ())[index].atoms if atom.source == source]
    if len(atoms) == 1 and abs(atoms[0].stride) == given.windows[source].grid:
        return atoms[0].extent
    return int(factor) if factor.denominator == 1 else 0


def _record(call: Call, given: State, after: State, decimated: dict[int, Fraction], taps: dict[int, int]) -> None:
    """A mean or maximum over the fine part of a split grid axis: a pool, written as a Reshape or with indices."""
    atoms: dict[int, Atom] = {}
    for axis in after.axes or ():
        for atom in axis.atoms:
            if atom.source in decimated and abs(atom.stride) == finest(after.axes or (), atom.source):
                atoms.setdefault(atom.source, atom)
    factor = tuple(decimated[source] for source in atoms)
    kernel = tuple(taps[source] for source in atoms)
    whole = tuple(int(step) for step in factor if step.denominator == 1)
    mean = call.node.op in {"ReduceMean", "ReduceSum"}
    call.record.spatial.update(atoms)
    alias = None
    if 0 < prod(kernel) <= LARGEST_RESPONSE:
        alias = _alias(call, given, kernel, factor, mean=mean)
    strided = Strided(
        kind=SiteKind.AVERAGE_POOL if mean else SiteKind.MAX_POOL,
        factor=factor,
        atoms=tuple(atoms.values()),
        alias=alias,
        kernel=kernel,
        stride=whole if len(whole) == len(factor) else (),
        dilation=(1,) * len(kernel),
    )
    record_site(call, strided, given, after.windows)
