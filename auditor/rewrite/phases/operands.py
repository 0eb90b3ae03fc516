"""What the operands of nodes are while the batch axis is followed through a graph: shapes, constants, axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor

UNKNOWN = "is not known to treat every picture of a batch alone"
MIXES = "works across the batch axis, which the phases would occupy"
FIXED = "folds the batch axis into others"
SHAPES = "has a tensor whose size is not known"
FOREIGN = "combines its map with a constant for a fixed batch"

_SOFTMAX_AXIS_SINCE = 13


class AtNodeError(Exception):
    """What a node does that the batch axis does not bear; the node is put in front of it."""


class Patch(Enum):
    """How a node gets the size of the batch that the phases make."""

    CONSTANT = "other constants"
    FIRST = "the first of its constant sizes is that of its input"
    COMPUTED = "the first of its computed sizes is that of its input"


@dataclass(frozen=True, slots=True)
class Sized:
    """A node whose operand ``place`` fixes the size of the batch, and the ``values`` that stand there, if constant."""

    part: EditNode
    place: int
    patch: Patch
    values: tuple[int, ...] = ()


class Operands:
    """Tensors with the batch on axis 0, ``batch``, and from elsewhere, ``entering`` by the nodes that read both."""

    def __init__(self, editor: GraphEditor, starts: Iterable[str]) -> None:
        self.editor = editor
        self.batch = set(starts)
        self.entering: dict[str, list[EditNode]] = {}

    def alone(self, part: EditNode) -> None:
        """The batch comes in by the first input only; what else is read is the same for all pictures."""
        if part.inputs[0] not in self.batch or any(name in self.batch for name in part.inputs[1:]):
            raise AtNodeError(UNKNOWN)

    def listed(self, part: EditNode) -> tuple[int | float, ...]:
        """The axes of a node, as an attribute or as a constant."""
        axes = part.attributes.get("axes")
        if isinstance(axes, tuple):
            return tuple(axis for axis in axes if isinstance(axis, int))
        return self.values(part.inputs[1]) if len(part.inputs) > 1 and part.inputs[1] else ()

    def axis(self, part: EditNode, default: int) -> int:
        if part.op in ("Softmax", "LogSoftmax", "Hardmax") and self.editor.opset >= _SOFTMAX_AXIS_SINCE:
            default = -1
        axis = part.attributes.get("axis", default)
        return axis if isinstance(axis, int) else default

    def not_first(self, axis: int, part: EditNode) -> None:
        if self.first(axis, next(name for name in part.inputs if name in self.batch)):
            raise AtNodeError(MIXES)

    def first(self, axis: object, tensor: str) -> bool:
        return not isinstance(axis, int) or axis % max(len(self.shape(tensor)), 1) == 0

    def values(self, tensor: str) -> tuple[int | float, ...]:
        constant = self.editor.constant(tensor)
        values = None if constant is None else inline_values(constant)
        if values is None:
            raise AtNodeError(UNKNOWN)
        return values

    def shape(self, tensor: str) -> tuple[int, ...]:
        constant = self.editor.constant(tensor)
        shape = constant.dims if constant is not None else self.editor.shape(tensor)
        if shape is None:
            raise AtNodeError(SHAPES)
        return shape

    def size(self, tensor: str) -> int:
        shape = self.shape(tensor)
        if not shape:
            raise AtNodeError(MIXES)
        return shape[0]

    def is_variable(self, tensor: str) -> bool:
        return bool(tensor) and self.editor.is_dynamic(tensor)

    def enters(self, tensor: str, part: EditNode) -> None:
        readers = self.entering.setdefault(tensor, [])
        if part not in readers:
            readers.append(part)
