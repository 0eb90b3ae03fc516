"""Real ONNX models from a few readable lines, for the rules' tables of cases and the examples on their pages.

    input 1x8x32x32              a graph input `x`; `input y 1x8xHxW` names it and leaves sizes open
    a = Conv k3 s2 p1 c16        a node; reads the tensor before it; its output and the node itself are called `a`
    b = MaxPool k2 s2 <- x       reads the tensors named; without a name it is called MaxPool_1, MaxPool_2, ...
    Add <- a b
    output a b                   graph outputs; without this line the last tensor

Short tokens: k kernel, s stride, p padding, d dilation, c output channels, g groups (`gdw`: one per channel); a single
number holds for every grid axis, `k3x5` and `p0,0,1,1` are explicit. Anything else is `attribute=value`. Weights are
seeded random numbers; `w=box` makes them an average, `w=external` leaves them in a file that does not exist. Operators
that are no ONNX operator: `Blur`, a depthwise binomial; `Focus`, four slices and a Concat; `PixelUnshuffle`, in
reshapes; `Position`, a learned position encoding; `Patches`, a linear layer over patches.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from math import comb
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = 20
_SHORT = re.compile(r"([kspdcg])(\d[\dx,]*|dw)")


def build(text: str) -> onnx.ModelProto:
    """The model that the lines describe, checked."""
    builder = _Builder()
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            builder.line(words)
    return builder.model()


@dataclass
class _Call:
    """One line that stands for a node: its name, operator, inputs, and tokens."""

    name: str
    op: str
    inputs: list[str]
    short: dict[str, str]
    attributes: dict[str, Any]
    words: list[str]

    def ints(self, key: str, rank: int, default: int) -> list[int]:
        values = [int(value) for value in re.split("[x,]", self.short.get(key, str(default)))]
        return values * rank if len(values) == 1 else values


@dataclass
class _Builder:
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    last: str = ""
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def line(self, words: list[str]) -> None:
        if words[0] == "input":
            name, dims = (words[1], words[2]) if len(words) > 2 else ("x", words[1])
            shape = [int(size) if size.isdigit() else size for size in re.split("x", dims)]
            self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
            self.last = name
        elif words[0] == "output":
            self.outputs = words[1:]
        else:
            call = self._parse(words)
            emit = getattr(self, f"_{call.op.lower()}", None)
            if emit is None:
                self._node(call, call.inputs)
            else:
                emit(call)
            self.last = call.name

    def model(self) -> onnx.ModelProto:
        outputs = self.outputs or [self.last]
        shapes = {name: self._shape(name) for name in outputs}
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs]
        graph = helper.make_graph(self.nodes, "graph", self.inputs, values, self.initializers)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.example", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def _parse(self, words: list[str]) -> _Call:
        name = ""
        if len(words) > 1 and words[1] == "=":
            name, words = words[0], words[2:]
        op, words = words[0], words[1:]
        inputs = [self.last]
        if "<-" in words:
            at = words.index("<-")
            words, inputs = words[:at], words[at + 1 :]
        self.counts[op] += 1
        call = _Call(name or f"{op}_{self.counts[op]}", op, inputs, {}, {}, [])
        for word in words:
            if match := _SHORT.fullmatch(word):
                call.short[match[1]] = match[2]
            elif "=" in word:
                key, _, value = word.partition("=")
                call.attributes[key] = _value(value)
            else:
                call.words.append(word)
        return call

    def _node(self, call: _Call, inputs: list[str], op: str = "", **attributes: Any) -> None:
        """Add the node that gives the line its name."""
        domain = str(call.attributes.pop("domain", ""))
        attributes = {**attributes, **call.attributes}
        self.nodes.append(helper.make_node(op or call.op, inputs, [call.name], call.name, domain=domain, **attributes))

    def _helper_node(self, call: _Call, op: str, inputs: list[str], suffix: str, **attributes: Any) -> str:
        """Add a node in front of the one that gives the line its name."""
        name = f"{call.name}/{suffix}"
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def _constant(self, call: _Call, suffix: str, values: np.ndarray) -> str:
        name = f"{call.name}.{suffix}"
        tensor = numpy_helper.from_array(values, name)
        if call.attributes.get("w") == "external":
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="absent.bin")
        self.initializers.append(tensor)
        return name

    def _integers(self, call: _Call, suffix: str, values: list[int]) -> str:
        name = f"{call.name}.{suffix}"
        self.initializers.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def _weights(self, call: _Call, suffix: str, shape: list[int]) -> str:
        return self._constant(call, suffix, self.random.standard_normal(shape).astype(np.float32))

    def _shape(self, tensor: str) -> list[int | str | None]:
        """The shape of a tensor as far as onnx can infer it."""
        value = helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "graph", self.inputs, [value], self.initializers)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.example", 1)]
        inferred = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=opsets, ir_version=9))
        dims = inferred.graph.output[0].type.tensor_type.shape.dim
        for known in self.inputs:
            if known.name == tensor:
                dims = known.type.tensor_type.shape.dim
        return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims]

    def _channels(self, tensor: str) -> int:
        size = self._shape(tensor)[1]
        assert isinstance(size, int), f"{tensor} has no known number of channels"
        return size

    def _window(self, call: _Call, padded: bool = True) -> dict[str, Any]:
        """The attributes that convolutions and pools share."""
        rank = len(self._shape(call.inputs[0])) - 2
        rank = rank if rank > 0 else 2  # behind an operator that onnx does not know
        window: dict[str, Any] = {"kernel_shape": call.ints("k", rank, 1), "strides": call.ints("s", rank, 1)}
        if "d" in call.short:
            window["dilations"] = call.ints("d", rank, 1)
        if padded and "auto_pad" not in call.attributes:
            window["pads"] = call.ints("p", 2 * rank, 0)
        return window

    def _conv(self, call: _Call) -> None:
        window, channels = self._window(call), self._channels(call.inputs[0])
        outputs = int(call.short.get("c", channels))
        groups = channels if call.short.get("g") == "dw" else int(call.short.get("g", 1))
        shape = [outputs, channels // groups, *_sizes(window)]
        if call.attributes.get("w") == "box":
            weights = self._constant(call, "weight", np.full(shape, 1 / np.prod(shape[1:]), np.float32))
        else:
            weights = self._weights(call, "weight", shape)
        call.attributes.pop("w", None)
        self._node(call, [call.inputs[0], weights], group=groups, **window)

    def _convtranspose(self, call: _Call) -> None:
        window, channels = self._window(call), self._channels(call.inputs[0])
        weights = self._weights(call, "weight", [channels, int(call.short.get("c", channels)), *_sizes(window)])
        self._node(call, [call.inputs[0], weights], **window)

    def _maxpool(self, call: _Call) -> None:
        self._node(call, call.inputs, **self._window(call))

    def _averagepool(self, call: _Call) -> None:
        self._node(call, call.inputs, **self._window(call))

    def _lppool(self, call: _Call) -> None:
        self._node(call, call.inputs, **self._window(call))

    def _blur(self, call: _Call) -> None:
        channels, rank = self._channels(call.inputs[0]), len(self._shape(call.inputs[0])) - 2
        taps = int(call.short["k"])
        line = np.array([comb(taps - 1, j) for j in range(taps)], np.float32) / 2 ** (taps - 1)
        kernel = line
        for _ in range(rank - 1):
            kernel = np.multiply.outer(kernel, line)
        weights = self._constant(call, "weight", np.broadcast_to(kernel, (channels, 1, *kernel.shape)).copy())
        pads = [(taps - 1) // 2] * rank + [taps // 2] * rank
        strides = call.ints("s", rank, 1)
        self._node(call, [call.inputs[0], weights], "Conv", group=channels, strides=strides, pads=pads)

    def _gemm(self, call: _Call) -> None:
        features = self._channels(call.inputs[0])
        self._node(call, [call.inputs[0], self._weights(call, "weight", [features, int(call.words[0])])])

    def _matmul(self, call: _Call) -> None:
        if len(call.inputs) > 1:
            return self._node(call, call.inputs)
        features = self._shape(call.inputs[0])[-1]
        assert isinstance(features, int)
        return self._node(call, [call.inputs[0], self._weights(call, "weight", [features, int(call.words[0])])])

    def _slice(self, call: _Call) -> None:
        rank = len(self._shape(call.inputs[0]))
        axes = _axes(call.attributes.pop("axes", list(range(2, rank))))
        start, step = int(str(call.attributes.pop("start", 0))), int(str(call.attributes.pop("step", 1)))
        self._node(call, [call.inputs[0], *self._bounds(call, "", [start] * len(axes), axes, step)])

    def _bounds(self, call: _Call, suffix: str, starts: list[int], axes: list[int], step: int) -> list[str]:
        return [
            self._integers(call, f"starts{suffix}", starts),
            self._integers(call, f"ends{suffix}", [2**31] * len(axes)),
            self._integers(call, f"axes{suffix}", axes),
            self._integers(call, f"steps{suffix}", [step] * len(axes)),
        ]

    def _gather(self, call: _Call) -> None:
        axis = int(str(call.attributes.setdefault("axis", 2)))
        size = self._shape(call.inputs[0])[axis]
        assert isinstance(size, int)
        indices = list(range(0, size, int(str(call.attributes.pop("step", 1)))))
        self._node(call, [call.inputs[0], self._integers(call, "indices", indices)])

    def _resize(self, call: _Call) -> None:
        scale = float(str(call.attributes.pop("scale")))
        rank = len(self._shape(call.inputs[0]))
        scales = self._constant(call, "scales", np.array([1, 1] + [scale] * (rank - 2), np.float32))
        self._node(call, [call.inputs[0], "", scales])

    def _spacetodepth(self, call: _Call) -> None:
        self._node(call, call.inputs, blocksize=call.attributes.pop("block"))

    _depthtospace = _spacetodepth

    def _focus(self, call: _Call) -> None:
        phases = [
            self._helper_node(
                call, "Slice", [call.inputs[0], *self._bounds(call, f"{i}{j}", [i, j], [2, 3], 2)], f"phase{i}{j}"
            )
            for j in (0, 1)
            for i in (0, 1)
        ]
        self._node(call, phases, "Concat", axis=1)

    def _pixelunshuffle(self, call: _Call) -> None:
        batch, channels, height, width = (int(str(size)) for size in self._shape(call.inputs[0]))
        block = int(str(call.attributes.pop("block")))
        split = self._integers(call, "split", [batch, channels, height // block, block, width // block, block])
        merge = self._integers(call, "merge", [batch, channels * block**2, height // block, width // block])
        tensor = self._helper_node(call, "Reshape", [call.inputs[0], split], "split")
        tensor = self._helper_node(call, "Transpose", [tensor], "transpose", perm=[0, 1, 3, 5, 2, 4])
        self._node(call, [tensor, merge], "Reshape")

    def _patches(self, call: _Call) -> None:
        batch, channels, height, width = (int(str(size)) for size in self._shape(call.inputs[0]))
        block, features = int(str(call.attributes.pop("block"))), int(call.words[0])
        split = self._integers(call, "split", [batch, channels, height // block, block, width // block, block])
        rows, row = (height // block) * (width // block), channels * block**2
        tensor = self._helper_node(call, "Reshape", [call.inputs[0], split], "split")
        tensor = self._helper_node(call, "Transpose", [tensor], "transpose", perm=[0, 2, 4, 1, 3, 5])
        tensor = self._helper_node(call, "Reshape", [tensor, self._integers(call, "rows", [batch, rows, row])], "rows")
        self._node(call, [tensor, self._weights(call, "weight", [row, features])], "MatMul")

    def _position(self, call: _Call) -> None:
        shape = [int(str(size)) for size in self._shape(call.inputs[0])]
        self._node(call, [call.inputs[0], self._weights(call, "embedding", [1, *shape[1:]])], "Add")

    def _gridsample(self, call: _Call) -> None:
        shape = self._shape(call.inputs[0])
        if len(call.inputs) == 1:
            grid = helper.make_tensor_value_info("grid", TensorProto.FLOAT, [shape[0], *shape[2:], len(shape) - 2])
            self.inputs.append(grid)
        self._node(call, [call.inputs[0], *(call.inputs[1:] or ["grid"])])

    def _concat(self, call: _Call) -> None:
        call.attributes.setdefault("axis", 1)
        self._node(call, call.inputs)

    def _reshape(self, call: _Call) -> None:
        shape = self._integers(call, "shape", _axes(call.attributes.pop("to")))
        self._node(call, [call.inputs[0], shape])

    def _transpose(self, call: _Call) -> None:
        self._node(call, call.inputs, perm=_axes(call.attributes.pop("perm")))

    def _reducemean(self, call: _Call) -> None:
        axes = self._integers(call, "over", _axes(call.attributes.pop("axes")))
        self._node(call, [call.inputs[0], axes])


def _sizes(window: dict[str, Any]) -> list[int]:
    return _axes(window["kernel_shape"])


def _axes(value: object) -> list[int]:
    return [int(str(axis)) for axis in value] if isinstance(value, list) else [int(str(value))]


def _value(text: str) -> object:
    if "," in text:
        return [int(part) for part in text.split(",")]
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d*\.\d+", text) else text
