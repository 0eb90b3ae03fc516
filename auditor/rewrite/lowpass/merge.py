"""One strided convolution in place of a convolution and the blur behind it, where nothing non-linear stands between.

Both are linear, so that the kernel of the one is the full convolution of the weights W, with their dilation d, and the
taps b of the blur:

    U[o, i, t] = sum over k of b[t - d k] W[o, i, k],        with d (K - 1) + L samples per axis.

The bias stays, since b sums to 1, and so does what stands behind as long as it is affine per channel. Inside the map
that is the convolution at stride 1 and its blur to rounding. At the border the picture that the convolution sees goes
on with zeros, where a blur of its own would continue what the convolution made of it. It costs less:
``(d (K - 1) + L)^2`` against ``s^2 K^2 + L^2 / I`` multiply-adds per output and input channel, 25 against 36 for 3x3,
stride 2 and Tri-3.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from auditor.onnxfile import read_tensor
from auditor.onnxfile.graph import PayloadKind
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.marks import MERGED
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import numpy_type
from auditor.rewrite.graph.windows import SlidingWindow, make_explicit
from auditor.rewrite.lowpass import kernels
from auditor.rewrite.lowpass.blurpool import BlurPool
from auditor.rewrite.lowpass.pointwise import Region
from auditor.rewrite.result import Kernel, Options, Padding
from auditor.sampling.result import Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_BYTES = 64 << 20
_DEFAULTS_SINCE = 4
_WIDEST = 8  # bytes of an element while kernels are convolved


def merged(
    editor: GraphEditor, part: EditNode, window: SlidingWindow, region: Region, options: Options
) -> SlidingWindow | None:
    """The window of the one convolution; None where the blur has to stand alone, or costs no more there.

    A padding that was asked for by name needs a blur of its own, and so does calibration, which works behind it.
    ``window`` is that of the convolution. Reads no weights.
    """
    if part.op != "Conv" or part.domain or not region.linear:
        return None
    if options.mix or options.padding is not Padding.AUTO or options.kernel is Kernel.IDENTITY:
        return None
    constant = editor.constant(part.inputs[1])
    if constant is None or numpy_type(constant.dtype) is None or constant.dims[2:] != window.kernel:
        return None
    if constant.payload.kind not in (PayloadKind.INLINE, PayloadKind.IN_FILE) or _is_default(editor, part.inputs[1]):
        return None
    lengths = [kernels.length(options.kernel, step) for step in window.stride]
    wide = _widened(window, lengths)
    outputs, inputs = constant.dims[:2]
    alone = inputs * prod(window.kernel) * prod(window.dense) + prod(lengths) * prod(window.counts)
    together = inputs * prod(wide.kernel) * prod(window.counts)
    fits = outputs * inputs * prod(wide.kernel) * _WIDEST <= _MOST_BYTES
    return wide if fits and together <= alone else None


def merge(
    editor: GraphEditor, site: Site, part: EditNode, window: SlidingWindow, wide: SlidingWindow, options: Options
) -> bool:
    """Make the convolution at ``window`` the one at ``wide``; returns False where its weights cannot be read."""
    constant = editor.constant(part.inputs[1])
    weights = None if constant is None else read_tensor(editor.model, constant, _MOST_BYTES)
    if weights is None:
        return False
    low_pass = kernels.low_pass(options.kernel, window.stride, options.blend)
    spread = [step if width > 1 else 1 for step, width in zip(window.dilation, low_pass.shape, strict=True)]
    kernel = convolved(weights, spread, low_pass)
    block = Block(editor, f"{PREFIX}{site.node.name.raw[:200]}")
    name = block.constant(kernel.astype(weights.dtype), f"{MERGED.strip('/')}/weight")
    block.insert(part, after=False)
    make_explicit(editor, part, window)
    editor.set_attribute(part, "kernel_shape", wide.kernel)
    editor.set_attribute(part, "dilations", wide.dilation)
    editor.set_attribute(part, "pads", (*wide.begin, *wide.end))
    editor.replace_input(part, part.inputs[1], name)
    return True


def apart(window: SlidingWindow, wide: SlidingWindow) -> tuple[SlidingWindow, BlurPool]:
    """A convolution at stride 1 and a BlurPool that together compute what the one at ``wide`` does, its border too."""
    sides = (0,) * window.rank
    return replace(window, begin=wide.begin, end=wide.end), BlurPool(window.stride, sides, sides)


def convolved(weights: NDArray[np.generic], spread: list[int], low_pass: NDArray[np.float64]) -> NDArray[np.float64]:
    """The full convolution of kernels (O, I, *K), dilated by ``spread``, with one low-pass, as float64."""
    import numpy as np

    sizes = [step * (size - 1) + 1 for step, size in zip(spread, weights.shape[2:], strict=True)]
    whole = (slice(None), slice(None))
    dense = np.zeros((*weights.shape[:2], *sizes))
    dense[whole + tuple(slice(None, None, step) for step in spread)] = weights
    result = np.zeros((*weights.shape[:2], *(n + m - 1 for n, m in zip(sizes, low_pass.shape, strict=True))))
    for place, tap in np.ndenumerate(low_pass):
        if tap:
            moved = tuple(slice(at, at + size) for at, size in zip(place, sizes, strict=True))
            result[whole + moved] += tap * dense
    return result


def _is_default(editor: GraphEditor, tensor: str) -> bool:
    """Whether a caller may feed other weights; up to IR 3 all weights are inputs, and nobody does."""
    inputs = editor.model.graph.inputs
    return editor.model.ir_version >= _DEFAULTS_SINCE and any(value.name == tensor for value in inputs)


def _widened(window: SlidingWindow, lengths: list[int]) -> SlidingWindow:
    """The window with the taps of a blur around it; dilated as before along the axes that are not blurred."""
    kernel, dilation, begin, end = [], [], [], []
    for axis, length in enumerate(lengths):
        blurred = length > 1
        kernel.append(window.reach[axis] + length if blurred else window.kernel[axis])
        dilation.append(1 if blurred else window.dilation[axis])
        begin.append(window.begin[axis] + length // 2)
        end.append(window.end[axis] + length // 2)
    return replace(window, kernel=tuple(kernel), dilation=tuple(dilation), begin=tuple(begin), end=tuple(end))
