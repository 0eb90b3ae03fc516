"""Sizes and phases of sliding windows: convolution and pooling along one axis."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from auditor.sampling.lattice.state import ZERO, OpaqueError

SAME = {"SAME_UPPER", "SAME_LOWER"}
MOST_PHASES = 64  # larger strides are not enumerated: the phase at the size at hand stands for all


class Sliding(NamedTuple):
    """One axis of a sliding window: output ``size``, centre ``c`` of the first window in input samples, ``reach`` = w
    - 1.

    ``phases`` holds every value that ``c`` takes as the input size varies (more than one only under SAME padding).
    """

    size: int
    stride: int
    centre: Fraction
    reach: int
    phases: tuple[Fraction, ...]


class WindowAttributes(NamedTuple):
    """The attributes of a sliding-window node, one entry per spatial axis. ``pool``: not a convolution."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    auto_pad: str
    ceil: bool
    pool: bool = False


class Placed(NamedTuple):
    """A sliding window on one axis: how many outputs it has, and the padding in front and behind that it works with.

    Explicit padding of ``begin`` and ``end`` without auto_pad and ceil_mode gives the same ``size`` outputs.
    """

    size: int
    begin: int
    end: int


def place(
    length: int,
    kernel: int,
    stride: int,
    dilation: int,
    pads: tuple[int, int],
    auto_pad: str,
    *,
    ceil: bool = False,
    pool: bool = False,
) -> Placed | None:
    """Places a window over ``length`` samples (Conv-22, MaxPool-22; sizes as onnxruntime computes them).

    Under SAME padding onnxruntime pads a dilated pool as if it were not dilated, and its output shrinks. A pool may
    reach beyond its padded input by less than a stride: its one window is cut to what is there. None: no output.
    """
    reach = dilation * (kernel - 1)
    begin, end = (0, 0) if auto_pad == "VALID" else pads
    if auto_pad in SAME:
        begin, end = _same(length % stride or stride, kernel if pool else reach + 1, auto_pad)
    room = length + begin + end - reach - 1
    if room < 0 and not (pool and room > -stride):
        return None
    size = max(room, 0) // stride + 1
    if ceil and room > 0:
        size = -(-room // stride) + 1
        if (size - 1) * stride >= length + begin:
            size -= 1
    missing, surplus = (size - 1) * stride - room, room + 1 - size * stride
    return Placed(size, begin, end + max(missing, 0) - max(surplus, 0))


def slide(length: int, window: WindowAttributes, axis: int) -> Sliding:
    """Slides a window over ``length`` samples; raises :class:`OpaqueError` when no output is left."""
    kernel, stride, dilation = window.kernel[axis], window.stride[axis], window.dilation[axis]
    reach = dilation * (kernel - 1)
    placed = place(
        length,
        kernel,
        stride,
        dilation,
        (window.begin[axis], window.end[axis]),
        window.auto_pad,
        ceil=window.ceil,
        pool=window.pool,
    )
    if placed is None:
        raise OpaqueError("the window is larger than its padded input")
    phases: tuple[Fraction, ...] = ()
    if window.auto_pad in SAME:
        padded_for = kernel if window.pool else reach + 1
        rests = range(1, stride + 1) if stride <= MOST_PHASES else [length % stride or stride]
        begins = {_same(rest, padded_for, window.auto_pad)[0] for rest in rests}
        phases = tuple(Fraction(reach, 2) - first for first in sorted(begins, reverse=True))
    centre = ZERO if reach == 2 * placed.begin else Fraction(reach, 2) - placed.begin
    return Sliding(placed.size, stride, centre, reach, phases or (centre,))


def reaching_taps(window: WindowAttributes, axis: int) -> tuple[int, ...] | None:
    """The taps of a kernel that ever read the entry of an axis of size 1; None where none does."""
    kernel, stride, dilation = window.kernel[axis], window.stride[axis], window.dilation[axis]
    pads = (window.begin[axis], window.end[axis])
    placed = place(1, kernel, stride, dilation, pads, window.auto_pad, ceil=window.ceil, pool=window.pool)
    if placed is None:
        return None
    starts = range(-placed.begin, 1, stride)[: placed.size]
    return (
        tuple(sorted({-start // dilation for start in starts if not start % dilation and -start < dilation * kernel}))
        or None
    )


def _same(rest: int, width: int, auto_pad: str) -> tuple[int, int]:
    """Padding in front and behind under SAME: ``total = max((ceil(L / s) - 1) s + w - L, 0)``, where only ``rest``, L
    modulo s, counts.
    """
    total = max(width - rest, 0)
    half = total // 2
    return (half, total - half) if auto_pad == "SAME_UPPER" else (total - half, half)
