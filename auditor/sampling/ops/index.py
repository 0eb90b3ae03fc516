"""Operators that pick entries: Slice, Gather, GatherND, Pad, CenterCropPad, Split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import prod
from typing import TYPE_CHECKING

from auditor.sampling.lattice.contract import coarser
from auditor.sampling.lattice.state import UNIT, Atom, Axis, AxisTrack, OpaqueError, State, anonymous, finest
from auditor.sampling.ops.progression import indexed, take
from auditor.sampling.ops.sliding import lost_result
from auditor.sampling.result import AliasBasis, AliasEnergy, DataDependentSampling, HeadKind, SiteKind
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.energies import decimation, grid_of, linear_only, map_of, sampled_alone
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.endings import finish
from auditor.sampling.walk.sites import Strided, record_site

if TYPE_CHECKING:
    from auditor.sampling.spectrum.replicas import Averaging

LAST = 2**62
FAR = (2**31 - 1, 2**63 - 1)


def bounds(length: int, start: int, end: int, step: int) -> tuple[int, int]:
    """First index and count of a Slice along one axis, clamped as Slice-13 says.

    onnxruntime takes the largest integers as "to the far end" for negative steps too.
    """
    if step < 0 and end in FAR:
        end = -LAST
    if step == 0:
        raise OpaqueError("Slice has a step of 0")
    low, high = (0, length) if step > 0 else (-1, length - 1)
    start = start + length if start < 0 else start
    end = end + length if end < 0 and not (step < 0 and end < -length) else end
    start = min(max(start, 0), high)
    end = min(max(end, low), length)
    count = max(-((start - end) // step), 0) if step > 0 else max((start - end - step - 1) // -step, 0)
    return start, count


def picked(call: Call, given: State, axes: Sequence[Axis], windows: dict[int, AxisTrack], kind: SiteKind) -> State:
    """The state after entries were picked, with a site for every source axis whose finest stride grew."""
    decimated: list[tuple[int, Fraction]] = []
    gone: set[int] = set()
    for source in given.sources():
        stride = finest(axes, source)
        if stride is None:
            gone.add(source)
        elif source >= 0 and stride > windows[source].grid:
            decimated.append((source, stride / windows[source].grid))
            windows[source] = coarser(windows[source], stride)
    if gone:
        foreign = any(axis.has_source and (axis.before or axis.after) for axis in given.axes or ())
        token = given.mixing or foreign
        finish(call, windows, gone, HeadKind.CLASS_TOKEN if token else HeadKind.POSITION_DEPENDENT)
    result = replace(given, axes=tuple(axes), windows=windows, decimations=())
    if not decimated:
        return replace(result, decimations=given.decimations)
    order = {source: place for place, source in enumerate(_sources_in_order(axes))}
    decimated.sort(key=lambda pair: order.get(pair[0], LAST))
    factor = tuple(step for _, step in decimated)
    left = {atom.source: atom for axis in axes for atom in axis.atoms if abs(atom.stride) == finest(axes, atom.source)}
    read = map_of(given, grid_of(call, given, [source for source, _ in decimated]), factor)
    alias = decimation(factor, read)
    protected, response = "", None
    if given.response is not None and all(step.denominator == 1 for step in factor):
        steps = _steps_per_axis(call, given, {source: int(step) for source, step in decimated})
        left_over = sampled_alone(given.response, steps, read)
        if left_over is not None:
            alias, protected = left_over, "a low-pass filter stands in front"
            # An axis that is kept may be sampled by the next node.
            response = spectra.decimated(given.response, steps) if 1 in steps else None
    strided = Strided(
        kind=kind,
        factor=factor,
        atoms=tuple(left.get(source) for source, _ in decimated),
        alias=alias,
        stride=tuple(int(step) for step in factor if step.denominator == 1),
        skipped=1 - 1 / Fraction(prod(factor)),
        filtered=protected,
        averaged=partial(_averaged, linear_only(given).response),
    )
    index = record_site(call, strided, given, windows)
    return replace(result, decimations=(*given.decimations, index), response=response)


def _averaged(response: spectra.Autocorrelation | None, averaging: Averaging) -> AliasEnergy | None:
    return averaging.folded(response, AliasBasis.DECIMATION if response is None else AliasBasis.RESPONSE)


def _sources_in_order(axes: Sequence[Axis]) -> list[int]:
    return list(dict.fromkeys(atom.source for axis in axes for atom in axis.atoms))


def _steps_per_axis(call: Call, given: State, steps: dict[int, int]) -> tuple[int, ...]:
    """The decimation per axis that a filter in front ran over, in the tensor's order, 1 where an axis is kept."""
    assert given.axes is not None
    singles = [axis.single for axis in given.axes]
    return tuple(
        steps.get(atom.source, 1)
        for atom in singles
        if atom is not None and (atom.source in steps or atom.source in call.record.spatial)
    )


