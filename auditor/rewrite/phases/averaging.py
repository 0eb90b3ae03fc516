"""What phase averaging and input averaging share: the heads that can be averaged, and the edits of the tail.

Outputs without a grid are averaged as they are. Of an output that still is a grid every phase is first put back in its
place; its first samples, which no shifted phase has, are those of the original phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX, Part
from auditor.rewrite.graph.surgery import Surgeon
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.phases.realign import FOLDED, Samples, Shift, moved_back, moved_on, samples_of
from auditor.rewrite.phases.tail import Tail, TailError
from auditor.rewrite.result import Phases
from auditor.sampling.result import HeadKind

WITHOUT_GRID = frozenset({HeadKind.POOLED, HeadKind.POSITION_DEPENDENT, HeadKind.CLASS_TOKEN})
"""Outputs that do not say where in the picture something is."""
_REASONS = {
    HeadKind.SEQUENCE: "an output is a sequence of positions, on which the phases are shifted against each other",
    HeadKind.DATA_DEPENDENT: "an output is a list of boxes or rows, which cannot be averaged",
    HeadKind.ATTENTION: "an output is a list of learned queries, which may each say where something is",
}
MOST_PHASES = 16
_REPEATED = "/repeated"


def offsets(strides: tuple[int, ...], phases: Phases) -> list[tuple[int, ...]]:
    """The phases to average, the original one first: all, or the two on the diagonal half a stride apart.

    Raises TailError for more phases than are averaged, before they are listed: a file may claim any stride.
    """
    if phases is Phases.ALL:
        if (count := prod(strides)) > MOST_PHASES:
            raise TailError(f"it has {count} phases, more than {MOST_PHASES}: average the diagonal ones")
        return list(product(*(range(step) for step in strides)))
    return [(0,) * len(strides), tuple(step // 2 for step in strides)]


def check_heads(surgeon: Surgeon, tail: Tail, shifts: Sequence[Shift]) -> None:
    """Raises TailError where an output behind the site has no mean that means anything."""
    reached = [head for head in surgeon.analysis.heads if head.output.raw in tail.tensors]
    if not reached:
        raise TailError("no output of the model depends on it in a way that is known")
    for head in reached:
        if head.kind not in WITHOUT_GRID and head.kind is not HeadKind.DENSE:
            raise TailError(_REASONS.get(head.kind, "what an output does with position is not known"))
        if numpy_type(element_type(surgeon, head.output.raw)) is None:
            raise TailError("an output is no floating-point tensor, such as a class label, and has no mean")
    if any(value.name in surgeon.downstream(tail.tensors) - tail.tensors for value in surgeon.model.graph.outputs):
        raise TailError("an output holds sizes of tensors behind it, which would change")
    moving = [head for head, places in _places(surgeon, tail, shifts).items() if any(places)]
    if moving and any(surgeon.at(encoding.node) in tail.parts for encoding in surgeon.analysis.encodings):
        raise TailError("an output grid may hold positions, since some are added to the map: they would not shift")


def _places(surgeon: Surgeon, tail: Tail, shifts: Sequence[Shift]) -> dict[str, list[Samples]]:
    """By output that is a grid: how far each phase is to be moved back. Raises TailError."""
    found: dict[str, list[Samples]] = {}
    for head in surgeon.analysis.heads:
        if head.kind is HeadKind.DENSE and head.output.raw in tail.tensors:
            if not head.lattice:
                raise TailError(FOLDED)
            for shift in shifts:
                places = samples_of(surgeon, head.output.raw, shift)
                if places is None:
                    raise TailError(
                        "an output is still a grid, on which the phases are no whole number of samples apart: use blur"
                    )
                found.setdefault(head.output.raw, []).append(places)
    return found


def edit_tail(surgeon: Surgeon, tail: Tail, shifts: Sequence[Shift], label: str) -> None:
    """Let the tail work on one batch per shift, the first being none, and average the outputs of the model over them.

    Tensors from elsewhere that meet the phases are shifted with them.
    """
    import numpy as np

    prefix = f"{PREFIX}{label[:200]}"
    places = _places(surgeon, tail, shifts)
    for part, shape in tail.reshapes:
        if len(part.inputs) < 2:
            surgeon.set_attribute(part, "shape", shape)
            continue
        block = Block(surgeon, prefix)
        new = block.constant(np.array(shape, np.int64), "shape")
        block.insert(part, after=False)
        surgeon.replace_input(part, part.inputs[1], new)
    for part, sizes in tail.resizes:
        block = Block(surgeon, prefix)
        count = block.slice(block.node("Shape", [part.inputs[0]], "shape")[0], [0], [1], [0], "count")
        new = block.node("Concat", [count, np.array(sizes[1:], np.int64)], "sizes", axis=0)[0]
        block.insert(part, after=False)
        surgeon.replace_input(part, part.inputs[3], new)
    order = {part: place for place, part in enumerate(surgeon.parts())}
    for tensor, readers in tail.entering.items():
        _enter(surgeon, tensor, sorted(readers, key=lambda part: order[part]), shifts, prefix)
    for value in surgeon.model.graph.outputs:
        if value.name in tail.tensors:
            _average(surgeon, value.name, places.get(value.name, [{}] * len(shifts)), prefix)
    surgeon.drop_value_info(tail.tensors)


def _enter(surgeon: Surgeon, tensor: str, readers: Sequence[Part], shifts: Sequence[Shift], prefix: str) -> None:
    """Let ``readers``, in graph order, read a tensor once per shift, and shifted."""
    writer = surgeon.producer(tensor)
    if writer is not None and writer.own and _REPEATED in writer.name:
        # The phases of this rewrite are the inner ones: those of a site behind it are already side by side.
        for piece in dict.fromkeys(writer.inputs):
            _enter(surgeon, piece, [writer], shifts, prefix)
        return
    block = Block(surgeon, prefix)
    moved = [moved_on(block, tensor, samples_of(surgeon, tensor, shift) or {}) for shift in shifts]
    repeated = block.concat(moved, _REPEATED.strip("/"))
    block.insert(readers[0], after=False)
    for made in {repeated, *moved} - {tensor}:
        surgeon.stands_for(made, tensor, surgeon.shape(tensor))
    for reader in readers:
        surgeon.replace_input(reader, tensor, repeated)


def _average(surgeon: Surgeon, output: str, places: Sequence[Samples], prefix: str) -> None:
    writer = surgeon.producer(output)
    assert writer is not None
    every = surgeon.fresh(f"{prefix}/every")
    readers = surgeon.consumers(output)
    surgeon.move_output(writer, output, every)
    for reader in readers:
        surgeon.replace_input(reader, output, every)
    block = Block(surgeon, prefix)
    phases = block.split(every, len(places))
    placed = [moved_back(block, phase, samples, phases[0]) for phase, samples in zip(phases, places, strict=True)]
    block.mean(placed, output)
    block.insert(writer, after=True)
