"""Ifs whose condition is a constant: the branch that always runs takes their place.

Exporters write a choice that was made when the model was exported (a bias or none, one picture or a batch) as an If on
constants and shapes. Nodes in such a branch belong to the graph around it as much as any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Graph, Node
from auditor.onnxfile.scopes import bodies

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

Live = Mapping[tuple[str, int], str]
"""The branch that always runs, ``then`` or ``else``, by the scope of an If and its index there."""


def splice(proto: GraphProto, graph: Graph, live: Live) -> None:
    """Replace every If of the main graph, and of the branches that are put there, whose branch is in ``live``.

    ``graph`` is what the reader made of ``proto``. Names that stand in several places of the model are made unique.
    """
    from onnx import helper

    defined = Counter(_definitions(proto))

    def expanded(nodes: Sequence[NodeProto], read: Sequence[Node], scope: str) -> Iterator[NodeProto]:
        for node, known in zip(nodes, read, strict=True):
            chosen = live.get((scope, known.index)) if node.op_type == "If" and not node.domain else None
            read_as = [body for body in bodies(scope, known) if body[0].endswith(f"/{chosen}")]
            found = [attribute.g for attribute in node.attribute if attribute.name == f"{chosen}_branch"]
            if len(read_as) != 1 or len(found) != 1 or found[0].sparse_initializer:
                yield node
                continue
            ((path, inner),) = read_as
            yield from placed(node, found[0], [*expanded(found[0].node, inner.nodes, path)])

    def placed(node: NodeProto, branch: GraphProto, body: Sequence[NodeProto]) -> Iterator[NodeProto]:
        own = [
            *(tensor.name for tensor in branch.initializer),
            *(name for part in body for name in part.output if name),
        ]
        names = {name: fresh(name) for name in own if defined[name] > 1}
        made = {name for part in body for name in part.output}
        late: list[NodeProto] = []
        for inside, outside in zip(branch.output, node.output, strict=False):
            if outside and inside.name in made:
                made.discard(inside.name)
                names[inside.name] = outside
            elif outside:
                late.append(helper.make_node("Identity", [names.get(inside.name, inside.name)], [outside]))
        for tensor in branch.initializer:
            tensor.name = names.get(tensor.name, tensor.name)
            proto.initializer.append(tensor)
        for part in body:
            _rename(part, names)
        yield from (*body, *late)

    def fresh(name: str) -> str:
        count = 1
        while f"{name}_{count}" in defined:
            count += 1
        defined[f"{name}_{count}"] += 1
        return f"{name}_{count}"

    result = [*expanded([*proto.node], graph.nodes, "")]
    del proto.node[:]
    proto.node.extend(result)


def _definitions(graph: GraphProto) -> Iterator[str]:
    """Every name that a graph or one of its sub-graphs defines, as often as it does."""
    yield from (value.name for value in (*graph.input, *graph.initializer))
    for node in graph.node:
        yield from filter(None, node.output)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _definitions(inner)


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    """Give tensors other names in a node, and where its sub-graphs read them from around."""
    if not names:
        return
    node.input[:] = [names.get(name, name) for name in node.input]
    node.output[:] = [names.get(name, name) for name in node.output]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {value.name for value in (*graph.input, *graph.initializer)}
            own.update(name for part in graph.node for name in part.output)
            seen = {name: new for name, new in names.items() if name not in own}
            for inner in graph.node:
                _rename(inner, seen)
            for value in graph.output:
                value.name = seen.get(value.name, value.name)
