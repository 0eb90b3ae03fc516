"""The phases of one strided operator, as copies of it with shifted padding side by side on the batch axis.

Phase ``a`` of an operator with stride s and padding (p, q) is the same operator with padding (p - a, q + a): output o
then reads where output o + a / s would have. Where p < a, the first a - p samples are cut off.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.marks import BRANCH, branch_stem
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.windows import SlidingWindow, make_explicit, window_of
from auditor.rewrite.phases.tail_operators import TailError
from auditor.sampling.result import Site, SiteKind

Offset = tuple[int, ...]
"""A phase: samples of the site's input by spatial axis."""

_KEEPS_ALL = (
    "it keeps all positions of its map as channels (patch merging, Focus), so that no phase of it is one padding away: "
    "average from a site in front of it, or over the input (--strategy input-average)"
)
_WINDOWS = {("", "Conv"), ("com.microsoft", "FusedConv"), ("", "MaxPool"), ("", "AveragePool"), ("", "LpPool")}


def part_of(editor: GraphEditor, site: Site) -> EditNode:
    """The node of a site. Raises TailError for one that is not in the main graph."""
    part = editor.part(site)
    if part is None:
        raise TailError("a branch beside it is sampled in a sub-graph or a local function")
    return part


def strides_of(editor: GraphEditor, site: Site) -> tuple[int, ...]:
    """The stride per spatial axis of the site's input, as tensor axes from 2 on. Raises TailError."""
    if any(step.denominator != 1 for step in site.factor):
        raise TailError("its factor is no whole number")
    tensor = part_of(editor, site).inputs[0]
    if len(site.factor) == len(editor.shape(tensor) or ()) - 2:
        return tuple(int(step) for step in site.factor)
    by_source = dict(zip(site.sources, site.factor, strict=True))
    lattices = (editor.lattices(tensor) or ())[2:]
    return tuple(1 if lattice is None else int(by_source.get(lattice.source, 1)) for lattice in lattices)


def check_site(editor: GraphEditor, site: Site, chosen: Sequence[Offset]) -> None:
    """Raises TailError or WindowError where the operator has no form with shifted padding."""
    part = part_of(editor, site)
    if any(part.outputs[1:]):
        raise TailError("its Indices output is used, and would point into other phases")
    if site.kind is SiteKind.SLICE:
        _check_slice(editor, site, part, chosen)
        return
    if site.kind is SiteKind.PHASE_TO_CHANNEL:
        raise TailError(_KEEPS_ALL)
    if (part.domain, part.op) not in _WINDOWS:
        raise TailError("phases of this operator are not known")
    window = window_of(editor, part)
    if window.widened and part.op != "MaxPool":
        raise TailError("with ceil_mode its last window divides by a number of its own")
    if part.op.endswith("Pool"):
        most = [max(shift[axis] for shift in chosen) for axis in range(window.rank)]
        if any(end + shift >= size for end, shift, size in zip(window.end, most, window.kernel, strict=True)):
            raise TailError("a phase of its window would lie in the padding")


def _check_slice(editor: GraphEditor, site: Site, part: EditNode, chosen: Sequence[Offset]) -> None:
    starts, ends = _bounds(editor, part)
    size = editor.shape(part.inputs[0]) or ()
    result = editor.shape(part.outputs[0]) or ()
    if min(starts.values()) < 0 or any(ends[axis] < size[axis] for axis in ends if axis > 1):
        raise TailError("its slice does not reach the end of the map")
    for axis, step in enumerate(strides_of(editor, site), 2):
        last = max(shift[axis - 2] for shift in chosen)
        if -(-(size[axis] - starts.get(axis, 0) - last) // step) != result[axis]:
            raise TailError("its phases have different sizes")


def _bounds(editor: GraphEditor, part: EditNode) -> tuple[dict[int, int], dict[int, int]]:
    """The constant starts and ends of a Slice by axis. Raises TailError."""
    listed = []
    for place in (1, 2, 3):
        tensor = editor.constant(part.inputs[place]) if len(part.inputs) > place else None
        values = None if tensor is None else inline_values(tensor)
        if values is None:
            raise TailError("its bounds are computed in the graph")
        listed.append([int(value) for value in values])
    rank = max(len(editor.shape(part.inputs[0]) or ()), 1)
    axes = [axis % rank for axis in listed[2]]
    return dict(zip(axes, listed[0], strict=True)), dict(zip(axes, listed[1], strict=True))


def keep_phases(editor: GraphEditor, site: Site, chosen: Sequence[Offset]) -> None:
    """The node becomes phase 0; copies of it make the others; a Concat writes the tensor that the node wrote."""
    part = part_of(editor, site)
    output = part.outputs[0]
    prefix = f"{PREFIX}{site.node.name.raw[:200]}"
    window = None if site.kind is SiteKind.SLICE else window_of(editor, part)
    block = Block(editor, prefix)
    made = [editor.fresh(f"{prefix}/phase") for _ in chosen]
    for shift, name in zip(chosen[1:], made[1:], strict=True):
        _phase(block, part, window, shift, name, "shifted")
    _settle(editor, part, window)
    block.concat(made, "phases", output)
    editor.move_output(part, output, made[0])
    block.insert(part, after=True)


def add_phases(editor: GraphEditor, site: Site, chosen: Sequence[Offset]) -> list[str]:
    """The node stays phase 0; copies of it make the others. Returns what these write."""
    part = part_of(editor, site)
    prefix = branch_stem(part)
    window = None if site.kind is SiteKind.SLICE else window_of(editor, part)
    block = Block(editor, prefix)
    made = [editor.fresh(f"{prefix}{BRANCH}") for _ in chosen[1:]]
    for shift, name in zip(chosen[1:], made, strict=True):
        _phase(block, part, window, shift, name, BRANCH.strip("/"))
        editor.stands_for(name, part.outputs[0], editor.shape(part.outputs[0]))
    _settle(editor, part, window)
    block.insert(part, after=True)
    return made


def _settle(editor: GraphEditor, part: EditNode, window: SlidingWindow | None) -> None:
    if window is not None and part.op.endswith("Pool") and any(gap > 1 for gap in window.dilation):
        make_explicit(editor, part, window)  # the shapes that SAME stands for differ from those that it gets


def _phase(block: Block, part: EditNode, window: SlidingWindow | None, shift: Offset, output: str, label: str) -> None:
    tensor = part.inputs[0]
    begin = window.begin if window is not None else (0,) * len(shift)
    cut = {axis: move - pad for axis, (move, pad) in enumerate(zip(shift, begin, strict=True), 2) if move > pad}
    if cut:
        last = [2**31 - 1] * len(cut)
        tensor = block.slice(tensor, list(cut.values()), last, list(cut), "cut")
    if window is None:
        block.copy(part, {0: tensor}, output, label)
        return
    front = [max(pad - move, 0) for pad, move in zip(window.begin, shift, strict=True)]
    back = [pad + move for pad, move in zip(window.end, shift, strict=True)]
    explicit = {"pads": [*front, *back], "auto_pad": None, "ceil_mode": None}
    block.copy(part, {0: tensor}, output, label, **explicit)
