"""The copy that the converter reads: the same function, in forms that it knows, or a reason why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.finetune.copy import NEWEST, OLDEST, refuse_untrainable, training_copy, weights
from auditor.finetune.result import FinetuneError
from auditor.onnxfile import read_model
from tests.finetune.models import SIZE, Array, blurred, network

WIDE: dict[str, dict[str, Any]] = {
    "today": {},
    "half": {"dtype": np.float16},
    "newest": {"opset": 21, "ir": 10},
    "old": {"opset": 7, "ir": 3},
}


def run(model: bytes, picture: Array) -> Array:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": picture})[0], np.float32)


@pytest.mark.parametrize("kind", WIDE)
@pytest.mark.parametrize("rewritten", [False, True])
def test_the_copy_computes_in_single_precision_what_the_file_computes(
    kind: str, rewritten: bool, tmp_path: Path
) -> None:
    path = network(tmp_path / "net.onnx", **WIDE[kind])
    path = blurred(path, tmp_path / "blurred.onnx") if rewritten else path
    copy = training_copy(read_model(path), "answer")
    assert OLDEST <= copy.opset_import[0].version <= NEWEST
    assert not {node.op_type for node in copy.graph.node} & {"Constant", "Dropout"}
    assert len(copy.graph.input) == 1
    picture = np.random.default_rng(0).random((1, 3, SIZE, SIZE)).astype(np.float32)
    wanted = run(path.read_bytes(), picture.astype(WIDE[kind].get("dtype", np.float32)))
    tolerance = 2e-2 if kind == "half" else 1e-5
    assert np.allclose(run(copy.SerializeToString(), picture), wanted, atol=tolerance * np.abs(wanted).max())


def test_axes_that_newer_operator_sets_take_as_an_input_become_what_they_were(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["image", "axes"], ["answer"], keepdims=0)]
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    path = save(tmp_path, nodes, [axes], 18)
    picture = np.random.default_rng(0).random((1, 3, SIZE, SIZE)).astype(np.float32)
    copy = training_copy(read_model(path), "answer")
    assert np.allclose(run(copy.SerializeToString(), picture), picture.mean((2, 3)), atol=1e-6)


def test_an_operator_without_an_older_form_is_a_reason(tmp_path: Path) -> None:
    path = save(tmp_path, [helper.make_node("Gelu", ["image"], ["answer"])], [], 20)
    with pytest.raises(FinetuneError, match="no form in operator set 17"):
        training_copy(read_model(path), "answer")


def save(folder: Path, nodes: list[Any], tensors: list[Any], opset: int = 17) -> Path:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [image], [answer], tensors)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9),
        folder / "made.onnx",
    )
    return folder / "made.onnx"


def test_weights_are_trained_but_for_blurs_statistics_and_what_several_nodes_read(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    numbers = {
        "shared": random.standard_normal((3, 3, 1, 1)),
        "own": random.standard_normal((3, 1, 3, 3)),
        "blur": np.broadcast_to(np.outer([1, 2, 1], [1, 2, 1]) / 16, (3, 1, 3, 3)),
        **dict.fromkeys(("scale", "bias", "mean", "variance"), np.ones(3)),
    }
    tensors = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in numbers.items()]
    nodes = [
        helper.make_node("Conv", ["image", "shared"], ["a"]),
        helper.make_node("Conv", ["a", "shared"], ["b"]),
        helper.make_node("Conv", ["b", "own"], ["c"], group=3),
        helper.make_node("Conv", ["c", "blur"], ["d"], group=3, strides=[2, 2]),
        helper.make_node("BatchNormalization", ["d", "scale", "bias", "mean", "variance"], ["answer"]),
    ]
    found, left = weights(read_model(save(tmp_path, nodes, tensors)))
    assert list(found) == ["own", "scale", "bias"]
    assert left == 2
    assert np.array_equal(found["own"].values, numbers["own"].astype(np.float32))


def quantised(folder: Path) -> Path:
    scale = numpy_helper.from_array(np.float32(0.1), "scale")
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "scale"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale"], ["answer"]),
    ]
    return save(folder, nodes, [scale])


def branching(folder: Path) -> Path:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["out"])], "b", [], [helper.make_tensor_value_info("out", 1, None)]
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    return save(folder, [helper.make_node("If", ["yes"], ["answer"], then_branch=branch, else_branch=branch)], [yes])


def external(folder: Path) -> Path:
    path = network(folder / "net.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    return path


def ancient(folder: Path) -> Path:
    return save(folder, [helper.make_node("Relu", ["image"], ["answer"])], [], 6)


@pytest.mark.parametrize(
    ("build", "reason"),
    [(quantised, "quantised"), (branching, "sub-graphs"), (external, "external"), (ancient, "operator set 6")],
)
def test_what_cannot_be_trained_is_refused_with_its_reason(
    build: Callable[[Path], Path], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(FinetuneError, match=reason):
        refuse_untrainable(read_model(build(tmp_path)))
