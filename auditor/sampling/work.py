"""How much a network computes: multiply-adds, from shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TypeAlias

from auditor.onnxfile.graph import Graph, Tensor
from auditor.sampling.traits import Family, traits_of

ShapeOf: TypeAlias = "Callable[[str], tuple[int, ...] | None]"


def node_multiply_adds(
    domain: str,
    op: str,
    attributes: Mapping[str, object],
    inputs: Sequence[str],
    outputs: Sequence[str],
    shape: ShapeOf,
) -> int | None:
    """The multiply-adds of a node: 0 for what is cheap, None where a shape is not known."""
    traits = traits_of(domain, op)
    if traits.family in (Family.CONVOLUTION, Family.TRANSPOSED):
        place = traits.weights or 0
        weight = shape(inputs[place]) if len(inputs) > place else None
        samples = shape(inputs[0] if traits.family is Family.TRANSPOSED else outputs[0])
        # Every sample of the result (of what is spread, where a convolution is transposed) costs one filter.
        return None if not weight or samples is None else prod(samples) * prod(weight[1:])
    if traits.family is Family.PRODUCT:
        left, result = shape(inputs[0]), shape(outputs[0])
        if not left or result is None:
            return None
        turned = attributes.get("transA") and len(left) > 1
        return prod(result) * (left[-2] if turned else left[-1])
    if traits.family is Family.POOL:
        kernel, result = attributes.get("kernel_shape"), shape(outputs[0])
        if result is None or not isinstance(kernel, tuple):
            return None
        return prod(result) * prod(size for size in kernel if isinstance(size, int))
    return 0


def multiply_adds(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """The multiply-adds of one call of the main graph, None where more than a tenth of its heavy nodes are unknown.

    ``shapes`` are those of its tensors, as the analysis knows them.
    """
    stored = {name: tensor.dims for name, tensor in graph.initializers.items()}
    stored |= {
        node.outputs[0]: value.dims
        for node in graph.nodes
        if node.op == "Constant" and node.outputs and isinstance(value := node.attributes.get("value"), Tensor)
    }

    def shape(name: str) -> tuple[int, ...] | None:
        return stored.get(name) or shapes.get(name)

    heavy, known = 0, []
    for node in graph.nodes:
        count = node_multiply_adds(node.domain, node.op, node.attributes, node.inputs, node.outputs, shape)
        heavy += count != 0
        known += [count] if count else []
    return sum(known) if known and 10 * (heavy - len(known)) <= heavy else None
