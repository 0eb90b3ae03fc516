"""What a lowering is: one way to write a node so that every runtime computes it as onnxruntime does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.graph import Attribute
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX, EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import numpy_type
from auditor.sampling.observed import ObservedNode

if TYPE_CHECKING:
    import numpy as np

OPEN = "its size depends on an input size that the file leaves open: export with a fixed size"
OPEN_BATCH = "it would fix a batch whose size the file leaves open: export with a fixed size"
UNKNOWN = "the size of its input is not known"


class NotLoweredError(Exception):
    """A node that a lowering does not take; the message is the reason, in our own words."""


@dataclass(frozen=True, slots=True)
class Place:
    """One node of the main graph, as editor and analysis see it; ``dtype`` is the type of what it samples."""

    editor: GraphEditor
    part: EditNode
    node: ObservedNode
    dtype: int

    @property
    def data(self) -> str:
        """The tensor that the node samples."""
        return self.part.inputs[0]

    @property
    def output(self) -> str:
        return self.part.outputs[0]

    @property
    def open_batch(self) -> bool:
        """Whether the file leaves the first axis of an input open, which the analysis takes for a batch of 1."""
        graph = self.editor.model.graph
        fed = [(None,) if one.dims is None else one.dims for one in graph.inputs if one.name not in graph.initializers]
        return any(not isinstance(size, int) or size < 1 for dims in fed for size in dims[:1])

    def block(self) -> Block:
        """An empty block for what takes the node's place."""
        return Block(self.editor, f"{PREFIX}{(self.part.name or self.part.op).removeprefix(PREFIX)[:200]}/portable")

    def shape(self, fixed: bool = True) -> tuple[int, ...]:
        """The shape of what is sampled. Raises NotLoweredError where it is lost, or (``fixed``) an axis is open."""
        data = self.node.input(0)
        if data.shape is None:
            raise NotLoweredError(UNKNOWN)
        if fixed and data.open - {0}:
            raise NotLoweredError(OPEN)
        return data.shape

    def result(self) -> tuple[int, ...]:
        """The shape of what the node makes, at the sizes of the analysis."""
        shape = self.node.outputs[0].shape if self.node.outputs else None
        if shape is None:
            raise NotLoweredError(UNKNOWN)
        return shape

    def floating(self, *, half: bool = True) -> type[np.floating]:
        """The element type. Raises NotLoweredError for integers, and for half precision where that would round."""
        known = numpy_type(self.dtype)
        if known is None:
            raise NotLoweredError("it does not compute on floating-point numbers")
        if self.dtype == DataType.FLOAT16 and not half:
            raise NotLoweredError("half precision rounds the products: lower the float32 model, then convert it")
        return known  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Way:
    """How a node is lowered. ``words`` say what takes its place.

    ``ratio`` is the predicted time of that to the time of the node in onnxruntime on one core. ``becomes`` is the node
    with other attributes, where it stays; ``write`` edits the graph. ``added`` are multiply-adds of convolutions.
    """

    words: str
    ratio: float
    write: Callable[[], None]
    becomes: ObservedNode | None = None
    added: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortableForm:
    """One portable form, of those for the same node the one of lowest ``rank`` (equal: the cheapest).

    ``forms`` are those of the targets that it replaces. ``way`` raises NotLoweredError where it does not
    apply, with the reason.
    """

    rank: int
    operators: frozenset[str]
    forms: frozenset[str]
    way: Callable[[Place], Way] = field(repr=False)


def replaced(place: Place, block: Block) -> None:
    """Put a finished block in the place of the node; its last node writes the node's output."""
    block.insert(place.part, after=True)
    place.editor.remove(place.part)


def edited(place: Place, words: str, ratio: float = 1.0, **attributes: int | str | tuple[int, ...] | None) -> Way:
    """The node with some attributes set, or removed (None)."""

    def write() -> None:
        for name, value in attributes.items():
            place.editor.set_attribute(place.part, name, value)

    kept: dict[str, Attribute] = {key: old for key, old in place.node.attributes.items() if key not in attributes}
    kept.update({key: value for key, value in attributes.items() if value is not None})
    return Way(words, ratio, write, replace(place.node, attributes=kept))
