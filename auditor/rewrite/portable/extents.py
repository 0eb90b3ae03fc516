"""Between which numbers every entry of a computed tensor lies, followed backwards through the graph.

What bounds a place that the data choose: ArgMax, Clip, Min and Max, Sigmoid, remainders, and arithmetic on these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, inf, trunc
from typing import NamedTuple

from auditor.onnxfile.dtypes import DataType
from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type

_DEEPEST = 200


class Extent(NamedTuple):
    """The least and the largest number that an entry can be."""

    low: float
    high: float


_ANY = Extent(-inf, inf)
_UNIT = Extent(0.0, 1.0)
_FLOATS = (DataType.FLOAT, DataType.DOUBLE)
_MOVED = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Expand", "Tile", "Dropout"})
_KEPT = _MOVED | {"Gather", "GatherND", "Slice", "Split", "ReduceMax", "ReduceMin", "GlobalMaxPool", "MaxPool"}
"""Operators whose results lie between the least and the largest entry of their first input."""

_BETWEEN_0_AND_1 = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
_STEPS: dict[str, Callable[[float], float]] = {"Floor": floor, "Ceil": ceil, "Round": round}


def extent_of(editor: GraphEditor, tensor: str, depth: int = 0) -> Extent:
    """The extent of a tensor; from minus to plus infinity where nothing is known."""
    constant = editor.constant(tensor)
    if constant is not None:
        values = inline_values(constant)
        return Extent(min(values), max(values)) if values else _ANY
    part = editor.producer(tensor)
    if part is None or depth > _DEEPEST or part.domain not in ("", "ai.onnx"):
        return _ANY
    if part.op in _BETWEEN_0_AND_1:
        return _UNIT
    if part.op in ("ArgMax", "ArgMin"):
        return _place(editor, part)
    inner = [extent_of(editor, name, depth + 1) if name else _ANY for name in part.inputs]
    if part.op in _KEPT and inner:
        return inner[0]
    whole = element_type(editor, tensor) in (DataType.INT64, DataType.INT32)
    return _combined(part, inner, whole=whole)


def _place(editor: GraphEditor, part: EditNode) -> Extent:
    shape, axis = editor.shape(part.inputs[0]), part.attributes.get("axis", 0)
    if shape is None or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
        return Extent(0, inf)
    return Extent(0, shape[axis] - 1)


def _combined(part: EditNode, inner: Sequence[Extent], *, whole: bool) -> Extent:
    """The extent of what arithmetic makes of extents; ``whole``: on integers."""
    op = part.op
    if op in ("Add", "Sub", "Mul", "Div", "Mod") and len(inner) == 2:
        return _arithmetic(part, *inner, whole=whole)
    if op in ("Min", "Max") and inner:
        pick = min if op == "Min" else max
        return Extent(pick(one.low for one in inner), pick(one.high for one in inner))
    if op in ("Concat", "Where") and inner:
        joined = inner[op == "Where" :]
        return Extent(min(one.low for one in joined), max(one.high for one in joined))
    if not inner:
        return _ANY
    low, high = inner[0]
    if op == "Cast" and part.attributes.get("to") in (DataType.INT64, DataType.INT32):
        return Extent(*(trunc(value) if abs(value) < inf else value for value in inner[0]))
    if op == "Cast" and part.attributes.get("to") in _FLOATS:
        return inner[0]
    if op in _STEPS:
        return Extent(*(_STEPS[op](value) if abs(value) < inf else value for value in inner[0]))
    if op == "Relu":
        return Extent(max(low, 0), max(high, 0))
    if op == "Neg":
        return Extent(-high, -low)
    if op == "Abs":
        return Extent(max(low, -high, 0), max(abs(low), abs(high)))
    if op == "Tanh":
        return Extent(-1.0, 1.0)
    if op == "Clip":
        least, most = _limit(part, inner, "min", 1), _limit(part, inner, "max", 2)
        return Extent(min(max(low, least.low), most.high), min(max(high, least.high), most.high))
    return _ANY


def _limit(part: EditNode, inner: Sequence[Extent], name: str, place: int) -> Extent:
    """A limit of a Clip of any opset."""
    written = part.attributes.get(name)
    if isinstance(written, int | float):
        return Extent(written, written)
    if len(inner) > place and part.inputs[place]:
        return inner[place]
    return Extent(-inf, -inf) if name == "min" else Extent(inf, inf)


def _arithmetic(part: EditNode, one: Extent, other: Extent, *, whole: bool) -> Extent:
    if part.op == "Add":
        return Extent(one.low + other.low, one.high + other.high)
    if part.op == "Sub":
        return Extent(one.low - other.high, one.high - other.low)
    if part.op == "Mul":
        corners = [_product(first, second) for first in one for second in other]
        return Extent(min(corners), max(corners))
    by = other.low
    if by != other.high or not 0 < by < inf:
        return _ANY
    if part.op == "Div":
        ends = [value / by if abs(value) < inf else value for value in one]
        return Extent(*(trunc(value) if whole and abs(value) < inf else value for value in ends))
    if not whole or part.attributes.get("fmod", 0):
        return _ANY
    return one if one.low >= 0 and one.high < by else Extent(0, by - 1)


def _product(one: float, other: float) -> float:
    return 0.0 if 0 in (one, other) else one * other
