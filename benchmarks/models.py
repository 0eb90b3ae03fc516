"""The models of the benchmarks, built here so that nothing is downloaded.

    python benchmarks/models.py FOLDER

writes ``light.onnx`` (ResNet-50 whose weights are made by operators, tens of KB), ``resnet50.onnx`` (100 MB),
``vgg19.onnx`` (575 MB), ``external.onnx`` (ResNet-50 and a projection, 3 GB beside the model, in a sparse file) and
``deep.onnx`` (a residual network of more than 1000 nodes, for the time of the analysis alone).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from enum import Enum
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PROJECTION = 360_000  # outputs of the last layer of the external model: 2048 * 360000 * 4 bytes are 2.9 GB
VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


class Weights(Enum):
    """Where the weights of a model lie."""

    INLINE = "inline"
    OPERATORS = "operators"  # a ConstantOfShape node each
    EXTERNAL = "external"


class Builder:
    """Collects nodes and weights; every method returns the name of the tensor that it makes."""

    def __init__(self, weights: Weights, data: str = "") -> None:
        self.weights = weights
        self.data = data
        self.offset = 0
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(0)

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Append one node."""
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}_output"], name, **attributes))
        return f"{name}_output"

    def weight(self, *dims: int) -> str:
        """A float32 weight."""
        name = f"weight_{len(self.initializers)}"
        if self.weights is Weights.INLINE:
            values = self.random.standard_normal(dims, np.float32) * np.float32(0.05)
            self.initializers.append(numpy_helper.from_array(values, name))
            return name
        if self.weights is Weights.OPERATORS:
            self.initializers.append(numpy_helper.from_array(np.array(dims, np.int64), name))
            return self.add("ConstantOfShape", [name], value=helper.make_tensor("", TensorProto.FLOAT, [1], [0.02]))
        length = 4 * prod(dims)
        tensor = TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self.data), ("offset", str(self.offset)), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
        self.offset += length
        self.initializers.append(tensor)
        return name

    def conv(self, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1) -> str:
        """A convolution with a bias, padded by half its kernel."""
        weights = [self.weight(outputs, inputs, kernel, kernel), self.weight(outputs)]
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}
        return self.add("Conv", [x, *weights], **sizes)

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """A fully connected layer."""
        return self.add("Gemm", [x, self.weight(outputs, inputs), self.weight(outputs)], transB=1)

    def bottleneck(self, x: str, inputs: int, width: int, stride: int) -> str:
        """The block of ResNet-50 (He et al. 2016, the variant with the stride on the 3 x 3 convolution)."""
        y = self.add("Relu", [self.conv(x, inputs, width, 1)])
        y = self.add("Relu", [self.conv(y, width, width, 3, stride)])
        y = self.conv(y, width, 4 * width, 1)
        if stride > 1 or inputs != 4 * width:
            x = self.conv(x, inputs, 4 * width, 1, stride)
        return self.add("Relu", [self.add("Add", [y, x])])

    def model(self, output: str, classes: int) -> onnx.ModelProto:
        """The finished model with the input ``image`` of 224 x 224 pixels, of a fixed size as some peers need it."""
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])
        logits = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, classes])
        graph = helper.make_graph(self.nodes, "benchmark", [image], [logits], self.initializers)
        return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def resnet(builder: Builder, depths: tuple[int, ...], width: int, classes: int) -> onnx.ModelProto:
    """A ResNet with bottleneck blocks; ``depths`` (3, 4, 6, 3) and width 64 are ResNet-50."""
    x = builder.add("Relu", [builder.conv("image", 3, width, 7, 2)])
    x = builder.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = width
    for stage, depth in enumerate(depths):
        for block in range(depth):
            x = builder.bottleneck(x, channels, width << stage, 2 if stage > 0 and block == 0 else 1)
            channels = 4 * width << stage
    x = builder.add("Flatten", [builder.add("GlobalAveragePool", [x])])
    return builder.model(builder.linear(x, channels, classes), classes)


def vgg19(builder: Builder) -> onnx.ModelProto:
    """VGG-19 (Simonyan and Zisserman 2015): most of its weights are in the first fully connected layer."""
    x, channels = "image", 3
    for width, depth in VGG19:
        for _ in range(depth):
            x, channels = builder.add("Relu", [builder.conv(x, channels, width, 3)]), width
        x = builder.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = builder.add("Flatten", [x])
    for inputs, outputs in ((25088, 4096), (4096, 4096)):
        x = builder.add("Relu", [builder.linear(x, inputs, outputs)])
    return builder.model(builder.linear(x, 4096, 1000), 1000)


def build(folder: Path) -> Iterator[Path]:
    """Write every model into ``folder``, one at a time."""
    light, deep = Builder(Weights.OPERATORS), Builder(Weights.INLINE)
    external = Builder(Weights.EXTERNAL, data="external.bin")
    yield save(resnet(light, (3, 4, 6, 3), 64, 1000), folder / "light.onnx")
    yield save(resnet(deep, (48, 48, 48, 48), 4, 10), folder / "deep.onnx")
    yield save(resnet(Builder(Weights.INLINE), (3, 4, 6, 3), 64, 1000), folder / "resnet50.onnx")
    yield save(vgg19(Builder(Weights.INLINE)), folder / "vgg19.onnx")
    yield save(resnet(external, (3, 4, 6, 3), 64, PROJECTION), folder / "external.onnx")
    with (folder / external.data).open("wb") as file:
        file.truncate(external.offset)


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Write the model as it is; external tensors keep pointing at their file."""
    path.write_bytes(model.SerializeToString())
    return path


def main() -> None:
    """Build the models into the folder of the command line."""
    parser = argparse.ArgumentParser(description="Build the models of the benchmarks.")
    parser.add_argument("folder", type=Path, help="where they go; 0.7 GB")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for path in build(folder):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
