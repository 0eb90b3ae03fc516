"""Constants, ranges, casts and shapes are those of onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from auditor.sampling.values import shape_of, size_of
from tests.sampling.values.oracle import (
    agree,
    arrays,
    axis,
    longs,
    numeric,
    quick,
    shapes,
    solid,
)


@quick
@given(data=st.data())
def test_one_hot_counts_indices_from_either_end(data: st.DataObject) -> None:
    draw = data.draw
    indices = arrays(draw, draw(solid), "int64", -4, 4)
    along = axis(draw, indices.ndim + 1)
    agree(("OneHot", [indices, longs([3]), np.array([5, 7], np.int64)], {"axis": along}, 11, 1))


@quick
@given(data=st.data())
def test_ranges_count_as_the_runtime_does(data: st.DataObject) -> None:
    draw = data.draw
    dtype = draw(numeric)
    start, limit = (np.array(draw(st.integers(-20, 20)), dtype) for _ in range(2))
    step = np.array(draw(st.integers(-4, 4).filter(bool)), dtype)
    if dtype.startswith("f"):
        step = step / step.dtype.type(2)
    agree(("Range", [start, limit, np.asarray(step)], {}, 11, 1))


@pytest.mark.parametrize(
    "target",
    ["bool", "uint8", "int8", "uint16", "int16", "int32", "int64", "uint32", "uint64", "float16", "float32", "float64"],
)
@quick
@given(data=st.data())
def test_casts_truncate_and_wrap_as_the_runtime_does(target: str, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(["int64", "int32", "float32", "float64", "bool", "uint8"]))
    low = 0 if source.startswith("f") and target.startswith("u") else -300
    high = 30 if target == "int8" else 60
    value = arrays(data.draw, data.draw(shapes), source, max(low, -30 if source.startswith("f") else low), high)
    agree(("Cast", [value], {"to": helper.np_dtype_to_tensor_dtype(np.dtype(target))}, 13, 1))
    agree(("CastLike", [value, np.zeros(1, target)], {}, 15, 1))


@quick
@given(data=st.data())
def test_constants_come_in_every_spelling(data: st.DataObject) -> None:
    draw = data.draw
    value = arrays(
        draw, draw(shapes), draw(st.sampled_from(["int64", "int32", "float32", "float64", "bool", "float16"]))
    )
    agree(("Constant", [], {"value": numpy_helper.from_array(value)}, 13, 1))
    agree(
        (
            "Constant",
            [],
            draw(
                st.sampled_from(
                    [{"value_int": -3}, {"value_ints": [1, 2]}, {"value_float": 0.1}, {"value_floats": [0.1, 2.0]}]
                )
            ),
            13,
            1,
        )
    )
    fill = (
        {"value": numpy_helper.from_array(value.reshape(-1)[:1])}
        if draw(st.booleans()) and value.dtype != np.float16
        else {}
    )
    agree(("ConstantOfShape", [longs(value.shape)], fill, 9, 1))


@quick
@given(data=st.data())
def test_shape_size_nonzero_and_pass_through_are_those_of_the_runtime(data: st.DataObject) -> None:
    value = arrays(data.draw, data.draw(solid), "float32", -1, 1)
    ends = {"start": data.draw(st.integers(-5, 5)), "end": data.draw(st.integers(-5, 5))}
    agree(("Shape", [value], ends, 15, 1))
    agree(("Shape", [value], {}, 13, 1))
    for op in ("Size", "NonZero", "Identity", "Dropout"):
        agree((op, [value], {}, 13, 1))


def test_the_shape_of_a_partly_known_tensor_is_known_where_its_sizes_are() -> None:
    assert shape_of((None, 3, 8)) is None
    known = shape_of((None, 3, 8), -2)
    assert known is not None
    assert known.tolist() == [3, 8]
    assert size_of((None, 3)) is None
    assert size_of((2**40, 2**40)) is None
    size = size_of((2, 3))
    assert size is not None
    assert (size.dtype.name, size.shape, int(size)) == ("int64", (), 6)
