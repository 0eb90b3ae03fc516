"""Which stored tensors steer a model: the sizes, indices, axes and scales, and what these are computed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auditor.onnxfile.graph import Function, Graph, Model, Node, Tensor
from auditor.sampling.values import OPERATORS

# The inputs of an operator, by position, that say where it reads and how large its output is.
_STEERED: Mapping[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "Compress": (1,),
    "ConstantOfShape": (0,),
    "CropAndResize": (3,),
    "CumSum": (1,),
    "DFT": (1, 2),
    "Expand": (1,),
    "ExpandDims": (1,),
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "If": (0,),
    "Loop": (0, 1),
    "MaxUnpool": (2,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "ReverseSequence": (1,),
    "STFT": (1, 3),
    "ScatterElements": (1,),
    "ScatterND": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "SplitToSequence": (1,),
    "Squeeze": (1,),
    "Tile": (1, 2),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
_REDUCTION = "Reduce"  # their axes are an input from opset 13 or 18 on
_SHAPES = frozenset({"Shape", "Size"})

_Key = tuple[str, str, str]


def steering(model: Model) -> frozenset[int]:
    """The ``id`` of each such tensor of ``model``, in sub-graphs and functions too.

    What depends on the input steers a model as well (the indices of a TopK), but is never known without a run, so the
    weights that it is computed from do not count.
    """
    search = _SizeSearch(model)
    main = search.body(model.graph.nodes, model.graph.initializers, [value.name for value in model.graph.inputs], None)
    search.ask(main, _steered(model.graph.nodes))
    for key in model.functions:
        search.formals(key)
    return frozenset(search.marks)


@dataclass(slots=True)
class _Body:
    """The nodes of a graph or of a function, by what they make."""

    parent: _Body | None
    tensors: dict[str, Tensor]
    makers: dict[str, Node] = field(default_factory=dict)
    inner: dict[int, list[tuple[_Body, Graph]]] = field(default_factory=dict)
    moving: set[str] = field(default_factory=set)  # depends on what the model is run on
    seen: set[str] = field(default_factory=set)
    outer: list[str] = field(default_factory=list)  # the formal inputs of a function that steer it


@dataclass(frozen=True, slots=True)
class _Formals:
    """The formal inputs of a function that steer its body, and those that its outputs are computed from."""

    always: tuple[str, ...] = ()
    for_outputs: tuple[str, ...] = ()


class _SizeSearch:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._formals: dict[_Key, _Formals] = {}
        self.marks: set[int] = set()

    def body(
        self, nodes: Iterable[Node], tensors: Mapping[str, Tensor], moving: Iterable[str], parent: _Body | None
    ) -> _Body:
        body = _Body(parent, dict(tensors))
        body.moving = set(moving) - set(tensors)
        for node in nodes:
            if node.op == "Constant":
                value = node.attributes.get("value")
                if isinstance(value, Tensor):
                    body.tensors.update(dict.fromkeys(node.outputs, value))
            for graph in _graphs(node):
                inner = self.body(graph.nodes, graph.initializers, [value.name for value in graph.inputs], body)
                body.inner.setdefault(id(node), []).append((inner, graph))
            if self._moves(body, node):
                body.moving.update(node.outputs)
            body.makers.update(dict.fromkeys(node.outputs, node))
        return body

    def _moves(self, body: _Body, node: Node) -> bool:
        """Whether what a node makes depends on more than constants and shapes."""
        if node.op in _SHAPES and not node.domain:
            return False
        known = (not node.domain and node.op in OPERATORS) or node.op == "If" or _key(node) in self._model.functions
        return not known or any(_is_moving(body, name) for name in node.inputs)

    def ask(self, body: _Body, names: Iterable[str]) -> None:
        """Mark every tensor that the values of ``names`` are computed from, and ask in the bodies inside."""
        for nested in body.inner.values():
            for inner, graph in nested:
                self.ask(inner, _steered(graph.nodes))
        waiting = [*names, *self._called(body)]
        while waiting:
            name = waiting.pop()
            if not name or name in body.seen:
                continue
            body.seen.add(name)
            tensor, node = body.tensors.get(name), body.makers.get(name)
            if tensor is not None:
                self.marks.add(id(tensor))
            elif node is not None:
                waiting += self._behind(body, node, name)
            elif body.parent is not None:
                self.ask_outer(body.parent, name)
            else:
                body.outer.append(name)

    def ask_outer(self, body: _Body, name: str) -> None:
        """Ask for a name that a sub-graph reads from the body around it."""
        if name not in body.seen:
            self.ask(body, [name])

    def _behind(self, body: _Body, node: Node, name: str) -> Iterable[str]:
        if name in body.moving or node.op in _SHAPES:
            return ()
        for inner, graph in body.inner.get(id(node), ()):
            self.ask(inner, [value.name for value in graph.outputs])
        function = self._model.functions.get(_key(node))
        if function is None:
            return node.inputs
        return _actual(node, function, self.formals(_key(node)).for_outputs)

    def _called(self, body: _Body) -> list[str]:
        """What the calls of functions in a body are given to steer them."""
        names: list[str] = []
        for node in {id(node): node for node in body.makers.values()}.values():
            function = self._model.functions.get(_key(node))
            if function is not None:
                names += _actual(node, function, self.formals(_key(node)).always)
        return names

    def formals(self, key: _Key) -> _Formals:
        """The formal inputs of a function that matter; each function is looked at once."""
        if key in self._formals:
            return self._formals[key]
        self._formals[key] = _Formals()  # what a function that calls itself is given
        function = self._model.functions[key]
        body = self.body(function.nodes, {}, (), None)
        self.ask(body, _steered(function.nodes))
        always = tuple(body.outer)
        self.ask(body, function.outputs)
        self._formals[key] = _Formals(always, tuple(body.outer))
        return self._formals[key]


def _key(node: Node) -> _Key:
    return node.domain, node.op, node.overload


def _is_moving(body: _Body, name: str) -> bool:
    scope: _Body | None = body
    while scope is not None:
        if name in scope.moving:
            return True
        if name in scope.tensors or name in scope.makers:
            return False
        scope = scope.parent
    return False


def _graphs(node: Node) -> Iterable[Graph]:
    for value in node.attributes.values():
        for graph in value if isinstance(value, tuple) else (value,):
            if isinstance(graph, Graph):
                yield graph


def _steered(nodes: Iterable[Node]) -> list[str]:
    """The inputs of nodes that steer them."""
    names: list[str] = []
    for node in nodes:
        places = (1,) if node.op.startswith(_REDUCTION) else _STEERED.get(node.op, ())
        names += [node.inputs[place] for place in places if place < len(node.inputs)]
    return names


def _actual(node: Node, function: Function, formals: Iterable[str]) -> list[str]:
    """What a call gives for formal inputs."""
    given = dict(zip(function.inputs, node.inputs, strict=False))
    return [given[name] for name in formals if name in given]
