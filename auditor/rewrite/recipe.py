"""What ``blur`` does to a graph, as changes of the PyTorch code that the network is trained with (Zhang, ICML 2019).

A blur works best when the network is trained with it. For every sampling site the recipe names the operator at stride
1, the BlurPool with the kernel, padding and border that :mod:`auditor.rewrite.strategies.blur` would insert, and their
order: the trained network then exports to the graph that ``fix --strategy blur`` writes. The code is ours and holds no
text of the model; the module and the source line that it belongs to are in ``site.node.origin``, where the exporter
stored them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from auditor.onnxfile.graph import Model
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.windows import SlidingWindow, window_of
from auditor.rewrite.lowpass import kernels
from auditor.rewrite.lowpass.blurpool import BlurPool, Blurred, border
from auditor.rewrite.lowpass.merge import apart, merged
from auditor.rewrite.lowpass.pointwise import Region, region_behind
from auditor.rewrite.planning import chosen
from auditor.rewrite.result import Kernel, Options, Padding, Where
from auditor.rewrite.strategies.blur import RESIZES, Blur, adjusted, commutes, own_filter, strides_of
from auditor.sampling.result import Analysis, Site, SiteKind

BLUR_POOL = '''\
import torch
import torch.nn.functional as F
from torch import nn


class BlurPool(nn.Module):
    """A low-pass over every channel alone, then every `stride`-th sample.

    `taps` hold one line of the separable kernel per axis, `padding` is that of `F.pad` (last axis first), and `share`
    is the share of the low-pass against no filter.
    """

    def __init__(self, channels, taps, stride, padding, mode="reflect", share=1.0):
        super().__init__()
        kernel = torch.ones(())
        for line in taps:
            kernel = kernel.unsqueeze(-1) * torch.tensor(line)
        if share != 1.0:
            kernel = share * kernel
            kernel[tuple(size // 2 for size in kernel.shape)] += 1 - share
        kernel = kernel.expand(channels, 1, *kernel.shape).clone()
        self.register_buffer("kernel", kernel, persistent=False)  # not persistent: older checkpoints still load
        self.stride, self.padding, self.mode = stride, padding, mode

    def forward(self, x):
        conv = (F.conv1d, F.conv2d, F.conv3d)[len(self.stride) - 1]
        x = F.pad(x, self.padding, mode=self.mode)
        return conv(x, self.kernel, stride=self.stride, groups=self.kernel.shape[0])
'''
"""The module that the edits for plain PyTorch use, with its imports."""

_MODES = {Padding.REFLECT: "reflect", Padding.EDGE: "replicate", Padding.ZERO: "constant"}
_INTERPOLATION = {("linear", 4): "bilinear", ("cubic", 4): "bicubic"}
_MOST_AXES = 3


class Library(str, Enum):
    """Where a BlurPool comes from."""

    TORCH = "torch"
    TIMM = "timm"
    KORNIA = "kornia"


@dataclass(frozen=True, slots=True)
class BlurLine:
    """The line that makes ``blur`` with one library. ``note`` says where it differs from the rewrite, empty if not."""

    library: Library
    code: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """The edit at one site: ``operator`` (a line, empty where it stays as it is) and one of ``blurs`` are made once;
    ``forward`` is what runs. ``notes`` explain the names in ``forward``.
    """

    operator: str
    blurs: tuple[BlurLine, ...]
    forward: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteRecipe:
    """A site with its edit, or with the reason why there is none."""

    site: Site
    edit: Edit | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The edits at all sites in graph order."""

    sites: tuple[SiteRecipe, ...]


def recipe(model: Model, analysis: Analysis, options: Options | None = None, names: Collection[str] = ()) -> Recipe:
    """The edits that do in PyTorch what ``blur`` does with the same options. Reads no weights and changes nothing.

    ``names`` are the sites to speak of, by the names of their nodes; without any, all of them.

    Raises:
        RewriteError: a name is no site.
    """
    options = options or Options()
    editor = GraphEditor(model, analysis)
    return Recipe(tuple(_site(editor, site, options) for site in chosen(analysis, names)))


class _NoEqualError(Exception):
    """PyTorch has nothing that computes the same; the message is the reason."""


def _site(editor: GraphEditor, site: Site, options: Options) -> SiteRecipe:
    reason = Blur().refusal(editor, site, options)
    part = editor.part(site)
    if reason is not None or part is None:
        return SiteRecipe(site, None, reason or "")
    try:
        return SiteRecipe(site, _edit(editor, site, part, options))
    except _NoEqualError as error:
        return SiteRecipe(site, None, str(error))


