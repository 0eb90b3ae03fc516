"""Writing trained weights: their elements change, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from auditor.finetune.copy import numbers, weights
from auditor.finetune.result import FinetuneError
from auditor.finetune.write import PROVENANCE, write
from auditor.onnxfile import read_model
from auditor.rewrite.result import RewriteError
from tests.finetune.models import blurred, network
from tests.finetune.test_copy import WIDE


def arrays(model: onnx.ModelProto) -> dict[str, Any]:
    found = {tensor.name: numbers(tensor) for tensor in model.graph.initializer}
    constants = [node for node in model.graph.node if node.op_type == "Constant"]
    return found | {node.output[0]: numbers(node.attribute[0].t) for node in constants}


def without(model: onnx.ModelProto, names: set[str]) -> bytes:
    """The model without the elements of these tensors, and without metadata."""
    for tensor in model.graph.initializer:
        if tensor.name in names:
            tensor.raw_data = b""
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output[0] in names:
            node.attribute[0].t.raw_data = b""
    del model.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))


@pytest.mark.parametrize("kind", WIDE)
def test_only_the_elements_of_trained_tensors_change(kind: str, tmp_path: Path) -> None:
    path = blurred(network(tmp_path / "net.onnx", **WIDE[kind]), tmp_path / "blurred.onnx")
    model = read_model(path)
    found, _ = weights(model)
    trained = {name: found[name].values + np.float32(0.25) for name in ("w1", "b2", "w3")}
    write(model, trained, tmp_path / "tuned.onnx", {"epoch": 3})
    before, after = onnx.load(path), onnx.load(tmp_path / "tuned.onnx")
    old, new = arrays(before), arrays(after)
    for name, values in old.items():
        wanted = trained[name].astype(values.dtype) if name in trained else values
        assert new[name].dtype == values.dtype
        assert np.array_equal(new[name], wanted), name
    metadata = {entry.key: entry.value for entry in after.metadata_props}
    assert json.loads(metadata.pop(PROVENANCE)) == {"epoch": 3}
    assert metadata == {entry.key: entry.value for entry in before.metadata_props}
    assert without(before, set(trained)) == without(after, set(trained))


def test_weights_in_constant_nodes_are_written_too(tmp_path: Path) -> None:
    model = onnx.load(network(tmp_path / "net.onnx"))
    (tensor,) = [one for one in model.graph.initializer if one.name == "w2"]
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["w2"], value=tensor))
    model.graph.initializer.remove(tensor)
    onnx.save(model, tmp_path / "net.onnx")
    read = read_model(tmp_path / "net.onnx")
    values = weights(read)[0]["w2"].values * 2
    write(read, {"w2": values}, tmp_path / "tuned.onnx", {})
    assert np.array_equal(arrays(onnx.load(tmp_path / "tuned.onnx"))["w2"], values)


def test_a_weight_that_its_type_cannot_hold_is_an_error_and_no_file(tmp_path: Path) -> None:
    model = read_model(network(tmp_path / "net.onnx", dtype=np.float16))
    with pytest.raises(FinetuneError, match="too large"):
        write(model, {"b2": np.full(16, 1e6, np.float32)}, tmp_path / "tuned.onnx", {})
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_the_model_is_not_written_over(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx")
    with pytest.raises(RewriteError, match="the output is the model itself"):
        write(read_model(path), {}, path, {})
