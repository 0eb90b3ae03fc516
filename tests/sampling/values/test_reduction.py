"""Reductions, running sums and orders are those of onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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
    quick,
    solid,
    some_axes,
)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean"])
@quick
@given(data=st.data())
def test_reductions_take_axes_as_attribute_or_input(op: str, data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(
        draw,
        draw(solid),
        draw(
            st.sampled_from(
                ["int32", "float32"] if op in ("ReduceProd", "ReduceMean") else ["int64", "int32", "float32"]
            )
        ),
    )
    opset = draw(st.sampled_from([11, 13, 18, 21]))
    attributes: dict[str, Any] = {"keepdims": draw(st.integers(0, 1))}
    inputs = [value]
    since = 13 if op == "ReduceSum" else 18
    if draw(st.booleans()):
        inputs += moved(attributes, "axes", some_axes(draw, value.ndim), opset, since)
    elif opset >= since and runtime_since(1, 24):  # older ones fail when nothing is to be reduced
        attributes["noop_with_empty_axes"] = draw(st.integers(0, 1))
    agree((op, inputs, attributes, opset, 1), 1e-5 if value.dtype.kind == "f" else 0)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@quick
@given(data=st.data())
def test_places_of_extrema_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), data.draw(st.sampled_from(["int32", "float32"])), -2, 2)
    keep, last = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))
    agree((op, [value], {"axis": axis(data.draw, value.ndim), "keepdims": keep, "select_last_index": last}, 13, 1))


@quick
@given(data=st.data())
def test_running_sums_go_both_ways_and_may_leave_out_their_element(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), data.draw(numeric))
    attributes = {"exclusive": data.draw(st.integers(0, 1)), "reverse": data.draw(st.integers(0, 1))}
    agree(("CumSum", [value, np.array(axis(data.draw, value.ndim), np.int64)], attributes, 14, 1))


@quick
@given(data=st.data())
def test_top_k_puts_the_first_of_equals_first(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), data.draw(st.sampled_from(["int64", "float32"])), -2, 2)
    along = axis(data.draw, value.ndim)
    count = data.draw(st.integers(1, value.shape[along]))
    agree(("TopK", [value, longs([count])], {"axis": along, "largest": data.draw(st.integers(0, 1))}, 13, 2))


@quick
@given(data=st.data())
def test_compress_keeps_the_marked_slices(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid))
    along = axis(data.draw, value.ndim)
    flat = data.draw(st.booleans())
    length = value.size if flat else value.shape[along]
    marks = arrays(data.draw, (data.draw(st.integers(0, length)),), "bool")
    agree(("Compress", [value, marks], {} if flat else {"axis": along}, 11, 1))
