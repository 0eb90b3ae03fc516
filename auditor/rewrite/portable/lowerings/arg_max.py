"""What ArgMax chooses: products with a one-hot row, which compare nothing.

A row of a constant table is the product of the row with the table, the place itself its product with 0, 1, 2, ...

The entry of a score is max(0, 1 - large * (largest - score)); of several that are equal the first one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.onnxfile import read_tensor
from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way
from auditor.targets.forms.form import integer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PLACE = "a product of a one-hot row with 0, 1, 2, ..."
_LARGE = 1e30
_MOST = 1 << 10  # scores
_MOST_BYTES = 1 << 24


def _way(place: Place) -> Way:
    shape = place.shape()
    if place.node.op != "ArgMax" or len(shape) != 2 or shape[0] != 1 or place.open_batch:
        raise NotLoweredError("it is no choice among the scores of one picture")
    if integer(place.node, "axis", 0) not in (1, -1) or integer(place.node, "select_last_index", 0):
        raise NotLoweredError("it does not choose the first of the largest scores")
    if shape[1] > _MOST or place.dtype != DataType.FLOAT:
        raise NotLoweredError("its scores are too many, or no float32 numbers")
    if place.editor.is_output(place.output) or place.editor.is_captured(place.output):
        raise NotLoweredError("its place itself is used")
    readers = place.editor.consumers(place.output)
    tables = {} if integer(place.node, "keepdims", 1) else {part: _table(place, part, shape[1]) for part in readers}
    rows = {part: values for part, values in tables.items() if values is not None}
    words = "a product of a one-hot row with the table" if len(rows) == len(readers) else _PLACE
    return Way(words, 1.0, lambda: _write(place, shape[1], rows))


def _table(place: Place, part: EditNode, rows: int) -> NDArray[np.generic] | None:
    """The constant table of which a node picks a row; None of any other node."""
    constant = place.editor.constant(part.inputs[0]) if part.op == "Gather" and part.inputs else None
    values = None if constant is None else read_tensor(place.editor.model, constant, _MOST_BYTES)
    if values is None or part.attributes.get("axis", 0) != 0 or values.shape[:1] != (rows,) or values.ndim > 2:
        return None
    return values


def _write(place: Place, count: int, tables: Mapping[EditNode, NDArray[np.generic]]) -> None:
    import numpy as np

    block = place.block()
    row = _one_hot(block, place.data, count)
    for part, values in tables.items():
        matrix = values.astype(np.float32).reshape(count, -1)
        output = part.outputs[0]
        numbers, flat = values.dtype.kind in "iu", values.ndim == 1
        (made,) = block.node("MatMul", [row, matrix], "row", None if numbers or flat else output)
        if flat:
            (made,) = block.node("Reshape", [made, np.array([1], np.int64)], "row", None if numbers else output)
        if numbers:
            block.node("Cast", [made], "row", output, to=int(DataType.INT64))
    if len(tables) < len(place.editor.consumers(place.output)):
        (number,) = block.node("MatMul", [row, np.arange(count, dtype=np.float32).reshape(-1, 1)], "place")
        if not integer(place.node, "keepdims", 1):
            (number,) = block.node("Reshape", [number, np.array([1], np.int64)], "place")
        block.node("Cast", [number], "place", place.output, to=int(DataType.INT64))
    block.insert(place.part, after=True)
    for part in tables:
        place.editor.remove(part)
    place.editor.remove(place.part)


def _one_hot(block: Block, scores: str, count: int) -> str:
    """A row (1, count) that is 1 at the first of the largest scores and 0 elsewhere."""
    import numpy as np

    one = np.ones((1, 1), np.float32)
    (across,) = block.node("Reshape", [scores, np.array([1, 1, 1, count], np.int64)], "scores")
    (largest,) = block.node("MaxPool", [across], "largest", kernel_shape=[1, count], strides=[1, 1])
    (largest,) = block.node("Reshape", [largest, np.array([1, 1], np.int64)], "largest")
    (behind,) = block.node("Sub", [largest, scores], "behind")
    (behind,) = block.node("Mul", [behind, np.full((1, 1), _LARGE, np.float32)], "behind")
    (near,) = block.node("Sub", [one, behind], "near")
    (top,) = block.node("Relu", [near], "top")
    (before,) = block.node("MatMul", [top, np.triu(np.ones((count, count), np.float32), 1)], "before")
    (free,) = block.node("Sub", [one, before], "free")
    (free,) = block.node("Relu", [free], "free")
    return block.node("Mul", [top, free], "one_hot")[0]


FORM = PortableForm(rank=10, operators=frozenset({"ArgMax", "ArgMin"}), forms=frozenset({"arg-max"}), way=_way)
