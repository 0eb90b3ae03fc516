"""A model's structure without its weights and without its names, so that it can be shown to others.

Operators, attributes, shapes and element types stay. Every name becomes a number, the same one wherever it occurs;
metadata and documentation go; tensors lose their elements, but for those that shapes and indices are computed from. So
the audit of the result has the sampling sites, factors, joins and heads of the original. What is read from weights is
unknown in it: alias energies, whether a convolution blurs or is a Fourier transform, and whether a stored bias holds
positions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.graph import (
    Attribute,
    Function,
    Graph,
    Model,
    Node,
    Payload,
    PayloadKind,
    Reference,
    Tensor,
    ValueInfo,
)
from auditor.rewrite.steering import steering
from auditor.sampling.ops import DOMAINS, QUANTISER_DOMAINS

# Their operators are public, so are the words in their attributes; those of other domains may be anybody's.
_PUBLIC = DOMAINS | QUANTISER_DOMAINS
_WORDS = frozenset(
    {
        "activation",
        "activations",
        "approximate",
        "auto_pad",
        "coordinate_transformation_mode",
        "cubic_mode",
        "direction",
        "equation",
        "keep_aspect_ratio_policy",
        "layout",
        "mode",
        "nearest_mode",
        "padding_mode",
        "reduction",
        "rounding_mode",
    }
)
_WORD = re.compile(r"[A-Za-z0-9_ ,.>()-]{0,64}")
_FEW = 64  # elements of a tensor of real numbers that steers a shape, as the scales of a Resize do
_LONGEST_LIST = 16  # numbers in an attribute; longer ones may be weights
_EXPORTERS = re.compile(
    r"(pytorch|tf2onnx|keras2onnx|skl2onnx|onnx\.utils|onnx-mlir|CNTK|paddle|MindSpore)\b[ \w.+-]*", re.I
)

# Never weights: quantised networks store theirs in 8 bits, and their biases in 32.
_INDICES = frozenset({DataType.INT64, DataType.BOOL})


@dataclass(slots=True)
class Names:
    """New names by old ones, one series per kind of thing."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def of(self, kind: str, name: str) -> str:
        """``kind_0``, ``kind_1``, … in the order in which names are met; an empty name stays empty."""
        if not name:
            return ""
        if (kind, name) not in self.known:
            number = self.counts[kind] = self.counts.get(kind, -1) + 1
            self.known[kind, name] = f"{kind}_{number}"
        return self.known[kind, name]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """An anonymised model, with the counts of what was kept and what was replaced."""

    model: Model
    names: int
    emptied: int
    kept: int


def skeleton_of(model: Model) -> Skeleton:
    """The structure of a model. A tensor keeps its shape and type, and is read as one whose elements are missing."""
    return _Anonymiser(model).skeleton()