def _edit(editor: GraphEditor, site: Site, part: EditNode, options: Options) -> Edit:
    given = editor.shape(part.inputs[0]) or ()
    rank = len(given) - 2
    if rank > _MOST_AXES:
        raise _NoEqualError("PyTorch has no convolution over more than three axes")
    if own_filter(editor, site, part, options) is not None:
        return _resize(editor, part)
    tensor = part.inputs[0]
    strides = strides_of(site, rank, editor, tensor)
    half = _half(options.kernel, strides)
    if options.where is Where.PRE or site.kind in RESIZES:
        front = _blurs(editor, Blurred(tensor, tensor, given, strides), BlurPool((1,) * rank, half, half), options)
        return Edit("", front, "x = operator(blur(x))", ("operator: as it is, its stride too",))
    if site.kind is SiteKind.SLICE:
        result = editor.shape(part.outputs[0]) or ()
        shape = (*result[:2], *((count - 1) * step + 1 for count, step in zip(result[2:], strides, strict=True)))
        blurs = _blurs(editor, Blurred(tensor, tensor, shape, strides), BlurPool(strides, half, half), options)
        return Edit("", blurs, "x = blur(dense(x))", ("dense: the slice with step 1, up to the last sample it kept",))
    return _strided(editor, site, part, options)


def _strided(editor: GraphEditor, site: Site, part: EditNode, options: Options) -> Edit:
    """A convolution or pool at stride 1 with the BlurPool behind its activation, or in front of a 1x1 shortcut."""
    tensor = part.inputs[0]
    given = editor.shape(tensor) or ()
    window = window_of(editor, part)
    region = region_behind(editor, part.outputs[0])
    if commutes(editor, site, window, region, options):
        half = _half(options.kernel, window.stride)
        blurs = _blurs(
            editor, Blurred(tensor, tensor, given, window.stride), BlurPool(window.stride, half, half), options
        )
        note = "blur in front: a 1x1 convolution without an activation behind it gives the same there, and cheaper"
        return Edit(_operator(editor, part, window), blurs, "x = operator(blur(x))", (note,))
    wide = merged(editor, part, window, region, options)
    shorter, pool = adjusted(site, window, options.kernel) if wide is None else apart(window, wide)
    shape = editor.shape(region.exit) or editor.shape(part.outputs[0]) or ()
    blurs = _blurs(editor, Blurred(tensor, tensor, (*shape[:2], *shorter.dense), window.stride), pool, options)
    operator = _operator(editor, part, shorter)
    inner = "operator(x)" if operator else "x"
    behind = _behind(part, region)
    if not behind:
        return Edit(operator, blurs, f"x = blur({inner})")
    return Edit(operator, blurs, f"x = blur(behind({inner}))", (f"behind: what follows today ({', '.join(behind)})",))


def _behind(part: EditNode, region: Region) -> list[str]:
    """The point-wise operators between the site and its blur; the words are those that the strategy knows."""
    fused = ["its fused activation"] if part.op == "FusedConv" else []
    return [*fused, *(inner.op for inner in region.parts)]


