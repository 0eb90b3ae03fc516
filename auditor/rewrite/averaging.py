"""What phase averaging and input averaging share: the heads that can be averaged, and the edits of the tail."""

from __future__ import annotations

from itertools import product

from auditor.rewrite.blocks import Block
from auditor.rewrite.parts import PREFIX
from auditor.rewrite.result import Phases
from auditor.rewrite.surgery import Surgeon
from auditor.rewrite.tail import Tail, TailError
from auditor.rewrite.types import element_type, numpy_type
from auditor.sampling.result import HeadKind

_AVERAGED = {HeadKind.POOLED, HeadKind.POSITION_DEPENDENT, HeadKind.CLASS_TOKEN}
_REASONS = {
    HeadKind.DENSE: "an output is still a grid, on which the phases are shifted against each other: use blur",
    HeadKind.SEQUENCE: "an output is a sequence of positions, on which the phases are shifted against each other",
    HeadKind.DATA_DEPENDENT: "an output is a list of boxes or rows, which cannot be averaged",
}
MOST_PHASES = 16


def offsets(strides: tuple[int, ...], phases: Phases) -> list[tuple[int, ...]]:
    """The phases to average, the original one first: all, or the two on the diagonal half a stride apart."""
    if phases is Phases.ALL:
        return list(product(*(range(step) for step in strides)))
    return [(0,) * len(strides), tuple(step // 2 for step in strides)]


def check_heads(surgeon: Surgeon, tail: Tail) -> None:
    """Raises TailError where an output behind the site has no mean that means anything."""
    reached = [head for head in surgeon.analysis.heads if head.output.raw in tail.tensors]
    if not reached:
        raise TailError("no output of the model depends on it in a way that is known")
    for head in reached:
        if head.kind not in _AVERAGED:
            raise TailError(_REASONS.get(head.kind, "what an output does with position is not known"))
        if numpy_type(element_type(surgeon, head.output.raw)) is None:
            raise TailError("an output is no floating-point tensor, such as a class label, and has no mean")
    if any(value.name in surgeon.downstream(tail.tensors) - tail.tensors for value in surgeon.model.graph.outputs):
        raise TailError("an output holds sizes of tensors behind it, which would change")


def edit_tail(surgeon: Surgeon, tail: Tail, count: int, label: str) -> None:
    """Let the tail work on ``count`` times the batch, and average the outputs of the model over it."""
    import numpy as np

    prefix = f"{PREFIX}{label[:200]}"
    for part, shape in tail.reshapes:
        if len(part.inputs) < 2:
            surgeon.set_attribute(part, "shape", shape)
            continue
        block = Block(surgeon, prefix)
        new = block.constant(np.array(shape, np.int64), "shape")
        block.insert(part, after=False)
        surgeon.replace_input(part, part.inputs[1], new)
    order = {part: place for place, part in enumerate(tail.parts)}
    for tensor, readers in tail.entering.items():
        block = Block(surgeon, prefix)
        repeated = block.concat([tensor] * count, "repeated")
        block.insert(min(readers, key=lambda part: order[part]), after=False)
        for reader in readers:
            surgeon.replace_input(reader, tensor, repeated)
    for value in surgeon.model.graph.outputs:
        if value.name in tail.tensors:
            _average(surgeon, value.name, count, prefix)
    surgeon.drop_value_info(tail.tensors)


def _average(surgeon: Surgeon, output: str, count: int, prefix: str) -> None:
    writer = surgeon.producer(output)
    assert writer is not None
    every = surgeon.fresh(f"{prefix}/every")
    readers = surgeon.consumers(output)
    surgeon.move_output(writer, output, every)
    for reader in readers:
        surgeon.replace_input(reader, output, every)
    block = Block(surgeon, prefix)
    block.mean(block.split(every, count), output)
    block.insert(writer, after=True)
