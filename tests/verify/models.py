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


def brightest_box() -> ModelProto:
    """One box about the brightest column and row: the positions of the largest mean of each."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["rows"], axes=[1, 3], keepdims=0),
        helper.make_node("ReduceMean", ["x"], ["columns"], axes=[1, 2], keepdims=0),
        helper.make_node("ArgMax", ["rows"], ["y_"], axis=1),
        helper.make_node("ArgMax", ["columns"], ["x_"], axis=1),
        helper.make_node("Cast", ["y_"], ["y"], to=1),
        helper.make_node("Cast", ["x_"], ["xc"], to=1),
        helper.make_node("Concat", ["xc", "y", "xc", "y"], ["point"], axis=1),
        helper.make_node("Add", ["point", "about"], ["corners"]),
        helper.make_node("Unsqueeze", ["corners", "one"], ["boxes_"]),
        helper.make_node("Concat", ["boxes_", "boxes_"], ["boxes"], axis=1),
        helper.make_node("ReduceMax", ["x"], ["peak"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["peak", "one"], ["peak_"]),
        helper.make_node("Concat", ["peak_", "zero"], ["scores"], axis=1),
    ]
    weights = {
        "about": np.array([-2, -2, 2, 2], np.float32),
        "one": np.array([1]),
        "zero": np.zeros((1, 1), np.float32),
    }
    return model(nodes, {"x": [1, 3, 16, 16]}, {"boxes": [1, 2, 4], "scores": [1, 2]}, weights)
