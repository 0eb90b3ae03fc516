"""Nodes as the analysis saw them: attributes, shapes and the small constants that they read, in every scope.

What a rule about single operators needs beside the attributes: at which size a node runs, and which of its inputs are
computed from data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from auditor.onnxfile.graph import Attribute
from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.lattice.state import Axis, State
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.record import Record


@dataclass(frozen=True, slots=True)
class ObservedTensor:
    """One tensor at a node. ``shape`` is None where the analysis lost it; ``open`` are the axes of assumed size.

    ``values`` are the numbers of a small constant, flattened, also of one that the graph computes from shapes.
    ``computed``: neither a constant nor a function of shapes. ``given``: an optional input is there.
    """

    shape: tuple[int, ...] | None = None
    open: frozenset[int] = frozenset()
    values: tuple[float, ...] | None = None
    computed: bool = False
    given: bool = False


ABSENT = ObservedTensor()
_FARTHEST = 16
_ON_ENTRIES = frozenset(
    {"Add", "BatchNormalization", "Clip", "Elu", "HardSwish", "Identity", "LeakyRelu", "Mul", "PRelu", "Relu"}
    | {"Sigmoid", "Tanh"}
)


@dataclass(frozen=True, slots=True)
class ObservedNode:
    """One node of one scope. ``opset`` is the ai.onnx version of its scope; ``results`` counts its used outputs.

    ``filtered``, of a Slice: a convolution that nothing else reads stands in front of it, with nothing between but
    operators on single entries.
    """

    ref: NodeRef
    op: str
    domain: str
    opset: int
    attributes: Mapping[str, Attribute]
    inputs: tuple[ObservedTensor, ...]
    outputs: tuple[ObservedTensor, ...]
    results: int
    filtered: bool = False

    def input(self, index: int) -> ObservedTensor:
        """The input at an index; an absent one where the node has fewer."""
        return self.inputs[index] if index < len(self.inputs) else ABSENT


class NodeObserver:
    """Collects the nodes of some operators while a trace runs, each once, in graph order."""

    def __init__(self, record: Record, operators: Collection[str]) -> None:
        self._record = record
        self._operators = operators
        self._nodes: dict[int, ObservedNode] = {}
        self._readers: Counter[str] | None = None

    @property
    def nodes(self) -> tuple[ObservedNode, ...]:
        return tuple(node for _, node in sorted(self._nodes.items()))

    def __call__(self, call: Call, outputs: Sequence[State]) -> None:
        """Take in a node behind which the trace knows these states."""
        node = call.node
        if node.op not in self._operators or node.domain not in ("", "ai.onnx"):
            return
        if node.inputs and all(self._fixed(call, name) for name in node.inputs if name):
            return  # folded away before any runtime computes it
        self._nodes[call.order] = ObservedNode(
            ref=call.record.ref(call.scope.path, node, call.order),
            op=node.op,
            domain="",
            opset=call.scope.opset,
            attributes=node.attributes,
            inputs=tuple(self._tensor(call, name) for name in node.inputs),
            outputs=tuple(self._sized(state) for state in outputs),
            results=sum(1 for name in node.outputs if name),
            filtered=node.op == "Slice" and self._behind_a_convolution(call),
        )

    def _behind_a_convolution(self, call: Call) -> bool:
        name, scope = call.node.inputs[0], call.scope
        if self._readers is None:
            self._readers = Counter(read for node in scope.model.graph.nodes for read in set(node.inputs))
        for _ in range(_FARTHEST):
            found = scope.producer(name)
            if self._readers[name] > 1 or found is None or found[1].op not in _ON_ENTRIES or not found[1].inputs:
                return self._readers[name] < 2 and found is not None and found[1].op == "Conv"
            scope, name = found[0], found[1].inputs[0]
        return False

    def _fixed(self, call: Call, name: str) -> bool:
        return call.scope.value(name) is not None or call.scope.initializer(name) is not None

    def _tensor(self, call: Call, name: str) -> ObservedTensor:
        if not name:
            return ObservedTensor()
        sized = self._sized(call.scope.state(name))
        value = call.scope.value(name)
        numbers = None
        if value is not None and value.dtype.kind in "iubf":
            numbers = tuple(value.reshape(-1).tolist())
        return ObservedTensor(sized.shape, sized.open, numbers, not self._fixed(call, name), given=True)

    def _sized(self, state: State) -> ObservedTensor:
        axes = state.axes
        if axes is None:
            return ObservedTensor(given=True)
        return ObservedTensor(
            state.shape, frozenset(index for index, axis in enumerate(axes) if self._open(axis)), given=True
        )

    def _open(self, axis: Axis) -> bool:
        return any(self._record.assumed(atom.source) for atom in axis.atoms)
