"""Forms of windows, slices and others that some targets compute otherwise at some sizes or attributes only.

Every one of them refines another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import Form, integer, integers, text
from auditor.targets.forms.indexing import slice_numbers, slice_steps
from auditor.targets.forms.window_facts import SlidingAxis, auto_pad, ceils, counts, dilated, odd, padded, sliding

_UP = "Explicit pads and output_padding."
_PADS = "Explicit `pads` for the size at hand."


def _form(name: str, operators: Sequence[str], words: str, portable: str, test: Callable[[ObservedNode], bool]) -> Form:
    return Form(name, frozenset(operators), words, portable, test, refines=True)


def _drops_window(node: ObservedNode) -> bool:
    """Whether ceil_mode would add a window that begins behind the input, which ONNX drops."""
    if integer(node, "ceil_mode", 0) == 0 or auto_pad(node):
        return False
    for axis in sliding(node):
        if axis.size is None:
            continue
        span = axis.size + axis.begin + axis.end - axis.reach
        if span % axis.stride and -(-span // axis.stride) * axis.stride >= axis.size + axis.begin:
            return True
    return False


def _apart(node: ObservedNode) -> bool:
    """Whether SAME padding leaves two samples or more behind the last window, which lie apart."""
    return bool(auto_pad(node)) and any(
        axis.size is not None and (-(-axis.size // axis.stride) - 1) * axis.stride + axis.reach - axis.size <= -2
        for axis in sliding(node)
    )


def _transposed_same(test: Callable[[SlidingAxis], bool]) -> Callable[[ObservedNode], bool]:
    """Whether a ConvTranspose has SAME padding, no output_shape, and an axis of which the test holds."""
    return lambda node: (
        bool(auto_pad(node)) and not integers(node, "output_shape") and any(test(axis) for axis in sliding(node))
    )


def _cut(node: ObservedNode) -> int:
    """The most samples that output_shape without SAME padding cuts along an axis."""
    sizes, axes = integers(node, "output_shape") or (), sliding(node)
    if auto_pad(node) or len(sizes) != len(axes):
        return 0
    return max(
        (axis.stride * (axis.size - 1) + axis.reach - size if axis.size is not None else 2)
        for axis, size in zip(axes, sizes, strict=True)
    )


def _from_behind(node: ObservedNode) -> bool:
    starts, steps = slice_numbers(node, "starts", 1) or (), slice_steps(node)
    return any(step < 0 and start < 0 for start, step in zip(starts, steps, strict=False))


def _misses_first(node: ObservedNode) -> bool:
    """Whether a Slice that goes backwards ends at another sample than the first."""
    starts, steps = slice_numbers(node, "starts", 1) or (), slice_steps(node)
    return any(step < 0 and start % -step != 0 for start, step in zip(starts, steps, strict=False))


FORMS = (
    _form(
        "average-pool-ceil-drops",
        ["AveragePool"],
        "AveragePool with ceil_mode=1 whose last window would begin behind the input",
        "Leave ceil_mode out: that window is dropped.",
        _drops_window,
    ),
    _form(
        "max-pool-ceil-drops",
        ["MaxPool"],
        "MaxPool with ceil_mode=1 whose last window would begin behind the input",
        "Leave ceil_mode out: that window is dropped.",
        _drops_window,
    ),
    _form(
        "average-pool-ceil-counted-unpadded",
        ["AveragePool"],
        "AveragePool without padding, with ceil_mode=1 and count_include_pad=1",
        "Leave count_include_pad out: there is nothing to count.",
        lambda node: integer(node, "count_include_pad", 0) != 0 and ceils(node) and not padded(node),
    ),
    _form(
        "same-windows-apart",
        ["AveragePool", "MaxPool", "Conv"],
        "SAME padding of windows that lie apart, with samples left over behind the last",
        _PADS,
        _apart,
    ),
    _form(
        "conv-transpose-same-strided",
        ["ConvTranspose"],
        "strided ConvTranspose with SAME padding",
        _UP,
        _transposed_same(lambda axis: axis.stride > 1 and axis.reach > 1),
    ),
    _form(
        "conv-transpose-same-gaps",
        ["ConvTranspose"],
        "ConvTranspose with SAME padding and a kernel shorter than the stride",
        _UP,
        _transposed_same(lambda axis: axis.reach < axis.stride),
    ),
    _form(
        "conv-transpose-same-unpadded",
        ["ConvTranspose"],
        "ConvTranspose with SAME padding and a kernel no longer than the stride",
        _UP,
        _transposed_same(lambda axis: axis.reach <= axis.stride),
    ),
    _form(
        "conv-transpose-same-lower-odd",
        ["ConvTranspose"],
        "ConvTranspose with SAME_LOWER padding of an odd number of samples",
        _UP,
        lambda node: (
            auto_pad(node) == "SAME_LOWER"
            and _transposed_same(lambda axis: (axis.reach - axis.stride) % 2 == 1 and axis.reach > axis.stride)(node)
        ),
    ),
    _form(
        "conv-transpose-output-shape-grouped",
        ["ConvTranspose"],
        "grouped ConvTranspose with output_shape that cuts samples on both sides",
        "ConvTranspose without output_shape, and a Slice.",
        lambda node: integer(node, "group", 1) > 1 and _cut(node) > 1,
    ),
    _form(
        "conv-transpose-same-output-padding",
        ["ConvTranspose"],
        "ConvTranspose with SAME padding and output_padding",
        _UP,
        lambda node: bool(auto_pad(node)) and max(integers(node, "output_padding") or (0,)) > 0,
    ),
    _form(
        "slice-step-filtered",
        ["Slice"],
        "Slice with a step above 1 that starts behind the first sample of what a convolution makes",
        "A one-hot depthwise convolution with that stride.",
        lambda node: (
            node.filtered
            and any(
                step > 1 and start != 0
                for start, step in zip(slice_numbers(node, "starts", 1) or (), slice_steps(node), strict=False)
            )
        ),
    ),
    _form(
        "lp-pool-uneven",
        ["LpPool"],
        "LpPool with uneven padding",
        "Mul, a depthwise convolution of ones and Sqrt.",
        lambda node: odd(node) if auto_pad(node) else any(axis.begin < axis.end for axis in sliding(node)),
    ),
    _form(
        "slice-backwards-from-behind",
        ["Slice"],
        "Slice with a negative step from a place counted from the back",
        "A product with a constant permutation matrix.",
        _from_behind,
    ),
    _form(
        "slice-backwards-misses-first",
        ["Slice"],
        "Slice with a negative step that does not end at the first sample",
        "A product with a constant permutation matrix.",
        _misses_first,
    ),
    _form(
        "pool-dilated-same",
        ["AveragePool", "MaxPool"],
        "dilated pool with SAME padding",
        _PADS,
        lambda node: dilated(node) and bool(auto_pad(node)),
    ),
    _form(
        "average-pool-same-counted-odd",
        ["AveragePool"],
        "AveragePool that counts SAME padding of an odd number of samples",
        "A depthwise convolution of ones, and a product with the constant map 1/count.",
        lambda node: bool(auto_pad(node)) and counts(node) and odd(node),
    ),
    _form(
        "conv-grouped-same-oblong",
        ["Conv"],
        "grouped Conv with SAME padding and a kernel that is not square",
        _PADS,
        lambda node: (
            bool(auto_pad(node)) and integer(node, "group", 1) > 1 and len({axis.kernel for axis in sliding(node)}) > 1
        ),
    ),
    _form(
        "conv-dilated-strided",
        ["Conv"],
        "dilated Conv with stride, without groups",
        "A kernel with zeros in the holes.",
        lambda node: (
            integer(node, "group", 1) == 1 and dilated(node) and any(axis.stride > 1 for axis in sliding(node))
        ),
    ),
    _form(
        "pool-same-lower-even-kernel",
        ["AveragePool", "MaxPool"],
        "strided pool over two axes with SAME_LOWER padding and a window of even length",
        _PADS,
        lambda node: (
            auto_pad(node) == "SAME_LOWER"
            and len(sliding(node)) == 2
            and any(axis.stride > 1 and axis.kernel % 2 == 0 for axis in sliding(node))
        ),
    ),
    _form(
        "max-pool-same-lower-rest",
        ["MaxPool"],
        "MaxPool with SAME_LOWER padding whose stride does not divide the size",
        _PADS,
        lambda node: (
            auto_pad(node) == "SAME_LOWER"
            and any(axis.size is not None and axis.size % axis.stride != 0 for axis in sliding(node))
        ),
    ),
    _form(
        "lp-pool-same",
        ["LpPool"],
        "LpPool with SAME padding",
        "Mul, a depthwise convolution of ones and Sqrt.",
        lambda node: bool(auto_pad(node)),
    ),
    _form(
        "roi-align-half-pixel",
        ["RoiAlign"],
        "RoiAlign with coordinates half_pixel, which are the default",
        "Shift the regions by half a pixel, and write output_half_pixel.",
        lambda node: text(node, "coordinate_transformation_mode", "half_pixel") == "half_pixel" and node.opset >= 16,
    ),
    _form(
        "roi-align-adaptive",
        ["RoiAlign"],
        "RoiAlign whose number of samples follows from the size of the region (sampling_ratio=0)",
        "Write a sampling_ratio.",
        lambda node: integer(node, "sampling_ratio", 0) == 0,
    ),
    _form(
        "max-pool-indices-3d",
        ["MaxPool"],
        "MaxPool over three axes with indices",
        "Compute the indices behind the pool, or use the pool's values alone.",
        lambda node: node.results > 1 and len(sliding(node)) == 3,
    ),
    _form(
        "pad-mode-left-out",
        ["Pad"],
        "Pad whose mode is left out, which means constant",
        "Write mode=constant.",
        lambda node: "mode" not in node.attributes,
    ),
    _form(
        "upsample-mode-left-out",
        ["Upsample"],
        "Upsample whose mode is left out, which means nearest",
        "Write mode=nearest.",
        lambda node: "mode" not in node.attributes,
    ),
    _form(
        "space-to-depth-channels",
        ["SpaceToDepth"],
        "SpaceToDepth of several channels",
        "A strided convolution with 0/1 weights.",
        lambda node: (node.input(0).shape or (0, 0))[1:2] != (1,),
    ),
    _form(
        "conv-3d-kernel-left-out",
        ["Conv"],
        "convolution over three axes whose kernel_shape is left out",
        "Write the kernel_shape.",
        lambda node: "kernel_shape" not in node.attributes and len(sliding(node)) == 3,
    ),
)
