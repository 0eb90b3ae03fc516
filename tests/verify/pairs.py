"""One network exported in several ways: other type, layout, size and precision, another form of the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, load, numpy_helper

from tests.verify.models import classifier, model


def exported(base: ModelProto, dtype: int, channels_last: bool, divisor: float) -> ModelProto:
    """The network with a cast, a transposition and a scale in front: what an exporter folds into the file."""
    made = ModelProto()
    made.CopyFrom(base)
    batch, channels, high, wide = (axis.dim_param or axis.dim_value for axis in _axes(made))
    for node in made.graph.node:
        node.input[:] = ["scaled" if name == "x" else name for name in node.input]
    front = [
        helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["first"], perm=[0, 3, 1, 2] if channels_last else [0, 1, 2, 3]),
        helper.make_node("Div", ["first", "divisor"], ["scaled"]),
    ]
    shape = [batch, high, wide, channels] if channels_last else [batch, channels, high, wide]
    made.graph.initializer.append(numpy_helper.from_array(np.float32(divisor), "divisor"))
    nodes = [*front, *made.graph.node]
    del made.graph.node[:], made.graph.input[:]
    made.graph.node.extend(nodes)
    made.graph.input.append(helper.make_tensor_value_info("x", dtype, shape))
    return made


def in_half_precision(base: ModelProto) -> ModelProto:
    """The network with weights, input and output of 16 bits."""
    made = ModelProto()
    made.CopyFrom(base)
    for weight in made.graph.initializer:
        values = np.frombuffer(weight.raw_data, np.float32).reshape(weight.dims)
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), weight.name))
    for port in (*made.graph.input, *made.graph.output):
        port.type.tensor_type.elem_type = TensorProto.FLOAT16
    return made


def quantised(path: Path, target: Path, size: int, scale: float) -> Path:
    """The model at ``path`` with INT8 weights and activations, as QuantizeLinear and DequantizeLinear say."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            draw = np.random.default_rng(5)
            self.left = [draw.integers(0, 256, (1, 3, size, size)).astype(np.float32) * scale for _ in range(8)]

        def get_next(self) -> dict[str, Any] | None:
            return {"x": self.left.pop()} if self.left else None

    quantize_static(str(path), str(target), Reader(), quant_format=QuantFormat.QDQ)
    return target


def classes_behind_a_background(base: ModelProto) -> ModelProto:
    """The classifier with one more class in front that never wins."""
    made = ModelProto()
    made.CopyFrom(base)
    head = next(one for one in made.graph.initializer if one.name == "head")
    values = np.frombuffer(head.raw_data, np.float32).reshape(head.dims)
    wider = np.concatenate([np.full((len(values), 1), -9.0, np.float32), values], axis=1)
    head.CopyFrom(numpy_helper.from_array(wider, "head"))
    made.graph.output[0].type.tensor_type.shape.dim[1].dim_value += 1
    return made


def peak_detector(size: int = 16, form: str = "lists", scale: int = 1, off: float = 0.0) -> ModelProto:
    """One box about the brightest row and column of a picture that was enlarged by ``scale``.

    ``form`` is "lists" (corners in pixels, scores) or "tf" (shares of the input, row first, with classes). ``off``
    moves the box right and down, in pixels of the input.
    """
    last = (1 - scale) / 2  # the first of equal rows wins, the middle is meant
    about = np.array([-2, -2, 2, 2], np.float32) * scale + 0.5 - last + off
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["rows"], axes=[1, 3], keepdims=0),
        helper.make_node("ReduceMean", ["x"], ["columns"], axes=[1, 2], keepdims=0),
        helper.make_node("ArgMax", ["rows"], ["y_"], axis=1),
        helper.make_node("ArgMax", ["columns"], ["x_"], axis=1),
        helper.make_node("Cast", ["y_"], ["y"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["x_"], ["xc"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["x"], ["peak"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["peak", "one"], ["peak_"]),
        helper.make_node("Concat", ["peak_", "zero"], ["weighed"], axis=1),
        helper.make_node("Concat", ["xc", "y", "xc", "y"] if form == "lists" else ["y", "xc"] * 2, ["point"], axis=1),
        helper.make_node("Add", ["point", "about"], ["corners"]),
        helper.make_node("Div", ["corners", "unit"], ["placed"]),
        helper.make_node("Unsqueeze", ["placed", "one"], ["box"]),
    ]
    weights = {
        "about": about,
        "one": np.array([1]),
        "zero": np.zeros((1, 1), np.float32),
        "unit": np.float32(1 if form == "lists" else size),
    }
    boxes, scores = ("boxes", "scores") if form == "lists" else ("detection_boxes", "detection_scores")
    nodes += [
        helper.make_node("Concat", ["box", "box"], [boxes], axis=1),
        helper.make_node("Identity", ["weighed"], [scores]),
    ]
    outputs: dict[str, list[int | str] | None] = {boxes: [1, 2, 4], scores: [1, 2]}
    if form == "tf":
        nodes.append(helper.make_node("Mul", ["weighed", "none"], ["detection_classes"]))
        weights["none"] = np.float32(0)
        outputs["detection_classes"] = [1, 2]
    return model(nodes, {"x": [1, 3, size, size]}, outputs, weights)


def toy(path: Path) -> Path:
    """The float NCHW classifier of the other exports."""
    from tests.verify.models import saved

    return saved(path, classifier(batch=1))


def is_quantised(path: Path) -> bool:
    return any(node.op_type == "QuantizeLinear" for node in load(path).graph.node)


def _axes(made: ModelProto) -> Any:
    return made.graph.input[0].type.tensor_type.shape.dim