def slice_op(call: Call) -> State:
    """Slice-13 (Slice-1 has attributes and no steps): step t > 1 is pure decimation, a negative step flips the axis."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    if call.has(1):
        starts, ends = call.numbers(1), call.numbers(2)
        axes = call.numbers(3) if call.has(3) else None if starts is None else tuple(range(len(starts)))
        steps = call.numbers(4) if call.has(4) else (1,) * len(axes or ())
    else:
        starts, ends = call.integers("starts"), call.integers("ends")
        axes = call.integers("axes") or tuple(range(len(starts or ())))
        steps = (1,) * len(axes)
    if starts is None or ends is None or axes is None or steps is None:
        return _data_dependent(call, given, axes, "the bounds of a Slice are computed from data")
    if not len(starts) == len(ends) == len(axes) == len(steps) or any(not -rank <= axis < rank for axis in axes):
        raise OpaqueError("starts, ends, axes and steps of Slice do not fit")
    result, windows = list(given.axes), dict(given.windows)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        first, count = bounds(given.axes[axis].size, start, end, step)
        result[axis % rank] = take(given.axes[axis], first, count, step, windows)
    return picked(call, given, result, windows, SiteKind.SLICE)


def _data_dependent(call: Call, given: State, axes: Sequence[int] | None, reason: str) -> State:
    """Positions that come from data: where they touch a grid axis, the grid ends."""
    assert given.axes is not None
    rank = len(given.axes)
    touched = range(rank) if axes is None else [axis % rank for axis in axes if -rank <= axis < rank]
    if any(given.axes[index].has_source for index in touched):
        return chosen_by_data(call, given, reason)
    raise OpaqueError(reason)


def chosen_by_data(call: Call, given: State, reason: str) -> State:
    """Records that an operator samples where the data say; no lattice is left behind it."""
    ref = call.record.ref(call.scope.path, call.node, call.order)
    call.record.data_dependent.append(DataDependentSampling(ref, reason))
    windows = dict(given.windows)
    finish(call, windows, given.sources() & windows.keys(), HeadKind.DATA_DEPENDENT)
    return State(None, windows, lost=given.lost)


def gather(call: Call) -> State:
    """Gather-13: constant indices in arithmetic progression behave like Slice, an affine index matrix like im2col."""
    given, indices = call.state(0), call.value(1)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    where = call.integer("axis", 0)
    if not -rank <= where < rank:
        raise OpaqueError("Gather's axis is out of range")
    where %= rank
    axis = given.axes[where]
    chosen = call.state(1)
    if not axis.has_source:
        if chosen.axes is None:
            raise OpaqueError("the indices of Gather have no known shape")
        axes = [*given.axes[:where], *chosen.axes, *given.axes[where + 1 :]]
        windows = {**given.windows, **chosen.windows}
        return replace(given, axes=tuple(axes), windows=windows, constant=given.constant and chosen.constant)
    if indices is None:
        return _data_dependent(call, given, [where], "the indices of a Gather are computed from data")
    windows = dict(given.windows)
    new = indexed(axis, indices, windows)
    axes = [*given.axes[:where], *new, *given.axes[where + 1 :]]
    return picked(call, given, axes, windows, SiteKind.GATHER)


def gather_nd(call: Call) -> State:
    """GatherND-13 with constant indices ``(..., q)`` over the first q axes: separable affine indices keep the
    lattice.
    """
    import numpy as np

    given, indices = call.state(0), call.value(1)
    if given.axes is None:
        return lost_result(given)
    if call.integer("batch_dims", 0):
        raise OpaqueError("GatherND with batch dimensions")
    if indices is None or indices.ndim < 1:
        return _data_dependent(call, given, None, "the indices of a GatherND are computed from data")
    depth = indices.shape[-1]
    if not 1 <= depth <= len(given.axes):
        raise OpaqueError("GatherND's indices are deeper than its data")
    windows = dict(given.windows)
    made: list[Axis] = [UNIT] * (indices.ndim - 1)
    for place in range(depth):
        column = indices[..., place]
        used = [d for d in range(column.ndim) if np.ptp(column, axis=d).any()] if column.size else []
        if place == 0 and depth == 1:
            made = indexed(given.axes[0], column, windows)
            break
        if any(made[d].atoms for d in used):
            raise OpaqueError("GatherND's indices are not separable")
        table = column[tuple(slice(None) if d in used else 0 for d in range(column.ndim))]
        for d, taken in zip(
            used, indexed(given.axes[place], table if used else table.reshape(1), windows), strict=False
        ):
            made[d] = taken
    if depth > 1 and any(axis.size != extent for axis, extent in zip(made, indices.shape[:-1], strict=True)):
        raise OpaqueError("GatherND repeats entries")
    axes = [*made, *given.axes[depth:]]
    return picked(call, given, axes, windows, SiteKind.GATHER)


def pad(call: Call) -> State:
    """Pad-21: ``O -= S * p_begin``; negative pads crop."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    pads = call.numbers(1) if call.has(1) else call.integers("pads") or call.integers("paddings")
    rank = len(given.axes)
    axes = (call.numbers(3) or ()) if call.has(3) else tuple(range(rank))
    if pads is None:
        raise OpaqueError("the pads are computed from data")
    if len(pads) != 2 * len(axes) or any(not -rank <= axis < rank for axis in axes):
        raise OpaqueError("the pads do not fit the tensor")
    begin, end = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        begin[axis], end[axis] = pads[place], pads[place + len(axes)]
    return padded(given, begin, end)


