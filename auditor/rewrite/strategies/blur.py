"""Blur before subsampling (Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019).

``MaxPool(k, s)`` becomes ``MaxPool(k, 1), BlurPool(m, s)``; ``Conv(s), norm, activation`` becomes ``Conv(1), norm,
activation, BlurPool(m, s)``; a 1x1 convolution without an activation behind it gets the BlurPool in front, which is the
same and costs less, and a larger one takes it into its weights (:mod:`auditor.rewrite.lowpass.merge`); average pools
and strided slices are dense first, too. With ``where=pre`` a stride-1 blur stands in front of the operator instead, at
the operator's old cost. A linear or cubic Resize by a whole factor becomes the strided convolution that its
``antialias`` would be, since most runtimes ignore that attribute; by another factor it gets the blur in front.

The window of the dense operator keeps its padding, and the blur is centred on it, so that every output sample keeps
its exact centre: ``c = reach / 2 - p`` before, ``reach / 2 - p - q + (L - 1) / 2`` after, with ``q = (L - 1) / 2``. A
kernel of even length L has no such q, and is only taken where another window can be made one sample shorter (max pools:
k to k - 1, as in Zhang's ResNet) or left out (average pools of even size).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.cost import Cost, multiply_adds
from auditor.rewrite.graph.marks import FRONT, INTEGER, common_refusal
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.graph.windows import SlidingWindow, WindowError, make_explicit, window_of
from auditor.rewrite.lowpass import kernels
from auditor.rewrite.lowpass.blurpool import BlurPool, Blurred, Goal, blur_pool
from auditor.rewrite.lowpass.merge import merge, merged
from auditor.rewrite.lowpass.pointwise import Region, region_behind
from auditor.rewrite.lowpass.slices import blur_slice, channels_last, slice_refusal
from auditor.rewrite.portable.antialiased import antialiased
from auditor.rewrite.portable.lowering import Way
from auditor.rewrite.result import Kernel, Options, RewriteError, Step, Strategy, Where
from auditor.rewrite.strategy import AtSites, Candidate, Survey, product
from auditor.sampling.result import HeadKind, Site, SiteKind

EVEN = "an even kernel would move its grid by half a sample: take tri3, bin5 or bin7"
_WINDOWS = {("", "Conv"), ("com.microsoft", "FusedConv"), ("", "MaxPool"), ("", "AveragePool"), ("", "LpPool")}
RESIZES = (SiteKind.RESIZE, SiteKind.RESIZE_NEAREST)
_RESIZERS = frozenset({"Resize", "Upsample"})
_LONGEST = 63
# A real layer has some thousands: a file may claim any number, and constants are written per channel (and its square).
_MOST_CHANNELS = 1 << 16
_MOST_MIXED = 1 << 12
HALF = 0.5  # the share of the low-pass in a partial blur
PATCHES = {
    SiteKind.PATCH_EMBEDDING: "patches do not overlap by design: train with overlapping patches (a convolutional stem)",
    SiteKind.PHASE_TO_CHANNEL: "all phases are kept as channels: train with a strided convolution behind a blur",
    SiteKind.FRAMES: "the hop of a spectrogram is no sampling of a picture: choose a smaller hop",
    SiteKind.GATHER: "rows picked by index cannot be told from a lookup",
}


@dataclass(frozen=True, slots=True)
class _RefusedError(Exception):
    """A site where a blur does not apply."""

    reason: str


class Blur:
    """The strategy ``blur``."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        common = common_refusal(editor, site)
        if common is not None:
            return common
        if site.antialiased:
            return f"it is anti-aliased already ({site.reason})"
        if site.kind in PATCHES and not (site.kind is SiteKind.PATCH_EMBEDDING and options.where is Where.PRE):
            return PATCHES[site.kind]
        part = editor.part(site)
        assert part is not None
        try:
            self._check(editor, site, part, options)
        except (_RefusedError, WindowError) as refused:
            return refused.reason if isinstance(refused, _RefusedError) else str(refused)
        return None

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:
        part = editor.part(site)
        assert part is not None
        editor.note = _note(options)
        own = own_filter(editor, site, part, options)
        if own is not None:
            own.write()
        elif options.where is Where.PRE or site.kind in RESIZES:
            self._in_front(editor, site, part, options)
        elif site.kind is SiteKind.SLICE:
            blur_slice(editor, site, part, options, _prefix(site))
        else:
            self._window(editor, site, part, options)
        return (site,)

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:
        part = editor.part(site)
        assert part is not None
        given, result = editor.shape(part.inputs[0]) or (), editor.shape(part.outputs[0]) or ()
        filtering = own_filter(editor, site, part, options)
        if filtering is not None:
            return Cost(filtering.added, prod(given))
        strides = strides_of(site, len(given) - 2, editor, part.inputs[0])
        width = prod(kernels.length(options.kernel, step) for step in strides)
        if options.where is Where.PRE or site.kind in RESIZES:
            return Cost(width * prod(given), prod(given))
        mixed = result[1] if options.mix else 0
        if site.kind is SiteKind.SLICE:
            return Cost((width + mixed) * prod(result), prod(given))
        window = window_of(editor, part)
        region = region_behind(editor, part.outputs[0])
        if commutes(editor, site, window, region, options):
            return Cost((width + mixed) * prod(given[:2]) * prod(result[2:]), prod(given))
        wide = merged(editor, part, window, region, options)
        own = multiply_adds(editor, part)
        if wide is not None and own is not None:
            return Cost(own * prod(wide.kernel) // prod(window.kernel) - own, prod(result))
        dense = prod(result[:2]) * prod(window.dense)
        added = None if own is None else own * prod(window.dense) // max(prod(window.counts), 1) - own
        return Cost(None if added is None else added + (width + mixed) * prod(result), dense)

    def _check(self, editor: GraphEditor, site: Site, part: EditNode, options: Options) -> None:
        if own_filter(editor, site, part, options) is not None:
            return None
        if site.kind in RESIZES and part.op not in _RESIZERS:
            raise _RefusedError("constant weights resample the picture: compute them with a filter")
        _check_map(editor, site, part, options)
        tensor = part.inputs[0]
        shape = editor.shape(tensor) or ()
        strides = strides_of(site, len(shape) - 2, editor, tensor)
        if max(kernels.length(options.kernel, step) for step in strides) > _LONGEST:
            raise _RefusedError(f"the blur for its stride would have more than {_LONGEST} taps")
        even = any(kernels.length(options.kernel, step) % 2 == 0 for step in strides)
        if even and options.blend != 1.0:
            raise _RefusedError("an even kernel has no centre to blend with: take tri3, bin5 or bin7")
        if options.where is Where.PRE or site.kind in RESIZES:
            return _check_front(options, even)
        if site.kind is SiteKind.SLICE:
            refusal = slice_refusal(editor, part) or (EVEN if even else None)
            if refusal is not None:
                raise _RefusedError(refusal)
            return None
        if (part.domain, part.op) not in _WINDOWS:
            raise _RefusedError("a blur behind this operator is not known")
        window = window_of(editor, part)
        if any(part.outputs[1:]):
            raise _RefusedError("its Indices output is used: a blurred maximum has no single place")
        adjusted(site, window, options.kernel)
        if window.widened and site.kind is not SiteKind.MAX_POOL:
            raise _RefusedError("with ceil_mode its last window divides by a number of its own")
        if window.widened and any(e >= r + 1 for e, r in zip(window.end, window.reach, strict=True)):
            raise _RefusedError("with ceil_mode its last window lies in the padding")
        return None

    def _in_front(self, editor: GraphEditor, site: Site, part: EditNode, options: Options) -> None:
        """A blur at stride 1 in front of the operator; resampling operators may have fractional factors."""
        tensor = part.inputs[0]
        shape = editor.shape(tensor) or ()
        strides = strides_of(site, len(shape) - 2, editor, tensor)
        lengths = [kernels.length(options.kernel, step) for step in strides]
        half = tuple((length - 1) // 2 for length in lengths)
        pool = BlurPool((1,) * len(strides), half, half)
        block = Block(editor, _prefix(site, FRONT.strip("/")))
        blurred = blur_pool(block, Blurred(tensor, tensor, shape, strides), pool, options)
        block.insert(part, after=False)
        editor.replace_input(part, tensor, blurred)

    def _window(self, editor: GraphEditor, site: Site, part: EditNode, options: Options) -> None:
        window = window_of(editor, part)
        region = region_behind(editor, part.outputs[0])
        if commutes(editor, site, window, region, options):
            self._blur_first(editor, site, part, window, options)
            return
        wide = merged(editor, part, window, region, options)
        if wide is not None and merge(editor, site, part, window, wide, options):
            return
        shorter, pool = adjusted(site, window, options.kernel)
        make_explicit(editor, part, window)
        if shorter.kernel != window.kernel:
            editor.set_attribute(part, "kernel_shape", shorter.kernel)
            editor.set_attribute(part, "pads", (*shorter.begin, *shorter.end))
        editor.set_attribute(part, "strides", (1,) * window.rank)
        output = region.exit
        shape = editor.shape(output) or editor.shape(part.outputs[0]) or ()
        renamed = _rename(editor, site, part, region)
        block = Block(editor, _prefix(site))
        dense = (*shape[:2], *shorter.dense)
        goal = Goal(site, output, (1,) * window.rank)
        blur_pool(block, Blurred(renamed, part.inputs[0], dense, window.stride), pool, options, output, goal)
        block.insert(region.parts[-1] if region.parts else part, after=True)

    def _blur_first(
        self, editor: GraphEditor, site: Site, part: EditNode, window: SlidingWindow, options: Options
    ) -> None:
        """BlurPool, then the 1x1 convolution at stride 1: equal, since both are linear and act on different axes."""
        tensor = part.inputs[0]
        half = tuple((kernels.length(options.kernel, step) - 1) // 2 for step in window.stride)
        block = Block(editor, _prefix(site))
        shape = editor.shape(tensor) or ()
        pool = BlurPool(window.stride, half, half)
        goal = Goal(site, tensor, window.stride)
        blurred = blur_pool(block, Blurred(tensor, tensor, shape, window.stride), pool, options, None, goal)
        block.insert(part, after=False)
        make_explicit(editor, part, window)
        editor.replace_input(part, tensor, blurred)
        editor.set_attribute(part, "strides", (1,) * window.rank)


_UNTYPED = {
    0: "the type of its input is not known",
    DataType.BFLOAT16: "onnxruntime has no bfloat16 convolution on the CPU: convert the model to float16 or float32",
}


def _prefix(site: Site, suffix: str = "") -> str:
    name = f"{PREFIX}{site.node.name.raw[:200]}"
    return f"{name}/{suffix}" if suffix else name


def _note(options: Options) -> str:
    return f"blur {options.kernel.value} {options.where.value} {options.padding.value} lambda={options.blend:g}"


def strides_of(site: Site, rank: int, editor: GraphEditor, tensor: str) -> tuple[int, ...]:
    """The stride per spatial axis of the input tensor, rounded up where it is fractional."""
    factor = [max(-(-step.numerator // step.denominator), 1) for step in site.factor]
    if len(factor) == rank:
        return tuple(factor)
    # A resampling site lists only the axes that it samples.
    known = editor.lattices(tensor) or ()
    lattices = known[1:-1] if channels_last(editor, tensor) else known[2:]
    by_source = dict(zip(site.sources, factor, strict=True))
    return tuple(1 if lattice is None else by_source.get(lattice.source, 1) for lattice in lattices)


def _check_map(editor: GraphEditor, site: Site, part: EditNode, options: Options) -> None:
    """The input and the output are maps with a sensible number of channels, on axis 1 where that has to be."""
    tensor = part.inputs[0]
    given, result = editor.shape(tensor) or (), editor.shape(part.outputs[0]) or ()
    if len(given) < 3 or len(result) != len(given):
        raise _RefusedError("it does not work on a map with channels")
    last = channels_last(editor, tensor)
    if last and (site.kind is not SiteKind.SLICE or options.where is Where.PRE or options.mix):
        raise _RefusedError("its channels do not stand on axis 1: put it behind a Transpose")
    channels = -1 if last else 1
    if max(given[channels], result[channels]) > (_MOST_MIXED if options.mix else _MOST_CHANNELS):
        raise _RefusedError("it has more channels than a blur is written for")
    dtype = element_type(editor, tensor)
    if numpy_type(dtype) is None:
        raise _RefusedError(_UNTYPED.get(dtype, INTEGER))


def _check_front(options: Options, even: bool) -> None:
    if options.mix:
        raise _RefusedError("a blur in front of an operator cannot be calibrated: put it behind (post)")
    if even:
        raise _RefusedError(EVEN)


def own_filter(editor: GraphEditor, site: Site, part: EditNode, options: Options) -> Way | None:
    """The convolutions that take the place of a Resize; None for other sites, and where a blur stands in front."""
    if (
        site.kind is not SiteKind.RESIZE
        or part.op not in _RESIZERS
        or options.where is Where.PRE
        or options.kernel is Kernel.IDENTITY
    ):
        return None
    return None if options.blend != 1.0 else antialiased(editor, site, part)


def commutes(editor: GraphEditor, site: Site, window: SlidingWindow, region: Region, options: Options) -> bool:
    """Whether the site is a 1x1 convolution that may as well stand behind its BlurPool, which costs less."""
    part = editor.part(site)
    odd = all(kernels.length(options.kernel, step) % 2 for step in window.stride)
    pointlike = not any(window.reach) and not any(window.begin) and not any(window.end)
    return part is not None and part.op == "Conv" and region.linear and pointlike and odd


def adjusted(site: Site, window: SlidingWindow, kernel: Kernel) -> tuple[SlidingWindow, BlurPool]:
    """The dense window and the BlurPool that together keep every centre. Sites that :class:`Blur` refuses may raise."""
    sizes, begins, ends = list(window.kernel), list(window.begin), list(window.end)
    fronts, backs = [], []
    for axis, step in enumerate(window.stride):
        length = kernels.length(kernel, step)
        shorter = 0
        if length % 2 == 0:
            shorter = _shorter(site.kind, window, axis)
            sizes[axis] -= shorter
            begins[axis] = min(begins[axis], sizes[axis] - 1)
            ends[axis] = min(ends[axis], sizes[axis] - 1)
        spare = length - 1 - shorter
        if spare < 0 or spare % 2:
            raise _RefusedError(EVEN)
        fronts.append(spare // 2 + window.begin[axis] - begins[axis])
        backs.append(spare // 2 + window.end[axis] - ends[axis])
    made = SlidingWindow(
        tuple(sizes),
        window.stride,
        window.dilation,
        tuple(begins),
        tuple(ends),
        window.sizes,
        window.counts,
        window.widened,
    )
    return made, BlurPool(window.stride, tuple(fronts), tuple(backs))


def _shorter(kind: SiteKind, window: SlidingWindow, axis: int) -> int:
    """By how many samples the window in front of an even blur becomes shorter: an odd number."""
    size, spread = window.kernel[axis], window.dilation[axis]
    if kind is SiteKind.MAX_POOL and size >= 3 and spread == 1:
        return 1
    if kind is SiteKind.AVERAGE_POOL and size % 2 == 0 and spread == 1:
        return size - 1
    raise _RefusedError(EVEN)


def _rename(editor: GraphEditor, site: Site, part: EditNode, region: Region) -> str:
    """New names for the tensors that become dense; returns that of the exit."""
    last = ""
    for writer, tensor in zip((part, *region.parts), region.tensors, strict=True):
        new = editor.fresh(f"{_prefix(site)}/dense")
        editor.move_output(writer, tensor, new)
        for consumer in editor.consumers(tensor):
            if consumer in region.parts:
                editor.replace_input(consumer, tensor, new)
        if tensor == region.exit:
            last = new
        else:
            editor.drop_value_info([tensor])
    if not last:
        raise RewriteError("a region without an exit")
    return last


def _candidates(survey: Survey) -> Iterator[Candidate]:
    """Measured on trained networks: a whole uncalibrated blur at every site ruins each of them."""
    groups = survey.last_groups(Strategy.PHASE_AVERAGE)
    last = tuple(site.node.name.raw for site in groups[0]) if groups else _last_blurred(survey)
    elsewhere = len(survey.analysis.sites) > len(last)
    calibrated = survey.refit is not None
    kinds: list[tuple[tuple[str, ...], Options]]
    if calibrated:
        kinds = [((), Options()), ((), Options(blend=HALF))]
        if last and elsewhere:
            kernels_tried = (Kernel.TRI3, Kernel.BIN5)
            kinds += [(last, Options(kernel=kernel, blend=blend)) for kernel in kernels_tried for blend in (1.0, HALF)]
    elif any(head.kind is HeadKind.DENSE for head in survey.analysis.heads):
        kinds = [((), Options(blend=HALF))]
        if last and elsewhere:
            kinds += [(last, Options()), (last, Options(blend=HALF))]
    else:
        return
    blurs: list[Candidate] = []
    for names, options in kinds:
        how = options if survey.refit is None else replace(options, refit=survey.refit)
        step = Step(Strategy.BLUR, how, names, calibrated)
        name = f"{'calibrated ' if calibrated else ''}blur at {'the last' if names else 'every'} site"
        name += "" if options.kernel is Kernel.TRI3 else f", {options.kernel.value}"
        name += "" if options.blend == 1 else f", lambda {options.blend:g}"
        blurs.append(Candidate(name, (step,), survey.cost(step), place=10 + len(blurs)))
    yield from blurs
    if calibrated:
        # Two phases of a blurred site still differ: what both gain adds up.
        whole, average = blurs[0], Step(Strategy.PHASE_AVERAGE)
        name = f"{whole.name} and phase-average at the last site"
        yield Candidate(name, (*whole.steps, average), product(whole.cost, survey.cost(average)), place=20)


def _last_blurred(survey: Survey) -> tuple[str, ...]:
    """The last site that can be blurred and told by its name."""
    for name in reversed(survey.names()):
        if survey.applies(Step(Strategy.BLUR, sites=(name,))):
            return (name,)
    return ()


STRATEGY = AtSites(
    rank=1,
    applied=Blur(),
    reads=("kernel", "where", "padding", "blend", "refit"),
    protects=True,
    notice=(
        "blur changes the function: put into trained networks without retraining, it cost 21 and 43 points of top-1 "
        "accuracy (SqueezeNet, MobileNetV2), and consistency fell too. Calibrate it (--calibrate), or fine-tune the "
        "result before use (`aliasaudit finetune`, `fix --recipe`), and measure it with `aliasaudit verify`"
    ),
    calibrated_notice=(
        "blur changes the function, and calibration gives back only a part of it: SqueezeNet on 500 photographs, "
        "none of them calibrated on, gained 2.4 points of consistency (90 %: +0.9 to +3.9), its accuracy changed "
        "by -0.6 (-1.6 to +0.4), and its scores moved 16 % less; MobileNetV2 lost 3.1 points of consistency. "
        "Measure the result with `aliasaudit verify` before use"
    ),
    candidates=_candidates,
)