def _operator(editor: GraphEditor, part: EditNode, window: SlidingWindow) -> str:
    """The line that makes the operator at stride 1; empty where nothing of it is left."""
    if part.op in ("Conv", "FusedConv"):
        return _convolution(editor, part, window)
    size = f"kernel_size={_per_axis(window.kernel)}, stride=1"
    if part.op == "MaxPool":
        spread = f", dilation={_per_axis(window.dilation)}" if set(window.dilation) != {1} else ""
        if _symmetric(window) and all(b <= k // 2 for b, k in zip(window.begin, window.kernel, strict=True)):
            return f"operator = nn.MaxPool{window.rank}d({size}{_padding(window)}{spread})"
        front = f'nn.ConstantPad{window.rank}d({_last_first(window.begin, window.end)}, float("-inf"))'
        return f"operator = nn.Sequential({front}, nn.MaxPool{window.rank}d({size}{spread}))"
    if part.op != "AveragePool":
        raise _NoEqualError(
            "PyTorch has no LpPool with padding: raise to the power, average at stride 1, take the root"
        )
    if set(window.kernel) == {1} and not any((*window.begin, *window.end)):
        return ""
    if set(window.dilation) != {1}:
        raise _NoEqualError("PyTorch has no dilated average pool: use a depthwise convolution")
    if not any((*window.begin, *window.end)):
        return f"operator = nn.AvgPool{window.rank}d({size})"
    counted = bool(part.attributes.get("count_include_pad"))
    if _symmetric(window) and all(b <= k // 2 for b, k in zip(window.begin, window.kernel, strict=True)):
        return f"operator = nn.AvgPool{window.rank}d({size}{_padding(window)}, count_include_pad={counted})"
    if not counted:
        raise _NoEqualError("PyTorch has no average pool that pads unevenly and leaves the padding out of the mean")
    front = f"nn.ConstantPad{window.rank}d({_last_first(window.begin, window.end)}, 0.0)"
    return f"operator = nn.Sequential({front}, nn.AvgPool{window.rank}d({size}))"


def _convolution(editor: GraphEditor, part: EditNode, window: SlidingWindow) -> str:
    constant = editor.constant(part.inputs[1])
    dims = constant.dims if constant is not None else editor.shape(part.inputs[1])
    if dims is None or len(dims) != window.rank + 2:
        raise _NoEqualError("the shape of its weights is not known")
    groups = part.attributes.get("group", 1)
    groups = groups if isinstance(groups, int) else 1
    words = [f"{dims[1] * groups}, {dims[0]}, kernel_size={_per_axis(window.kernel)}, stride=1"]
    even = _symmetric(window)
    if even and any(window.begin):
        words.append(f"padding={_per_axis(window.begin)}")
    if set(window.dilation) != {1}:
        words.append(f"dilation={_per_axis(window.dilation)}")
    if groups != 1:
        words.append(f"groups={groups}")
    if len(part.inputs) < 3 or not part.inputs[2]:
        words.append("bias=False")
    layer = f"nn.Conv{window.rank}d({', '.join(words)})"
    if even:
        return f"operator = {layer}"
    return (
        f"operator = nn.Sequential(nn.ConstantPad{window.rank}d({_last_first(window.begin, window.end)}, 0.0), {layer})"
    )


def _blurs(editor: GraphEditor, given: Blurred, pool: BlurPool, options: Options) -> tuple[BlurLine, ...]:
    """The BlurPool from each library that has one with this kernel, stride and alignment."""
    mode = border(editor, given, pool, options.padding)
    channels = given.shape[1]
    lines = ", ".join(str([round(float(tap), 10) for tap in kernels.taps(options.kernel, s)]) for s in given.strides)
    words = f"{channels}, taps=[{lines}], stride={pool.stride}, padding={_last_first(pool.begin, pool.end)}"
    words += "" if mode is Padding.REFLECT else f', mode="{_MODES[mode]}"'
    words += "" if options.blend == 1.0 else f", share={options.blend:g}"
    found = [BlurLine(Library.TORCH, f"blur = BlurPool({words})")]
    taps = kernels.length(options.kernel, 2)
    usual = pool.begin == pool.end == (taps // 2,) * 2 and pool.stride == (2, 2) == tuple(given.strides)
    if not usual or taps % 2 == 0 or options.blend != 1.0 or options.kernel is Kernel.IDENTITY:
        return tuple(found)  # both libraries move the grid for other kernels, or have none
    if mode is Padding.REFLECT:
        found.append(BlurLine(Library.TIMM, f"blur = timm.layers.BlurPool2d({channels}, filt_size={taps}, stride=2)"))
    different = "" if mode is Padding.ZERO else "differs along the border, where kornia pads with zeros"
    found.append(BlurLine(Library.KORNIA, f"blur = kornia.filters.BlurPool2D({taps}, stride=2)", different))
    return tuple(found)


def _resize(editor: GraphEditor, part: EditNode) -> Edit:
    result = editor.shape(part.outputs[0]) or ()
    mode = _INTERPOLATION.get((str(part.attributes.get("mode")), len(result)))
    if mode is None:
        raise _NoEqualError("PyTorch has no antialias for this mode")
    return Edit("", (), f'x = F.interpolate(x, size={tuple(result[2:])}, mode="{mode}", antialias=True)')


def _half(kernel: Kernel, strides: Sequence[int]) -> tuple[int, ...]:
    return tuple((kernels.length(kernel, step) - 1) // 2 for step in strides)


def _symmetric(window: SlidingWindow) -> bool:
    return window.begin == window.end


def _padding(window: SlidingWindow) -> str:
    return f", padding={_per_axis(window.begin)}" if any(window.begin) else ""


def _per_axis(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else str(tuple(values))


def _last_first(begin: Sequence[int], end: Sequence[int]) -> str:
    """Padding as ``F.pad`` wants it: pairs of front and back, from the last axis to the first."""
    pairs = list(zip(begin, end, strict=True))
    return str(tuple(side for pair in reversed(pairs) for side in pair))
