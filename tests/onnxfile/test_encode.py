"""What is written is read back as it was: the encoder is the inverse of the decoder."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.demo import demo_model
from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.encode import encode
from auditor.onnxfile.graph import PayloadKind, Tensor
from tests.shipped import quick_models


def content(value: Any) -> Any:
    """A value without what belongs to its file, comparable; tensors by the elements that were kept inline."""
    if isinstance(value, Tensor):
        data = value.payload.data if value.payload.kind is PayloadKind.INLINE else None
        return value.name, value.dims, value.dtype, data
    if isinstance(value, float):
        return np.float32(value).tobytes()
    if isinstance(value, tuple):
        return tuple(map(content, value))
    if isinstance(value, dict):
        return {key: content(item) for key, item in value.items()}
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in {"source", "file_bytes"}]
        return type(value), [content(getattr(value, name)) for name in names]
    return value


@pytest.mark.parametrize("path", [pytest.param(demo_model(), id="demo"), *quick_models()])
def test_a_model_that_is_written_and_read_again_is_the_same(path: Path, tmp_path: Path) -> None:
    try:
        model = read_model(path)
    except ModelFileError:
        pytest.skip("not a model that can be read")
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(encode(model))
    assert content(read_model(copy)) == content(model)


def test_what_is_written_is_what_the_onnx_package_reads(tmp_path: Path) -> None:
    node = helper.make_node(
        "Op",
        ["x", ""],
        ["y"],
        "node",
        domain="own",
        i=-3,
        f=0.5,
        s="text",
        ints=[1, -2],
        floats=[0.5, -1.0],
        strings=["a"],
    )
    node.attribute.append(helper.make_attribute("t", numpy_helper.from_array(np.array([1, 2], np.int64), "t")))
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, ["n", 3, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(np.array([7], np.int64), "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 2)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="maker")
    onnx.save(model, tmp_path / "model.onnx")
    assert onnx.load_from_string(encode(read_model(tmp_path / "model.onnx"))) == model
