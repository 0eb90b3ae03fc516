"""The window of a strided convolution or pool with explicit padding, and its dense (stride 1) form."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.onnxfile.graph import Attribute
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling.lattice.geometry import SAME, place

OPEN_SIZE = "its padding depends on an input size that the file leaves open: export with a fixed size"


class WindowError(Exception):
    """A window that cannot be made dense; the message is the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """A sliding window, one entry per spatial axis. ``sizes`` are those of the input, ``counts`` of the output.

    ``begin`` and ``end`` are explicit: with them and without ``ceil_mode`` the operator has ``counts`` outputs.
    ``widened`` says that ceil_mode reached beyond the padding of the source.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    widened: bool

    @property
    def rank(self) -> int:
        return len(self.kernel)

    @property
    def reach(self) -> tuple[int, ...]:
        """The width of the window in input samples, minus one."""
        return tuple(d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def dense(self) -> tuple[int, ...]:
        """The size of the output at stride 1 with the same padding."""
        return tuple(
            size + begin + end - reach
            for size, begin, end, reach in zip(self.sizes, self.begin, self.end, self.reach, strict=True)
        )


def window_of(editor: GraphEditor, part: EditNode) -> SlidingWindow:
    """The window of a Conv, MaxPool, AveragePool or LpPool.

    Raises WindowError where sizes are unknown, where the padding depends on a size that the file leaves open, and where
    the attributes do not fit each other.
    """
    shape, result = editor.shape(part.inputs[0]), editor.shape(part.outputs[0])
    kernel = _ints(part.attributes.get("kernel_shape")) or _weight_kernel(editor, part)
    if shape is None or result is None or kernel is None or len(shape) != len(result) or len(kernel) != len(shape) - 2:
        raise WindowError("the size of its input or of its kernel is not known")
    rank = len(kernel)
    stride = _ints(part.attributes.get("strides")) or (1,) * rank
    dilation = _ints(part.attributes.get("dilations")) or (1,) * rank
    pads = _ints(part.attributes.get("pads")) or (0,) * (2 * rank)
    auto_pad = str(part.attributes.get("auto_pad", "NOTSET") or "NOTSET")
    ceil, pool = bool(part.attributes.get("ceil_mode")), part.op.endswith("Pool")
    if len(stride) != rank or len(dilation) != rank or len(pads) != 2 * rank:
        raise WindowError("its strides, dilations or pads do not fit its kernel")
    begin, end = list(pads[:rank]), list(pads[rank:])
    fixed = editor.has_fixed_size(part.inputs[0])
    sizes, counts = shape[2:], result[2:]
    widened = False
    for axis in range(rank):
        if auto_pad in SAME and not fixed and stride[axis] > 1:
            raise WindowError(OPEN_SIZE)
        if ceil and not fixed and stride[axis] > 1:
            raise WindowError("with ceil_mode its size depends on an input size that the file leaves open")
        pad = (begin[axis], end[axis])
        placed = place(sizes[axis], kernel[axis], stride[axis], dilation[axis], pad, auto_pad, ceil=ceil, pool=pool)
        if placed is None or placed.size != counts[axis]:
            raise WindowError("its size is not what its attributes say")
        # What stands behind the last window stays: a dense operator has windows there, too.
        least = end[axis] if auto_pad == "NOTSET" else 0
        widened = widened or (auto_pad not in SAME and placed.end > least)
        begin[axis], end[axis] = placed.begin, max(placed.end, least)
    return SlidingWindow(kernel, stride, dilation, tuple(begin), tuple(end), sizes, counts, widened)


def make_explicit(editor: GraphEditor, part: EditNode, window: SlidingWindow) -> None:
    """Write the padding of ``window`` into the node, without auto_pad and ceil_mode."""
    automatic = part.attributes.get("auto_pad", "NOTSET") != "NOTSET"
    ceil = bool(part.attributes.get("ceil_mode"))
    if automatic:
        editor.set_attribute(part, "auto_pad", None)
    if ceil:
        editor.set_attribute(part, "ceil_mode", None)
    if automatic or window.widened:
        editor.set_attribute(part, "pads", (*window.begin, *window.end))


def _ints(value: Attribute | None) -> tuple[int, ...] | None:
    if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
        return tuple(item for item in value if isinstance(item, int))
    return None


def _weight_kernel(editor: GraphEditor, part: EditNode) -> tuple[int, ...] | None:
    """The kernel of a convolution that leaves it to the shape of its weights."""
    if len(part.inputs) < 2:
        return None
    shape = editor.shape(part.inputs[1])
    tensor = editor.constant(part.inputs[1])
    dims = tensor.dims if tensor is not None else shape
    return None if dims is None else dims[2:]
