"""What the data choose, without ArgMax and without computed weights: for runtimes that have neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, helper, numpy_helper

import auditor
from auditor.onnxfile import read_model
from auditor.sampling import analyse
from tests.rewrite.portable.nodes import ANY_COST, Array, against, answer, lowered, noise
from tests.rewrite.test_grid_lock import network

TARGETS = ["ncnn"]
SCORES = 12


def model(nodes: list[NodeProto], shape: list[int], rank: int, **constants: Array) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("y", 7 if rank == 0 else 1, [None] * max(rank, 1))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def choice(table: Array, **attributes: Any) -> onnx.ModelProto:
    """A row of a table, chosen by the largest score."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["a"], "choice", axis=1, **{"keepdims": 0, **attributes}),
        helper.make_node("Gather", ["table", "a"], ["row"], axis=0),
        helper.make_node("Cast", ["row"], ["y"], to=1),
    ]
    return model(nodes, [1, SCORES], 2, table=table)


@pytest.mark.parametrize("table", [noise((SCORES, 5)), noise((SCORES,)), np.arange(SCORES) * 7 + 3])
@pytest.mark.parametrize("apart", [1.0, 1e-6, 1e9])
def test_the_row_of_the_first_of_the_largest_scores_is_taken(table: Array, apart: float, tmp_path: Path) -> None:
    source = choice(table)
    path, done = lowered(source, tmp_path, TARGETS)
    assert [node.how for node in done.nodes] == ["a product of a one-hot row with the table"]
    assert {node.op_type for node in onnx.load_model(path).graph.node}.isdisjoint({"ArgMax", "Gather"})
    assert not against(path, TARGETS)
    random = np.random.default_rng(0)
    for _ in range(20):
        scores = (random.integers(-2, 3, (1, SCORES)) * apart + 1).astype(np.float32)  # most have ties
        before, after = answer(source, scores), answer(path, scores)
        assert before is not None
        assert after is not None
        np.testing.assert_allclose(after, before, rtol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([helper.make_node("ArgMax", ["x"], ["y"], "choice", axis=1, keepdims=0)], "its place itself is used"),
        ([helper.make_node("ArgMin", ["x"], ["y"], "choice", axis=1, keepdims=0)], "no choice among the scores"),
        ([helper.make_node("ArgMax", ["x"], ["y"], "choice", axis=0, keepdims=0)], "the first of the largest"),
    ],
)
def test_a_place_that_is_used_as_such_stays(nodes: list[NodeProto], reason: str, tmp_path: Path) -> None:
    done = lowered(model(nodes, [1, SCORES], 0), tmp_path, TARGETS)[1]
    (left,) = done.left
    assert reason in left.reason


def filtered(same: bool = True, rows: int = 14, **attributes: Any) -> onnx.ModelProto:
    """A picture of two channels filtered along its rows by five taps that it determines itself."""
    names = ["k", "k" if same else "other"]
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["g"]),
        helper.make_node("Reshape", ["g", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["t"]),
        helper.make_node("Reshape", ["t", "one"], ["k"]),
        helper.make_node("Neg", ["k"], ["other"]),
        helper.make_node("Concat", names, ["w"], axis=0),
        helper.make_node("Conv", ["x", "w"], ["y"], "filter", group=2, kernel_shape=[5, 1], **attributes),
    ]
    sizes = {"flat": np.array([1, 2], np.int64), "one": np.array([1, 1, 5, 1], np.int64)}
    return model(nodes, [1, 2, rows, 9], 4, m=noise((2, 5)), **sizes)


@pytest.mark.parametrize("dilations", [[1, 1], [2, 1]])
@pytest.mark.parametrize("target", ["ncnn", "tflite"])
def test_a_kernel_that_the_data_choose_is_a_sum_of_moved_pictures(
    target: str, dilations: list[int], tmp_path: Path
) -> None:
    source = filtered(dilations=dilations)
    path, done = lowered(source, tmp_path, [target])
    assert "a sum of moved pictures" in [node.how for node in done.nodes]
    assert not done.left
    assert {node.op_type for node in onnx.load_model(path).graph.node}.isdisjoint({"Conv", "Concat"})
    before, after = answer(source, noise((1, 2, 14, 9))), answer(path, noise((1, 2, 14, 9)))
    assert before is not None
    assert after is not None
    assert np.abs(before - after).max() <= 1e-6


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (filtered(same=False), "kernels of their own"),
        (filtered(strides=[2, 1]), "it pads, strides"),
        (filtered(pads=[2, 0, 2, 0]), "it pads, strides"),
    ],
)
def test_other_computed_kernels_are_left_with_the_reason(source: onnx.ModelProto, reason: str, tmp_path: Path) -> None:
    done = lowered(source, tmp_path, ["tflite"])[1]
    assert [reason in left.reason for left in done.left] == [True]


def test_a_sum_of_moved_pictures_costs_more_than_a_convolution_and_is_refused_with_the_number(tmp_path: Path) -> None:
    (left,) = lowered(filtered(rows=2000), tmp_path, ["tflite"], most=1.5)[1].left
    assert "a sum of moved pictures would take" in left.reason


@pytest.mark.parametrize("lock", ["whole-pixel", "sub-pixel"])
def test_a_locked_model_without_choices_and_computed_weights_answers_alike(lock: str, tmp_path: Path) -> None:
    source, locked, written = (tmp_path / name for name in ("source.onnx", "locked.onnx", "portable.onnx"))
    onnx.save_model(network(), source)
    auditor.fix(source, locked, strategy="grid-lock", lock=lock)
    settings = auditor.Settings(targets=("ncnn", "tflite"))
    more: dict[str, Any] = {"portable": True, "max_cost": ANY_COST, "settings": settings}
    done = auditor.fix(source, written, strategy="grid-lock", lock=lock, **more)
    assert done.lowered is not None
    assert not done.lowered.left
    operators = {node.op_type for node in onnx.load_model(written).graph.node}
    assert operators.isdisjoint({"ArgMax", "Gather"})
    assert not against(written, ["tflite"])
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
