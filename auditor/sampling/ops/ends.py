"""Where a regular lattice ends or becomes a time axis: data-dependent sampling, recurrent layers, frames,
transforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from auditor.sampling.lattice.contract import coarser, contract
from auditor.sampling.lattice.state import UNIT, Atom, Axis, OpaqueError, State, anonymous, constant, finest
from auditor.sampling.ops.sliding import lost_result
from auditor.sampling.result import AliasEnergy, DataDependentSampling, HeadKind, SiteKind
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.energies import FRAMES_EXPECT, Map, filtered
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.endings import finish, gone
from auditor.sampling.walk.join import lost_together
from auditor.sampling.walk.sites import Strided, record_site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REASONS = {
    "GridSample": "GridSample reads at positions that are data",
    "AffineGrid": "AffineGrid makes sampling positions from data",
    "RoiAlign": "RoiAlign reads regions that are data",
    "MaxRoiPool": "MaxRoiPool reads regions that are data",
    "NonMaxSuppression": "NonMaxSuppression keeps boxes that the data choose",
    "NonZero": "NonZero lists positions that the data choose",
    "TopK": "TopK keeps entries that the data choose",
    "Compress": "Compress keeps entries that the data choose",
    "Unique": "Unique keeps entries that the data choose",
    "MaxUnpool": "MaxUnpool puts values where the paired pool found them",
    "GatherElements": "GatherElements reads at positions that are data",
    "ScatterND": "ScatterND writes at positions that are data",
    "ScatterElements": "ScatterElements writes at positions that are data",
    "CropAndResize": "CropAndResize reads regions that are data",
}


def data_dependent(call: Call) -> Sequence[State]:
    """An operator whose positions are data: the grid axes it touches end here."""
    states = call.states()
    windows = dict(lost_together(states).windows)
    if any(state.sources() for state in states):
        ref = call.record.ref(call.scope.path, call.node, call.order)
        call.record.data_dependent.append(DataDependentSampling(ref, REASONS.get(call.node.op, "positions are data")))
        touched = {source for state in states for source in state.sources() if source in windows}
        for source in touched:
            windows[source] = windows[source]._replace(ending=None)
        finish(call, windows, touched, HeadKind.DATA_DEPENDENT)
    state = State(None, windows, constant=not windows)
    return [state] * max(len(call.node.outputs), 1)


def top_k(call: Call) -> Sequence[State]:
    """TopK-11: along channels only a choice of channels, along a grid a choice of positions."""
    given, count = call.state(0), call.numbers(1)
    if given.axes is None:
        return [lost_result(given)] * max(len(call.node.outputs), 1)
    rank = len(given.axes)
    axis = call.integer("axis", -1)
    if not -rank <= axis < rank:
        raise OpaqueError("TopK's axis is out of range")
    if given.axes[axis].has_source or not count:
        return data_dependent(call)
    axes = list(given.axes)
    axes[axis] = anonymous(max(count[0], 0))
    return [replace(given, axes=tuple(axes), response=None)] * max(len(call.node.outputs), 1)


def scatter(call: Call) -> Sequence[State]:
    """ScatterND-18, ScatterElements-18: with constant indices an overlay on the data, else positions are data."""
    given = call.state(0)
    if call.value(1) is None and not call.state(1).constant:
        return data_dependent(call)
    states = [given, call.state(2)]
    if given.axes is None:
        return [lost_together(states)]
    if given.constant and not states[1].constant and states[1].axes is not None:
        raise OpaqueError("values are scattered into a constant")
    return [replace(given, response=None)]


def gather_elements(call: Call) -> Sequence[State]:
    """GatherElements-13 along channels keeps the grid; along a grid axis the positions are data."""
    given, indices = call.state(0), call.state(1)
    if given.axes is None or indices.axes is None:
        return [lost_together([given, indices])]
    axis = call.integer("axis", 0)
    rank = len(given.axes)
    if not -rank <= axis < rank or len(indices.axes) != rank:
        raise OpaqueError("GatherElements' axis or indices do not fit")
    if given.axes[axis].has_source:
        return data_dependent(call)
    axes = list(given.axes)
    axes[axis] = indices.axes[axis]
    return [replace(given, axes=tuple(axes), response=None)]


def recurrent(call: Call) -> Sequence[State]:
    """LSTM-14, GRU-14, RNN-14, DynamicQuantizeLSTM: ``Y (time, directions, batch, hidden)`` keeps the time axis.

    The last state ends it.
    """
    given = call.state(0)
    weights = call.shape(2)
    count = max(len(call.node.outputs), 1)
    if given.axes is None:
        return [lost_result(given)] * count
    if len(given.axes) != 3 or weights is None or len(weights) != 3:
        raise OpaqueError("a recurrent layer of unusual shape")
    layout = call.integer("layout", 0)
    time, batch = (given.axes[1], given.axes[0]) if layout else (given.axes[0], given.axes[1])
    quantised = call.node.op == "DynamicQuantizeLSTM"  # whose weights are transposed
    directions, hidden = anonymous(weights[0]), anonymous(weights[1 if quantised else 2])
    result = contract(given, {2})
    axes = (batch, time, directions, hidden) if layout else (time, directions, batch, hidden)
    finish(call, result.windows, result.ended, HeadKind.POSITION_DEPENDENT)
    whole = State(axes, result.windows, constant=given.constant, mixing=True, lost=given.lost)
    windows, left = dict(result.windows), (batch, directions, hidden) if layout else (directions, batch, hidden)
    finish(call, windows, gone(whole, left), HeadKind.SEQUENCE)
    last = State(left, windows, constant=given.constant, mixing=True, lost=given.lost)
    return [whole, *[last] * (count - 1)]


def stft(call: Call) -> State:
    """STFT-17: ``(batch, frames, bins, 2)``; frames are ``frame_step`` apart, each sees the window's length."""
    given, step = call.state(0), call.numbers(1)
    window, length = call.shape(2), call.numbers(3)
    if given.axes is None:
        return lost_result(given)
    if not step or step[0] < 1 or len(given.axes) < 2 or (window is None and not length):
        raise OpaqueError("the step or the window of STFT is not known")
    width = length[0] if length else (window or (1,))[0]
    axis = given.axes[1]
    frames = (axis.size - width) // step[0] + 1
    if width < 1 or frames < 1:
        raise OpaqueError("STFT's window is longer than the signal")
    bins = width // 2 + 1 if call.integer("onesided", 1) else width
    atom = axis.single
    if atom is None:
        raise OpaqueError("STFT along an axis that is not a plain grid axis")
    call.record.spatial.add(atom.source)
    windows = dict(given.windows)
    old = windows[atom.source]
    middle = Fraction(width - 1, 2)
    moved = old._replace(offset=old.offset + atom.stride * middle, field=old.field + abs(atom.stride) * (width - 1))
    left = Axis((Atom(atom.source, atom.stride * step[0], frames),)) if frames > 1 else UNIT
    windows[atom.source] = coarser(moved, finest([left], atom.source) or old.grid)
    state = State(
        (given.axes[0], left, anonymous(bins), anonymous(2)), windows, constant=given.constant, lost=given.lost
    )
    if frames > 1 and step[0] > 1:
        _record_frames(call, given, state, step[0], width)
    return state


