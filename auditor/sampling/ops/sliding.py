"""What convolutions and pools share: sliding a window over the spatial axes of a tracked tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from auditor.sampling.lattice.contract import coarser
from auditor.sampling.lattice.geometry import SAME, Sliding, WindowAttributes, reaching_taps, slide
from auditor.sampling.lattice.state import Atom, Axis, AxisTrack, OpaqueError, State, anonymous, finest
from auditor.sampling.result import SizeDependentPadding
from auditor.sampling.walk.call import Call

Taps: TypeAlias = "tuple[tuple[int, ...] | None, ...]"


class Slid(NamedTuple):
    """The result of a sliding window. ``sampled`` are the axes with stride > 1, unless one window covered all of them.

    ``atoms`` is what each slid axis became, also where a single sample is left. ``covered`` says that one window is all
    that is left of a grid axis, and ``whole`` are the sources of which that window reads every sample.
    """

    axes: tuple[Axis, ...]
    windows: Mapping[int, AxisTrack]
    sampled: tuple[int, ...]
    atoms: tuple[Atom | None, ...]
    covered: bool
    changed: bool
    whole: frozenset[int] = frozenset()


def slide_axes(call: Call, state: State, spatial: Sequence[int], window: WindowAttributes) -> Slid:
    """Slides ``window`` over the axes ``spatial`` of a tracked tensor; raises OpaqueError on a scrambled axis."""
    assert state.axes is not None
    axes = list(state.axes)
    windows = state.windows
    fresh: dict[int, AxisTrack] | None = None
    sampled: list[int] = []
    atoms: list[Atom | None] = [axes[index].single for index in spatial]
    covered = False
    changed = False
    whole: set[int] = set()
    for position, index in enumerate(spatial):
        axis = axes[index]
        stride, reach = window.stride[position], window.dilation[position] * (window.kernel[position] - 1)
        if stride == 1 and reach == 0 and not (window.begin[position] or window.end[position]):
            _mark(call, axis)
            continue
        length = axis.size
        sliding = slide(length, window, position)
        atom = axis.single
        if atom is None:
            if axis.has_source:
                raise OpaqueError("a window slides over an axis that holds several grid axes")
            if sliding.size != length or stride > 1:
                changed = True
                axes[index] = anonymous(sliding.size)  # channels, or a single entry: no step samples a grid there
            continue
        call.record.spatial.add(atom.source)
        changed = True
        fresh = dict(windows) if fresh is None else fresh
        old = fresh[atom.source]
        centre = sliding.centre
        if stride > 1 and len(sliding.phases) > 1 and call.record.assumed(atom.source):
            old = old._replace(size_dependent=True)
            _note_padding(call, position, atom, sliding.phases, window.auto_pad)
        if centre or reach:
            offset = old.offset + atom.stride * centre if centre else old.offset
            old = AxisTrack(offset, old.field + abs(atom.stride) * reach, *old[2:])
        atom = Atom(atom.source, atom.stride * stride if stride > 1 else atom.stride, sliding.size)
        atoms[position] = atom
        if sliding.size == 1:
            covered = covered or reach + 1 + stride > length
            if _reads_all(length, window, position, sliding):
                whole.add(atom.source)
            if stride > 1 and (reach + 1 < length or call.record.assumed(atom.source)):
                sampled.append(index)
            axes[index] = anonymous(1)
        else:
            axes[index] = Axis((atom,))
            if stride > 1:
                sampled.append(index)
                old = coarser(old, finest(axes, atom.source) or old.grid)
        fresh[atom.source] = old
    moved = windows if fresh is None else fresh
    return Slid(tuple(axes), moved, tuple(sampled), tuple(atoms), covered, changed, frozenset(whole))


def _reads_all(length: int, window: WindowAttributes, position: int, sliding: Sliding) -> bool:
    """Whether the only window on an axis of ``length`` samples reads each of them."""
    first = sliding.centre - Fraction(sliding.reach, 2)
    solid = window.dilation[position] == 1 or length == 1
    return solid and first <= 0 and first + sliding.reach >= length - 1


def seen_by_grid(state: State, spatial: Sequence[int], window: WindowAttributes) -> tuple[WindowAttributes, Taps]:
    """The window as the grid sees it, and the kernel taps that it has left on each axis (None: all).

    A step along channels samples no grid. Along an axis of one entry a window has the taps that can reach that entry:
    a convolution of a signal is the same whether it is written on one axis or on two.
    """
    if state.axes is None:
        return window, (None,) * len(window.kernel)
    kernel, stride, taps = list(window.kernel), list(window.stride), list[tuple[int, ...] | None]()
    for position, index in enumerate(spatial):
        axis = state.axes[index]
        read = reaching_taps(window, position) if axis.size == 1 else None
        taps.append(read)
        if read is not None:
            kernel[position] = len(read)
        if not axis.has_source:
            stride[position] = 1
    return window._replace(kernel=tuple(kernel), stride=tuple(stride)), tuple(taps)


def _mark(call: Call, axis: Axis) -> None:
    atom = axis.single
    if atom is not None:
        call.record.spatial.add(atom.source)


def _note_padding(call: Call, position: int, atom: Atom, phases: tuple[Fraction, ...], auto_pad: str) -> None:
    assert auto_pad in SAME
    call.record.paddings.append(
        SizeDependentPadding(
            node=call.record.ref(call.scope.path, call.node, call.order),
            axis=position,
            source=atom.source,
            offsets=phases,
            reason=f"auto_pad={auto_pad} splits its padding by the input size modulo the stride, and the size is open",
        )
    )


def spatial_axes(call: Call, rank: int) -> tuple[int, ...]:
    """The spatial axes of a convolution or pool of a tensor of ``rank`` axes: the last ones, or 1.. with channels
    last.
    """
    last = call.integer("channels_last", 0) == 1 or call.node.op.startswith("Nhwc") or call.node.domain == NHWC_DOMAIN
    return tuple(range(1, rank - 1)) if last else tuple(range(2, rank))


NHWC_DOMAIN = "com.ms.internal.nhwc"


def lost_result(state: State) -> State:
    """The state behind an operator whose input's grid is already lost."""
    return replace(state, axes=None, raw=False, response=None, constant=False, decimations=())


def attributes(call: Call, kernel: Sequence[int], *, pool: bool = False) -> WindowAttributes:
    """Reads and checks strides, dilations, pads, auto_pad and ceil_mode (absent strides mean 1, for pools too)."""
    rank = len(kernel)
    stride = call.integers("strides") or (1,) * rank
    dilation = call.integers("dilations") or (1,) * rank
    pads = call.integers("pads") or (0,) * (2 * rank)
    auto_pad = call.text("auto_pad", "NOTSET") or "NOTSET"
    if len(stride) != rank or len(dilation) != rank or len(pads) != 2 * rank:
        raise OpaqueError(f"strides, dilations or pads do not fit a {rank}-D window")
    if min((*stride, *dilation, *kernel), default=1) < 1:
        raise OpaqueError("kernel sizes, strides and dilations must be at least 1")
    if auto_pad not in {"NOTSET", "VALID", *SAME}:
        raise OpaqueError("auto_pad is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if auto_pad != "NOTSET":
        pads = (0,) * (2 * rank)
    return WindowAttributes(
        tuple(kernel),
        stride,
        dilation,
        pads[:rank],
        pads[rank:],
        auto_pad,
        bool(call.integer("ceil_mode", 0)),
        pool,
    )