class _Anonymiser:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._names = Names()
        self._steering = steering(model)
        self._emptied = self._kept = 0
        self._renamed = {key for key in model.functions if key[0] not in _PUBLIC}
        self._domains = {domain for domain, _, _ in self._renamed}

    def skeleton(self) -> Skeleton:
        model = self._model
        graph = self._graph(model.graph)
        functions = [self._function(function) for function in model.functions.values()]
        anonymous = replace(
            model,
            producer=model.producer if _EXPORTERS.fullmatch(model.producer) else "",
            opsets=self._opsets(model.opsets),
            graph=graph,
            functions={(function.domain, function.name, function.overload): function for function in functions},
            metadata={},
        )
        return Skeleton(anonymous, len(self._names.known), self._emptied, self._kept)

    def _tensor_name(self, name: str) -> str:
        return self._names.of("tensor", name)

    def _opsets(self, opsets: Mapping[str, int]) -> dict[str, int]:
        return {self._domain(domain): version for domain, version in opsets.items()}

    def _domain(self, domain: str) -> str:
        return self._names.of("domain", domain) if domain in self._domains else domain

    def _graph(self, graph: Graph) -> Graph:
        return Graph(
            name="graph",
            nodes=tuple(self._node(node) for node in graph.nodes),
            inputs=tuple(map(self._value, graph.inputs)),
            outputs=tuple(map(self._value, graph.outputs)),
            initializers={self._tensor_name(name): self._tensor(tensor) for name, tensor in graph.initializers.items()},
        )

    def _value(self, value: ValueInfo) -> ValueInfo:
        dims = value.dims
        if dims is not None:
            dims = tuple(self._names.of("size", dim) if isinstance(dim, str) else dim for dim in dims)
        return replace(value, name=self._tensor_name(value.name), dims=dims)

    def _function(self, function: Function) -> Function:
        key = (function.domain, function.name, function.overload)
        domain, name, overload = self._callee(key)
        return Function(
            domain=domain,
            name=name,
            overload=overload,
            inputs=tuple(map(self._tensor_name, function.inputs)),
            outputs=tuple(map(self._tensor_name, function.outputs)),
            defaults={
                self._attribute_name(default): self._attribute(function.domain, default, value)
                for default, value in function.defaults.items()
            },
            nodes=tuple(self._node(node) for node in function.nodes),
            opsets=self._opsets(function.opsets),
        )

    def _callee(self, key: tuple[str, str, str]) -> tuple[str, str, str]:
        domain, name, overload = key
        if key not in self._renamed:
            return self._domain(domain), name, overload
        return self._domain(domain), self._names.of("function", name), self._names.of("overload", overload)

    def _attribute_name(self, name: str) -> str:
        return self._names.of("attribute", name)

    def _node(self, node: Node) -> Node:
        key = (node.domain, node.op, node.overload)
        domain, op, overload = self._callee(key)
        calls = key in self._model.functions
        return Node(
            name=self._names.of("node", node.name),
            op=op,
            domain=domain,
            inputs=tuple(map(self._tensor_name, node.inputs)),
            outputs=tuple(map(self._tensor_name, node.outputs)),
            attributes={
                self._attribute_name(name) if calls else name: self._attribute(node.domain, name, value)
                for name, value in node.attributes.items()
            },
            index=node.index,
            overload=overload,
        )

    def _attribute(self, domain: str, name: str, value: Attribute) -> Attribute:
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, Graph):
            return self._graph(value)
        if isinstance(value, Reference):
            return Reference(self._attribute_name(value.name))
        if isinstance(value, str):
            return self._text(domain, name, value)
        if not isinstance(value, tuple):
            return value
        return self._list(domain, name, value)

    def _list(self, domain: str, name: str, values: tuple[object, ...]) -> Attribute:
        graphs = tuple(self._graph(value) for value in values if isinstance(value, Graph))
        texts = tuple(self._text(domain, name, value) for value in values if isinstance(value, str))
        integers = tuple(value for value in values if isinstance(value, int))
        reals = tuple(value for value in values if isinstance(value, float))
        own = domain not in _PUBLIC or domain == "ai.onnx.ml"
        if reals and (own or len(reals) > _LONGEST_LIST):
            reals = (0.0,) * len(reals)
        if own and len(integers) > _LONGEST_LIST:
            integers = (0,) * len(integers)
        return graphs or texts or reals or integers

    def _text(self, domain: str, name: str, value: str) -> str:
        if domain in _PUBLIC and name in _WORDS and _WORD.fullmatch(value):
            return value
        return self._names.of("text", value)

    def _tensor(self, tensor: Tensor) -> Tensor:
        payload = tensor.payload
        steers = id(tensor) in self._steering and (tensor.dtype == DataType.INT32 or tensor.elements <= _FEW)
        keeps = payload.kind is PayloadKind.INLINE and (steers or tensor.dtype in _INDICES or tensor.elements == 0)
        self._kept += keeps
        self._emptied += not keeps
        payload = payload if keeps else Payload(PayloadKind.MISSING)
        return Tensor(self._tensor_name(tensor.name), tensor.dims, tensor.dtype, payload)
