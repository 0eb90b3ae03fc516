"""A builder of small networks, one call per layer; every method returns the name of its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto

from tests.sampling.impulse import Array, build, node


class Net:
    """Collects nodes and weights. Weights are seeded, so that two builds are equal."""

    def __init__(self, *shape: int | str, opset: int = 19, seed: int = 0) -> None:
        self.shape = shape
        self.opset = opset
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}
        self._random = np.random.default_rng(seed)

    def op(self, kind: str, *inputs: str | Array | Sequence[int], outputs: int = 1, **attributes: Any) -> Any:
        """Adds one node. Inputs that are no names become constants; one output gives a name, several a list."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        domain = attributes.pop("domain", "")
        number = len(self.nodes)
        made = [f"{kind.lower()}{number}" + (f"_{index}" if outputs > 1 else "") for index in range(outputs)]
        label = attributes.pop("name", f"{kind}_{number}")
        self.nodes.append(node(kind, names, made, domain, name=label, **attributes))
        return made[0] if outputs == 1 else made

    def constant(self, value: Array | Sequence[int]) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def weights(self, *shape: int) -> Array:
        values: Array = self._random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        return values.astype(np.float32)

    def conv(self, x: str, before: int, after: int, kernel: int = 1, stride: int = 1, **more: Any) -> str:
        pad = more.pop("pad", kernel // 2)
        weights = more.pop("weights", None)
        group = more.get("group", 1)
        values = self.weights(after, before // group, kernel, kernel) if weights is None else weights
        if "auto_pad" not in more:
            more["pads"] = [pad] * 4
        made: str = self.op("Conv", x, values, strides=[stride] * 2, **more)
        return made

    def pool(self, kind: str, x: str, kernel: int, stride: int, pad: int = 0, **more: Any) -> str:
        made: str = self.op(kind, x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, **more)
        return made

    def blur(self, x: str, channels: int, taps: Sequence[float], stride: int) -> str:
        """A reflected, depthwise binomial blur with a stride, as BlurPool is exported."""
        line = np.array(taps, np.float32) / sum(taps)
        pad = (len(taps) - 1) // 2
        kernel = np.broadcast_to(np.outer(line, line), (channels, 1, len(taps), len(taps)))
        padded = self.op("Pad", x, [0, 0, pad, pad, 0, 0, pad, pad], mode="reflect")
        return self.conv(padded, channels, channels, stride=stride, pad=0, group=channels, weights=kernel.copy())

    def linear(self, x: str, before: int, after: int) -> str:
        made: str = self.op("MatMul", x, self.weights(before, after))
        return made

    def relu(self, x: str) -> str:
        made: str = self.op("Relu", x)
        return made

    def model(self, *outputs: str, **more: Any) -> ModelProto:
        return build(self.nodes, self.shape, self.constants, self.opset, outputs=outputs, **more)
