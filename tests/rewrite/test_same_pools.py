"""Dilated pools with SAME padding: an identity blur keeps the shape and the numbers that onnxruntime gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auditor.rewrite.result import Kernel, Options, Strategy
from tests.rewrite.networks import fixed, image, run


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("size", [15, 16])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_an_identity_blur_keeps_shape_and_numbers(
    op: str, size: int, dilation: int, auto_pad: str, tmp_path: Path
) -> None:
    width = 3 if op == "MaxPool" else 2  # averages of three are low-passes, which nobody blurs
    attributes = {"kernel_shape": [width] * 2, "strides": [2, 2], "dilations": [dilation] * 2, "auto_pad": auto_pad}
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], "pool", **attributes)],  # type: ignore[arg-type]
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    picture = image(model)
    target, done, _ = fixed(model, tmp_path, options=Options(kernel=Kernel.IDENTITY))
    assert done.sites, done.skipped
    np.testing.assert_allclose(run(target, picture), run(model, picture), rtol=1e-5, atol=1e-6)
    assert onnx.load(target).graph.node[0].op_type == op


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_phases_of_a_dilated_pool_have_the_size_that_it_has(auto_pad: str, dilation: int, tmp_path: Path) -> None:
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "dilations": [dilation] * 2, "auto_pad": auto_pad}
    graph = helper.make_graph(
        [
            helper.make_node("MaxPool", ["x"], ["m"], "pool", **window),  # type: ignore[arg-type]
            helper.make_node("GlobalAveragePool", ["m"], ["y"], "mean"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    picture = image(model)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert done.sites, done.skipped
    assert run(target, picture).shape == run(model, picture).shape
    np.testing.assert_allclose(run(target, picture), run(model, picture), atol=0.2)
