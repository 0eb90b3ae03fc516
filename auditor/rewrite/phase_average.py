"""Phase averaging (polyphase mean): a site keeps several of its phases on the batch axis, and the heads average them.

Phase ``a`` of an operator with stride s and padding (p, q) is the same operator with padding (p - a, q + a): output o
then reads where output o + a / s would have. Where p < a, the first a - p samples are cut off. The network behind sees
every phase as one more picture, so that each is the original network on a shifted grid, with the original weights; the
cost is that of the tail times the number of phases. Branches that sample the same grid and meet again (residual
shortcuts, the branches of an Inception block) are shifted together.

The mean is taken of the model's outputs as they are: of probabilities, where the model ends in a softmax.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from auditor.onnxfile.values import inline_values
from auditor.rewrite.averaging import MOST_PHASES, check_heads, edit_tail, offsets
from auditor.rewrite.blocks import Block
from auditor.rewrite.cost import total
from auditor.rewrite.parts import PREFIX, Part
from auditor.rewrite.result import Options
from auditor.rewrite.strategy import Cost, common_refusal
from auditor.rewrite.surgery import Surgeon
from auditor.rewrite.tail import Tail, TailError, tail_behind
from auditor.rewrite.windows import Window, WindowError, window_of
from auditor.sampling.result import Site, SiteKind

_WINDOWS = {("", "Conv"), ("com.microsoft", "FusedConv"), ("", "MaxPool"), ("", "AveragePool"), ("", "LpPool")}
_SKIP = "a branch that does not pass a site like it meets its map again: the phases would be shifted against it"


@dataclass(frozen=True, slots=True)
class _Group:
    """The sites that are shifted together, and what stands behind them."""

    sites: tuple[Site, ...]
    tail: Tail
    strides: tuple[int, ...]


class PhaseAverage:
    """The strategy ``phase-average``."""

    def refusal(self, surgeon: Surgeon, site: Site, options: Options) -> str | None:
        try:
            group = _group(surgeon, site)
            count = len(offsets(group.strides, options.phases))
            if count > MOST_PHASES:
                raise TailError(f"it has {count} phases, more than {MOST_PHASES}: average the diagonal ones")
            check_heads(surgeon, group.tail)
            for member in group.sites:
                _check(surgeon, member, options)
        except (TailError, WindowError) as error:
            return str(error)
        return None

    def cost(self, surgeon: Surgeon, site: Site, options: Options) -> Cost:
        group = _group(surgeon, site)
        count = len(offsets(group.strides, options.phases))
        heavy = total(surgeon, [*group.tail.parts, *(_part(surgeon, member) for member in group.sites)])
        elements = max((prod(surgeon.shape(name) or (0,)) for name in group.tail.tensors), default=0)
        return Cost(None if heavy is None else (count - 1) * heavy, count * elements)

    def rewrite(self, surgeon: Surgeon, site: Site, options: Options) -> tuple[Site, ...]:
        group = _group(surgeon, site)
        chosen = offsets(group.strides, options.phases)
        surgeon.note = f"phase-average {options.phases.value} {len(chosen)}"
        edit_tail(surgeon, group.tail, len(chosen), site.node.name.raw)
        for member in group.sites:
            _keep_phases(surgeon, member, chosen)
        return group.sites


def _part(surgeon: Surgeon, site: Site) -> Part:
    part = surgeon.part(site)
    if part is None:
        raise TailError("a branch beside it is sampled in a sub-graph or a local function")
    return part


def _group(surgeon: Surgeon, site: Site) -> _Group:
    """The site with those on other branches that must be shifted with it. Raises TailError."""
    common = common_refusal(surgeon, site)
    if common is not None:
        raise TailError(common)
    sites = [site]
    while True:
        tail = tail_behind(surgeon, [_part(surgeon, member).outputs[0] for member in sites])
        foreign = [tensor for tensor in tail.entering if _has_grid(surgeon, tensor)]
        if not foreign:
            break
        for member in _sites_behind(surgeon, foreign[0], site):
            if any(member is other for other in sites):
                raise TailError(_SKIP)
            reason = common_refusal(surgeon, member)
            if reason is not None:
                raise TailError(f"a branch beside it cannot be shifted: {reason}")
            sites.append(member)
    return _Group(tuple(sites), tail, _strides(surgeon, site))


def _strides(surgeon: Surgeon, site: Site) -> tuple[int, ...]:
    """The stride per spatial axis of the site's input, as tensor axes from 2 on."""
    if any(step.denominator != 1 for step in site.factor):
        raise TailError("its factor is no whole number")
    shape = surgeon.shape(_part(surgeon, site).inputs[0]) or ()
    if len(site.factor) == len(shape) - 2:
        return tuple(int(step) for step in site.factor)
    by_source = dict(zip(site.sources, site.factor, strict=True))
    lattices = (surgeon.lattices(_part(surgeon, site).inputs[0]) or ())[2:]
    return tuple(1 if lattice is None else int(by_source.get(lattice.source, 1)) for lattice in lattices)


