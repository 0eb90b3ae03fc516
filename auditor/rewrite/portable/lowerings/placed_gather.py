"""A Gather of rows or columns at computed places: a product with a one-hot matrix that is made of the places.

The entry for place p and sample k is max(0, 1 - abs(p - k)), in operators that runtimes without comparisons have too.
"""

from __future__ import annotations

from math import prod

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX
from auditor.rewrite.graph.types import numpy_type
from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.targets.forms.form import integer

_LONGEST = 1 << 24  # whole numbers that float32 holds


def _way(place: Place) -> Way:
    shape = place.shape()
    place.floating()
    rank = len(shape)
    axis = integer(place.node, "axis", 0)
    axis += rank if axis < 0 else 0
    indices = place.node.input(1)
    if axis < max(rank - 2, 2):
        raise NotLoweredError("it picks along another axis than the last two of a map")
    if indices.shape is None or len(indices.shape) != 1:
        raise NotLoweredError("its places are not a list")
    if shape[axis] >= _LONGEST:
        raise NotLoweredError("its axis is too long for places in float32")
    picked = prod(shape[2:]) // shape[axis] * indices.shape[0]
    ratio = prices.ratio(float(shape[axis] * picked), prices.ELEMENT * picked, shape[1])
    last, front = axis == rank - 1, _counted_from_the_front(place)
    return Way("a product with a one-hot matrix", ratio, lambda: _write(place, shape[axis], last=last, front=front))


def _write(place: Place, length: int, *, last: bool, front: bool) -> None:
    import numpy as np

    block = place.block()
    places = _places(place, block, [1, -1] if last else [-1, 1])
    samples = np.arange(length, dtype=np.float32).reshape((-1, 1) if last else (1, -1))
    matrix = _one_hot(block, places, samples)
    if not front:
        # Negative places count from the end.
        (matrix,) = block.node("Add", [matrix, _one_hot(block, places, samples - length)], "one_hot")
    if numpy_type(place.dtype) is not np.float32:
        (matrix,) = block.node("Cast", [matrix], "one_hot", to=place.dtype)
    factors = [place.data, matrix] if last else [matrix, place.data]
    block.node("MatMul", factors, "picked", place.output)
    replaced(place, block)


def _places(place: Place, block: Block, shape: list[int]) -> str:
    """The places as float32, without a way over integers where they begin at a number that was float32 itself."""
    import numpy as np

    editor, name = place.editor, place.part.inputs[1]
    added = editor.producer(name)
    for start, run in (added.inputs, added.inputs[::-1]) if added is not None and added.op == "Add" else ():
        constant, made = editor.constant(run), editor.producer(start)
        values = None if constant is None else inline_values(constant)
        if values is not None and made is not None and made.op == "Cast" and made.name.startswith(PREFIX):
            (first,) = block.node("Reshape", [made.inputs[0], np.array([1, 1], np.int64)], "first")
            (places,) = block.node("Add", [first, np.array(values, np.float32).reshape(shape)], "places")
            # The converter to TensorFlow Lite loses the order of the axes of such a sum without it.
            return block.node("Reshape", [places, np.array(shape, np.int64)], "places")[0]
    (places,) = block.node("Cast", [name], "places", to=int(DataType.FLOAT))
    return block.node("Reshape", [places, np.array(shape, np.int64)], "places")[0]


def _one_hot(block: Block, places: str, samples: object) -> str:
    import numpy as np

    (apart,) = block.node("Sub", [places, samples], "apart")
    (apart,) = block.node("Abs", [apart], "apart")
    (near,) = block.node("Sub", [np.array(1, np.float32), apart], "near")
    return block.node("Relu", [near], "one_hot")[0]


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