def padded(given: State, begin: Sequence[int], end: Sequence[int]) -> State:
    """Adds (or, where negative, removes) entries at both ends of each axis."""
    assert given.axes is not None
    if not any(begin) and not any(end):
        return given
    windows, axes = dict(given.windows), list(given.axes)
    for index, axis in enumerate(given.axes):
        front, back = begin[index], end[index]
        if not front and not back:
            continue
        size = axis.size + front + back
        if size < 1:
            raise OpaqueError("a pad removes more than the axis holds")
        atom = axis.single
        if atom is not None:
            old = windows[atom.source]
            windows[atom.source] = old._replace(offset=old.offset - atom.stride * front)
            axes[index] = Axis((Atom(atom.source, atom.stride, size),)) if size > 1 else UNIT
        elif axis.has_source and front + axis.before >= 0 and back + axis.after >= 0:
            axes[index] = Axis(axis.atoms, axis.before + front, axis.after + back)
        elif axis.has_source:
            raise OpaqueError("a pad crops an axis that holds several grid axes")
        else:
            axes[index] = anonymous(size)
    return replace(given, axes=tuple(axes), windows=windows)


def crop(call: Call) -> State:
    """Crop-1 (experimental, still written by CoreML converters): ``border`` is left, top, right, bottom of N, C, H,
    W.
    """
    given, border, scale = call.state(0), call.integers("border"), call.integers("scale")
    if given.axes is None:
        return lost_result(given)
    if border is None or len(border) != 4 or len(given.axes) != 4 or (scale is not None and len(scale) != 2):
        raise OpaqueError("the border of Crop does not fit the tensor")
    left, top, right, bottom = border
    if scale is not None:
        bottom, right = given.axes[2].size - top - scale[0], given.axes[3].size - left - scale[1]
    return padded(given, [0, 0, -top, -left], [0, 0, -bottom, -right])


def center_crop_pad(call: Call) -> State:
    """CenterCropPad-18: crops floor((in - out) / 2) or pads floor((out - in) / 2) entries in front."""
    given, target = call.state(0), call.numbers(1)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    axes = call.integers("axes") or tuple(range(rank))
    if target is None or len(target) != len(axes) or any(not -rank <= axis < rank for axis in axes):
        raise OpaqueError("the target shape of CenterCropPad is not known")
    begin, end = [0] * rank, [0] * rank
    for axis, wanted in zip(axes, target, strict=True):
        growth = wanted - given.axes[axis].size
        front = growth // 2 if growth > 0 else -(-growth // 2)
        begin[axis], end[axis] = front, growth - front
    return padded(given, begin, end)


def split(call: Call) -> Sequence[State]:
    """Split-18: consecutive parts of one axis, each a crop."""
    given = call.state(0)
    count = len(call.node.outputs)
    if given.axes is None:
        return [lost_result(given)] * count
    rank = len(given.axes)
    where = call.integer("axis", 0)
    if not -rank <= where < rank:
        raise OpaqueError("Split's axis is out of range")
    where %= rank
    size = given.axes[where].size
    sizes = call.numbers(1) if call.has(1) else call.integers("split")
    if sizes is None and call.has(1):
        raise OpaqueError("the parts of Split are computed from data")
    if sizes is None:
        part = -(-size // max(count, 1))
        sizes = tuple(max(min(part, size - part * place), 0) for place in range(count))
    if sum(sizes) != size or min(sizes, default=1) < 0 or len(sizes) < count:
        raise OpaqueError("the parts of Split do not add up to the axis")
    results, start = [], 0
    for part in sizes[:count]:
        axes, windows = list(given.axes), dict(given.windows)
        if where == 0:
            windows = {source: window.of_pictures(start, part) for source, window in windows.items()}
        axes[where] = take(given.axes[where], start, part, 1, windows)
        start += part
        results.append(picked(call, given, axes, windows, SiteKind.SLICE))
    return results