def _record_frames(call: Call, given: State, state: State, step: int, width: int) -> None:
    """Each bin is a complex band-pass filter and a decimation: all of its band folds that lies outside ``pi /
    step``.
    """
    import numpy as np

    value = call.value(2)
    alias = None
    if value is not None and value.dtype.kind == "f" and value.ndim == 1 and value.size == width:
        alias = frames_alias(value.astype(np.float64), step)
    elif width <= 1 << 16 and value is None and not call.has(2):
        alias = frames_alias(np.ones(width), step)
    strided = Strided(
        kind=SiteKind.FRAMES,
        factor=(Fraction(step),),
        atoms=(state.axis(1).single,),
        alias=alias,
        kernel=(width,),
        stride=(step,),
        dilation=(1,),
        skipped=max(Fraction(step - width, step), Fraction(0)),
        filtered=FRAMED,
    )
    record_site(call, strided, given, state.windows)


FRAMED = "the analysis window is the low-pass"


def frames_alias(window: NDArray[np.float64], step: int) -> AliasEnergy | None:
    """What folds in frames ``step`` apart: each bin is what the window passes around its frequency."""
    response = spectra.of_kernel(window, (1,))
    return None if response is None else filtered(response, (step,), Map(None, missing=FRAMES_EXPECT))


def dft(call: Call) -> State:
    """DFT-20: a transform along an axis; frequencies are no positions, so that axis' grid ends."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes)
    axis = (call.numbers(2) or (1,))[0] if call.has(2) else call.integer("axis", -2 if call.scope.opset >= 20 else 1)
    length = call.numbers(1) if call.has(1) else None
    if not -rank <= axis < rank:
        raise OpaqueError("DFT's axis is out of range")
    halved, inverse = call.integer("onesided", 0), call.integer("inverse", 0)
    size = given.axes[axis].size
    if halved and inverse:
        size = 2 * (size - 1)
    size = length[0] if length else size
    axes = list(given.axes)
    axes[axis] = anonymous(size // 2 + 1 if halved and not inverse else size)
    axes[-1] = anonymous(1 if halved and inverse else 2)
    return replace(given, axes=tuple(axes), raw=False, response=None, mixing=True)


def constant_of_shape(call: Call) -> State:
    """ConstantOfShape-9: one value everywhere, in a shape that may be known although it is too large to be computed."""
    shape = call.numbers(0)
    if shape is None or min(shape, default=0) < 0:
        return State(None, {}, constant=True)
    return constant(shape)


def shapeless(call: Call) -> Sequence[State]:
    """Operators whose outputs are no grid of the input: random tensors, ranges, shape queries."""
    del call
    return [State(None, {}, constant=True)]


def one_hot(call: Call) -> State:
    """OneHot-11: a new channel axis."""
    given, depth = call.state(0), call.numbers(1)
    if given.axes is None:
        return lost_result(given)
    rank = len(given.axes) + 1
    axis = call.integer("axis", -1)
    if not depth or not -rank <= axis < rank:
        raise OpaqueError("the depth of OneHot is computed from data")
    axes = list(given.axes)
    axes.insert(axis % rank, anonymous(max(depth[0], 0)))
    return replace(given, axes=tuple(axes), response=None)


def like_shape(call: Call) -> State:
    """RandomNormalLike, EyeLike and their kin: the shape of the input, nothing of its content."""
    shape = call.shape(0)
    return State(None, {}, constant=True) if shape is None else constant(shape)
