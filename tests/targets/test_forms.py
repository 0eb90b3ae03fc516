"""Forms of nodes that a file may hold: whatever it says, a form holds or does not, in bounded time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.observed import ObservedNode, ObservedTensor
from auditor.targets.forms import BY_NAME, OPERATORS, forms_of
from auditor.text import ModelText

NUMBERS = st.one_of(st.integers(-3, 9), st.integers(-(2**63), 2**63 - 1), st.floats(width=32))
VALUES = st.one_of(
    NUMBERS,
    st.lists(NUMBERS, max_size=8).map(tuple),
    st.sampled_from(
        ["linear", "cubic", "nearest", "asymmetric", "half_pixel", "SAME_UPPER", "SAME_LOWER", "wrap", "floor"]
    ),
)
NAMES = st.sampled_from(
    [
        *("mode", "coordinate_transformation_mode", "nearest_mode", "antialias", "exclude_outside", "cubic_coeff_a"),
        *("axes", "axis", "auto_pad", "pads", "strides", "dilations", "kernel_shape", "ceil_mode", "count_include_pad"),
        *("output_shape", "blocksize", "keep_aspect_ratio_policy", "p", "scales", "starts", "ends", "steps"),
    ]
)
SHAPES = st.none() | st.lists(st.sampled_from([0, 1, 2, 5, 16, 4097, 2**40]), max_size=5).map(tuple)
TENSORS = st.builds(
    ObservedTensor,
    shape=SHAPES,
    open=st.frozensets(st.integers(0, 4)),
    values=st.none() | st.lists(NUMBERS, max_size=8).map(tuple),
    computed=st.booleans(),
    given=st.booleans(),
)


def node(op: str, opset: int, attributes: dict[str, Any], inputs: list[ObservedTensor]) -> ObservedNode:
    text = ModelText("n")
    return ObservedNode(
        NodeRef(text, text, text, text, 0), op, "", opset, attributes, tuple(inputs), tuple(inputs[:1]), 1
    )


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(OPERATORS)),
    st.integers(1, 23),
    st.dictionaries(NAMES, VALUES, max_size=6),
    st.lists(TENSORS, max_size=5),
)
def test_no_node_is_too_strange(op: str, opset: int, attributes: dict[str, Any], inputs: list[ObservedTensor]) -> None:
    assert {form.name for form in forms_of(node(op, opset, attributes, inputs))} <= BY_NAME.keys()


def resized(before: int, scale: float, **attributes: Any) -> set[str]:
    picture = ObservedTensor((1, 2, before, before), computed=True, given=True)
    scales = ObservedTensor((4,), values=(1.0, 1.0, scale, scale), given=True)
    return {form.name for form in forms_of(node("Resize", 18, attributes, [picture, ObservedTensor(), scales]))}


@pytest.mark.parametrize(
    ("before", "scale", "trap"), [(20, 0.6, True), (16, 0.5, False), (16, 0.625, False), (16, 2.0, False)]
)
def test_a_scale_that_rounding_decides_is_told_from_one_that_it_does_not(before: int, scale: float, trap: bool) -> None:
    found = resized(before, scale, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    assert ("resize-nearest-rounded-scale" in found) is trap


@pytest.mark.parametrize(("before", "scale", "ties"), [(16, 0.5, True), (18, 1 / 3, False), (16, 2.0, False)])
def test_half_pixel_centres_are_ties_at_even_factors_only(before: int, scale: float, ties: bool) -> None:
    assert ("resize-nearest-half-pixel-ties" in resized(before, scale, mode="nearest")) is ties


def test_the_defaults_of_an_opset_are_filled_in() -> None:
    assert "resize-linear-half-pixel" in resized(16, 0.5, mode="linear")
    picture = ObservedTensor((1, 2, 16, 16), computed=True, given=True)
    scales = ObservedTensor((4,), values=(1.0, 1.0, 2.0, 2.0), given=True)
    old = {form.name for form in forms_of(node("Resize", 10, {"mode": "linear"}, [picture, scales]))}
    assert {"resize-10", "resize-linear-asymmetric"} <= old
