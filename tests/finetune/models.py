"""Small networks and pictures to fine-tune on."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from auditor.finetune.result import Schedule
from auditor.onnxfile import read_model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Step, Strategy
from auditor.sampling import analyse
from auditor.verify.options import Request, read_request

Array = NDArray[Any]

SIZE = 32


def network(
    path: Path,
    head: str = "logits",
    opset: int = 17,
    ir: int = 8,
    dtype: Any = np.float32,
    batch: int | str = "N",
    fixed: bool = False,
) -> Path:
    """A convolutional network with two pools, batch norm and Dropout, and the head of a classifier or a dense one.

    ``fixed`` reshapes to a batch of one. Up to IR 3 the weights are inputs too.
    """
    random = np.random.default_rng(3)

    def weight(name: str, *shape: int, gain: float = 1.5) -> TensorProto:
        values = gain * random.standard_normal(shape) / max(prod(shape[1:]), 1) ** 0.5
        return numpy_helper.from_array(values.astype(dtype), name)

    ones = np.ones(8, dtype)
    tensors = [
        weight("w1", 8, 3, 3, 3),
        *(
            numpy_helper.from_array(values, name)
            for name, values in zip("smbv", (ones, 0 * ones, 0 * ones, ones), strict=True)
        ),
        weight("w2", 16, 8, 3, 3),
        numpy_helper.from_array(np.zeros(16, dtype), "b2"),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", "s", "b", "m", "v"], ["n1"], "norm"),
        helper.make_node("Relu", ["n1"], ["r1"], "relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"], "conv2", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("MaxPool", ["r2"], ["p2"], "pool2", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Dropout", ["p2"], ["d2"], "drop"),
    ]
    if head == "dense":
        tensors.append(weight("w3", 2, 16, 1, 1))
        nodes.append(helper.make_node("Conv", ["d2", "w3"], ["answer"], "conv3"))
        shape: list[int | str] = [batch, 2, SIZE // 4, SIZE // 4]
    else:
        width = 128 if head == "embedding" else 6
        tensors += [weight("w3", 16, width, gain=16.0), weight("b3", width)]
        nodes.append(helper.make_node("GlobalAveragePool", ["d2"], ["g"], "gap"))
        flat = ["g", "flat"] if fixed else ["g"]
        tensors += [numpy_helper.from_array(np.array([1, 16]), "flat")] if fixed else []
        nodes.append(helper.make_node("Reshape" if fixed else "Flatten", flat, ["f"], "flatten"))
        nodes.append(helper.make_node("Gemm", ["f", "w3", "b3"], ["z"], "fc"))
        last = "Softmax" if head == "probabilities" else "Identity"
        nodes.append(helper.make_node(last, ["z"], ["answer"], "head"))
        shape = [batch, width]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs = [helper.make_tensor_value_info("image", kind, [batch, 3, SIZE, SIZE])]
    if ir < 4:
        inputs += [helper.make_tensor_value_info(one.name, one.data_type, list(one.dims)) for one in tensors]
    outputs = [helper.make_tensor_value_info("answer", kind, shape)]
    graph = helper.make_graph(nodes, "network", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    model.doc_string = "kept"
    onnx.save(model, path)
    return path


def blurred(source: Path, target: Path) -> Path:
    """The network with a blur at both pools."""
    model = read_model(source)
    assert len(rewrite(model, analyse(model), Step(Strategy.BLUR), target).sites) == 2
    return target


def pictures(path: Path, count: int = 24) -> Path:
    """Smooth random colour pictures, 40 x 40."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (count, 10, 10, 3))
    fine = np.repeat(np.repeat(coarse, 4, 1), 4, 2) + random.integers(-60, 60, (count, 40, 40, 3))
    np.savez(path, images=np.clip(fine, 0, 255).astype(np.uint8))
    return path


def request(images: Path) -> Request:
    """How tests prepare pictures."""
    return read_request({"images": str(images), "preset": "unit", "device": "cpu", "threads": "1"})


def quick(**changes: Any) -> Schedule:
    """A short training."""
    return Schedule(**{"epochs": 6, "rate": 3e-3, "shifts": 4, "views": 1, **changes})
