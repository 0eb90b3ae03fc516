"""Elementwise arithmetic and logic are those of onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sampling.values.oracle import (
    agree,
    arrays,
    numeric,
    pair,
    quick,
    shapes,
)


@pytest.mark.parametrize(
    "op", ["Add", "Sub", "Mul", "Div", "Mod", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"]
)
@quick
@given(data=st.data())
def test_arithmetic_and_comparison_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    draw = data.draw
    left, right = pair(draw)
    dtype = draw(numeric)
    fmod = {"fmod": 1} if op == "Mod" and (dtype.startswith("f") or draw(st.booleans())) else {}
    divisor = arrays(draw, right, dtype)
    if op in ("Div", "Mod"):
        divisor[divisor == 0] = 3
    agree((op, [arrays(draw, left, dtype), divisor], fmod, draw(st.sampled_from([13, 17, 21])), 1))


@quick
@given(data=st.data())
def test_powers_are_those_of_the_runtime(data: st.DataObject) -> None:
    left, right = pair(data.draw)
    base = np.asarray(np.abs(arrays(data.draw, left, data.draw(numeric))))
    exponent = arrays(data.draw, right, data.draw(st.sampled_from(["int64", base.dtype.name])), 0, 4)
    agree(("Pow", [base, exponent], {}, 15, 1), 1e-6)


@pytest.mark.parametrize(
    "op", ["Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Sqrt", "Exp", "Log", "Reciprocal", "IsNaN", "IsInf"]
)
@quick
@given(data=st.data())
def test_unary_functions_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    dtype = data.draw(numeric if op in ("Neg", "Abs", "Sign") else st.sampled_from(["float32", "float64"]))
    value = arrays(data.draw, data.draw(shapes), "float32" if op == "Reciprocal" else dtype)
    if op in ("IsNaN", "IsInf"):
        value[value > 5], value[value < -5], value[value == 0] = np.inf, -np.inf, np.nan
    agree((op, [value], {}, 13, 1), 1e-6 if op in ("Exp", "Log", "Sqrt") else 0)


@pytest.mark.parametrize("op", ["Min", "Max", "Sum", "Mean"])
@quick
@given(data=st.data())
def test_variadic_functions_are_those_of_the_runtime(op: str, data: st.DataObject) -> None:
    dtype = data.draw(numeric) if op in ("Min", "Max") else "float32"
    left, right = pair(data.draw)
    values = [arrays(data.draw, shape, dtype) for shape in (left, right, left)]
    agree((op, values[: data.draw(st.integers(1, 3))], {}, 13, 1), 1e-6 if op == "Mean" else 0)


@quick
@given(data=st.data())
def test_clip_takes_its_bounds_from_attributes_or_inputs(data: st.DataObject) -> None:
    draw = data.draw
    if draw(st.booleans()):
        agree(
            (
                "Clip",
                [arrays(draw, draw(shapes), "float32")],
                draw(st.sampled_from([{"min": -2.0}, {"min": 0.0, "max": 3.5}, {}])),
                9,
                1,
            )
        )
        return
    dtype = draw(numeric)
    low = draw(st.sampled_from([None, np.array(-2, dtype)]))
    agree(("Clip", [arrays(draw, draw(shapes), dtype), low, np.array(5, dtype)], {}, 13, 1))


@pytest.mark.parametrize("op", ["And", "Or", "Xor", "Not"])
@quick
@given(data=st.data())
def test_logic_is_that_of_the_runtime(op: str, data: st.DataObject) -> None:
    values = [arrays(data.draw, shape, "bool") for shape in pair(data.draw)]
    agree((op, values[: 1 if op == "Not" else 2], {}, 13, 1))


@quick
@given(data=st.data())
def test_where_broadcasts_all_three_inputs(data: st.DataObject) -> None:
    left, right = pair(data.draw)
    dtype = data.draw(numeric.filter(lambda name: name != "float64"))
    agree(
        (
            "Where",
            [arrays(data.draw, left, "bool"), arrays(data.draw, right, dtype), arrays(data.draw, left, dtype)],
            {},
            16,
            1,
        )
    )


@quick
@given(data=st.data())
def test_bit_shifts_are_those_of_the_runtime(data: st.DataObject) -> None:
    left, right = pair(data.draw)
    values = [arrays(data.draw, left, "uint32"), arrays(data.draw, right, "uint32")]
    agree(("BitShift", values, {"direction": data.draw(st.sampled_from(["LEFT", "RIGHT"]))}, 13, 1))
