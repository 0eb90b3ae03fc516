"""What a Slice at computed places cuts: per axis where it starts, and how many samples it takes, if that is fixed.

Slice cuts a window that hangs over the border. So a window has one size only where its start is known to stay within
bounds, which :mod:`auditor.rewrite.portable.extents` shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.graph import Tensor
from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type
from auditor.rewrite.portable.extents import extent_of
from auditor.rewrite.portable.lowering import NotLoweredError
from auditor.sampling.ops.index import bounds

_MOST_PLACES = 1 << 16
_SAME_NUMBERS = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})
_DEEPEST = 200


class PlaceTerm(NamedTuple):
    """An entry of a computed tensor plus a constant; without a tensor the constant alone."""

    tensor: str
    entry: int
    offset: int


@dataclass(frozen=True, slots=True)
class AxisCrop:
    """The samples that a Slice takes along an axis: ``count``, every ``step``, from ``place`` on.

    ``place`` counts from the front, whatever the model does.
    """

    axis: int
    length: int
    place: PlaceTerm
    count: int
    step: int

    @property
    def samples(self) -> tuple[int, ...]:
        """The samples behind the place that are taken."""
        return tuple(range(0, self.count * self.step, self.step))


def crops(editor: GraphEditor, part: EditNode, shape: Sequence[int]) -> tuple[AxisCrop, ...]:
    """What a Slice of a tensor of that shape takes along each axis that it names.

    Raises:
        NotLoweredError: the size of a window is not fixed, or not known to be.
    """
    axes = _numbers(editor, part, 3)
    steps = _numbers(editor, part, 4)
    if (axes is None and _given(part, 3)) or (steps is None and _given(part, 4)):
        raise NotLoweredError("its axes or steps are computed from the data")
    count = len(axes) if axes is not None else None
    starts, ends = _terms(editor, part.inputs[1], count), _terms(editor, part.inputs[2], count)
    named = axes if axes is not None else tuple(range(len(starts)))
    every = steps if steps is not None else (1,) * len(starts)
    if not len(starts) == len(ends) == len(named) == len(every):
        raise NotLoweredError("its bounds, axes and steps cannot be told one by one")
    rank = len(shape)
    return tuple(
        _crop(editor, axis % rank, shape[axis % rank], start, end, step)
        for axis, start, end, step in zip(named, starts, ends, every, strict=True)
    )


def _crop(editor: GraphEditor, axis: int, length: int, start: PlaceTerm, end: PlaceTerm, step: int) -> AxisCrop:
    if step < 1:
        raise NotLoweredError("it flips an axis")
    if not start.tensor and not end.tensor:
        first, count = bounds(length, start.offset, end.offset, step)
        return AxisCrop(axis, length, PlaceTerm("", 0, first), count, step)
    if start[:2] != end[:2]:
        raise NotLoweredError("the size of its window is computed from the data")
    window = end.offset - start.offset
    extent = extent_of(editor, start.tensor)
    low, high = extent.low + start.offset, extent.high + start.offset
    if high - low > _MOST_PLACES:
        raise NotLoweredError(_unbounded(length, window))
    cut = [bounds(length, place, place + window, step) for place in range(int(low), int(high) + 1)]
    counts = {count for _, count in cut}
    moved = {first - place for place, (first, _) in zip(range(int(low), int(high) + 1), cut, strict=True)}
    if len(counts) != 1 or len(moved) != 1 or 0 in counts:
        raise NotLoweredError(_unbounded(length, window, f"{int(low)} to {int(high)}"))
    return AxisCrop(axis, length, start._replace(offset=start.offset + moved.pop()), counts.pop(), step)


def _unbounded(length: int, window: int, known: str = "") -> str:
    where = f"its start lies in {known}" if known else "its start has no bounds"
    return (
        f"{where}, and a window of {window} over the border of {length} is cut: Clip the start to"
        f" 0..{max(length - window, 0)} in front of it"
    )


def _given(part: EditNode, place: int) -> bool:
    return len(part.inputs) > place and bool(part.inputs[place])


def _numbers(editor: GraphEditor, part: EditNode, place: int) -> tuple[int, ...] | None:
    """Constant integers of an input; None where it is absent or computed."""
    constant = editor.constant(part.inputs[place]) if _given(part, place) else None
    return None if constant is None else _whole(constant)


def _whole(constant: Tensor) -> tuple[int, ...] | None:
    values = inline_values(constant)
    return None if values is None else tuple(int(value) for value in values)


def _terms(editor: GraphEditor, tensor: str, count: int | None, depth: int = 0) -> list[PlaceTerm]:
    """The entries of a list of integers, each as an entry of some tensor plus a constant.

    Raises:
        NotLoweredError: nothing is known of how many there are.
    """
    constant, part = editor.constant(tensor), editor.producer(tensor)
    values = None if constant is None else _whole(constant)
    if values is not None:
        return [PlaceTerm("", 0, value) for value in values]
    if part is not None and depth < _DEEPEST:
        if part.op in _SAME_NUMBERS or (part.op == "Cast" and _between_integers(editor, part)):
            return _terms(editor, part.inputs[0], count, depth + 1)
        if part.op in ("Add", "Sub") and len(part.inputs) == 2:
            added = _added(editor, part, count, depth)
            if added is not None:
                return added
        if part.op == "Concat":
            parts = [_terms(editor, name, 1 if count == len(part.inputs) else None, depth + 1) for name in part.inputs]
            return [term for terms in parts for term in terms]
    shape = editor.shape(tensor)
    entries = 1 if count == 1 or shape == () else shape[0] if shape is not None and len(shape) == 1 else count
    if entries is None:
        raise NotLoweredError("its bounds, axes and steps cannot be told one by one")
    return [PlaceTerm(tensor, entry, 0) for entry in range(entries)]


def _added(editor: GraphEditor, part: EditNode, count: int | None, depth: int) -> list[PlaceTerm] | None:
    """The entries of a sum with constants; None where both sides are computed."""
    sides = (part.inputs, part.inputs[::-1]) if part.op == "Add" else (part.inputs,)
    for base, other in sides:
        constant = editor.constant(other)
        values = None if constant is None else _whole(constant)
        if not values:
            continue
        terms = _terms(editor, base, count, depth + 1)
        sign = 1 if part.op == "Add" else -1
        if len(values) == 1:
            values *= len(terms)
        elif len(terms) == 1:
            terms *= len(values)
        if len(values) == len(terms):
            return [term._replace(offset=term.offset + sign * value) for term, value in zip(terms, values, strict=True)]
    return None


def _between_integers(editor: GraphEditor, part: EditNode) -> bool:
    whole = (DataType.INT64, DataType.INT32)
    return part.attributes.get("to") in whole and element_type(editor, part.inputs[0]) in whole
