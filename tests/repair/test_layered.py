"""Layers inside of functions are measured as those of the main graph are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper, save_model

from auditor.onnxfile import read_model
from auditor.repair.layered import measure_layered
from auditor.sampling import analyse
from auditor.verify.images.synthetic import builtin_images
from auditor.verify.options import read_request
from auditor.verify.result import Verification

SETTINGS = read_request(
    {"preset": "unit", "task": "classification", "device": "cpu", "threads": 1, "shifts": 1, "layers": 1}
).settings


def network(depth: int) -> ModelProto:
    """Two max-pools and a mean, the pools inside ``depth`` functions that call each other."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    inner = [
        helper.make_node("MaxPool", ["a"], ["b"], name="first", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("MaxPool", ["b"], ["c"], name="second", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    functions = []
    for level in range(depth):
        functions.append(helper.make_function("mine", f"Block{level}", ["a"], ["c"], inner, opsets))
        inner = [helper.make_node(f"Block{level}", ["a"], ["c"], name=f"block{level}", domain="mine")]
    inner[0].input[0] = "x"
    head = numpy_helper.from_array(np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32), "head")
    tail = [
        helper.make_node("GlobalAveragePool", ["c"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head"], ["logits"]),
    ]
    graph = helper.make_graph(
        [*inner, *tail],
        "nested",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 64, 64])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 5])],
        [head],
    )
    return helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=9)


def measured(folder: Path, depth: int) -> Verification:
    path = folder / f"{depth}.onnx"
    save_model(network(depth), path)
    model = read_model(path)
    return measure_layered(model, builtin_images(2), SETTINGS, analyse(model))


@pytest.mark.parametrize("depth", [1, 2])
def test_sites_inside_of_functions_are_layers_with_the_numbers_of_the_plain_network(tmp_path: Path, depth: int) -> None:
    plain, nested = measured(tmp_path, 0), measured(tmp_path, depth)
    assert [layer.cumulative for layer in nested.layers] == [(2, 2), (4, 4)]
    for one, other in zip(plain.layers, nested.layers, strict=True):
        assert (one.site, one.error, one.cosine, one.added) == (other.site, other.error, other.cosine, other.added)
        assert other.node is not None
        assert other.node.scope.raw.startswith(f"block{depth - 1}")
    assert not list(tmp_path.glob(".aliasaudit-*"))
