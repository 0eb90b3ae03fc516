"""Joining, splitting and reshaping move elements as onnxruntime does."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime import runtime_since
from tests.sampling.values.oracle import (
    agree,
    arrays,
    axis,
    longs,
    moved,
    numeric,
    pair,
    quick,
    shapes,
    solid,
    some_axes,
)


@quick
@given(data=st.data())
def test_concat_and_split_are_each_others_inverse_as_in_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid))
    along = axis(draw, value.ndim)
    agree(("Concat", [value, value, value], {"axis": along}, 13, 1))
    length = value.shape[along]
    first = draw(st.integers(0, length))
    opset = draw(st.sampled_from([11, 13, 18]))
    attributes: dict[str, Any] = {"axis": along}
    agree(("Split", [value, *moved(attributes, "split", [first, length - first], opset, 13)], attributes, opset, 2))
    if length > 2:
        agree(("Split", [value], {"axis": along, "num_outputs": 2}, 18, 2))


@quick
@given(data=st.data())
def test_squeeze_and_unsqueeze_take_axes_as_attribute_or_input(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(shapes))
    opset = draw(st.sampled_from([11, 13, 21]))
    attributes: dict[str, Any] = {}
    added = some_axes(draw, value.ndim + 1)
    rank = value.ndim + len(added)
    added = sorted({a % rank for a in added})
    if len(added) + value.ndim != rank:
        return
    signed = [a - rank if draw(st.booleans()) else a for a in added]
    agree(("Unsqueeze", [value, *moved(attributes, "axes", signed, opset, 13)], attributes, opset, 1))
    wide = np.expand_dims(value, added)
    agree(("Squeeze", [wide, *moved(attributes, "axes", signed, opset, 13)], attributes, opset, 1))
    agree(("Squeeze", [wide], {}, opset, 1))


@quick
@given(data=st.data())
def test_reshape_copies_zeros_and_infers_minus_one(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(solid))
    agree(("Reshape", [value, longs([0, -1][: value.ndim])], {}, 13, 1))
    agree(("Reshape", [value, longs([-1, 1, value.shape[-1]])], {"allowzero": draw(st.integers(0, 1))}, 14, 1))
    agree(("Flatten", [value], {"axis": axis(draw, value.ndim)}, 13, 1))
    agree(("Transpose", [value], {"perm": draw(st.permutations(range(value.ndim)))}, 13, 1))
    agree(("Transpose", [value], {}, 13, 1))


@quick
@given(data=st.data())
def test_expand_and_tile_repeat(data: st.DataObject) -> None:
    draw = data.draw
    shape, other = pair(draw)
    value = arrays(draw, shape, draw(numeric))
    agree(("Expand", [value, longs(other)], {}, 13, 1))
    if shape or runtime_since(1, 24):  # older ones refuse scalars
        agree(("Tile", [value, longs([draw(st.integers(0, 3)) for _ in shape])], {}, 13, 1))


@quick
@given(data=st.data())
def test_pad_adds_and_crops(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(draw, draw(st.lists(st.integers(3, 5), min_size=1, max_size=3).map(tuple)), "float32")
    opset = draw(st.sampled_from([9, 11, 18]))
    axes = some_axes(draw, value.ndim) if opset >= 18 else list(range(value.ndim))
    pads = [draw(st.integers(-1, 3)) for _ in range(2 * len(axes))]
    attributes: dict[str, Any] = {} if opset >= 11 else {"value": 2.0}
    inputs = [value, *moved(attributes, "pads", pads, opset, 11)]
    if opset >= 11:
        inputs.append(np.array(2, np.float32))
    agree(("Pad", [*inputs, longs(axes)] if opset >= 18 else inputs, attributes, opset, 1))


@quick
@given(data=st.data())
def test_triangles_and_unit_matrices_are_those_of_the_runtime(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(
        draw, (draw(st.integers(1, 4)), draw(st.integers(1, 4))), draw(st.sampled_from(["int64", "float32"]))
    )
    offset = draw(st.integers(-5, 5))
    agree(("Trilu", [value, np.array(offset, np.int64)], {"upper": draw(st.integers(0, 1))}, 14, 1))
    agree(("EyeLike", [value], {"k": draw(st.integers(-1, 1))}, 9, 1))
