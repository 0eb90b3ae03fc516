"""Small models with known answers, built in code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, save_model


def model(
    nodes: list[NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str] | None],
    weights: dict[str, np.ndarray] | None = None,
    dtype: int = TensorProto.FLOAT,
    opset: int = 17,
) -> ModelProto:
    graph: GraphProto = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made


def saved(path: Path, made: ModelProto) -> Path:
    save_model(made, path)
    return path


def classifier(batch: int | str = "N", size: int = 16, stride: int = 2, channels: int = 3) -> ModelProto:
    """Conv (stride 1), ReLU, strided Slice, global average, softmax over six classes."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("MaxPool", ["relu"], ["pool"], kernel_shape=[stride, stride], strides=[stride, stride]),
        helper.make_node("GlobalAveragePool", ["pool"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head"], ["y"]),
    ]
    weights = {
        "w": rng.normal(size=(8, channels, 3, 3)).astype(np.float32),
        "head": rng.normal(size=(8, 6)).astype(np.float32),
    }
    return model(nodes, {"x": [batch, channels, size, size]}, {"y": [batch, 6]}, weights)
