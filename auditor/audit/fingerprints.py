"""What identifies a finding over time: across retraining, renaming and changes elsewhere in the model.

Names and positions do not survive a new export, and a hash over all ancestors breaks when an operator is inserted far
upstream. So a node is known by its neighbourhood: its operator and attributes, and those of three generations of
ancestors and descendants. Left out are tensor names, weights, attributes that say what holds without them, and whatever
is computed from constants alone. Identity, Cast and Dropout are looked through, and so is BatchNormalization, which
exporters and optimisers fold into its neighbours. Nodes that look alike are counted in graph order.

A fingerprint is ``sha256(version, rule, model path, neighbourhood)[:16] + ":" + ordinal``. Everything is linear in the
number of nodes and edges: each node is hashed at most once per generation, so many paths cost no more than one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from auditor.facts.finding import Finding
from auditor.onnxfile.graph import Attribute, Graph, Model, Node, Reference, Tensor, Unsupported
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from auditor.onnxfile.noderef import NodeRef
from auditor.onnxfile.scopes import bodies, walk

VERSION = "aliasauditNode/v1"
GENERATIONS = 3

_LOOKED_THROUGH = frozenset({"Identity", "Cast", "Dropout", "BatchNormalization"})
_STANDARD = frozenset({"", "ai.onnx"})
# Attributes of windows, whose default is the same in every operator that has them: some exporters write it out.
_DEFAULTS: Mapping[str, object] = {
    "auto_pad": "NOTSET",
    "ceil_mode": 0,
    "count_include_pad": 0,
    "group": 1,
    "storage_order": 0,
}
_DEFAULT_ENTRIES = {"dilations": 1, "output_padding": 0, "pads": 0, "strides": 1}


def fill(
    model: Model, model_path: str, findings: Iterable[Finding], limits: Limits = DEFAULT_LIMITS
) -> tuple[Finding, ...]:
    """The findings, in the order given, each with its fingerprint.

    ``model_path`` becomes part of the identity: give it relative to the project and with forward slashes, so that it is
    the same on every machine. Raises ModelFileError where the model cannot be walked within ``limits``.
    """
    findings = tuple(findings)
    if not findings:
        return ()
    neighbourhoods = _Neighbourhoods(model, limits)
    places = ["" if one.node is None else neighbourhoods.of(one.node).hex() for one in findings]
    return _numbered(findings, model_path, places)


def fill_without_model(model_path: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The same for findings about a whole model, for which it is not needed; a node counts as its operator alone."""
    findings = tuple(findings)
    places = ["" if one.node is None else _digest((one.node.op.raw,)).hex() for one in findings]
    return _numbered(findings, model_path, places)


def _numbered(findings: Sequence[Finding], model_path: str, places: Sequence[str]) -> tuple[Finding, ...]:
    """The findings with the hash of rule, model and place, and an ordinal among equal ones in graph order."""
    keys = [
        _digest((VERSION, one.rule, model_path, place, *target_of(one))).hex()[:16]
        for one, place in zip(findings, places, strict=True)
    ]
    seen: Counter[str] = Counter()
    fingerprints = [""] * len(findings)
    for index in sorted(range(len(findings)), key=lambda index: _order(findings[index])):
        key = keys[index]
        fingerprints[index] = f"{key}:{seen[key]}"
        seen[key] += 1
    return tuple(replace(finding, fingerprint=name) for finding, name in zip(findings, fingerprints, strict=True))


def target_of(finding: Finding) -> tuple[str, ...]:
    """The target that a finding is about, which tells it from those on the same node for others; empty for none."""
    target = finding.numbers.get("target")
    return () if target is None else (str(target),)


def _order(finding: Finding) -> int:
    return -1 if finding.node is None else finding.node.order


def _digest(value: Sequence[object]) -> bytes:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).digest()


