"""Which nodes behind a convolution work on every sample alone, so that they may run before the map is sampled."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.rewrite.graph.parts import Part
from auditor.rewrite.graph.surgery import Surgeon

_LINEAR = {"BatchNormalization", "Identity", "Dropout", "Neg"}
_LINEAR_WITH_CONSTANTS = {"Add", "Sub", "Mul", "Div"}
_NONLINEAR = {
    "Abs",
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Max",
    "Min",
    "Mish",
    "PRelu",
    "Pow",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
}
_MOST = 32


@dataclass(frozen=True, slots=True)
class Region:
    """Point-wise nodes between ``entry`` and ``exit``, the only tensor that anything else reads. ``linear``: affine."""

    entry: str
    exit: str
    parts: tuple[Part, ...]
    tensors: tuple[str, ...]
    linear: bool


def region_behind(surgeon: Surgeon, tensor: str) -> Region:
    """The largest run of point-wise nodes behind ``tensor`` that has one exit, branches included (x * sigmoid(x)).

    The exit may be an output of the model, or captured by a sub-graph: it keeps its name.
    """
    inside: list[str] = [tensor]
    parts: list[Part] = []
    best = Region(tensor, tensor, (), (tensor,), linear=True)
    linear = True
    while True:
        exits = [name for name in inside if _leaves(surgeon, name, parts)]
        if len(exits) == 1:
            best = Region(tensor, exits[0], tuple(parts), tuple(inside), linear)
        following = _next(surgeon, inside, parts)
        if following is None or len(parts) == _MOST:
            break
        parts.append(following)
        inside.append(following.outputs[0])
        linear = linear and _is_linear(following, inside)
    return best


def _leaves(surgeon: Surgeon, tensor: str, parts: list[Part]) -> bool:
    consumers = surgeon.consumers(tensor)
    outside = surgeon.is_output(tensor) or surgeon.is_captured(tensor)
    return outside or not consumers or any(consumer not in parts for consumer in consumers)


def _next(surgeon: Surgeon, inside: list[str], parts: list[Part]) -> Part | None:
    """A point-wise node that reads nothing variable but tensors of the region."""
    for name in inside:
        for consumer in surgeon.consumers(name):
            if consumer not in parts and _is_pointwise(surgeon, consumer, inside):
                return consumer
    return None


def _is_pointwise(surgeon: Surgeon, part: Part, inside: list[str]) -> bool:
    if part.domain or part.own or any(part.outputs[1:]) or not part.outputs:
        return False
    if part.op in _LINEAR:
        return part.inputs[0] in inside
    if part.op not in _NONLINEAR and part.op not in _LINEAR_WITH_CONSTANTS:
        return False
    return all(not name or name in inside or _is_per_channel(surgeon, name, inside[0]) for name in part.inputs)


def _is_per_channel(surgeon: Surgeon, tensor: str, like: str) -> bool:
    """A constant that is the same everywhere on the grid."""
    shape = surgeon.shape(like)
    constant = surgeon.constant(tensor)
    dims = constant.dims if constant is not None else surgeon.shape(tensor)
    if shape is None or dims is None or surgeon.is_dynamic(tensor):
        return False
    grid = len(shape) - 2
    return len(dims) <= len(shape) and all(size == 1 for size in (dims[-grid:] if grid else ()))


def _is_linear(part: Part, inside: list[str]) -> bool:
    """Whether the node is affine in the region's tensors."""
    if part.op in _LINEAR:
        return True
    if part.op not in _LINEAR_WITH_CONSTANTS:
        return False
    variable = [place for place, name in enumerate(part.inputs) if name in inside]
    return len(variable) == 1 and not (part.op == "Div" and variable[0] == 1)
