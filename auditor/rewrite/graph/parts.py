"""The nodes of a graph that is being edited, and what their sub-graphs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Attribute, Graph, Node
from auditor.sampling.result import Site
from auditor.text import plain

if TYPE_CHECKING:
    from onnx import NodeProto

PREFIX = "aliasaudit/"
"""The first part of the name of everything that a rewrite inserts."""

_LONGEST = 80  # characters of a name in a message


@dataclass(slots=True, eq=False)
class EditNode:
    """A node of the edited graph. ``index`` is its position in the source, None for a new one, which has a ``proto``.

    ``assigned`` are attributes to set (None: to remove) when the node is written, ``details`` what was done to it, and
    ``note`` the rewrite that did it.
    """

    name: str
    op: str
    domain: str
    inputs: list[str]
    outputs: list[str]
    attributes: Mapping[str, Attribute]
    index: int | None
    proto: NodeProto | None = None
    assigned: dict[str, int | str | tuple[int, ...] | None] = field(default_factory=dict)
    edited: bool = False
    details: list[str] = field(default_factory=list)
    note: str = ""
    slot: list[EditNode] = field(default_factory=list, repr=False)

    @property
    def own(self) -> bool:
        """Whether a rewrite, this one or an earlier one, inserted the node."""
        return self.name.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class Joint:
    """A site's 1x1 convolution: its constants, the tensor that it reads, and the original tensor to come back to.

    ``steps`` subsample the original's grid axes, where the blur stands in front of the operator.
    """

    site: Site
    weight: str
    bias: str
    blurred: str
    original: str
    steps: tuple[int, ...]


def called(part: EditNode) -> str:
    """A node in a message: its operator and its name, or what it writes where it has none."""
    name = part.name or next((output for output in part.outputs if output), "")
    return f'the {plain(part.op, _LONGEST)} "{plain(name, _LONGEST)}"'


def captures(node: Node) -> set[str]:
    """Every name that the sub-graphs of a node read."""
    found: set[str] = set()
    waiting = [value for value in node.attributes.values() if holds_graph(value)]
    while waiting:
        value = waiting.pop()
        for graph in value if isinstance(value, tuple) else (value,):
            if not isinstance(graph, Graph):
                continue
            found.update(output.name for output in graph.outputs)
            for inner in graph.nodes:
                found.update(inner.inputs)
                waiting.extend(kept for kept in inner.attributes.values() if holds_graph(kept))
    return found


def holds_graph(value: Attribute) -> bool:
    """Whether an attribute is a sub-graph, or a list of them."""
    return isinstance(value, Graph) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], Graph))
