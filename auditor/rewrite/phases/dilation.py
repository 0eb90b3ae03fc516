"""Phase averaging as dilation (a trous): the phases of a site stand between each other, and not on the batch axis.

The stride is taken away, and what stands behind reads every s-th sample (:mod:`auditor.rewrite.phases.dilated_tail`).
The padding at the end grows to what the last phase needs, so that all phases have as many samples as the original map,
of any size. All of them are averaged, where a mean over the whole map ends the grid: if what follows is affine, the
result is that of all phases on the batch axis, else it is the network behind the mean of what enters it (a softmax of
mean scores, and not a mean of probabilities).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.cost import Cost, total
from auditor.rewrite.graph.marks import DILATED, common_refusal
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.graph.windows import WindowError, window_of
from auditor.rewrite.phases.averaging import MOST_PHASES, offsets
from auditor.rewrite.phases.dilated_tail import DilatedTail, Grid, dilated_tail
from auditor.rewrite.phases.groups import Behind, together
from auditor.rewrite.phases.sites import check_site, part_of, strides_of
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Options, Phases
from auditor.sampling.result import Site, SiteKind

_NOTE = "by dilation, averaged where the map is pooled"


@dataclass(frozen=True, slots=True)
class _DilatedGroup:
    """The sites whose strides are taken away together, how many phases that makes, and what stands behind them."""

    sites: tuple[Site, ...]
    count: int
    tail: DilatedTail


class Dilation:
    """The lowering ``dilation`` of the strategy ``phase-average``."""

    def refusal(self, editor: GraphEditor, site: Site, options: Options) -> str | None:
        if options.phases is not Phases.ALL:
            return "dilation averages all phases: give --phases all as well"
        try:
            for member in _group(editor, site).sites:
                check_site(editor, member, offsets(strides_of(editor, member), Phases.ALL))
                if member.kind is SiteKind.SLICE:
                    _constant(editor, part_of(editor, member).inputs[4])
        except (TailError, WindowError) as error:
            return str(error)
        return None

    def cost(self, editor: GraphEditor, site: Site, options: Options) -> Cost:  # noqa: ARG002 - the protocol's
        group = _group(editor, site)
        heavy = total(editor, [*group.tail.parts, *(part_of(editor, member) for member in group.sites)])
        elements = max((prod(editor.shape(name) or (0,)) for name in group.tail.grids), default=0)
        note = _NOTE + ("; TensorRT takes no dilated pools" if group.tail.pools else "")
        return Cost(None if heavy is None else (group.count - 1) * heavy, group.count * elements, note)

    def rewrite(self, editor: GraphEditor, site: Site, options: Options) -> tuple[Site, ...]:  # noqa: ARG002
        group = _group(editor, site)
        editor.note = f"phase-average all {group.count}, dilated"
        prefix = f"{PREFIX}{site.node.name.raw[:200]}"
        for member in group.sites:
            _make_dense(editor, member, group.tail.grids[part_of(editor, member).outputs[0]], prefix)
        for part, border in group.tail.borders:
            _pad_in_front(editor, part, border, prefix)
        for part, changed in group.tail.edits:
            for name, value in changed.items():
                editor.set_attribute(part, name, value)
        for part, pads in group.tail.pads:
            if "pads" in part.attributes:
                editor.set_attribute(part, "pads", pads)
            else:
                _set_input(editor, part, 1, pads, prefix)
        _rename(editor, group.tail.grids, f"{prefix}{DILATED}")
        return group.sites


def _group(editor: GraphEditor, site: Site) -> _DilatedGroup:
    """The site with those on other branches, and what stands behind them. Raises TailError or WindowError."""
    common = common_refusal(editor, site, blurred=True)
    if common is not None:
        raise TailError(common)
    strides = strides_of(editor, site)
    if prod(strides) > MOST_PHASES:
        raise TailError(f"it has {prod(strides)} phases, more than {MOST_PHASES}")
    grid: Grid = {axis: step for axis, step in enumerate(strides, 2) if step > 1}

    def behind(outputs: Sequence[str]) -> Behind:
        tail = dilated_tail(editor, dict.fromkeys(outputs, grid))
        parts = frozenset(tail.parts)
        return Behind(tail.entering, parts.__contains__)

    sites = together(editor, site, behind)
    starts = dict.fromkeys((part_of(editor, member).outputs[0] for member in sites), grid)
    return _DilatedGroup(sites, prod(strides), dilated_tail(editor, starts))


def _make_dense(editor: GraphEditor, site: Site, grid: Grid, prefix: str) -> None:
    """Take the stride away; sample ``s o + a`` of the output is then output o of phase a, for all of its outputs."""
    part = part_of(editor, site)
    if site.kind is SiteKind.SLICE:
        axes, steps = (_constant(editor, part.inputs[place]) for place in (3, 4))
        rank = len(editor.shape(part.inputs[0]) or ())
        dense = tuple(1 if axis % rank in grid else step for axis, step in zip(axes, steps, strict=True))
        _set_input(editor, part, 4, dense, prefix)
        return
    window = window_of(editor, part)
    sized = zip(window.stride, window.counts, window.dense, window.end, strict=True)
    end = tuple(pad + step * count - dense for step, count, dense, pad in sized)
    for name in ("auto_pad", "ceil_mode"):
        editor.set_attribute(part, name, None)
    editor.set_attribute(part, "strides", (1,) * window.rank)
    editor.set_attribute(part, "pads", (*window.begin, *end))


def _pad_in_front(
    editor: GraphEditor, part: EditNode, border: tuple[tuple[int, ...], tuple[int, ...]], prefix: str
) -> None:
    """Pad the map in front of a pool with what never wins: onnxruntime takes no pool that is padded by its window."""
    import numpy as np

    value = np.array(float("-inf") if part.op == "MaxPool" else 0.0, numpy_type(element_type(editor, part.inputs[0])))
    block = Block(editor, prefix)
    wider = block.pad_with(part.inputs[0], *border, value)
    block.insert(part, after=False)
    editor.replace_input(part, part.inputs[0], wider)


def _constant(editor: GraphEditor, tensor: str) -> list[int]:
    """The values of a constant. Raises TailError."""
    found = editor.constant(tensor)
    values = None if found is None else inline_values(found)
    if values is None:
        raise TailError("its steps are computed in the graph")
    return [int(value) for value in values]


def _set_input(editor: GraphEditor, part: EditNode, place: int, values: tuple[int, ...], prefix: str) -> None:
    """Give a node another constant, of the same type."""
    import numpy as np

    old = editor.constant(part.inputs[place])
    dtype = np.int32 if old is not None and old.dtype == DataType.INT32 else np.int64
    block = Block(editor, prefix)
    new = block.constant(np.array(values, dtype), "dense")
    block.insert(part, after=False)
    editor.replace_input(part, part.inputs[place], new, place)


def _rename(editor: GraphEditor, grids: Mapping[str, Grid], name: str) -> None:
    """Give the tensors whose grid is finer now other names, and their readers too."""
    editor.drop_value_info(grids)
    for old, grid in grids.items():
        writer = editor.producer(old)
        assert writer is not None
        new, shape, readers = editor.fresh(name), editor.shape(old), editor.consumers(old)
        editor.move_output(writer, old, new)
        if shape is not None:
            finer = tuple(size * grid.get(axis, 1) for axis, size in enumerate(shape))
            editor.stands_for(new, old, finer)
        for reader in readers:
            editor.replace_input(reader, old, new)
