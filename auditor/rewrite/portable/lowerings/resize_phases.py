"""A linear or cubic Resize by a ratio of whole numbers: Pad, and per axis a strided convolution of its phases.

Where p samples become q, output o + q reads what output o reads p samples further on: the q outputs are channels of one
convolution with stride p, and Reshape, Transpose, Reshape put them side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, prod
from typing import TYPE_CHECKING

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.lowerings.resize_matrices import FORM as MATRICES
from auditor.rewrite.portable.weights import REACH, step, taps
from auditor.rewrite.result import Padding
from auditor.targets.forms.resize_facts import ResizedAxis, ResizeFacts, facts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HALF = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
_SHORTEST = 8  # samples that one step of a convolution takes, so that its taps overlap little
_WIDEST = 4  # times as many at most
_LONGEST = 255
_MOST_CHANNELS = 1 << 16
_MOST_MAP = 1 << 22
_MISREAD = 9  # taps along one axis, which OpenCV 5.0 takes for a kernel of 3 by 3
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of the grid: a kernel per phase (q, taps), the stride p, its padding, and its size before and after."""

    index: int
    kernel: NDArray[np.float64]
    stride: int
    begin: int
    end: int
    before: int
    after: int

    @property
    def phases(self) -> int:
        return len(self.kernel)

    @property
    def taps(self) -> int:
        return int(self.kernel.shape[1])

    @property
    def blocks(self) -> int:
        return self.after // self.phases


def _way(place: Place) -> Way:
    how = facts(place.node)
    shape, result = place.shape(), place.result()
    place.floating(half=False)
    axes = _axes(how, shape)
    if max(axis.taps for axis in axes) > _LONGEST or shape[1] * max(axis.phases for axis in axes) > _MOST_CHANNELS:
        raise NotLoweredError("its phases are too many for a convolution")
    if how.excludes and prod(result[1:]) > _MOST_MAP:
        raise NotLoweredError("the map of its border weights would be too large")
    sizes, price, added = list(shape[2:]), 0.0, 0
    for axis in axes:
        others = prod(sizes) // axis.before
        price += prices.PHASE_TAP * axis.blocks * axis.taps * others
        added += shape[0] * shape[1] * axis.after * axis.taps * others
        sizes[axis.index - 2] = axis.after
    words = "strided convolutions of phases" if len(axes) > 1 else "a strided convolution of phases"
    if how.excludes:
        price += prices.ELEMENT * prod(result[2:])
    ratio = prices.ratio(price, prices.resize(how, shape, result), shape[1])
    words = f"{words} and a constant map" if how.excludes else f"Pad of mode edge and {words}"
    return Way(words, ratio, lambda: _write(place, how, axes), added=added)


def _axes(how: ResizeFacts, shape: tuple[int, ...]) -> list[_Axis]:
    """The axes that are resized, rows first. Raises NotLoweredError."""
    if how.mode not in REACH or how.coordinate not in (*_HALF, "asymmetric") or how.policy != "stretch":
        raise NotLoweredError("its weights do not come again along an axis")
    if not how.axes or len(shape) not in (3, 4) or any(axis.index < 2 for axis in how.axes):
        raise NotLoweredError("it resizes other axes than those of the grid")
    return [_axis(how, axis) for axis in sorted(how.axes, key=lambda axis: axis.index)]


def _axis(how: ResizeFacts, axis: ResizedAxis) -> _Axis:
    import numpy as np

    before, after = axis.before, axis.after
    if before is None or after is None:
        raise NotLoweredError("its output size is computed from the data")
    ratio = Fraction(before, after)
    if abs(step(axis) - float(ratio)) > _CLOSE * float(ratio):
        raise NotLoweredError("its scale is not the ratio of its sizes")
    if after == 1 and how.coordinate == "pytorch_half_pixel":
        raise NotLoweredError("a single output stands at the first sample")
    turns = _turns(ratio, gcd(before, after))
    stride, phases = ratio.numerator * turns, ratio.denominator * turns
    stretch = max(1.0, float(ratio)) if how.antialias else 1.0
    half = 0.0 if how.coordinate == "asymmetric" else 0.5
    weights = [taps(how, float((Fraction(o) + Fraction(half)) * ratio) - half, stretch) for o in range(phases)]
    first = min(0, *(row[0][0] for row in weights))
    last = max(stride - 1, *(row[-1][0] for row in weights))
    if last - first + 1 == _MISREAD and phases > 1:
        last += 1
    kernel = np.zeros((phases, last - first + 1))
    for phase, row in enumerate(weights):
        for tap, weight in row:
            kernel[phase, tap - first] = weight
    return _Axis(axis.index, kernel, stride, -first, last - stride + 1, before, after)


