"""The forward trace: walks every scope of a model once and applies the transfer functions.

It never raises on what a model says. An operator that is unknown, malformed or scrambles the grid makes its outputs
*untracked*; the walk goes on and the record says where it stopped and what that hides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from auditor.onnxfile.graph import Function, Graph, Model, Node, Tensor
from auditor.onnxfile.scopes import bind, bodies, callee, qualified
from auditor.sampling.control import if_outputs, live_branch, loop_outputs, scan_outputs
from auditor.sampling.lattice.state import UNKNOWN, OpaqueError, State, constant
from auditor.sampling.ops import DOMAINS, transfer_of
from auditor.sampling.values import OPERATORS, evaluate, shape_of, size_of
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.join import lost_together
from auditor.sampling.walk.record import Record
from auditor.sampling.walk.scope import Scope

CONTROL = frozenset({"If", "Loop", "Scan"})
MALFORMED = (ArithmeticError, LookupError, ValueError)
FAULTS: tuple[type[Exception], ...] = (AssertionError, TypeError)
"""Errors of this program rather than of the model: one of them ends no audit of a user, and fails every test."""


Observe: TypeAlias = "Callable[[Call, Sequence[State]], None]"


class Trace:
    """One walk. ``orders`` gives every node, by scope path and index, its position in the walk over the file.

    ``observe`` is called with every node that computes more than a small constant, and the states of its outputs.
    """

    def __init__(
        self, model: Model, record: Record, orders: Mapping[tuple[str, int], int], observe: Observe | None = None
    ) -> None:
        self.model = model
        self.record = record
        self.orders = orders
        self.observe = observe
        self.nodes = 0
        self.tracked = 0

    def run(self, scope: Scope, nodes: Sequence[Node]) -> None:
        """Runs the nodes of one scope in topological order (files need not keep it; onnxruntime accepts that)."""
        for node in in_order(nodes):
            self.nodes += 1
            outputs = self._outputs(scope, node)
            for index, name in enumerate(node.outputs):
                if name:
                    scope.states[name] = outputs[index] if index < len(outputs) else UNKNOWN
                    scope.producers[name] = node
            if not outputs or outputs[0].axes is not None or outputs[0].lost is None:
                self.tracked += 1

    def _outputs(self, scope: Scope, node: Node) -> Sequence[State]:
        known = self._evaluated(scope, node)
        if known is not None:
            return known
        call = Call(self.record, scope, node, self.orders.get((scope.path, node.index), 0))
        try:
            result = self._apply(call)
        except OpaqueError as reason:
            result = self._lost(call, str(reason))
        except MALFORMED as error:
            result = self._lost(call, f"the node is malformed ({type(error).__name__})")
        except FAULTS as error:
            result = self._lost(call, f"the analysis failed at this node ({type(error).__name__}): please report it")
        states = [result] if isinstance(result, State) else list(result)
        if self.observe is not None:
            self.observe(call, states)
        for state in states[:1]:
            if state.lost is not None and state.axes is None:
                self.record.hide(state.lost, strided=_is_strided(node))
        return states

    def _evaluated(self, scope: Scope, node: Node) -> list[State] | None:
        """The outputs of a node that only computes a small constant: shape arithmetic, mostly."""
        if node.op == "Constant":
            tensor = node.attributes.get("value")
            if isinstance(tensor, Tensor) and node.outputs:
                scope.tensors[node.outputs[0]] = tensor
        elif node.op in ("Shape", "Size") and node.domain == "":
            return _shape_query(scope, node)
        if node.op not in OPERATORS or node.domain:
            return None
        values = []
        for name in node.inputs:
            value = scope.value(name) if name else None
            if value is None and name:
                return None
            values.append(value)
        results = evaluate(node, values, scope.opset, scope.small)
        if not results or any(value is None for value in results):
            if node.op == "Constant" and node.outputs and node.outputs[0] in scope.tensors:
                return [scope.state(node.outputs[0])]
            return None
        for name, result in zip(node.outputs, results, strict=True):
            scope.values[name] = result
        return [constant(result.shape) if result is not None else UNKNOWN for result in results]

    def _apply(self, call: Call) -> State | Sequence[State]:
        node = call.node
        if node.op in CONTROL and node.domain == "":
            return self._control(call)
        function = callee(self.model, node)
        if function is not None:
            return self._function(call, function)
        transfer = transfer_of(node.domain, node.op)
        if transfer is None:
            if node.domain not in DOMAINS:
                raise OpaqueError("the operator belongs to a custom domain")
            raise OpaqueError("the operator is not known")
        return transfer(call)

    def _lost(self, call: Call, reason: str) -> list[State]:
        states = call.states()
        together = lost_together(states)
        count = max(len(call.node.outputs), 1)
        if not any(state.axes is not None and state.sources() for state in states):
            return [together] * count
        ref = self.record.ref(call.scope.path, call.node, call.order)
        region = self.record.lose(ref, call.node.outputs[0] if call.node.outputs else "", reason)
        state = State(None, together.windows, lost=region)
        for inner, graph in bodies(call.scope.path, call.node) if call.node.op not in CONTROL else ():
            self._body(call.scope, inner, graph, [UNKNOWN] * len(graph.inputs))
        return [state] * count

    def _function(self, call: Call, function: Function) -> list[State]:
        node, caller = call.node, call.scope
        formal = {name: (caller, actual) for name, actual in zip(function.inputs, node.inputs, strict=False) if actual}
        opset = function.opsets.get("", caller.opset)
        scope = Scope(self.model, qualified(caller.path, node), opset, {}, formal=formal)
        for name, (_, actual) in formal.items():
            scope.states[name] = caller.state(actual)
            scope.values[name] = caller.value(actual)
        self.run(scope, bind(function, node))
        for actual, name in zip(node.outputs, function.outputs, strict=False):
            caller.values[actual] = scope.value(name)
        return [scope.state(name) for name in function.outputs]

    def _control(self, call: Call) -> list[State]:
        inner = {path.rsplit("/", 1)[-1]: (path, graph) for path, graph in bodies(call.scope.path, call.node)}
        scopes: dict[str, Scope] = {}

        def run(name: str, given: Sequence[State]) -> list[State]:
            path, graph = inner[name]
            scopes[name] = scope = self._body(call.scope, path, graph, given)
            return [scope.state(value.name) for value in graph.outputs]

        if call.node.op == "Loop":
            return loop_outputs(call, run)
        if call.node.op == "Scan":
            return scan_outputs(call, run)
        states = if_outputs(call, run)
        live = live_branch(call)
        if live is not None:
            self.record.live[call.scope.path, call.node.index] = live
            for name, value in zip(call.node.outputs, inner[live][1].outputs, strict=False):
                call.scope.values[name] = scopes[live].value(value.name)
        return states

    def _body(self, outer: Scope, path: str, graph: Graph, given: Sequence[State]) -> Scope:
        scope = Scope(self.model, path, outer.opset, dict(graph.initializers), parent=outer)
        for index, value in enumerate(graph.inputs):
            scope.states[value.name] = given[index] if index < len(given) else UNKNOWN
            scope.values[value.name] = None
        self.run(scope, graph.nodes)
        return scope


def _shape_query(scope: Scope, node: Node) -> list[State] | None:
    shape = scope.state(node.inputs[0]).shape if node.inputs else None
    if shape is None or not node.outputs:
        return [UNKNOWN]
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    if node.op == "Size":
        value = size_of(shape)
    else:
        value = shape_of(shape, start if isinstance(start, int) else 0, end if isinstance(end, int) else None)
    scope.values[node.outputs[0]] = value
    return [UNKNOWN if value is None else constant(value.shape)]


def _is_strided(node: Node) -> bool:
    strides = node.attributes.get("strides")
    return isinstance(strides, tuple) and any(isinstance(step, int) and step > 1 for step in strides)


def in_order(nodes: Sequence[Node]) -> Sequence[Node]:
    """The nodes in a topological order that keeps the file's order where it can; nodes on a cycle come last, as they
    stand.
    """
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.outputs:
            makers[name] = index
    sorted_already = True
    for index, node in enumerate(nodes):
        if any(makers.get(name, -1) >= index for name in node.inputs if name):
            sorted_already = False
            break
    if sorted_already:
        return nodes
    waiting = [len({makers[name] for name in node.inputs if name in makers}) for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for maker in sorted({makers[name] for name in node.inputs if name in makers}):
            readers[maker].append(index)
    ready = [index for index, count in enumerate(waiting) if count == 0]
    heapify(ready)
    order: list[int] = []
    while ready:
        index = heappop(ready)
        order.append(index)
        for reader in readers[index]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heappush(ready, reader)
    placed = set(order)
    return [nodes[index] for index in order] + [node for index, node in enumerate(nodes) if index not in placed]
