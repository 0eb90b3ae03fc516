"""Names and walks over the scopes of a model: main graph, sub-graphs of If, Loop and Scan, calls of local functions.

A scope is named by the path of what encloses it, ``If_3/then`` or ``Block_0``; the main graph's scope is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from auditor.onnxfile.errors import FileProblem, ModelFileError
from auditor.onnxfile.graph import Attribute, Function, Graph, Model, Node, Reference
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits

_MAX_PATH = 1000
_BRANCHES = {"then_branch": "then", "else_branch": "else"}

FunctionKey = tuple[str, str, str]


def label(node: Node) -> str:
    """The node's name, or its operator and position (``MaxPool_3``) where it has none."""
    return node.name or f"{node.op}_{node.index}"


def own_names(graph: Graph) -> dict[str, str]:
    """The names that exactly one node of a graph has, with the first output of that node."""
    found: dict[str, str] = {}
    shared = {""}
    for node in graph.nodes:
        if node.name in found:
            shared.add(node.name)
        found[node.name] = node.outputs[0] if node.outputs else ""
    return {name: output for name, output in found.items() if name not in shared}


def qualified(scope: str, node: Node) -> str:
    """The node's label with the scopes that enclose it: ``If_3/then/MaxPool_1``, ``Block_0/Conv_2``.

    A path of more than 1000 characters loses its middle, so that long names in deep scopes do not multiply.
    """
    path = f"{scope}/{label(node)}" if scope else label(node)
    return path if len(path) <= _MAX_PATH else f"{path[: _MAX_PATH // 2]}...{path[-_MAX_PATH // 2 :]}"


def bodies(scope: str, node: Node) -> Iterator[tuple[str, Graph]]:
    """The sub-graphs of a node that stands in ``scope``, each with its own scope, in the order of its attributes."""
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            yield f"{qualified(scope, node)}/{_BRANCHES.get(name, name)}", value
        elif isinstance(value, tuple):
            for position, item in enumerate(value):
                if isinstance(item, Graph):
                    yield f"{qualified(scope, node)}/{name}_{position}", item


def callee(model: Model, node: Node) -> Function | None:
    """The local function that a node calls, None where it is an operator. The call's scope is its qualified name."""
    return model.functions.get(_key(node))


def bind(function: Function, call: Node) -> tuple[Node, ...]:
    """The nodes of a function body with every attribute reference, in sub-graphs too, replaced by what ``call`` gives.

    An attribute that the call leaves out takes the function's default; without one the referring attribute is left out,
    and the operator's own default holds. Tensor names stay those of the body.
    """
    return _bound_nodes(function.nodes, {**function.defaults, **call.attributes})


def walk(model: Model, limits: Limits = DEFAULT_LIMITS) -> Iterator[tuple[str, Node]]:
    """Every node of every scope with its scope: a node first, then its sub-graphs or the body of the function it calls.

    Functions are expanded at each call, with their attributes bound. A model that is walked to the end can be followed
    recursively within ``limits``. Raises ModelFileError when functions call themselves, when scopes nest deeper than
    ``max_depth``, and when more than ``max_nodes`` nodes come out.
    """
    left = limits.max_nodes
    open_scopes = [_Frame("", iter(model.graph.nodes), 0, frozenset())]
    while open_scopes:
        frame = open_scopes[-1]
        node = next(frame.nodes, None)
        if node is None:
            open_scopes.pop()
            continue
        left -= 1
        if left < 0:
            raise ModelFileError(
                FileProblem.TOO_MANY_NODES,
                f"expands to more than {limits.max_nodes} nodes when its functions are called; "
                "raise the limit if you trust the file",
            )
        yield frame.scope, node
        inner = _inner(model, frame, node)
        if inner and frame.depth >= limits.max_depth:
            raise ModelFileError(
                FileProblem.TOO_DEEP,
                f"nests sub-graphs and function calls deeper than {limits.max_depth} levels; "
                "raise the limit if you trust the file",
            )
        open_scopes.extend(reversed(inner))


@dataclass(frozen=True, slots=True)
class _Frame:
    """A scope that is being walked; ``calls`` are the functions whose bodies enclose it."""

    scope: str
    nodes: Iterator[Node]
    depth: int
    calls: frozenset[FunctionKey]


def _inner(model: Model, frame: _Frame, node: Node) -> list[_Frame]:
    inner = [
        _Frame(scope, iter(graph.nodes), frame.depth + 1, frame.calls) for scope, graph in bodies(frame.scope, node)
    ]
    function = callee(model, node)
    if function is not None:
        key = _key(node)
        if key in frame.calls:
            raise ModelFileError(
                FileProblem.RECURSIVE_FUNCTION,
                "holds a local function that calls itself, which ONNX forbids; export it again",
            )
        nodes = iter(bind(function, node))
        inner.append(_Frame(qualified(frame.scope, node), nodes, frame.depth + 1, frame.calls | {key}))
    return inner


def _key(node: Node) -> FunctionKey:
    return node.domain, node.op, node.overload


def _bound_nodes(nodes: tuple[Node, ...], values: Mapping[str, Attribute]) -> tuple[Node, ...]:
    return tuple(_bound_node(node, values) for node in nodes)


def _bound_node(node: Node, values: Mapping[str, Attribute]) -> Node:
    if not any(_may_refer(value) for value in node.attributes.values()):
        return node
    bound: dict[str, Attribute] = {}
    for name, value in node.attributes.items():
        if isinstance(value, Reference):
            if value.name in values:
                bound[name] = values[value.name]
        elif isinstance(value, Graph):
            bound[name] = _bound_graph(value, values)
        elif _may_refer(value) and isinstance(value, tuple):
            bound[name] = tuple(_bound_graph(item, values) for item in value if isinstance(item, Graph))
        else:
            bound[name] = value
    return replace(node, attributes=bound)


def _bound_graph(graph: Graph, values: Mapping[str, Attribute]) -> Graph:
    return replace(graph, nodes=_bound_nodes(graph.nodes, values))


def _may_refer(value: Attribute) -> bool:
    if isinstance(value, tuple):
        return bool(value) and isinstance(value[0], Graph)
    return isinstance(value, (Reference, Graph))
