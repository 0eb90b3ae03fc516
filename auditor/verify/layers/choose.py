"""The tensors whose equivariance is measured, and how they depend on each other.

Layers are the outputs of sampling sites in the main graph and the outputs of the model that still have a grid. Tensors
inside sub-graphs cannot be graph outputs; what they lose shows at the next site behind them. A model with functions is
measured on a copy without (:mod:`auditor.repair.layered`).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from auditor.onnxfile.graph import Model
from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.result import Analysis, HeadKind, Lattice
from auditor.verify.shifts.alignment import Grid


@dataclass(frozen=True, slots=True)
class Layer:
    """One tensor to compare. ``axes`` are its two grid axes (y, x), ``stride`` and ``offset`` their lattice.

    ``site`` is the index into ``Analysis.sites``, None for an output of the model.
    """

    tensor: str
    node: NodeRef | None
    site: int | None
    axes: tuple[int, int]
    stride: tuple[Fraction, Fraction]
    offset: tuple[Fraction, Fraction]

    @property
    def cumulative(self) -> tuple[float, float]:
        return float(self.stride[0]), float(self.stride[1])

    @property
    def span(self) -> tuple[int, int]:
        """The shifts to run per axis: one period, but always a shift by one."""
        return max(2, self.stride[0].numerator), max(2, self.stride[1].numerator)

    def grid(self, size: tuple[int, int]) -> Grid:
        """Where the tensor's positions lie in an input of ``size`` (H, W)."""
        return Grid(self.cumulative, (float(self.offset[0]), float(self.offset[1])), size)


def choose_layers(model: Model, analysis: Analysis) -> tuple[Layer, ...]:
    """The layers of a model in graph order; a tensor whose lattice is not known or is flipped has none."""
    produced = {output for node in model.graph.nodes for output in node.outputs}
    found: dict[str, Layer] = {}
    for index, site in enumerate(analysis.sites):
        if not site.node.scope and site.output.raw in produced:
            layer = _layer(analysis, site.output.raw, site.node, index)
            if layer is not None:
                found.setdefault(layer.tensor, layer)
    for head in analysis.heads:
        if head.kind is HeadKind.DENSE and head.output.raw in produced:
            layer = _layer(analysis, head.output.raw, head.cause, None)
            if layer is not None:
                found.setdefault(layer.tensor, layer)
    order = {output: node.index for node in model.graph.nodes for output in node.outputs}
    return tuple(sorted(found.values(), key=lambda layer: order[layer.tensor]))


def layers_before(model: Model, layers: tuple[Layer, ...]) -> tuple[tuple[int, ...], ...]:
    """For every layer the layers that it reads on some path with no other layer between."""
    index = {layer.tensor: position for position, layer in enumerate(layers)}
    producers = {output: node for node in model.graph.nodes for output in node.outputs}
    before: list[tuple[int, ...]] = []
    for layer in layers:
        found: set[int] = set()
        waiting = deque(producers[layer.tensor].inputs)
        seen: set[str] = set()
        while waiting:
            tensor = waiting.popleft()
            if tensor in seen:
                continue
            seen.add(tensor)
            if tensor in index:
                found.add(index[tensor])
            elif tensor in producers:
                waiting.extend(producers[tensor].inputs)
        before.append(tuple(sorted(found)))
    return tuple(before)


def _layer(analysis: Analysis, tensor: str, node: NodeRef | None, site: int | None) -> Layer | None:
    lattices = analysis.tensors.get(tensor, ())
    grid: list[tuple[int, Lattice]] = [(axis, one) for axis, one in enumerate(lattices) if one is not None]
    # The batch axis is the first one of every tensor that can be compared image by image.
    if len(grid) != 2 or grid[0][0] == 0 or min(one.stride for _, one in grid) <= 0:
        return None
    (first, y), (second, x) = grid
    # Windows or averaged phases on the batch axis are several maps of one image, on lattices of their own.
    batch = analysis.shapes.get(analysis.sources[y.source].input.raw, ())[:1]
    if batch != analysis.shapes.get(tensor, ())[:1]:
        return None
    if analysis.sources[y.source].axis > analysis.sources[x.source].axis:
        (first, y), (second, x) = (second, x), (first, y)
    if not math.isfinite(float(y.offset + x.offset)):
        return None
    return Layer(tensor, node, site, (first, second), (y.stride, x.stride), (y.offset, x.offset))
