"""Adaptive polyphase sampling (Chaman and Dokmanic, "Truly Shift-Invariant Convolutional Neural Networks", CVPR 2021).

Of the s^d phases of a site, each picture keeps the one of largest L2 norm, so that a circular shift of the picture
shifts what is kept and changes nothing else. That is exact where every operator pads circularly. Where a frozen network
pads with zeros, its border chooses the phase instead of its content, which does harm: such networks are refused.
"""

from __future__ import annotations

from itertools import product
from math import prod

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.cost import Cost, multiply_adds
from auditor.rewrite.graph.frontier import Frontier
from auditor.rewrite.graph.marks import common_refusal
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.windows import SlidingWindow, WindowError, make_explicit, window_of
from auditor.rewrite.result import Options
from auditor.rewrite.strategy import AtSites
from auditor.sampling.result import Site

ZEROS = "the network pads with zeros, so that its border would choose the phase: only exact with circular padding"
_WINDOWS = {"Conv", "MaxPool", "AveragePool", "LpPool"}
_WRAP_SINCE = 19
_MOST = 16


class PhaseSelect:
    """The strategy ``phase-select``."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:  # noqa: ARG002 - the protocol's
        common = common_refusal(editor, site)
        if common is not None:
            return common
        part = _part(editor, site)
        if part.domain or part.op not in _WINDOWS or any(part.outputs[1:]):
            return "phases of this operator are not known"
        if editor.opset < _WRAP_SINCE or not editor.remembered("circular", lambda: _all_circular(editor)):
            return ZEROS
        if editor.is_captured(part.outputs[0]):
            return "a sub-graph reads its output"
        try:
            window = window_of(editor, part)
        except WindowError as error:
            return str(error)
        reason = _misfit(editor, part, window)
        if reason is None and _meets_another_grid(editor, part.outputs[0]):
            return "another branch meets its map again, and would keep a phase of its own"
        return reason

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:  # noqa: ARG002 - the protocol's
        part = _part(editor, site)
        own = multiply_adds(editor, part)
        result = editor.shape(part.outputs[0]) or ()
        count = prod(window_of(editor, part).stride)
        return Cost(None if own is None else (count - 1) * own, count * prod(result))

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:  # noqa: ARG002 - as above
        import numpy as np

        part = _part(editor, site)
        editor.note = "phase-select largest L2 norm"
        prefix = f"{PREFIX}{site.node.name.raw[:200]}"
        window = window_of(editor, part)
        rank, output = window.rank, part.outputs[0]
        front = Block(editor, f"{prefix}/front")
        tensor = part.inputs[0]
        for axis in range(rank):
            missing = window.stride[axis] * window.counts[axis] - window.dense[axis]
            if missing > 0:
                start = window.sizes[axis] - window.stride[axis] * window.counts[axis]
                again = front.slice(tensor, [start], [start + missing], [axis + 2], "again")
                (tensor,) = front.node("Concat", [tensor, again], "circle", axis=axis + 2)
        if tensor != part.inputs[0]:
            front.insert(part, after=False)
            editor.replace_input(part, part.inputs[0], tensor)
        make_explicit(editor, part, window)
        editor.set_attribute(part, "strides", (1,) * rank)
        dense = editor.fresh(f"{prefix}/dense")
        editor.move_output(part, output, dense)
        block = Block(editor, prefix)
        axes = np.arange(2, 2 + rank)
        ends = np.array([step * count for step, count in zip(window.stride, window.counts, strict=True)], np.int64)
        phases = []
        for shift in product(*(range(step) for step in window.stride)):
            bounds = [np.array(shift, np.int64), ends, axes, np.array(window.stride, np.int64)]
            (phase,) = block.node("Slice", [dense, *bounds], "phase")
            phases += block.node("Unsqueeze", [phase, np.array([1], np.int64)], "stacked")
        (together,) = block.node("Concat", phases, "together", axis=1)
        (norms,) = block.node("ReduceL2", [together, np.arange(2, 3 + rank)], "norms", keepdims=0)
        (chosen,) = block.node("ArgMax", [norms], "chosen", axis=1, keepdims=1)
        block.node("GatherND", [together, chosen], "phases", output, batch_dims=1)
        block.insert(part, after=True)
        return (site,)


def _part(editor: GraphEditor, site: Site) -> EditNode:
    part = editor.part(site)
    assert part is not None
    return part


def _is_circular(part: EditNode) -> bool:
    """Whether a node keeps a map circular as far as its padding goes."""
    if part.own:
        return True
    if part.op == "Pad":
        return part.attributes.get("mode") == "wrap"
    pads = part.attributes.get("pads")
    return part.attributes.get("auto_pad", "NOTSET") in ("NOTSET", "VALID") and not (
        isinstance(pads, tuple) and any(pads)
    )


def _all_circular(editor: GraphEditor) -> bool:
    return all(map(_is_circular, editor.parts()))


def _meets_another_grid(editor: GraphEditor, tensor: str) -> bool:
    """Whether a tensor from elsewhere that has a grid meets what stands behind this one.

    Followed up to the first tensor that everything further behind reads alone, whose answer sites in front share.
    """
    known: dict[str, bool] = editor.remembered("meetings", dict)
    passed: list[str] = []
    while tensor not in known:
        passed.append(tensor)
        met, cut = _met(editor, tensor)
        if cut is None:
            known[tensor] = met
        else:
            tensor = cut
    known.update(dict.fromkeys(passed, known[tensor]))
    return known[tensor]


def _met(editor: GraphEditor, start: str) -> tuple[bool, str | None]:
    """Whether one meets it up to the next such tensor, and that tensor; None where one does, or at the end."""
    behind = {start}
    entering: set[str] = set()
    frontier = Frontier(editor, behind)
    for part in frontier:
        entering.update(name for name in part.inputs if name and name not in behind and editor.is_dynamic(name))
        made = [name for name in part.outputs if name]
        behind.update(made)
        frontier.follow(made)
        if len(made) == 1 and frontier.is_cut(made[0], behind.__contains__):
            return (True, None) if _any_grid(editor, entering) else (False, made[0])
    return _any_grid(editor, entering), None


def _any_grid(editor: GraphEditor, tensors: set[str]) -> bool:
    lattices = [editor.lattices(tensor) for tensor in tensors]
    return any(of is None or any(lattice is not None for lattice in of) for of in lattices)


def _misfit(editor: GraphEditor, part: EditNode, window: SlidingWindow) -> str | None:
    if not editor.has_fixed_size(part.inputs[0]):
        return "its period depends on an input size that the file leaves open: export with a fixed size"
    if prod(window.stride) > _MOST:
        return f"it has more than {_MOST} phases"
    for axis in range(window.rank):
        period = window.stride[axis] * window.counts[axis]
        if not window.dense[axis] <= period <= window.sizes[axis]:
            return "its map is no whole number of strides long"
    return None


STRATEGY = AtSites(
    rank=3,
    applied=PhaseSelect(),
    notice=(
        "phase selection changes the function: each picture chooses its phase. It is exact for circular shifts only; "
        "measure the result with `aliasaudit verify`"
    ),
)