def _has_grid(surgeon: Surgeon, tensor: str) -> bool:
    lattices = surgeon.lattices(tensor)
    if lattices is None:
        raise TailError("a tensor that the analysis lost meets its map again")
    return any(lattice is not None for lattice in lattices)


def _sites_behind(surgeon: Surgeon, tensor: str, like: Site) -> list[Site]:
    """The sites that a branch passes on its way to ``tensor``, all sampling as ``like`` does. Raises TailError."""
    by_part = {surgeon.part(site): site for site in surgeon.analysis.sites if surgeon.part(site) is not None}
    found: list[Site] = []
    waiting, seen = [tensor], {tensor}
    while waiting:
        part = surgeon.producer(waiting.pop())
        if part is None:
            raise TailError(_SKIP)
        site = by_part.get(part)
        if site is not None:
            if site.factor != like.factor or site.cumulative != like.cumulative:
                raise TailError(_SKIP)
            found.append(site)
            continue
        for name in part.inputs:
            if name and name not in seen and surgeon.is_dynamic(name):
                seen.add(name)
                waiting.append(name)
    return found


def _check(surgeon: Surgeon, site: Site, options: Options) -> None:
    """Raises TailError or WindowError where the operator has no form with shifted padding."""
    part = _part(surgeon, site)
    chosen = offsets(_strides(surgeon, site), options.phases)
    if any(part.outputs[1:]):
        raise TailError("its Indices output is used, and would point into other phases")
    if site.kind is SiteKind.SLICE:
        starts, ends = _bounds(surgeon, part)
        size = surgeon.shape(part.inputs[0]) or ()
        result = surgeon.shape(part.outputs[0]) or ()
        if min(starts.values()) < 0 or any(ends[axis] < size[axis] for axis in ends if axis > 1):
            raise TailError("its slice does not reach the end of the map")
        for axis, step in enumerate(_strides(surgeon, site), 2):
            last = max(shift[axis - 2] for shift in chosen)
            if -(-(size[axis] - starts.get(axis, 0) - last) // step) != result[axis]:
                raise TailError("its phases have different sizes")
        return
    if (part.domain, part.op) not in _WINDOWS:
        raise TailError("phases of this operator are not known")
    window = window_of(surgeon, part)
    if window.widened and part.op != "MaxPool":
        raise TailError("with ceil_mode its last window divides by a number of its own")
    if part.op.endswith("Pool"):
        most = [max(shift[axis] for shift in chosen) for axis in range(window.rank)]
        if any(end + shift > reach for end, shift, reach in zip(window.end, most, window.reach, strict=True)):
            raise TailError("a phase of its window would lie in the padding")


def _bounds(surgeon: Surgeon, part: Part) -> tuple[dict[int, int], dict[int, int]]:
    """The constant starts and ends of a Slice by axis. Raises TailError."""
    listed = []
    for place in (1, 2, 3):
        tensor = surgeon.constant(part.inputs[place]) if len(part.inputs) > place else None
        values = None if tensor is None else inline_values(tensor)
        if values is None:
            raise TailError("its bounds are computed in the graph")
        listed.append([int(value) for value in values])
    rank = max(len(surgeon.shape(part.inputs[0]) or ()), 1)
    axes = [axis % rank for axis in listed[2]]
    return dict(zip(axes, listed[0], strict=True)), dict(zip(axes, listed[1], strict=True))


def _keep_phases(surgeon: Surgeon, site: Site, chosen: list[tuple[int, ...]]) -> None:
    """The node becomes phase 0; copies of it make the others; a Concat writes the tensor that the node wrote."""
    part = _part(surgeon, site)
    output = part.outputs[0]
    prefix = f"{PREFIX}{site.node.name.raw[:200]}"
    window = None if site.kind is SiteKind.SLICE else window_of(surgeon, part)
    block = Block(surgeon, prefix)
    made = [surgeon.fresh(f"{prefix}/phase") for _ in chosen]
    for shift, name in zip(chosen[1:], made[1:], strict=True):
        _phase(block, part, window, shift, name)
    block.concat(made, "phases", output)
    surgeon.move_output(part, output, made[0])
    block.insert(part, after=True)


def _phase(block: Block, part: Part, window: Window | None, shift: tuple[int, ...], output: str) -> None:
    tensor = part.inputs[0]
    begin = window.begin if window is not None else (0,) * len(shift)
    cut = {axis: move - pad for axis, (move, pad) in enumerate(zip(shift, begin, strict=True), 2) if move > pad}
    if cut:
        last = [2**31 - 1] * len(cut)
        tensor = block.slice(tensor, list(cut.values()), last, list(cut), "cut")
    if window is None:
        block.copy(part, {0: tensor}, output, "shifted")
        return
    front = [max(pad - move, 0) for pad, move in zip(window.begin, shift, strict=True)]
    back = [pad + move for pad, move in zip(window.end, shift, strict=True)]
    explicit = {"pads": [*front, *back], "auto_pad": None, "ceil_mode": None}
    block.copy(part, {0: tensor}, output, "shifted", **explicit)
