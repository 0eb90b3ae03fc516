"""Random small networks with every kind of strided operator, and what it takes to run and rewrite them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Options, Rewritten, Step, Strategy
from auditor.sampling import Analysis, analyse

Array = NDArray[Any]

ACTIVATIONS = ("Relu", "LeakyRelu", "Sigmoid", "silu", "")


@dataclass
class Network:
    """Builds a network node by node; ``last`` is the newest tensor, of ``channels`` maps with ``sizes``."""

    random: np.random.Generator
    channels: int
    sizes: tuple[int, ...]
    opset: int = 17
    ir: int = 8
    dtype: Any = np.float32
    nodes: list[NodeProto] = field(default_factory=list)
    weights: list[TensorProto] = field(default_factory=list)
    last: str = "x"

    def __post_init__(self) -> None:
        self.input = (1, self.channels, *self.sizes)

    @property
    def rank(self) -> int:
        return len(self.sizes)

    def add(self, op: str, *others: str, **attributes: Any) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *others], [name], name, **attributes))
        self.last = name
        return name

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        values = self.random.standard_normal(shape) / max(prod(shape[1:]), 1) ** 0.5
        self.weights.append(numpy_helper.from_array(values.astype(self.dtype), name))
        return name

    def integers(self, *values: int) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def numbers(self, *values: float) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, np.float32), name))
        return name

    def numbers_scalar(self, value: float) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name

    def pick(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def window(self, smallest: int, strides: tuple[int, ...], pool: bool = False) -> dict[str, Any]:
        """Random kernel, dilation and padding that leave something of the map."""
        kernel = [min(self.pick(smallest, 4), size) for size in self.sizes]
        dilation = [
            1 if pool or k < 2 or (k - 1) * 2 >= size else self.pick(1, 2)
            for k, size in zip(kernel, self.sizes, strict=True)
        ]
        begin = [self.pick(0, k - 1) for k in kernel]
        end = [self.pick(0, k - 1) for k in kernel]
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": list(strides)}
        if not pool:
            attributes["dilations"] = dilation
        automatic = self.random.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
        if automatic.startswith("SAME"):
            dilation = [1] * self.rank  # onnxruntime has nothing else
            attributes.update({} if pool else {"dilations": dilation})
        if automatic == "NOTSET":
            attributes["pads"] = begin + end
        else:
            attributes["auto_pad"] = automatic
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if automatic.startswith("SAME"):
            self.sizes = tuple(-(-n // s) for n, s in zip(self.sizes, strides, strict=True))
        else:
            extra = [0] * self.rank if automatic == "VALID" else [b + e for b, e in zip(begin, end, strict=True)]
            self.sizes = tuple(
                (n + p - r - 1) // s + 1 for n, p, r, s in zip(self.sizes, extra, reach, strides, strict=True)
            )
        return attributes

    def conv(self, stride: int = 1) -> None:
        strides = tuple(stride if self.pick(0, 3) else 1 for _ in self.sizes)
        groups = {0: 1, 1: self.channels, 2: 2 if self.channels % 2 == 0 else 1}[self.pick(0, 2)]
        outputs = groups * self.pick(1, 3)
        window = self.window(1, strides)
        weight = self.weight(outputs, self.channels // groups, *window["kernel_shape"])
        self.add("Conv", weight, group=groups, **window)
        self.channels = outputs

    def norm(self) -> None:
        self.add("BatchNormalization", *(self.positive() for _ in range(4)))

    def positive(self) -> str:
        name = f"w{len(self.weights)}"
        values = self.random.uniform(0.5, 1.5, self.channels).astype(self.dtype)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def activation(self) -> None:
        kind = str(self.random.choice(ACTIVATIONS))
        if kind == "silu":
            before = self.last
            self.add("Sigmoid")
            self.add("Mul", before)
        elif kind:
            self.add(kind)

    def max_pool(self) -> None:
        self.add("MaxPool", **self.window(2, (2,) * self.rank, pool=True))

    def ceil_pool(self) -> None:
        kernel = [min(3, size) for size in self.sizes]
        self.add("MaxPool", kernel_shape=kernel, strides=[2] * self.rank, ceil_mode=1)
        self.sizes = tuple(min(-(-(n - k) // 2) + 1, -(-n // 2)) for n, k in zip(self.sizes, kernel, strict=True))

    def average_pool(self) -> None:
        include = self.pick(0, 1)
        self.add("AveragePool", count_include_pad=include, **self.window(2, (2,) * self.rank, pool=True))

    def strided_slice(self) -> None:
        axes = range(2, 2 + self.rank)
        start = [self.pick(0, 1) for _ in axes]
        self.add(
            "Slice",
            self.integers(*start),
            self.integers(*[2**31 - 1] * self.rank),
            self.integers(*axes),
            self.integers(*[2] * self.rank),
        )
        self.sizes = tuple(-(-(n - s) // 2) for n, s in zip(self.sizes, start, strict=True))

    def residual(self) -> None:
        """A strided block with a strided shortcut, aligned as exporters write it."""
        trunk, channels = self.last, self.channels
        outputs = self.pick(2, 4)
        ones = [1] * self.rank
        strides = [2] * self.rank
        self.add("Conv", self.weight(outputs, channels, *[3] * self.rank), strides=strides, pads=[*ones, *ones])
        self.channels = outputs
        self.norm()
        self.add("Relu")
        self.add("Conv", self.weight(outputs, outputs, *[3] * self.rank), pads=[*ones, *ones])
        branch = self.last
        self.last = trunk
        self.add("Conv", self.weight(outputs, channels, *ones), strides=strides)
        self.norm()
        self.add("Add", branch)
        self.add("Relu")
        self.sizes = tuple(-(-n // 2) for n in self.sizes)

    def pooled_head(self) -> None:
        self.add("GlobalAveragePool")
        self.add("Flatten")
        self.add("Gemm", self.weight(self.channels, 5))

    def model(self) -> onnx.ModelProto:
        """The model, with its last tensor called ``y`` as output."""
        self.nodes[-1].output[0] = "y"
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        inputs = [helper.make_tensor_value_info("x", kind, self.input)]
        if self.ir < 4:
            inputs += [helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in self.weights]
        axes = 2 if self.nodes[-1].op_type == "Gemm" else 2 + self.rank
        outputs = [helper.make_tensor_value_info("y", kind, [None] * axes)]
        plain = helper.make_graph(self.nodes, "g", inputs, outputs, self.weights)
        return helper.make_model(plain, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=self.ir)


def random_network(seed: int, rank: int = 2) -> onnx.ModelProto:
    """Three to five random layers, most of them strided, and a head."""
    random = np.random.default_rng(seed)
    network = Network(random, int(random.integers(2, 5)), tuple(int(n) for n in random.integers(12, 20, rank)))
    layers = [network.max_pool, network.ceil_pool, network.average_pool, network.strided_slice, network.residual]
    for _ in range(network.pick(2, 4)):
        if network.pick(0, 1) or min(network.sizes) < 4:
            network.conv(network.pick(1, 3) if min(network.sizes) > 4 else 1)
            if network.pick(0, 1):
                network.norm()
            network.activation()
        else:
            layers[network.pick(0, len(layers) - 1)]()
    if network.pick(0, 2):
        network.pooled_head()
    else:
        network.add("Relu")
    return network.model()


def image(model: onnx.ModelProto, seed: int = 0) -> Array:
    """A random input for the model's ``x``."""
    value = model.graph.input[0].type.tensor_type
    shape = [dim.dim_value or 1 for dim in value.shape.dim]
    dtype = helper.tensor_dtype_to_np_dtype(value.elem_type)
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def session(model: onnx.ModelProto | Path) -> ort.InferenceSession:
    """A quiet session that does not fuse nodes, so that equal graphs give equal bits."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(model: onnx.ModelProto | Path, picture: Array) -> Array:
    """The first output."""
    return np.asarray(session(model).run(None, {"x": picture})[0])


def fixed(
    model: onnx.ModelProto,
    folder: Path,
    strategy: Strategy = Strategy.BLUR,
    options: Options | None = None,
    names: tuple[str, ...] = (),
) -> tuple[Path, Rewritten, Analysis]:
    """Saves the model, rewrites it, and returns the output's path, the result, and the analysis of the source."""
    source, target = folder / "source.onnx", folder / "fixed.onnx"
    source.write_bytes(model.SerializeToString())
    read = read_model(source)
    analysis = analyse(read)
    return target, rewrite(read, analysis, Step(strategy, options or Options(), names), target), analysis


def ports(model: ort.InferenceSession) -> list[tuple[str, str, list[Any]]]:
    """Names, types and shapes of all inputs and outputs."""
    return [(port.name, port.type, port.shape) for port in (*model.get_inputs(), *model.get_outputs())]
