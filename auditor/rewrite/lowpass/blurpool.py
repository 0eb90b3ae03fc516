"""The BlurPool itself: padding, a depthwise convolution, and behind it the 1x1 convolution that calibration fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import Joint
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.lowpass import kernels
from auditor.rewrite.result import Options, Padding, RewriteError
from auditor.sampling.result import Site


@dataclass(frozen=True, slots=True)
class BlurPool:
    """Per spatial axis the stride and the padding in front and behind."""

    stride: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Blurred:
    """What is blurred: a tensor of ``shape``. ``like`` is a tensor of the source with its type and the same kind of
    size (fixed or open); ``strides`` choose the taps.
    """

    tensor: str
    like: str
    shape: Sequence[int]
    strides: Sequence[int]


@dataclass(frozen=True, slots=True)
class Goal:
    """What calibration brings the result back to: a tensor of the source, subsampled by ``steps``."""

    site: Site
    original: str
    steps: tuple[int, ...]


def blur_pool(
    block: Block, given: Blurred, pool: BlurPool, options: Options, output: str | None = None, goal: Goal | None = None
) -> str:
    """Adds a BlurPool to ``block`` and returns the tensor that it makes (``output``, where that is given)."""
    editor = block.editor
    dtype = numpy_type(element_type(editor, given.like))
    if dtype is None:
        raise RewriteError("a blur of a tensor without a floating-point type")
    kernel = kernels.low_pass(options.kernel, given.strides, options.blend).astype(dtype)
    tensor, pads, channels = given.tensor, (*pool.begin, *pool.end), given.shape[1]
    padding = border(editor, given, pool, options.padding)
    if any(pads) and padding is not Padding.ZERO:
        tensor = block.pad(tensor, (0, 0, *pool.begin), (0, 0, *pool.end), padding)
        pads = (0,) * len(pads)
    if not options.mix or goal is None:
        return block.depthwise(tensor, kernel, channels, pool.stride, pads, output)
    blurred = block.depthwise(tensor, kernel, channels, pool.stride, pads)
    made, weight, bias = block.mix(blurred, channels, kernel.ndim, dtype, output)
    editor.joints.append(Joint(goal.site, weight, bias, blurred, goal.original, goal.steps))
    return made


def border(editor: GraphEditor, given: Blurred, pool: BlurPool, wanted: Padding) -> Padding:
    """Reflection needs a map larger than the padding; onnxruntime refuses it, or once wrote zeros, where it is not."""
    if wanted in (Padding.EDGE, Padding.ZERO):
        return wanted
    fits = editor.has_fixed_size(given.like) and all(
        max(begin, end) < size for begin, end, size in zip(pool.begin, pool.end, given.shape[2:], strict=True)
    )
    return Padding.REFLECT if fits else Padding.EDGE
