"""A linear or cubic Resize to a whole fraction of the size: Pad of mode edge and a strided depthwise convolution.

The weights are the same at every output, so that they are a kernel; one axis after the other from eight taps on
and on few channels. With
exclude_outside=1 the border is padded with zeros, and a constant map divides by what is left of the kernel there.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.weights import REACH, taps
from auditor.rewrite.result import Padding
from auditor.targets.forms.resize_facts import ResizeFacts, facts, integer_factor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEPARABLE = 8  # taps
_FEW_CHANNELS = 16  # a dense kernel is slow on them
_MOST_CHANNELS = 1 << 16
_LONGEST = 255
_MOST_MAP = 1 << 22
_HALF = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")


@dataclass(frozen=True, slots=True)
class _Line:
    """The kernel along one axis, with its stride and its padding in front and behind."""

    kernel: NDArray[np.float64]
    stride: int
    begin: int
    end: int

    @property
    def taps(self) -> int:
        return len(self.kernel)


def _way(place: Place) -> Way:
    how = facts(place.node)
    shape, result = place.shape(fixed=how.excludes), place.result()
    place.floating(half=False)
    lines = _lines(how, shape)
    if shape[1] > _MOST_CHANNELS or max(line.taps for line in lines) > _LONGEST:
        raise NotLoweredError("its filter or its number of channels is too large for a depthwise convolution")
    if how.excludes and prod(result[1:]) > _MOST_MAP:
        raise NotLoweredError("the map of its border weights would be too large")
    lengths, strides = tuple(line.taps for line in lines), tuple(line.stride for line in lines)
    apart = min(lengths) > 1 and len(lines) > 1 and (max(lengths) >= SEPARABLE or shape[1] < _FEW_CHANNELS)
    price = prices.depthwise(lengths, strides, prod(result[2:]), separable=apart)
    if how.excludes:
        price += prices.ELEMENT * prod(result[2:])
    else:
        price += prices.padded(shape[2:], tuple(line.begin for line in lines), tuple(line.end for line in lines))
    words = "separable strided depthwise convolutions" if apart else "a strided depthwise convolution"
    words = f"{words} and a constant map" if how.excludes else f"Pad of mode edge and {words}"
    ratio = prices.ratio(price, prices.resize(how, shape, result), shape[1])
    added = round(prices.depthwise(lengths, strides, prod(result), separable=apart) / prices.TAP)
    return Way(words, ratio, lambda: _write(place, how, lines, apart), added=added)


def _lines(how: ResizeFacts, shape: tuple[int, ...]) -> list[_Line]:
    """The kernel of every grid axis. Raises NotLoweredError."""
    import numpy as np

    if how.mode not in REACH or how.coordinate not in (*_HALF, "asymmetric"):
        raise NotLoweredError("its weights differ from output to output")
    if how.axes is None or len(shape) < 3 or any(axis.index < 2 for axis in how.axes):
        raise NotLoweredError("it resizes other axes than those of the grid")
    changed = {axis.index: axis for axis in how.axes}
    lines = []
    for index in range(2, len(shape)):
        axis = changed.get(index)
        if axis is None:
            lines.append(_Line(np.ones(1), 1, 0, 0))
            continue
        if axis.step <= 1 or not integer_factor(axis):
            raise NotLoweredError("it does not shrink every axis by a whole factor")
        if axis.after is None and how.coordinate == "half_pixel_symmetric":
            raise NotLoweredError("its weights depend on the size")
        if axis.after == 1 and how.coordinate == "pytorch_half_pixel":
            raise NotLoweredError("a single output stands at the first sample")
        factor = round(axis.step)
        centre = 0.0 if how.coordinate == "asymmetric" else (factor - 1) / 2
        lines.append(_line(how, factor, centre))
    if all(line.stride == 1 for line in lines):
        raise NotLoweredError("it changes no size")
    return lines


def _line(how: ResizeFacts, factor: int, centre: float) -> _Line:
    import numpy as np

    weights = taps(how, centre, float(factor) if how.antialias else 1.0)
    # Reaching to the end of its own samples, it has as many outputs as the size holds whole factors.
    first, last = min(weights[0][0], 0), max(weights[-1][0], factor - 1)
    kernel = np.zeros(last - first + 1)
    for k, weight in weights:
        kernel[k - first] = weight
    return _Line(kernel, factor, -first, last - factor + 1)


def _write(place: Place, how: ResizeFacts, lines: list[_Line], apart: bool) -> None:
    block = place.block()
    dtype = place.floating()
    begin, end = [line.begin for line in lines], [line.end for line in lines]
    channels = place.result()[1]
    tensor, pads = place.data, [0] * (2 * len(lines))
    if how.excludes:
        pads = [*begin, *end]
    elif any((*begin, *end)):
        tensor = block.pad(tensor, (0, 0, *begin), (0, 0, *end), Padding.EDGE)
    passes = [[index] for index in range(len(lines)) if lines[index].taps > 1] if apart else [list(range(len(lines)))]
    for number, axes in enumerate(passes):
        last = number == len(passes) - 1
        kept = [pad if index % len(lines) in axes else 0 for index, pad in enumerate(pads)]
        output = place.output if last and not how.excludes else None
        kernel = _kernel(lines, axes).astype(dtype)
        strides = [line.stride if index in axes else 1 for index, line in enumerate(lines)]
        tensor = block.depthwise(tensor, kernel, channels, strides, kept, output)
    if how.excludes:
        sizes = place.shape()[2:]
        block.node("Mul", [tensor, _border(lines, sizes, channels).astype(dtype)], "border", place.output)
    replaced(place, block)


def _kernel(lines: list[_Line], axes: list[int]) -> NDArray[np.float64]:
    """The product of the kernels of some axes, of one tap along the others."""
    import numpy as np

    kernel = np.ones(())
    for index, line in enumerate(lines):
        kernel = np.multiply.outer(kernel, line.kernel if index in axes else np.ones(1))
    return kernel


def _border(lines: list[_Line], sizes: tuple[int, ...], channels: int) -> NDArray[np.float64]:
    """One over the weight of the taps inside, for every output (1, C, ...)."""
    import numpy as np

    inverse = np.ones(())
    for line, size in zip(lines, sizes, strict=True):
        count = (size + line.begin + line.end - line.taps) // line.stride + 1
        inside = np.zeros(count)
        for o in range(count):
            start = o * line.stride - line.begin
            inside[o] = line.kernel[max(0, -start) : max(0, min(line.taps, size - start))].sum()
        inverse = np.multiply.outer(inverse, 1 / inside)
    return np.ascontiguousarray(np.broadcast_to(inverse, (1, channels, *inverse.shape)))


FORM = PortableForm(
    rank=10,
    operators=frozenset({"Resize"}),
    forms=frozenset(
        {
            "resize-antialias-linear",
            "resize-antialias-cubic",
            "resize-linear-half-pixel",
            "resize-linear-asymmetric",
            "resize-half-pixel-symmetric",
            "resize-cubic-asymmetric",
            "resize-cubic-down",
            "resize-cubic-coefficient",
            "resize-cubic-other-kernel",
            "resize-exclude-outside",
            "resize-axes",
            "resize-axes-sizes",
        }
    ),
    way=_way,
)
