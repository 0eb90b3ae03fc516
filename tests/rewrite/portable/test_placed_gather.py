"""Rows and columns at places that the data choose, written as products with one-hot matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import auditor
from auditor.onnxfile import read_model
from auditor.sampling import analyse
from tests.rewrite.portable.nodes import ANY_COST, answer, lowered, noise
from tests.rewrite.test_grid_lock import network

TARGETS = ["tflite"]


def picked(axis: int, places: list[int], shape: tuple[int, ...] = (1, 3, 12, 10), kind: int = 1) -> onnx.ModelProto:
    """A Gather at places to which the data add nothing: the graph cannot know that."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Mul", ["m", "none"], ["z"]),
        helper.make_node("Cast", ["z"], ["zero"], to=7),
        helper.make_node("Add", ["zero", "places"], ["p"]),
        helper.make_node("Gather", ["x", "p"], ["y"], "picks", axis=axis),
    ]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    constants = {"none": np.array(0, dtype), "places": np.array(places, np.int64)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, [None] * len(shape))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("axis", [2, 3, -1, -2])
@pytest.mark.parametrize("places", [[3, 4, 5, 6], [0, 9, 9, 2], [-1, 4, -10]])
@pytest.mark.parametrize("kind", [1, 10, 11])
def test_the_same_rows_and_columns_are_picked(axis: int, places: list[int], kind: int, tmp_path: Path) -> None:
    model = picked(axis, places, kind=kind)
    path, done = lowered(model, tmp_path, TARGETS)
    (node,) = done.nodes
    assert node.how == "a product with a one-hot matrix"
    assert "Gather" not in {part.op_type for part in onnx.load_model(path).graph.node}
    onnx.checker.check_model(str(path), full_check=True)
    picture = noise((1, 3, 12, 10)).astype(helper.tensor_dtype_to_np_dtype(kind))
    before, after = answer(model, picture), answer(path, picture)
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("axis", [2, 3, -1])
@pytest.mark.parametrize("place", [7, -2])
def test_a_single_place_takes_its_axis_away(axis: int, place: int, tmp_path: Path) -> None:
    model = picked(axis, [place])
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array(place, np.int64), "places"))
    model.graph.output[0].type.tensor_type.shape.dim.pop()
    path, done = lowered(model, tmp_path, TARGETS)
    assert len(done.nodes) == 1
    picture = noise((1, 3, 12, 10))
    before, after = answer(model, picture), answer(path, picture)
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before, after)


def test_more_than_half_as_much_again_is_refused_with_the_number(tmp_path: Path) -> None:
    model = picked(2, list(range(40)), (1, 3, 64, 64))
    path, done = lowered(model, tmp_path, TARGETS, most=1.5)
    assert not path.exists()
    (left,) = done.left
    assert "a product with a one-hot matrix would take" in left.reason
    assert "--max-cost" in left.reason


@pytest.mark.parametrize(
    ("model", "reason"),
    [(picked(1, [0, 1]), "no portable form"), (picked(2, [1], (1, 2, 3, 8, 8)), "another axis")],
)
def test_other_axes_than_the_last_two_are_left(model: onnx.ModelProto, reason: str, tmp_path: Path) -> None:
    done = lowered(model, tmp_path, TARGETS)[1]
    assert all(reason in left.reason for left in done.left)
    assert not done.nodes


def test_a_locked_model_without_gathers_answers_alike_and_its_grid_is_followed(tmp_path: Path) -> None:
    source, locked, written = (tmp_path / name for name in ("source.onnx", "locked.onnx", "portable.onnx"))
    onnx.save_model(network(), source)
    auditor.fix(source, locked, strategy="grid-lock")
    settings = auditor.Settings(targets=("tflite",))
    done = auditor.fix(source, written, strategy="grid-lock", portable=True, max_cost=ANY_COST, settings=settings)
    assert done.lowered is not None
    picked_rows = [node for node in done.lowered.nodes if node.how == "a product with a one-hot matrix"]
    assert len(picked_rows) == 2
    before, after = analyse(read_model(locked)), analyse(read_model(written))
    assert [site.cumulative for site in after.sites] == [site.cumulative for site in before.sites]
    assert len(after.data_dependent) == len(before.data_dependent) == 2
    shape = [dim.dim_value for dim in onnx.load_model(locked).graph.input[0].type.tensor_type.shape.dim]
    for seed in range(3):
        picture = noise(shape, seed)
        old, new = answer(locked, picture), answer(written, picture)
        assert old is not None
        assert new is not None
        assert np.abs(old - new).max() <= 1e-4 * np.ptp(old)
