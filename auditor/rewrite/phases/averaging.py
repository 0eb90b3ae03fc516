"""What phase averaging and input averaging share: the heads that can be averaged, and the edits of the tail.

Outputs without a grid are averaged as they are. Of an output that still is a grid every phase is first put back in its
place; its first samples, which no shifted phase has, are those of the original phase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from operator import itemgetter

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.phases.operands import Patch, Sized
from auditor.rewrite.phases.pooled import UNPOOLED, holds_map
from auditor.rewrite.phases.realign import FOLDED, Samples, Shift, moved_back, moved_on, samples_of
from auditor.rewrite.phases.tail import Tail
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Phases
from auditor.sampling.result import Head, HeadKind

WITHOUT_GRID = frozenset({HeadKind.POOLED, HeadKind.POSITION_DEPENDENT, HeadKind.CLASS_TOKEN})
"""Outputs that do not say where in the picture something is."""
_REASONS = {
    HeadKind.SEQUENCE: "an output is a sequence of positions, on which the phases are shifted against each other",
    HeadKind.DATA_DEPENDENT: "an output is a list of boxes or rows, which cannot be averaged",
    HeadKind.ATTENTION: "an output is a list of learned queries, which may each say where something is",
}
MOST_PHASES = 16
_REPEATED = "/repeated"
_LAST = 2**31 - 1


def offsets(strides: tuple[int, ...], phases: Phases) -> list[tuple[int, ...]]:
    """The phases to average, the original one first: all, those half a stride apart, or two of these on the diagonal.

    Raises TailError for more phases than are averaged, before they are listed: a file may claim any stride.
    """
    if phases is Phases.ALL:
        if (count := prod(strides)) > MOST_PHASES:
            raise TailError(f"it has {count} phases, more than {MOST_PHASES}: average the diagonal ones")
        return list(product(*(range(step) for step in strides)))
    if phases is Phases.HALVES:
        return list(product(*((0, step // 2) if step > 1 else (0,) for step in strides)))
    return [(0,) * len(strides), tuple(step // 2 for step in strides)]


def check_heads(editor: GraphEditor, tail: Tail, shifts: Sequence[Shift]) -> None:
    """Raises TailError where an output behind the site has no mean that means anything."""
    reached = _heads(editor, tail)
    if not reached and not tail.ends:
        raise TailError("no output of the model depends on it in a way that is known")
    for head in reached:
        if head.kind not in WITHOUT_GRID and head.kind is not HeadKind.DENSE:
            raise TailError(_REASONS.get(head.kind, "what an output does with position is not known"))
        if numpy_type(element_type(editor, head.output.raw)) is None:
            raise TailError("an output is no floating-point tensor, such as a class label, and has no mean")
        if head.kind is HeadKind.POOLED and holds_map(editor, head.output.raw):
            raise TailError(UNPOOLED)
    if tail.holds_sizes:
        raise TailError("an output holds sizes of tensors behind it, which would change")
    moving = [head for head, places in _places(editor, tail, shifts).items() if any(places)]
    if moving and any(tail.reads(part, place) for part, place in _encoded(editor)):
        raise TailError("an output grid may hold positions, since some are added to the map: they would not shift")


def _heads(editor: GraphEditor, tail: Tail) -> list[Head]:
    """The heads of a tail, in their order."""
    known = editor.remembered("heads", lambda: {h.output.raw: (n, h) for n, h in enumerate(editor.analysis.heads)})
    found = [known[output] for output in tail.outputs if output in known]
    return [head for _, head in sorted(found, key=itemgetter(0))]


def _encoded(editor: GraphEditor) -> Iterator[tuple[EditNode, int]]:
    """The nodes that add positions to a map, and their places."""
    _, places = editor.order()
    for encoding in editor.analysis.encodings:
        part = editor.at(encoding.node)
        if part is not None:
            yield part, places[part]


def _places(editor: GraphEditor, tail: Tail, shifts: Sequence[Shift]) -> dict[str, list[Samples]]:
    """By output that is a grid: how far each phase is to be moved back. Raises TailError."""
    found: dict[str, list[Samples]] = {}
    for head in _heads(editor, tail):
        if head.kind is HeadKind.DENSE:
            if not head.lattice:
                raise TailError(FOLDED)
            for shift in shifts:
                places = samples_of(editor, head.output.raw, shift)
                if places is None:
                    raise TailError(
                        "an output is still a grid, on which the phases are no whole number of samples apart: use blur"
                    )
                found.setdefault(head.output.raw, []).append(places)
    return found


def enter_tail(editor: GraphEditor, tail: Tail, shifts: Sequence[Shift], label: str) -> frozenset[EditNode]:
    """Let the tail work on one batch per shift, the first being none. :func:`average_tail` is to follow.

    Tensors from elsewhere that meet the phases are shifted with them. Returns the nodes that read phases.
    """
    prefix = prefix_of(label)
    inside = tail.parts.union(*(_patch(editor, node, prefix) for node in tail.sized))
    _, order = editor.order()
    for tensor, readers in tail.entering.items():
        _enter(editor, tensor, sorted(readers, key=lambda part: order[part]), shifts, prefix)
    editor.drop_value_info(tail.tensors)
    return inside


def average_tail(
    editor: GraphEditor,
    tail: Tail,
    shifts: Sequence[Shift],
    label: str,
    inside: frozenset[EditNode],
    copies: Sequence[Mapping[str, str]] | None = None,
) -> None:
    """Average what leaves the tail: the outputs of the model, or the tensors that are merged.

    The phases are parts of the batch axis, or ``copies``, which name each tensor's for every shift but the first. What
    reads a tensor ``inside`` goes on with its phases, and everything else with the mean.
    """
    prefix = prefix_of(label)
    places = _places(editor, tail, shifts)
    outputs = [value.name for value in editor.model.graph.outputs if value.name in tail.outputs]
    for name in (*outputs, *tail.ends):
        _average(editor, name, places.get(name, [{}] * len(shifts)), prefix, inside, copies)


def prefix_of(label: str) -> str:
    """The first part of the names of what is inserted for a site, or for the input."""
    return f"{PREFIX}{label[:200]}"


def _patch(editor: GraphEditor, node: Sized, prefix: str) -> list[EditNode]:
    """Let a node that names the size of the batch take it from what it reads. Returns the nodes that look it up."""
    import numpy as np

    part, place = node.part, node.place
    if node.patch is Patch.CONSTANT:
        if len(part.inputs) <= place:
            editor.set_attribute(part, "shape", node.values)
            return []
        # With allowzero a 0 would be a size, and no copy of one.
        editor.set_attribute(part, "allowzero", None)
    block = Block(editor, prefix)
    if node.patch is Patch.CONSTANT:
        new = block.constant(np.array(node.values, np.int64), "shape")
    else:
        count = block.slice(block.node("Shape", [part.inputs[0]], "shape")[0], [0], [1], [0], "count")
        sizes = np.array(node.values[1:], np.int64)
        others = sizes if node.patch is Patch.FIRST else block.slice(part.inputs[place], [1], [_LAST], [0], "others")
        new = block.node("Concat", [count, others], "sizes", axis=0)[0]
    added = block.insert(part, after=False)
    editor.replace_input(part, part.inputs[place], new, place)
    return added


def _enter(editor: GraphEditor, tensor: str, readers: Sequence[EditNode], shifts: Sequence[Shift], prefix: str) -> None:
    """Let ``readers``, in graph order, read a tensor once per shift, and shifted."""
    writer = editor.producer(tensor)
    if writer is not None and writer.own and _REPEATED in writer.name:
        # The phases of this rewrite are the inner ones: those of a site behind it are already side by side.
        for piece in dict.fromkeys(writer.inputs):
            _enter(editor, piece, [writer], shifts, prefix)
        return
    block = Block(editor, prefix)
    # Constants are the same for all phases, wherever these are.
    moving = editor.is_dynamic(tensor)
    moved = [moved_on(block, tensor, (samples_of(editor, tensor, shift) or {}) if moving else {}) for shift in shifts]
    repeated = block.concat(moved, _REPEATED.strip("/"))
    block.insert(readers[0], after=False)
    for made in {repeated, *moved} - {tensor}:
        editor.stands_for(made, tensor, editor.shape(tensor))
    for reader in readers:
        editor.replace_input(reader, tensor, repeated)


def _average(
    editor: GraphEditor,
    output: str,
    places: Sequence[Samples],
    prefix: str,
    inside: frozenset[EditNode],
    copies: Sequence[Mapping[str, str]] | None,
) -> None:
    writer = editor.producer(output)
    assert writer is not None
    dtype = numpy_type(element_type(editor, output))
    assert dtype is not None  # else the tail was refused
    every = editor.fresh(f"{prefix}/every")
    readers = [reader for reader in editor.consumers(output) if reader in inside]
    editor.move_output(writer, output, every)
    for reader in readers:
        editor.replace_input(reader, output, every)
    block = Block(editor, prefix)
    phases = block.split(every, len(places)) if copies is None else [every, *(copy[output] for copy in copies)]
    placed = [moved_back(block, phase, samples, phases[0]) for phase, samples in zip(phases, places, strict=True)]
    block.mean(placed, dtype, output)
    block.insert(writer, after=True)
