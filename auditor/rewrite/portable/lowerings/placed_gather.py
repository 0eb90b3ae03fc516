"""A Gather of rows or columns at computed places: a product with a one-hot matrix that is made of the places."""

from __future__ import annotations

from math import prod

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.one_hot import LONGEST, as_float, drop_unread, one_hot, product
from auditor.targets.forms.form import integer


def _way(place: Place) -> Way:
    shape = place.shape()
    place.floating()
    rank = len(shape)
    axis = integer(place.node, "axis", 0)
    axis += rank if axis < 0 else 0
    indices = place.node.input(1)
    if axis < max(rank - 2, 2):
        raise NotLoweredError("it picks along another axis than the last two of a map")
    if indices.shape is None or len(indices.shape) > 1:
        raise NotLoweredError("its places are not a list")
    if shape[axis] >= LONGEST:
        raise NotLoweredError("its axis is too long for places in float32")
    picked = prod(shape[2:]) // shape[axis] * prod(indices.shape)
    ratio = prices.ratio(float(shape[axis] * picked), prices.ELEMENT * picked, shape[1])
    last, front = axis == rank - 1, _counted_from_the_front(place)
    kept = None if indices.shape else [0] * (rank - 1)
    return Way(
        "a product with a one-hot matrix", ratio, lambda: _write(place, shape[axis], kept, last=last, front=front)
    )


def _write(place: Place, length: int, kept: list[int] | None, *, last: bool, front: bool) -> None:
    """Write the product; of a single place without an axis of its own that axis goes (``kept`` is a Reshape)."""
    import numpy as np

    block = place.block()
    places = _places(place, block, [1, -1] if last else [-1, 1])
    samples = np.arange(length, dtype=np.float32).reshape((-1, 1) if last else (1, -1))
    matrix = one_hot(block, places, samples)
    if not front:
        # Negative places count from the end.
        (matrix,) = block.node("Add", [matrix, one_hot(block, places, samples - length)], "one_hot")
    picked = product(block, place.data, matrix, place.dtype, None if kept else place.output, last=last)
    if kept:
        block.node("Reshape", [picked, np.array([*kept[:-1], -1], np.int64)], "picked", place.output)
    replaced(place, block)
    drop_unread(place.editor, place.part.inputs[1])


def _places(place: Place, block: Block, shape: list[int]) -> str:
    """The places as float32, without a way over integers where they begin at a number that was float32 itself."""
    import numpy as np

    editor, name = place.editor, place.part.inputs[1]
    added = editor.producer(name)
    for start, run in (added.inputs, added.inputs[::-1]) if added is not None and added.op == "Add" else ():
        constant, single = editor.constant(run), prod(editor.shape(start) or (0,)) == 1
        values = None if constant is None else inline_values(constant)
        if values is not None and single:
            number = as_float(editor, block, start)
            (first,) = block.node("Reshape", [number, np.array([1, 1], np.int64)], "first")
            (places,) = block.node("Add", [first, np.array(values, np.float32).reshape(shape)], "places")
            # The converter to TensorFlow Lite loses the order of the axes of such a sum without it.
            return block.node("Reshape", [places, np.array(shape, np.int64)], "places")[0]
    (places,) = block.node("Cast", [name], "places", to=int(DataType.FLOAT))
    return block.node("Reshape", [places, np.array(shape, np.int64)], "places")[0]


def _counted_from_the_front(place: Place) -> bool:
    """Whether the places are a row of a constant table plus a constant, without a negative number in either."""
    part = place.editor.producer(place.part.inputs[1])
    if part is None or part.op != "Add":
        return False
    for name in part.inputs:
        tensor = place.editor.constant(name)
        if tensor is None:
            made = place.editor.producer(name)
            tensor = place.editor.constant(made.inputs[0]) if made is not None and made.op == "Gather" else None
        values = None if tensor is None else inline_values(tensor)
        if values is None or min(values, default=0) < 0:
            return False
    return True


FORM = PortableForm(rank=10, operators=frozenset({"Gather"}), forms=frozenset({"gather-computed"}), way=_way)
