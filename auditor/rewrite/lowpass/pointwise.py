"""Which nodes behind a convolution work on every sample alone, so that they may run before the map is sampled."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling.traits import Family, traits_of

_PER_CHANNEL = frozenset({"BatchNormalization", "Dropout"})  # what they read besides the map has an axis of its own
_RANDOM = frozenset({"Bernoulli"})
_MOST = 32


@dataclass(frozen=True, slots=True)
class Region:
    """Point-wise nodes between ``entry`` and ``exit``, the only tensor that anything else reads. ``linear``: affine."""

    entry: str
    exit: str
    parts: tuple[EditNode, ...]
    tensors: tuple[str, ...]
    linear: bool


def region_behind(editor: GraphEditor, tensor: str) -> Region:
    """The largest run of point-wise nodes behind ``tensor`` that has one exit, branches included (x * sigmoid(x)).

    The exit may be an output of the model, or captured by a sub-graph: it keeps its name.
    """
    inside: list[str] = [tensor]
    parts: list[EditNode] = []
    best = Region(tensor, tensor, (), (tensor,), linear=True)
    linear = True
    while True:
        exits = [name for name in inside if _leaves(editor, name, parts)]
        if len(exits) == 1:
            best = Region(tensor, exits[0], tuple(parts), tuple(inside), linear)
        following = _next(editor, inside, parts)
        if following is None or len(parts) == _MOST:
            break
        parts.append(following)
        inside.append(following.outputs[0])
        linear = linear and _is_linear(following, inside)
    return best


def _leaves(editor: GraphEditor, tensor: str, parts: list[EditNode]) -> bool:
    consumers = editor.consumers(tensor)
    outside = editor.is_output(tensor) or editor.is_captured(tensor)
    return outside or not consumers or any(consumer not in parts for consumer in consumers)


def _next(editor: GraphEditor, inside: list[str], parts: list[EditNode]) -> EditNode | None:
    """A point-wise node that reads nothing variable but tensors of the region."""
    for name in inside:
        for consumer in editor.consumers(name):
            if consumer not in parts and _is_pointwise(editor, consumer, inside):
                return consumer
    return None


def _is_pointwise(editor: GraphEditor, part: EditNode, inside: list[str]) -> bool:
    traits = traits_of(part.domain, part.op)
    if not traits.pointwise or traits.retyped or part.op in _RANDOM or part.own or any(part.outputs[1:]):
        return False
    if part.op in _PER_CHANNEL:
        return part.inputs[0] in inside
    return all(not name or name in inside or _is_per_channel(editor, name, inside[0]) for name in part.inputs)


def _is_per_channel(editor: GraphEditor, tensor: str, like: str) -> bool:
    """A constant that is the same everywhere on the grid."""
    shape = editor.shape(like)
    constant = editor.constant(tensor)
    dims = constant.dims if constant is not None else editor.shape(tensor)
    if shape is None or dims is None or editor.is_dynamic(tensor):
        return False
    grid = len(shape) - 2
    return len(dims) <= len(shape) and all(size == 1 for size in (dims[-grid:] if grid else ()))


def _is_linear(part: EditNode, inside: list[str]) -> bool:
    """Whether the node is affine in the region's tensors."""
    traits = traits_of(part.domain, part.op)
    if not traits.affine or traits.family is not Family.PAIR:
        return traits.affine
    variable = [place for place, name in enumerate(part.inputs) if name in inside]
    return len(variable) == 1 and not (part.op == "Div" and variable[0] == 1)
