"""Crops that start where the data say, written as products with one-hot matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, helper, numpy_helper

from tests.rewrite.portable.nodes import Array, against, answer, distance, lowered, noise

TARGETS = ["tflite"]
SHAPE = (1, 3, 12, 14)
WINDOW = 8
CONSTANTS: dict[str, Any] = {
    "flat": np.array([1, -1]),
    "zero": np.array([0]),
    "along": np.array([1]),
    "one": np.array([1]),
    "four": np.array(4, np.float32),
    "low": np.array(0, np.float32),
    "high": np.array(4, np.float32),
    "twenty": np.array(20, np.float32),
    "0": np.array(0),
    "4": np.array(4),
    "5": np.array(5),
    "12": np.array([12]),
    "window": np.array([WINDOW]),
    "windows": np.array([WINDOW, WINDOW]),
    "rows": np.array([2]),
    "columns": np.array([3]),
    "both": np.array([2, 3]),
}


def node(op: str, inputs: str, output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(op, inputs.split(), [output], output if op == "Slice" else "", **attributes)


SCORES = [
    node("Conv", "x weights", "maps"),
    node("GlobalMaxPool", "maps", "peaks"),
    node("Flatten", "peaks", "five"),
]
LARGEST = [*SCORES, node("ArgMax", "five", "start", axis=1, keepdims=0)]
SQUASHED = [
    node("ReduceMax", "x", "most", keepdims=0),
    node("Sub", "most four", "about"),
    node("Sigmoid", "about", "share"),
    node("Mul", "share four", "place"),
    node("Floor", "place", "whole"),
    node("Cast", "whole", "number", to=7),
    node("Reshape", "number one", "start"),
]
SCALED = [
    node("ReduceMean", "x", "mean", keepdims=0),
    node("Mul", "mean twenty", "far"),
    node("Cast", "far", "any", to=7),
]
"""A whole number from about -20 to 0, cut towards zero."""

SPELLINGS: Mapping[str, list[NodeProto]] = {
    "ArgMax": LARGEST,
    "Sigmoid, Mul, Floor, Cast": SQUASHED,
    "Clip of real numbers, cut by Cast": [
        node("ReduceMax", "x", "most", keepdims=0),
        node("Clip", "most low high", "kept"),
        node("Cast", "kept", "number", to=7),
        node("Unsqueeze", "number zero", "start"),
    ],
    "Clip of whole numbers": [
        *SCALED,
        node("Abs", "any", "size"),
        node("Clip", "size 0 4", "kept"),
        node("Reshape", "kept one", "start"),
    ],
    "Max and Min": [
        *SCALED,
        node("Abs", "any", "size"),
        node("Min", "size 4", "below"),
        node("Max", "below 0", "kept"),
        node("Reshape", "kept one", "start"),
    ],
    "Mod": [*SCALED, node("Mod", "any 5", "kept"), node("Reshape", "kept one", "start")],
    "Div": [
        *SCALED,
        node("Abs", "any", "size"),
        node("Mod", "size 12", "twelfth"),
        node("Div", "twelfth 4", "kept"),
        node("Reshape", "kept one", "start"),
    ],
    "int32": [
        *SCORES,
        node("ArgMax", "five", "wide", axis=1, keepdims=0),
        node("Cast", "wide", "narrow", to=6),
        node("Cast", "narrow", "start", to=7),
    ],
}
END = node("Add", "start window", "end")


def model(
    nodes: Sequence[NodeProto], shape: Sequence[int] = SHAPE, kind: int = 1, output: str = "y", **constants: Array
) -> onnx.ModelProto:
    weights = np.random.default_rng(2).standard_normal((5, shape[1], *(1,) * (len(shape) - 2))).astype(np.float32)
    known = {**CONSTANTS, "14": np.array([14]), "weights": weights, **constants}
    if kind != 1:
        known = {name: value.astype(helper.tensor_dtype_to_np_dtype(kind)) if value.dtype == np.float32 else value
                 for name, value in known.items()}  # fmt: skip
    read = {name for part in nodes for name in part.input}
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(output, kind, [None] * len(shape))],
        [numpy_helper.from_array(value, name) for name, value in known.items() if name in read],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def same(source: onnx.ModelProto, folder: Path, *, slices: int = 1, shape: Sequence[int] = SHAPE, kind: int = 1) -> int:
    """Lower the model, compare it on noise of many means, and return how many results there were of different kinds."""
    path, done = lowered(source, folder, TARGETS)
    assert [part.how for part in done.nodes] == ["a product with a one-hot matrix"] * slices, done.left
    onnx.checker.check_model(str(path), full_check=True)
    assert not {name for _, name in against(path, TARGETS) if name.startswith("slice-computed")}
    sums = set()
    for seed in range(8):
        picture = (noise(shape, seed) * (0.2 + seed / 2)).astype(helper.tensor_dtype_to_np_dtype(kind))
        before, after = answer(source, picture), answer(path, picture)
        assert before is not None
        assert after is not None
        assert distance(before, after) <= 1e-4
        scale = float(np.abs(picture).sum())
        sums.add(round(float(before.sum()) / scale, 3))
    return len(sums)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_the_crop_starts_where_the_data_say(spelling: str, axis: str, tmp_path: Path) -> None:
    source = model([*SPELLINGS[spelling], END, node("Slice", f"x start end {axis}", "y")])
    assert same(source, tmp_path) > 2


def test_places_counted_from_the_back_are_counted_from_the_front(tmp_path: Path) -> None:
    nodes = [*SCORES, node("ArgMax", "five", "wide", axis=1, keepdims=0), node("Sub", "wide 14", "start"), END]
    assert same(model([*nodes, node("Slice", "x start end columns", "y")]), tmp_path) > 2


def test_a_window_that_ends_at_place_0_from_the_back_stays(tmp_path: Path) -> None:
    """Slice takes an end of 0 for the front, not for the border, and cuts nothing."""
    nodes = [*SCORES, node("ArgMax", "five", "wide", axis=1, keepdims=0), node("Sub", "wide 12", "start"), END]
    (left,) = lowered(model([*nodes, node("Slice", "x start end rows", "y")]), tmp_path, TARGETS)[1].left
    assert "lies in -12 to -8" in left.reason


@pytest.mark.parametrize("steps", [2, 3])
def test_every_second_or_third_sample_is_taken_also_up_to_the_border(steps: int, tmp_path: Path) -> None:
    cut = node("Slice", "x start end rows steps", "y")
    same(model([*LARGEST, END, cut], steps=np.array([steps])), tmp_path)


@pytest.mark.parametrize("kind", [10, 11])
def test_other_types_of_numbers_are_kept(kind: int, tmp_path: Path) -> None:
    same(model([*SQUASHED, END, node("Slice", "x start end rows", "y")], kind=kind), tmp_path, kind=kind)


def test_rows_and_columns_are_cut_by_one_slice(tmp_path: Path) -> None:
    nodes = [
        *LARGEST,
        node("Concat", "start zero", "starts", axis=0),
        END,
        node("Concat", "end window", "ends", axis=0),
        node("Slice", "x starts ends both", "y"),
    ]
    same(model(nodes), tmp_path)


def test_a_list_of_two_places_is_cut_one_by_one(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMax", "x", "most", axes=[1, 2], keepdims=0),
        node("Reshape", "most flat", "row"),
        node("Slice", "row zero two along", "pair"),
        node("Sigmoid", "pair", "share"),
        node("Mul", "share four", "place"),
        node("Cast", "place", "numbers", to=7),
        node("Reshape", "numbers list", "starts"),
        node("Add", "starts windows", "ends"),
        node("Slice", "x starts ends both", "y"),
    ]
    assert same(model(nodes, two=np.array([2]), list=np.array([2])), tmp_path) > 2


def test_two_slices_in_a_row_are_both_written(tmp_path: Path) -> None:
    nodes = [
        *LARGEST,
        END,
        node("Slice", "x start end rows", "cropped"),
        node("Slice", "cropped start end columns", "y"),
    ]
    assert same(model(nodes), tmp_path, slices=2) > 2


def test_an_end_that_the_data_say_places_the_window_in_front_of_it(tmp_path: Path) -> None:
    nodes = [*SCORES, node("ArgMax", "five", "wide", axis=1, keepdims=0)]
    nodes += [node("Add", "wide window", "end"), node("Sub", "end window", "start")]
    same(model([*nodes, node("Slice", "x start end rows", "y")]), tmp_path)


def test_nothing_that_computed_the_place_as_a_whole_number_is_left(tmp_path: Path) -> None:
    path, _ = lowered(model([*SQUASHED, END, node("Slice", "x start end rows", "y")]), tmp_path, TARGETS)
    assert {part.op_type for part in onnx.load_model(path).graph.node}.isdisjoint({"Cast", "Slice"})


@pytest.mark.parametrize("keepdims", [0, 1])
def test_the_place_of_the_largest_score_needs_neither_argmax_nor_whole_numbers(keepdims: int, tmp_path: Path) -> None:
    nodes = [*SCORES, node("ArgMax", "five", "wide", axis=1, keepdims=keepdims), node("Reshape", "wide one", "start")]
    source = model([*nodes, END, node("Slice", "x start end rows", "y")])
    path, done = lowered(source, tmp_path, ["ncnn"])
    assert [part.how for part in done.nodes] == [
        "a product of a one-hot row with 0, 1, 2, ...",
        "a product with a one-hot matrix",
    ]
    assert {part.op_type for part in onnx.load_model(path).graph.node}.isdisjoint({"ArgMax", "Cast", "Slice"})
    for seed in range(8):
        before, after = answer(source, noise(SHAPE, seed)), answer(path, noise(SHAPE, seed))
        assert before is not None
        assert after is not None
        np.testing.assert_array_equal(before, after)


def test_signals_are_cut_too(tmp_path: Path) -> None:
    shape = (1, 3, 12)
    same(model([*LARGEST, END, node("Slice", "x start end rows", "y")], shape), tmp_path, shape=shape)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([*SCALED, node("Reshape", "any one", "start"), END], "its start has no bounds"),
        (
            [node("Reshape", "x flat", "row"), node("ArgMax", "row", "start", axis=1, keepdims=0), END],
            "lies in 0 to 503",
        ),
        ([*LARGEST, node("Add", "start 5", "late"), node("Add", "late window", "end")], "Clip the start to 0..4"),
        ([*LARGEST, node("Sub", "start 4", "late"), node("Add", "late window", "end")], "lies in -4 to 0"),
        ([*LARGEST, node("Add", "start start", "twice"), node("Add", "twice window", "end")], "is computed from"),
    ],
)
def test_a_window_whose_size_the_data_may_change_stays(nodes: list[NodeProto], reason: str, tmp_path: Path) -> None:
    start = "late" if any("late" in part.output for part in nodes) else "start"
    path, done = lowered(model([*nodes, node("Slice", f"x {start} end rows", "y")]), tmp_path, TARGETS)
    assert not path.exists()
    (left,) = done.left
    assert reason in left.reason
    assert "product with a one-hot matrix" in left.portable


def test_an_end_at_the_border_stays(tmp_path: Path) -> None:
    nodes = [*LARGEST, node("Slice", "x start border rows", "y")]
    (left,) = lowered(model(nodes, border=np.array([2**31 - 1])), tmp_path, TARGETS)[1].left
    assert left.reason == "the size of its window is computed from the data"


def test_channels_that_the_data_choose_stay(tmp_path: Path) -> None:
    nodes = [*LARGEST, node("Add", "start one", "end"), node("Slice", "x start end along", "y")]
    (left,) = lowered(model(nodes, (1, 9, 8, 8)), tmp_path, TARGETS)[1].left
    assert "another axis than the last two" in left.reason


def test_a_long_axis_costs_more_than_is_allowed(tmp_path: Path) -> None:
    nodes = [*LARGEST, END, node("Slice", "x start end rows", "y")]
    (left,) = lowered(model(nodes, (1, 3, 512, 512)), tmp_path, TARGETS, most=1.5)[1].left
    assert "--max-cost" in left.reason
