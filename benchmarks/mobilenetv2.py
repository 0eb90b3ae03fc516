"""MobileNetV2 of the documentation, from a TFLite file of eight bits whose weights are put back into single precision.

    pip install tflite onnx
    python benchmarks/mobilenetv2.py mobilenet_v2_1.0_224_quant.tflite FOLDER

The file is that of https://github.com/google-coral/test_data; ``mobilenetv2.onnx`` (224 x 224 pixels less 128, divided
by 128, 1000 classes) is written into the folder.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CLASSES = 1000  # the first of 1001 is the background


class Reader:
    """What is read of a file, and the nodes and weights that are made of it."""

    def __init__(self, data: bytes) -> None:
        tflite: Any = import_module("tflite")
        self._tflite = tflite
        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._words = {code: word for word, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}

    def initializer(self, name: str, values: Array) -> str:
        """Keep an array under a name."""
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def values(self, index: int) -> Array:
        """A tensor of weights in single precision."""
        tensor = self.graph.Tensors(index)
        kind = np.uint8 if tensor.Type() == self._tflite.TensorType.UINT8 else np.int32
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        scale = tensor.Quantization()
        whole = np.frombuffer(raw, kind).reshape(tensor.ShapeAsNumpy()).astype(np.float64)
        return np.asarray((whole - scale.ZeroPointAsNumpy()) * scale.ScaleAsNumpy(), np.float32)

    def add(self, number: int, names: dict[int, str]) -> None:
        """One operator as nodes; ``names`` are those of the tensors so far."""
        from onnx import helper

        operator = self.graph.Operators(number)
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        word = self._words[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())].lower()
        inputs = [operator.Inputs(place) for place in range(operator.InputsLength())]
        output, label = operator.Outputs(0), f"{word}_{number}"
        source, target = names[inputs[0]], f"t{output}"
        if word in ("conv_2d", "depthwise_conv_2d"):
            self._convolution(operator, inputs, source, target, label)
        elif word == "add":
            self.nodes.append(helper.make_node("Add", [source, names[inputs[1]]], [target], label))
        else:
            plain = {"average_pool_2d": "GlobalAveragePool", "reshape": "Flatten", "softmax": "Softmax"}
            self.nodes.append(helper.make_node(plain[word], [source], [target], label))
        names[output] = target

    def _convolution(self, operator: Any, inputs: list[int], source: str, target: str, label: str) -> None:
        from onnx import helper

        depthwise = label.startswith("depthwise")
        options = self._tflite.DepthwiseConv2DOptions() if depthwise else self._tflite.Conv2DOptions()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        weights = self.values(inputs[1])
        weights = weights.transpose(3, 0, 1, 2) if depthwise else weights.transpose(0, 3, 1, 2)
        stride, side, size = options.StrideH(), weights.shape[2], self.graph.Tensors(inputs[0]).ShapeAsNumpy()[1]
        total = max((-(-size // stride) - 1) * stride + side - size, 0)
        pads = [total // 2] * 2 + [total - total // 2] * 2
        clipped = options.FusedActivationFunction() == self._tflite.ActivationFunctionType.RELU6
        made = f"{target}_c" if clipped else target
        kept = [self.initializer(f"{label}_w", weights), self.initializer(f"{label}_b", self.values(inputs[2]))]
        shape: dict[str, Any] = {
            "kernel_shape": [side, side],
            "strides": [stride, stride],
            "pads": [int(pad) for pad in pads],
        }
        shape["group"] = weights.shape[0] if depthwise else 1
        self.nodes.append(helper.make_node("Conv", [source, *kept], [made], label, **shape))
        if clipped:
            self.nodes.append(helper.make_node("Clip", [made, "zero", "six"], [target], f"{label}_relu6"))


def main(source: Path, folder: Path) -> None:
    """Convert it."""
    import onnx
    from onnx import helper

    reader = Reader(source.read_bytes())
    for name, value in (("zero", 0), ("six", 6)):
        reader.initializer(name, np.array(value, np.float32))
    for name, end in (("first", 1), ("end", 1 + CLASSES), ("axis", 1)):
        reader.initializer(name, np.array([end]))
    names = {reader.graph.Inputs(0): "image"}
    for number in range(reader.graph.OperatorsLength()):
        reader.add(number, names)
    last = names[reader.graph.Outputs(0)]
    reader.nodes.append(helper.make_node("Slice", [last, "first", "end", "axis"], ["logits"], "classes"))
    inputs = [helper.make_tensor_value_info("image", 1, [1, 3, 224, 224])]
    outputs = [helper.make_tensor_value_info("logits", 1, [1, CLASSES])]
    graph = helper.make_graph(reader.nodes, "mobilenetv2", inputs, outputs, reader.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(folder / "mobilenetv2.onnx"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
