"""The copies of averaged phases as further branches that share all weights: nothing has to be known of the batch axis.

For networks that fix the size of the batch or fold it into other axes, and for runtimes that are built for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from auditor.onnxfile.graph import Tensor
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.cost import tally
from auditor.rewrite.graph.marks import BRANCH, branch_stem
from auditor.rewrite.graph.parts import EditNode, called, holds_graph
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.phases.averaging import prefix_of
from auditor.rewrite.phases.realign import Shift, moved_on, samples_of
from auditor.rewrite.phases.region import WindowRegion, check_branches
from auditor.rewrite.phases.tail import Tail, largest_of
from auditor.rewrite.phases.tail_operators import TailError

if TYPE_CHECKING:
    from onnx import NodeProto

OF_SIZES = frozenset({"Shape", "Size"})
NOT_COPIED = "holds a sub-graph or a tensor, and is not copied into a second branch"


def branch_tail(editor: GraphEditor, starts: Sequence[str], region: WindowRegion) -> Tail:
    """The nodes that every further branch has a copy of. Raises TailError where one cannot be copied.

    What depends on sizes alone is the same in all branches.
    """
    check_branches(editor, region)
    _, places = editor.order()
    copied = set(starts)
    entering: dict[str, list[EditNode]] = {}
    own: dict[EditNode, int] = {}
    for part in region.parts:
        if copied.isdisjoint(part.inputs) or (part.op in OF_SIZES and not part.domain):
            if any(map(holds_graph, part.attributes.values())):
                raise TailError(f"{called(part)} behind it {NOT_COPIED}")
            continue
        if any(holds_graph(value) or isinstance(value, Tensor) for value in part.attributes.values()):
            raise TailError(f"{called(part)} behind it {NOT_COPIED}")
        own[part] = places[part]
        for name in part.inputs:
            if name and name not in region.tensors and editor.is_dynamic(name):
                readers = entering.setdefault(name, [])
                if part not in readers:
                    readers.append(part)
        copied.update(name for name in part.outputs if name)
    live = [name for name in region.live if name in copied]
    return Tail(
        own=own,
        own_tensors=frozenset(copied),
        own_sized=(),
        rest=None,
        entering={name: tuple(readers) for name, readers in entering.items()},
        outputs=frozenset(filter(editor.is_output, live)),
        holds_sizes=False,
        work=tally(editor, own),
        elements=largest_of(editor, copied),
        ends=tuple(name for name in live if not editor.is_output(name)),
    )


def add_branches(
    editor: GraphEditor, tail: Tail, starts: Sequence[Mapping[str, str]], shifts: Sequence[Shift], label: str
) -> Sequence[Mapping[str, str]]:
    """Insert a copy of the tail for every shift but the first; ``starts`` name what each of them begins with.

    Returns the names of every tensor's copies.
    """
    copies = [dict(names) for names in starts]
    for tensor, readers in tail.entering.items():
        first = min(readers, key=lambda part: tail.own[part])
        block = Block(editor, prefix_of(label))
        for names, shift in zip(copies, shifts[1:], strict=True):
            names[tensor] = moved_on(block, tensor, samples_of(editor, tensor, shift) or {})
            if names[tensor] != tensor:
                editor.stands_for(names[tensor], tensor, editor.shape(tensor))
        block.insert(first, after=False)
    for part in sorted(tail.own, key=lambda part: tail.own[part]):
        editor.add([_copy(editor, part, names) for names in copies], [], part, after=True)
    return copies


def _copy(editor: GraphEditor, part: EditNode, names: dict[str, str]) -> NodeProto:
    """A copy of a node that reads the copies of what the node reads; ``names`` learn what it writes."""
    from onnx import NodeProto, helper

    stem = f"{branch_stem(part)}{BRANCH}"
    inputs = [names.get(name, name) for name in part.inputs]
    for output in filter(None, part.outputs):
        names[output] = editor.fresh(stem)
        editor.stands_for(names[output], output, editor.shape(output))
    outputs = [names[name] if name else "" for name in part.outputs]
    name = next(filter(None, outputs))
    if part.proto is None:
        kept: dict[str, Any] = {key: value for key, value in part.attributes.items() if value != ()}
        return helper.make_node(part.op, inputs, outputs, name, domain=part.domain or None, **kept)
    copy = NodeProto()
    copy.CopyFrom(part.proto)
    del copy.input[:]
    del copy.output[:]
    copy.input.extend(inputs)
    copy.output.extend(outputs)
    copy.name = name
    return copy
