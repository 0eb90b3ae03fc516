"""Which changes of a file leave the model the same, and which do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from auditor.comparison.identity import same_model
from auditor.onnxfile import read_model


def network(weight: float = 1.0) -> ModelProto:
    kernel = np.full((4, 3, 3, 3), weight, np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def renamed(model: ModelProto) -> None:
    model.graph.node[0].name, model.graph.node[1].name = "a", "b"
    model.graph.node[0].input[1] = model.graph.initializer[0].name = "weight.7"
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "hidden"


def described(model: ModelProto) -> None:
    model.producer_name, model.doc_string = "another exporter", "the same"
    model.graph.name = "graph"
    model.metadata_props.add(key="author", value="somebody")


def strided(model: ModelProto) -> None:
    model.graph.node[0].attribute[1].ints[:] = [1, 1]


def weighed(model: ModelProto) -> None:
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-1] + b"\0"


def another_opset(model: ModelProto) -> None:
    model.opset_import[0].version = 18


def another_operator(model: ModelProto) -> None:
    model.graph.node[1].op_type = "Sigmoid"


def another_input_name(model: ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "image"


def rewired(model: ModelProto) -> None:
    model.graph.node[1].input[0] = "x"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda _: None, True),
        (renamed, True),
        (described, True),
        (strided, False),
        (weighed, False),
        (another_opset, False),
        (another_operator, False),
        (another_input_name, False),
        (rewired, False),
    ],
)
def test_names_and_descriptions_leave_a_model_the_same(
    tmp_path: Path, change: Callable[[ModelProto], None], same: bool
) -> None:
    base, new = network(), network()
    change(new)
    onnx.save(base, tmp_path / "base.onnx")
    onnx.save(new, tmp_path / "new.onnx")
    assert same_model(read_model(tmp_path / "base.onnx"), read_model(tmp_path / "new.onnx")) is same


@pytest.mark.parametrize(("weight", "same"), [(1.0, True), (2.0, False)])
def test_weights_beside_the_model_are_compared_by_what_is_in_them(tmp_path: Path, weight: float, same: bool) -> None:
    for name, value in (("base", 1.0), ("new", weight)):
        (tmp_path / name).mkdir()
        onnx.save(network(value), tmp_path / name / "m.onnx", save_as_external_data=True, size_threshold=0)
    models = [read_model(tmp_path / name / "m.onnx") for name in ("base", "new")]
    assert same_model(*models) is same


def test_weights_that_cannot_be_read_are_never_the_same(tmp_path: Path) -> None:
    for name in ("base", "new"):
        (tmp_path / name).mkdir()
        model = network()
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../secret.bin")
        (tmp_path / name / "m.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "secret.bin").write_bytes(bytes(432))
    models = [read_model(tmp_path / name / "m.onnx") for name in ("base", "new")]
    assert not same_model(*models)
