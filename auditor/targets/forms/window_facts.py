"""What is under the window of a pool or a convolution, and how it is padded."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import integer, integers, text


@dataclass(frozen=True, slots=True)
class SlidingAxis:
    """One spatial axis under a window. ``size`` is None where it is open or not known."""

    size: int | None
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    @property
    def reach(self) -> int:
        """Input samples under the window, dilation included."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def same_total(self) -> int | None:
        """Samples that SAME padding adds; None where the size is open."""
        if self.size is None:
            return None
        return max((-(-self.size // self.stride) - 1) * self.stride + self.reach - self.size, 0)

    @property
    def has_ceil_window(self) -> bool:
        """Whether ceil_mode adds a window, which has to begin within the input or the padding in front."""
        if self.size is None:
            return self.stride > 1
        span = self.size + self.begin + self.end - self.reach
        extra = -(-span // self.stride)
        return span % self.stride != 0 and extra * self.stride < self.size + self.begin


def sliding(node: ObservedNode) -> tuple[SlidingAxis, ...]:
    """The axes under the window of a pool or a convolution; empty where its kernel is not known."""
    kernel = integers(node, "kernel_shape")
    if kernel is None and node.op in ("Conv", "ConvTranspose"):
        weights = node.input(1).shape
        kernel = None if weights is None else weights[2:]
    if not kernel:
        return ()
    rank = len(kernel)
    strides = integers(node, "strides") or (1,) * rank
    dilations = integers(node, "dilations") or (1,) * rank
    pads = integers(node, "pads") or (0,) * (2 * rank)
    if min(len(strides), len(dilations)) < rank or len(pads) < 2 * rank or min(strides) < 1:
        return ()
    data = node.input(0)
    sizes = [
        data.shape[2 + axis]
        if data.shape is not None and len(data.shape) == rank + 2 and 2 + axis not in data.open
        else None
        for axis in range(rank)
    ]
    if text(node, "auto_pad", "NOTSET") not in ("NOTSET", ""):
        pads = (0,) * (2 * rank)
    return tuple(
        SlidingAxis(sizes[axis], kernel[axis], strides[axis], dilations[axis], pads[axis], pads[rank + axis])
        for axis in range(rank)
    )


def auto_pad(node: ObservedNode) -> str:
    """``SAME_UPPER``, ``SAME_LOWER``, or empty for explicit pads and none."""
    mode = text(node, "auto_pad", "NOTSET")
    return mode if mode.startswith("SAME") else ""


def padded(node: ObservedNode) -> bool:
    """Whether explicit padding adds anything."""
    return any(axis.begin or axis.end for axis in sliding(node))


def asymmetric(node: ObservedNode) -> bool:
    """Whether explicit padding differs between the sides."""
    return any(axis.begin != axis.end for axis in sliding(node))


def ceils(node: ObservedNode) -> bool:
    """Whether ceil_mode adds a window."""
    return (
        integer(node, "ceil_mode", 0) != 0
        and not auto_pad(node)
        and any(axis.has_ceil_window for axis in sliding(node))
    )


def dilated(node: ObservedNode) -> bool:
    """Whether the window skips samples."""
    return any(axis.dilation > 1 and axis.kernel > 1 for axis in sliding(node))


def odd(node: ObservedNode) -> bool:
    """Whether SAME padding has a sample more on one side, at some size where the size is open."""
    for axis in sliding(node):
        total = axis.same_total
        if total is None:
            if axis.stride > 1 or axis.reach % 2 == 0:
                return True
        elif total % 2:
            return True
    return False


def fills(node: ObservedNode) -> bool:
    """Whether SAME padding adds anything."""
    return any(axis.same_total is None or axis.same_total > 0 for axis in sliding(node))


def off_centre(node: ObservedNode) -> bool:
    """Whether the padding in front is another than half the window, which a runtime may take it for."""
    upper = auto_pad(node) == "SAME_UPPER"
    for axis in sliding(node):
        total = axis.same_total
        if total is None:
            if axis.stride > 1 or axis.reach % 2 == 0:
                return True
            continue
        begin = total // 2 if upper else total - total // 2
        if begin != (axis.reach - 1) // 2:
            return True
    return False


def counts(node: ObservedNode) -> bool:
    """Whether an average counts padding that is there."""
    return integer(node, "count_include_pad", 0) != 0 and (padded(node) or bool(auto_pad(node) and fills(node)))
