"""Small networks with known weights, for whole pictures and tiles, and the runtime that judges them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 3


class Builder:
    """Nodes and weights of one network; every method adds a layer and gives the name of what it makes."""

    def __init__(self, seed: int = 0, channels: int = 1, kind: Any = np.float32) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.channels = channels
        self._kind = kind
        self._numbers = np.random.default_rng(seed)
        self._count = 0

    def add(self, op: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        """Any node of one output."""
        self._count += 1
        output = name or f"t{self._count}"
        self.nodes.append(helper.make_node(op, inputs, [output], name or f"n{self._count}", **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        """A stored tensor."""
        self._count += 1
        self.weights.append(numpy_helper.from_array(values, f"w{self._count}"))
        return f"w{self._count}"

    def kernel(self, *shape: int) -> str:
        """Positive weights, none of them zero, that keep the scale of what they filter."""
        values = self._numbers.uniform(0.2, 1, shape)
        return self.constant((values / values[0].size).astype(self._kind))

    def conv(self, x: str, size: int, stride: int = 1, pads: tuple[int, int] | str = "same", **more: Any) -> str:
        """A convolution of as many channels as the network has."""
        inputs, outputs = more.pop("channels", (self.channels, self.channels))
        dilation = more.pop("dilation", 1)
        weights = self.kernel(outputs, inputs, size, size)
        shape: dict[str, Any] = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "dilations": [dilation] * 2}
        return self.add("Conv", [x, weights], **shape, **_pads(pads, dilation * (size - 1)), **more)

    def pool(self, x: str, op: str, size: int, stride: int, pads: tuple[int, int] | str = "same") -> str:
        """A max-pool or an average pool."""
        counted: dict[str, Any] = {"count_include_pad": 1} if op == "AveragePool" else {}
        shape: dict[str, Any] = {"kernel_shape": [size] * 2, "strides": [stride] * 2}
        return self.add(op, [x], **shape, **_pads(pads, size - 1), **counted)

    def resize(self, x: str, factor: float, mode: str, coordinates: str, **more: Any) -> str:
        """A Resize by a factor."""
        scales = self.constant(np.array([1, 1, factor, factor], np.float32))
        return self.add("Resize", [x, "", scales], mode=mode, coordinate_transformation_mode=coordinates, **more)

    def save(
        self, path: Path, output: str, size: tuple[int | str, int | str] = ("height", "width"), **more: Any
    ) -> Path:
        """The network from the input ``x`` to the output ``y``."""
        self.add("Identity", [output], "y")
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, more.get("inputs", self.channels), *size])
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "network", [image], [result], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, path)
        return path


def _pads(pads: tuple[int, int] | str, reach: int) -> dict[str, Any]:
    if pads == "same":
        pads = (reach // 2, reach - reach // 2)
    if isinstance(pads, str):
        return {"auto_pad": pads}
    return {"pads": [pads[0], pads[0], pads[1], pads[1]]}


def measured_example(path: Path) -> Path:
    """Conv 3/2, max-pool 3/2, conv 3/2, conv 3: S = 8, A = -15, B = 15, R = 31."""
    build = Builder(channels=CHANNELS)
    x = build.conv("x", 3, 2, (1, 1))
    x = build.pool(x, "MaxPool", 3, 2, (1, 1))
    x = build.conv(x, 3, 2, (1, 1))
    return build.save(path, build.conv(x, 3))


def random_network(path: Path, seed: int) -> Path:
    """Convolutions, pools, residual joins, and an encoder and decoder with skips, drawn by a seed."""
    draw, build = random.Random(seed), Builder(seed, CHANNELS)
    x, skips = build.conv("x", 3, 1, draw.choice([(1, 1), (2, 0), (0, 2)])), []
    for _ in range(draw.randint(0, 3)):
        skips.append(x)
        x = _down(build, draw, x)
        deep = build.conv(x, 3, dilation=draw.choice([1, 1, 2]))
        x = build.add("Add", [x, deep]) if draw.random() < 0.5 else deep
        x = build.add("LeakyRelu", [x]) if draw.random() < 0.5 else x
    for turn in range(draw.randint(0, len(skips))):
        x = _up(build, draw, x)
        if draw.random() < 0.7:
            joined = build.add("Concat", [x, skips[-1 - turn]], axis=1)
            x = build.conv(joined, draw.choice([1, 3]), channels=(2 * CHANNELS, CHANNELS))
        else:
            x = build.conv(x, 3)
    return build.save(path, x)


def _down(build: Builder, draw: random.Random, x: str) -> str:
    kind = draw.choice(["conv", "MaxPool", "AveragePool", "SpaceToDepth"])
    if kind == "conv":
        size = draw.choice([2, 3, 4, 5])
        first = draw.randint(0, size - 2)
        return build.conv(x, size, 2, (first, size - 2 - first))
    if kind == "SpaceToDepth":
        deep = build.add(kind, [x], blocksize=2)
        return build.conv(deep, draw.choice([1, 3]), channels=(4 * CHANNELS, CHANNELS))
    size = draw.choice([2, 3])
    first = draw.randint(0, size - 2)
    return build.pool(x, kind, size, 2, (first, size - 2 - first))


def _up(build: Builder, draw: random.Random, x: str) -> str:
    kind = draw.choice(["nearest", "linear", "ConvTranspose", "DepthToSpace"])
    if kind == "nearest":
        return build.resize(x, 2, kind, draw.choice(["half_pixel", "asymmetric"]), nearest_mode="floor")
    if kind == "linear":
        return build.resize(x, 2, kind, draw.choice(["half_pixel", "asymmetric"]))
    if kind == "DepthToSpace":
        return build.add(kind, [build.conv(x, 1, channels=(CHANNELS, 4 * CHANNELS))], blocksize=2, mode="CRD")
    size = draw.choice([2, 3, 4])
    first = draw.randint(0, size - 2)
    weights = build.kernel(CHANNELS, CHANNELS, size, size)
    pads = [first, first, size - 2 - first, size - 2 - first]
    return build.add(kind, [x, weights], kernel_shape=[size] * 2, strides=[2, 2], pads=pads)


class Runtime:
    """A network in onnxruntime."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output for a picture (1, C, H, W)."""
        name = self._session.get_inputs()[0].name
        result: NDArray[np.float32] = self._session.run(None, {name: picture})[0]
        return result


def picture(height: int, width: int, seed: int = 0, channels: int = CHANNELS) -> NDArray[np.float32]:
    """A picture of noise (1, C, H, W)."""
    return np.random.default_rng(seed).uniform(-1, 1, (1, channels, height, width)).astype(np.float32)
