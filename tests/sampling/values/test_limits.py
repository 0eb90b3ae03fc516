"""No model makes the interpreter raise, hang or grow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.onnxfile.graph import Attribute, Node, Payload, PayloadKind, Reference, Tensor
from auditor.sampling.values import MAX_ELEMENTS, OPERATORS, evaluate
from tests.sampling.values.oracle import longs
from tests.work import calls, peak_bytes


def node(op: str, inputs: int = 0, outputs: int = 1, **attributes: Attribute) -> Node:
    names = tuple(f"i{n}" for n in range(inputs))
    return Node("", op, "", names, tuple(f"o{n}" for n in range(outputs)), attributes, 0)


HUGE = 2**40
REQUESTS: Mapping[str, tuple[Node, list[Any], int]] = {
    "a huge constant": (node("ConstantOfShape", 1), [longs([HUGE])], 9),
    "a negative shape": (node("ConstantOfShape", 1), [longs([-1, 4])], 9),
    "a constant with a false size": (
        node("Constant", value=Tensor("", (HUGE,), 7, Payload(PayloadKind.INLINE, b"12345678"))),
        [],
        13,
    ),
    "a constant of a million axes": (node("ConstantOfShape", 1), [np.ones(60000, np.int64)], 9),
    "a long range": (node("Range", 3), [np.array(v, np.int64) for v in (0, HUGE, 1)], 11),
    "an endless range": (node("Range", 3), [np.array(v, np.float32) for v in (0, np.inf, 1)], 11),
    "a range without a step": (node("Range", 3), [np.array(v, np.int64) for v in (0, 5, 0)], 11),
    "a huge expansion": (node("Expand", 2), [longs([1]), longs([HUGE, 1])], 13),
    "a huge tiling": (node("Tile", 2), [longs([1]), longs([HUGE])], 13),
    "an outer sum": (node("Add", 2), [np.ones((60000, 1)), np.ones((1, 60000))], 13),
    "an outer choice": (node("Where", 3), [np.ones((60000, 1), bool), np.ones((1, 60000)), np.ones(())], 13),
    "a gather of many rows": (node("Gather", 2, axis=1), [np.ones((300, 2)), np.zeros(60000, np.int64)], 13),
    "a deep one-hot": (node("OneHot", 3), [longs([1]), longs([HUGE]), longs([0, 1])], 11),
    "a wide pad": (node("Pad", 2), [np.ones(3, np.float32), longs([HUGE, 0])], 13),
    "a hidden triangle": (node("Trilu", 1), [np.ones((0, 60000, 60000))], 14),
    "a sum that uncovers a huge axis": (node("ReduceSum", 2), [np.ones((HUGE, 0)), longs([1])], 13),
    "a value that is too large": (node("Identity", 1), [np.ones(MAX_ELEMENTS + 1)], 13),
    "an integer division by zero": (node("Div", 2), [longs([1]), longs([0])], 13),
    "an integer modulus of zero": (node("Mod", 2), [longs([1]), longs([0])], 13),
    "mixed element types": (node("Add", 2), [longs([1]), np.ones(1, np.float32)], 13),
    "a cast of nan": (node("Cast", 1, to=7), [np.array([np.nan])], 13),
    "a cast out of range": (node("Cast", 1, to=6), [np.array([3e9])], 13),
    "a cast to strings": (node("Cast", 1, to=8), [longs([1])], 13),
    "an index out of range": (node("Gather", 2), [longs([1]), longs([5])], 13),
    "a slice that goes nowhere": (node("Slice", 5), [longs([1]), longs([0]), longs([1]), longs([0]), longs([0])], 13),
    "a reshape that does not fit": (node("Reshape", 2), [longs([1, 2]), longs([3])], 13),
    "a reference that nobody resolved": (node("Gather", 2, axis=Reference("axis")), [longs([1]), longs([0])], 13),
    "an attribute of another kind": (node("Concat", 1, axis="no"), [longs([1])], 13),
    "an axis past every integer": (node("Concat", 1, axis=10**30), [longs([1])], 13),
    "an unknown operator": (node("Mystery", 1), [longs([1])], 13),
    "strings": (node("Identity", 1), [np.array(["a"])], 13),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_what_cannot_be_computed_is_unknown_without_trying(request_: tuple[Node, list[Any], int]) -> None:
    def attempt() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert evaluate(*request_) == (None,)

    assert calls(attempt) < 1000
    assert peak_bytes(attempt) < 2 << 20


def test_an_unknown_input_makes_every_output_unknown() -> None:
    assert evaluate(node("Split", 2, 3), [None, longs([1, 2, 3])], 13) == (None, None, None)


hostile_values = st.one_of(
    st.none(),
    st.builds(np.array, st.integers(-(2**63), 2**63 - 1), st.just(np.int64)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(longs),
    st.lists(st.floats(width=32), max_size=4).map(lambda v: np.array(v, np.float32)),
    st.lists(st.booleans(), max_size=4).map(lambda v: np.array(v, bool)),
    st.sampled_from([np.zeros((0, 3)), np.ones((2, 3, 4)), np.ones((256, 256), np.int32), np.array(2**62)]),
)
hostile_attributes = st.dictionaries(
    st.sampled_from(
        [
            "axis",
            "axes",
            "k",
            "to",
            "value",
            "perm",
            "mode",
            "pads",
            "split",
            "batch_dims",
            "keepdims",
            "reduction",
            "start",
        ]
    ),
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.text(max_size=3),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4).map(tuple),
        st.builds(
            Tensor,
            st.just(""),
            st.lists(st.integers(-3, HUGE), max_size=3).map(tuple),
            st.integers(0, 30),
            st.just(Payload(PayloadKind.INLINE, b"abcdefgh")),
        ),
    ),
    max_size=3,
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    op=st.sampled_from(sorted(OPERATORS)),
    inputs=st.lists(hostile_values, max_size=5),
    attributes=hostile_attributes,
    opset=st.integers(-1, 30),
    outputs=st.integers(0, 3),
)
def test_no_model_makes_the_interpreter_raise_or_grow(
    op: str, inputs: list[Any], attributes: dict[str, Any], opset: int, outputs: int
) -> None:
    names = tuple("" if value is None else "x" for value in inputs)
    hostile = Node("", op, "", names, ("y",) * outputs, attributes, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = evaluate(hostile, inputs, opset)
    assert len(results) == outputs
    assert all(value is None or value.size <= MAX_ELEMENTS for value in results)


def test_every_operator_is_held_against_the_runtime() -> None:
    others = (path for path in Path(__file__).parent.glob("test_*.py") if path.name != Path(__file__).name)
    text = "".join(path.read_text(encoding="utf-8") for path in others)
    assert {op for op in OPERATORS if f'"{op}"' not in text} == set()
