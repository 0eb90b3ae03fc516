"""A Slice of rows or columns from a computed place on: a product with a one-hot matrix that is made of the place."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.portable import prices
from auditor.rewrite.portable.computed_crop import AxisCrop, crops
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.one_hot import LONGEST, as_float, drop_unread, one_hot, product

_DEEPEST = 16


def _way(place: Place) -> Way:
    place.floating()
    shape = place.node.input(0).shape
    shape = _cropped(place.editor, place.data) if shape is None else place.shape()
    cut = crops(place.editor, place.part, shape)
    if any(crop.axis < max(len(shape) - 2, 2) and not _whole_axis(crop) for crop in cut):
        raise NotLoweredError("it cuts another axis than the last two of a map")
    if max(shape[crop.axis] for crop in cut) >= LONGEST:
        raise NotLoweredError("its axis is too long for places in float32")
    cut = tuple(crop for crop in cut if not _whole_axis(crop))
    before, after = list(shape), list(shape)
    cost = 0.0
    for crop in cut:
        before[crop.axis] = crop.count
        cost += crop.length * prod(before[2:])
        after[crop.axis] = crop.count
    ratio = prices.ratio(cost, prices.ELEMENT * prod(after[2:]), shape[1])
    return Way("a product with a one-hot matrix", ratio, lambda: _write(place, cut, len(shape)))


def _whole_axis(crop: AxisCrop) -> bool:
    """Whether all of an axis is taken, as it is."""
    return not crop.place.tensor and crop.samples == tuple(range(crop.length)) and crop.place.offset == 0


def _cropped(editor: GraphEditor, tensor: str, depth: int = 0) -> tuple[int, ...]:
    """The shape of a tensor that other Slices at computed places made, which the analysis does not follow.

    Raises:
        NotLoweredError: it is not known, or an axis is open.
    """
    shape = editor.shape(tensor)
    if shape is not None and editor.has_fixed_size(tensor):
        return shape
    part = editor.producer(tensor)
    if part is None or part.op != "Slice" or shape is not None or depth > _DEEPEST:
        raise NotLoweredError("the size of its input is not known")
    before = list(_cropped(editor, part.inputs[0], depth + 1))
    for crop in crops(editor, part, before):
        before[crop.axis] = crop.count
    return tuple(before)


def _write(place: Place, cut: Sequence[AxisCrop], rank: int) -> None:
    block, data = place.block(), place.data
    for index, crop in enumerate(cut):
        last = crop.axis == rank - 1
        output = place.output if index == len(cut) - 1 else None
        data = product(block, data, _matrix(place.editor, block, crop, last=last), place.dtype, output, last=last)
    if not cut:
        block.node("Identity", [data], "all", place.output)
    bounds = place.part.inputs[1:3]
    replaced(place, block)
    for name in bounds:
        drop_unread(place.editor, name)


def _matrix(editor: GraphEditor, block: Block, crop: AxisCrop, *, last: bool) -> str:
    import numpy as np

    samples = np.arange(crop.length, dtype=np.float32).reshape((-1, 1) if last else (1, -1))
    behind = np.array([crop.place.offset + step for step in crop.samples], np.float32)
    behind = behind.reshape((1, -1) if last else (-1, 1))
    if not crop.place.tensor:
        return block.constant((samples == behind).astype(np.float32), "one_hot")
    start = _start(editor, block, crop.place.tensor, crop.place.entry)
    (places,) = block.node("Add", [start, behind], "places")
    # The converter to TensorFlow Lite loses the order of the axes of such a sum without it.
    (places,) = block.node("Reshape", [places, np.array(behind.shape, np.int64)], "places")
    return one_hot(block, places, samples)


def _start(editor: GraphEditor, block: Block, tensor: str, entry: int) -> str:
    """An entry of a computed tensor as a matrix (1, 1) of float32."""
    import numpy as np

    shape = editor.shape(tensor)
    number = as_float(editor, block, tensor)
    if shape is not None and prod(shape) == 1:
        return block.node("Reshape", [number, np.array([1, 1], np.int64)], "start")[0]
    (row,) = block.node("Reshape", [number, np.array([1, -1], np.int64)], "starts")
    return block.slice(row, [entry], [entry + 1], [1], "start")


FORM = PortableForm(
    rank=10, operators=frozenset({"Slice"}), forms=frozenset({"slice-computed", "slice-computed-step"}), way=_way
)
