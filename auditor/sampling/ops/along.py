"""Operators that look along an axis beside each sample: running sums, reversals, triangles, inverses, hard maxima.

Along channels they move nothing. Along a grid they turn it round, let each position see others, or treat positions
differently.
"""

from __future__ import annotations

from dataclasses import replace

from auditor.sampling.lattice.state import ANONYMOUS, Axis, OpaqueError, State
from auditor.sampling.ops.index import chosen_by_data
from auditor.sampling.ops.progression import take
from auditor.sampling.ops.sliding import lost_result
from auditor.sampling.result import DataDependentSampling, PositionEncoding
from auditor.sampling.walk.call import Call


def cumulative(call: Call) -> State:
    """CumSum-14, CumProd-26: along a grid each position has seen all before it (or behind it, in reverse)."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    axis = call.numbers(1)
    if axis and not -len(given.axes) <= axis[0] < len(given.axes):
        raise OpaqueError(f"the axis of {call.node.op} is out of range")
    along = given.axes if not axis else (given.axes[axis[0]],)
    return _spread(given, along) if any(entry.has_source for entry in along) else _alone(given)


def _spread(given: State, along: tuple[Axis, ...]) -> State:
    """The state where every entry of some axes may have seen every other: fields as wide as the grid, both ways."""
    windows = dict(given.windows)
    for axis in along:
        for atom in axis.atoms:
            if atom.source != ANONYMOUS:
                old = windows[atom.source]
                windows[atom.source] = old._replace(field=old.field + 2 * abs(atom.stride) * (atom.extent - 1))
    return replace(given, windows=windows, response=None, raw=False, mixing=True, decimations=())


def _alone(given: State) -> State:
    """A function of each position alone that need not be linear."""
    return given if given.response is None and not given.decimations else replace(given, response=None, decimations=())


def reverse_sequence(call: Call) -> State:
    """ReverseSequence-10: the first ``sequence_lens`` entries of a time axis in reverse order, per picture."""
    given, lengths = call.state(0), call.numbers(1)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    where = call.integer("time_axis", 0)
    if rank < 2 or not 0 <= where < rank:
        raise OpaqueError("the time axis of ReverseSequence is out of range")
    axis = given.axes[where]
    if not axis.has_source:
        return replace(given, response=None, decimations=())
    if lengths is None:
        if call.state(1).constant:
            raise OpaqueError("the lengths of ReverseSequence are not known")
        return chosen_by_data(call, given, "the data say how many entries of a ReverseSequence are turned round")
    if set(lengths) <= {0, 1}:
        return given
    if set(lengths) != {axis.size}:
        raise OpaqueError("a part of a grid axis is turned round")
    if axis.single is None:
        raise OpaqueError("an axis that holds several grid axes is turned round")
    windows = dict(given.windows)
    turned = take(axis, axis.size - 1, axis.size, -1, windows)
    axes = (*given.axes[:where], turned, *given.axes[where + 1 :])
    return replace(given, axes=axes, windows=windows, response=None, decimations=())


def trilu(call: Call) -> State:
    """Trilu-14: one triangle of the last two axes; on a grid a mask that treats positions differently."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    sources = {atom.source for axis in given.axes[-2:] for atom in axis.atoms if atom.source in given.windows}
    if sources:
        ref = call.record.ref(call.scope.path, call.node, call.order)
        call.record.encodings.append(PositionEncoding(ref, tuple(sorted(sources))))
    return _alone(given)


def inverse(call: Call) -> State:
    """Inverse of com.microsoft: of matrices on the last two axes; every entry depends on all, rows become columns."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    if len(given.axes) < 2:
        raise OpaqueError("Inverse needs matrices")
    if not any(axis.has_source for axis in given.axes[-2:]):
        return _alone(given)
    axes = (*given.axes[:-2], given.axes[-1], given.axes[-2])
    return replace(_spread(given, given.axes[-2:]), axes=axes)


def hardmax(call: Call) -> State:
    """Hardmax-13: marks the largest entry of an axis (before opset 13: of all axes from it on); on a grid, a place."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    modern = call.scope.opset >= 13
    where = call.integer("axis", -1 if modern else 1)
    if not -rank <= where < rank:
        raise OpaqueError("Hardmax's axis is out of range")
    along = given.axes[where % rank :][: 1 if modern else None]
    if not any(axis.has_source for axis in along):
        return _alone(given)
    ref = call.record.ref(call.scope.path, call.node, call.order)
    call.record.data_dependent.append(DataDependentSampling(ref, "the largest entry of a grid axis picks a position"))
    return _spread(given, along)