def _turns(ratio: Fraction, most: int) -> int:
    """How many times the ratio a step of the convolution takes: a divisor of ``most``, all that there are."""
    # Several phases also of a whole factor: all axes of a Resize are written, and read again, in the same way.
    wanted = max(-(-_SHORTEST // ratio.numerator), 1 + (ratio.denominator == 1))
    divisors = [turns for turns in range(1, min(most, _WIDEST * wanted) + 1) if most % turns == 0]
    return min((turns for turns in divisors if turns >= wanted), default=divisors[-1])


def _write(place: Place, how: ResizeFacts, axes: list[_Axis]) -> None:
    block, dtype, shape = place.block(), place.floating(), list(place.shape())
    if place.open_batch:
        shape[0] = 0  # as it is
    grid = range(2, len(shape))
    begin = {axis.index: axis.begin for axis in axes}
    end = {axis.index: axis.end for axis in axes}
    tensor = place.data
    if not how.excludes and any((*begin.values(), *end.values())):
        front, behind = ([0, 0, *(side.get(index, 0) for index in grid)] for side in (begin, end))
        tensor = block.pad(tensor, front, behind, Padding.EDGE)
        shape = [sum(sizes) for sizes in zip(shape, front, behind, strict=True)]
    for number, axis in enumerate(axes):
        output = place.output if number == len(axes) - 1 and not how.excludes else None
        tensor = _resized(block, tensor, shape, axis, padded=how.excludes, dtype=dtype, output=output)
    if how.excludes:
        border = _border(axes, place.shape()).astype(dtype)
        block.node("Mul", [tensor, border], "border", place.output)
    replaced(place, block)


def _resized(
    block: Block,
    tensor: str,
    shape: list[int],
    axis: _Axis,
    *,
    padded: bool,
    dtype: type[np.floating],
    output: str | None,
) -> str:
    """Add the nodes that resize an axis, ``padded`` with zeros or not, and set its entry of ``shape``."""
    import numpy as np

    channels, rank = shape[1], len(shape)
    kernel = axis.kernel.astype(dtype).reshape(
        axis.phases, 1, *(axis.taps if i == axis.index else 1 for i in range(2, rank))
    )
    weights = np.ascontiguousarray(np.broadcast_to(kernel, (channels, *kernel.shape)).reshape(-1, *kernel.shape[1:]))
    sides = [
        (axis.begin if padded else 0, axis.end if padded else 0) if i == axis.index else (0, 0) for i in range(2, rank)
    ]
    (made,) = block.node(
        "Conv",
        [tensor, weights],
        "phases",
        output if axis.phases == 1 else None,
        group=channels,
        kernel_shape=list(kernel.shape[2:]),
        strides=[axis.stride if i == axis.index else 1 for i in range(2, rank)],
        pads=[side[0] for side in sides] + [side[1] for side in sides],
    )
    shape[axis.index] = axis.after
    if axis.phases == 1:
        return made
    apart = [*shape[:2], axis.phases, *(axis.blocks if i == axis.index else shape[i] for i in range(2, rank))]
    (made,) = block.node("Reshape", [made, np.array(apart, np.int64)], "apart")
    order = [place for place in range(rank + 1) if place != 2]
    order.insert(axis.index + 1, 2)
    (made,) = block.node("Transpose", [made], "beside", perm=order)
    return block.node("Reshape", [made, np.array(shape, np.int64)], "resized", output)[0]


def _border(axes: list[_Axis], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """One over the weight of the taps inside, for every output (1, C, ...)."""
    import numpy as np

    inverse = np.ones((1, 1, *shape[2:]))
    for axis in axes:
        inside = np.zeros(axis.after)
        for output in range(axis.after):
            start = output // axis.phases * axis.stride - axis.begin
            row = axis.kernel[output % axis.phases]
            inside[output] = row[max(0, -start) : max(0, min(axis.taps, axis.before - start))].sum()
        along = [-1 if place == axis.index else 1 for place in range(len(shape))]
        inverse = np.take(inverse, [0], axis.index) / inside.reshape(along)
    return np.ascontiguousarray(np.broadcast_to(inverse, (1, *shape[1:2], *inverse.shape[2:])))


FORM = PortableForm(
    rank=MATRICES.rank,  # whichever is cheaper
    operators=frozenset({"Resize"}),
    forms=frozenset(
        {
            "resize-antialias-linear",
            "resize-antialias-cubic",
            "resize-antialias-cubic-up",
            "resize-antialias-linear-up",
            "resize-linear-half-pixel",
            "resize-linear-asymmetric",
            "resize-half-pixel-symmetric",
            "resize-cubic",
            "resize-cubic-asymmetric",
            "resize-cubic-down",
            "resize-cubic-up",
            "resize-cubic-coefficient",
            "resize-cubic-other-kernel",
            "resize-exclude-outside",
            "resize-axes",
            "resize-axes-sizes",
        }
    ),
    way=_way,
)
