"""Branches that meet: sites side by side are shifted together, sites one behind the other never are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.rewrite.result import Strategy
from tests.rewrite.networks import fixed, image, run
from tests.rewrite.test_exports import mean_of_both

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def pan_neck(levels: int = 1) -> onnx.ModelProto:
    """A map that goes down, up again, and down once more to meet itself, as in path aggregation networks."""
    random = np.random.default_rng(0)
    weights = {"first": (4, 3, 3, 3), "second": (4, 4, 3, 3), "third": (4, 4, 3, 3)}
    tensors = [
        numpy_helper.from_array((random.standard_normal(shape) / 6).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    tensors.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"))
    down: dict[str, Any] = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], "a", **down),
        helper.make_node("Conv", ["a", "second"], ["b"], "b", **down),
        helper.make_node("Resize", ["b", "", "scales"], ["up"], "up", mode="nearest"),
        *(helper.make_node("Relu", ["up" if n == 0 else f"r{n - 1}"], [f"r{n}"]) for n in range(levels)),
        helper.make_node("Conv", [f"r{levels - 1}", "third"], ["c"], "c", **down),
        helper.make_node("Concat", ["c", "b"], ["neck"], "neck", axis=1),
        helper.make_node("GlobalAveragePool", ["neck"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "pan",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 1, 1])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("levels", [1, 3])
def test_a_site_behind_another_is_no_branch_beside_it(levels: int, tmp_path: Path) -> None:
    model = pan_neck(levels)
    picture = image(model)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert [site.node.name.raw for site in done.sites] == ["b"]
    assert ["one after the other" in skip.refusal.reason for skip in done.skipped] == [True]
    np.testing.assert_allclose(run(target, picture), mean_of_both(model, "b", picture), rtol=1e-4, atol=1e-5)


def attention_detector(residual: bool) -> onnx.ModelProto:
    """Boxes of every cell in one row, behind attention over all cells, which leaves the analysis no grid."""
    random = np.random.default_rng(0)
    tensors = [
        numpy_helper.from_array((random.standard_normal(shape) / 5).astype(np.float32), name)
        for name, shape in {"stem": (8, 3, 3, 3), "head": (6, 8, 1, 1)}.items()
    ]
    tensors += [
        numpy_helper.from_array(np.array(values, np.int64), name)
        for name, values in {"tokens": [1, 8, 256], "grid": [1, 8, 16, 16], "row": [1, 6, 256]}.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "stem"], ["a"], "stem", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["a", "tokens"], ["k"]),
        helper.make_node("Transpose", ["k"], ["q"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "k"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "q"], ["o"]),
        helper.make_node("Transpose", ["o"], ["ot"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["ot", "grid"], ["og"]),
        helper.make_node("Add", ["og", "a"], ["b"]) if residual else helper.make_node("Relu", ["og"], ["b"]),
        helper.make_node("Conv", ["b", "head"], ["h"]),
        helper.make_node("Reshape", ["h", "row"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6, 256])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("strategy", [Strategy.PHASE_AVERAGE, Strategy.CROP_SELECT, Strategy.INPUT_AVERAGE])
@pytest.mark.parametrize("residual", [True, False])
def test_boxes_behind_attention_are_not_moved_against_the_picture(
    residual: bool, strategy: Strategy, tmp_path: Path
) -> None:
    target, done, _ = fixed(attention_detector(residual), tmp_path, strategy)
    assert not done.changes
    assert done.skipped
    assert not target.exists()


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not beside the checkout")
@pytest.mark.parametrize("strategy", [Strategy.PHASE_AVERAGE, Strategy.CROP_SELECT, Strategy.INPUT_AVERAGE])
@pytest.mark.parametrize("case", ["a_attention_detector", "a_plain_detector"])
def test_the_detectors_among_the_cases_are_refused(case: str, strategy: Strategy, tmp_path: Path) -> None:
    _, done, _ = fixed(onnx.load(CASES / f"{case}.onnx"), tmp_path, strategy)
    assert not done.changes