class _Neighbourhoods:
    """The nodes of a model with their data edges, and the hashes of neighbourhoods that were asked for.

    Nodes are numbered by the walk over all scopes. A tensor is known by its scope and name.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self._nodes: list[Node] = []
        self._places: dict[tuple[str, str], int] = {}
        # Per node its data inputs: the input's slot, and the node and output slot it comes from (-1: a graph input).
        self._parents: list[tuple[tuple[int, int, int], ...]] = []
        # Per node its readers: the output's slot, the reader, the reader's input slot.
        self._children: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        self._signatures: dict[int, bytes] = {}
        self._hashes: dict[tuple[bool, int, int], bytes] = {}
        self._connect(model, limits)

    def of(self, ref: NodeRef) -> bytes:
        """The hash of a node's neighbourhood; of its operator alone where the model has no such node."""
        index = self._find(ref)
        if index is None:
            return _digest((ref.op.raw,))
        return _digest((self._above(index, GENERATIONS), self._below(index, GENERATIONS)))

    def _find(self, ref: NodeRef) -> int | None:
        place = (ref.scope.raw, ref.output.raw)
        if 0 <= ref.order < len(self._nodes):
            outputs = self._nodes[ref.order].outputs
            if place[1] == (outputs[0] if outputs else ""):
                return ref.order
        return self._places.get(place)

    def _above(self, index: int, generations: int) -> bytes:
        """The hash of a node with its ancestors, in the order of their slots."""
        key = (True, index, generations)
        if key not in self._hashes:
            parts: list[object] = [self._signature(index)]
            if generations:
                for slot, parent, output in self._parents[index]:
                    parts.append((slot, output, "" if parent < 0 else self._above(parent, generations - 1)))
            self._hashes[key] = _digest(parts)
        return self._hashes[key]

    def _below(self, index: int, generations: int) -> bytes:
        """The hash of a node with its descendants, in an order that does not depend on where they stand in the file."""
        key = (False, index, generations)
        if key not in self._hashes:
            parts: list[object] = [self._signature(index)]
            if generations:
                children = self._children.get(index, ())
                parts += sorted((output, slot, self._below(child, generations - 1)) for output, child, slot in children)
            self._hashes[key] = _digest(parts)
        return self._hashes[key]

    def _signature(self, index: int) -> bytes:
        if index not in self._signatures:
            self._signatures[index] = _digest(_signature(self._nodes[index]))
        return self._signatures[index]

    def _connect(self, model: Model, limits: Limits) -> None:
        tensors = _Tensors(model)
        for index, (scope, node) in enumerate(walk(model, limits)):
            self._nodes.append(node)
            parents: list[tuple[int, int, int]] = []
            sources = [(slot, tensors.source(scope, name)) for slot, name in enumerate(node.inputs) if name]
            for slot, source in sources:
                if source is None:
                    continue
                parent, output = source
                parents.append((slot, parent, output))
            self._parents.append(tuple(parents))
            inner = list(bodies(scope, node))
            for body, graph in inner:
                tensors.enter(body, scope, graph)
            constant = not parents and (bool(sources) or node.op == "Constant") and not inner
            through = node.op in _LOOKED_THROUGH and node.domain in _STANDARD
            for output, name in enumerate(node.outputs):
                self._places.setdefault((scope, name), index)
                if constant:
                    tensors.define(scope, name, None)
                elif through and output == 0 and parents and parents[0][0] == 0:
                    tensors.define(scope, name, parents[0][1:])
                else:
                    tensors.define(scope, name, (index, output))
            if not through:
                for slot, parent, output in parents:
                    if parent >= 0:
                        self._children[parent].append((output, index, slot))


_Source = tuple[int, int]
_INPUT: _Source = (-1, 0)


class _Tensors:
    """Where each tensor comes from: a node and one of its outputs, a graph input, or (None) constants."""

    def __init__(self, model: Model) -> None:
        self._scopes: dict[str, dict[str, _Source | None]] = {}
        self._outer: dict[str, str] = {}
        self._scopes[""] = dict.fromkeys(model.graph.initializers)

    def enter(self, scope: str, outer: str, graph: Graph) -> None:
        """Opens the scope of a sub-graph, which sees the tensors of the scope around it."""
        self._scopes[scope] = dict.fromkeys(graph.initializers)
        self._outer[scope] = outer

    def define(self, scope: str, name: str, source: _Source | None) -> None:
        self._scopes.setdefault(scope, {})[name] = source

    def source(self, scope: str, name: str) -> _Source | None:
        """The source of a tensor by its name in a scope; an input of a graph or function where nothing defines it."""
        here: str | None = scope
        while here is not None:
            known = self._scopes.get(here, {})
            if name in known:
                return known[name]
            here = self._outer.get(here)
        return _INPUT


def _signature(node: Node) -> tuple[object, ...]:
    """Operator and attributes, without weights and names."""
    domain = "" if node.domain in _STANDARD else node.domain
    attributes = tuple(
        (name, _plain(value))
        for name, value in sorted(node.attributes.items())
        if domain or not _is_default(name, value)
    )
    return (domain, node.op, node.overload, attributes)


def _is_default(name: str, value: Attribute) -> bool:
    if name in _DEFAULT_ENTRIES:
        return isinstance(value, tuple) and all(entry == _DEFAULT_ENTRIES[name] for entry in value)
    return name in _DEFAULTS and value == _DEFAULTS[name]


def _plain(value: Attribute) -> object:
    """An attribute as a value with a stable ``repr``: sub-graphs and tensors by their kind only."""
    if isinstance(value, (Tensor, Graph)):
        return type(value).__name__
    if isinstance(value, Reference):
        return ("Reference", value.name)
    if isinstance(value, Unsupported):
        return ("Unsupported", value.kind)
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value
