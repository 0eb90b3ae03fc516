"""Predicted cost: multiply-adds and the largest tensor, from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from auditor.rewrite.graph.parts import Part
from auditor.rewrite.graph.surgery import Surgeon

_SLIDING = {"MaxPool", "AveragePool", "LpPool"}


def multiply_adds(surgeon: Surgeon, part: Part) -> int | None:
    """The multiply-adds of a node at the sizes of the analysis: 0 for what is cheap, None where shapes are unknown."""
    if part.op in {"Conv", "FusedConv", "ConvTranspose", "QLinearConv", "ConvInteger"}:
        place = 3 if part.op == "QLinearConv" else 1
        weight = _dims(surgeon, part.inputs[place]) if len(part.inputs) > place else None
        grid = surgeon.shape(part.inputs[0] if part.op == "ConvTranspose" else part.outputs[0])
        if weight is None or grid is None:
            return None
        return prod(weight) * grid[0] * prod(grid[2:])
    if part.op in {"Gemm", "MatMul"}:
        left, right, result = _dims(surgeon, part.inputs[0]), _dims(surgeon, part.inputs[1]), None
        result = surgeon.shape(part.outputs[0])
        if left is None or right is None or result is None or not left:
            return None
        return prod(result) * (left[0] if part.attributes.get("transA") else left[-1])
    if part.op in _SLIDING:
        kernel, result = part.attributes.get("kernel_shape"), surgeon.shape(part.outputs[0])
        return None if result is None or not isinstance(kernel, tuple) else prod(result) * prod(map(int, _ints(kernel)))
    return 0


def total(surgeon: Surgeon, parts: Iterable[Part]) -> int | None:
    """The multiply-adds of several nodes, None where more than a tenth of the heavy ones are unknown."""
    costs = [multiply_adds(surgeon, part) for part in parts]
    heavy = [cost for cost in costs if cost != 0]
    unknown = sum(cost is None for cost in heavy)
    return None if 10 * unknown > len(heavy) else sum(cost for cost in heavy if cost is not None)


def largest(surgeon: Surgeon, parts: Iterable[Part]) -> int:
    """The number of elements of the largest tensor that a node makes."""
    return max((prod(surgeon.shape(name) or (0,)) for part in parts for name in part.outputs if name), default=0)


def _dims(surgeon: Surgeon, tensor: str) -> tuple[int, ...] | None:
    constant = surgeon.constant(tensor)
    return constant.dims if constant is not None else surgeon.shape(tensor)


def _ints(values: tuple[object, ...]) -> list[int]:
    return [value for value in values if isinstance(value, int)]
