"""Packages that take the place of OpenVINO and LiteRT in the worker, with as much of their interfaces as it uses.

They compute: the first by the reference implementation of ONNX, the second the mean of every channel.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

_OPENVINO = """
import sys

import numpy as np

__version__ = "2099.1.0-7-abc-releases/2099/1"


class Axis:
    def __init__(self, size):
        self.size = size
        self.is_static = isinstance(size, int) and size > 0

    def get_length(self):
        return self.size


class Shape(list):
    class rank:
        is_dynamic = False

    def __setitem__(self, index, size):
        super().__setitem__(index, Axis(None if size == -1 else size))


class Kind:
    def __init__(self, dtype):
        self.dtype = dtype

    def to_dtype(self):
        return np.dtype(self.dtype)


class Port:
    def __init__(self, value, also=()):
        from onnx import helper

        tensor = value.type.tensor_type
        self.names = {value.name, *also}
        self.element_type = Kind(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        self.partial_shape = Shape(Axis(dim.dim_value) for dim in tensor.shape.dim)


class Text(str):
    def astype(self, kind):
        return kind(self)


class Node:
    def __init__(self, kind, precision):
        self.info = {"layerType": Text(kind), "runtimePrecision": Text(precision)}

    def get_rt_info(self):
        return self.info


class Model:
    def __init__(self, path):
        import onnx

        self.file = onnx.load(path)
        self.inputs = [Port(value) for value in self.file.graph.input]
        # A tensor has the names of all that equal it.
        self.outputs = [Port(value, ["a.tensor.of.the.inside"]) for value in self.file.graph.output]

    def reshape(self, shapes):
        pass


class Compiled:
    def __init__(self, model, device, settings):
        from onnx.reference import ReferenceEvaluator

        self.inputs, self.outputs, self.device, self.settings = model.inputs, model.outputs, device, settings
        self.evaluator = ReferenceEvaluator(model.file)

    def create_infer_request(self):
        return self

    def infer(self, given, share_inputs, share_outputs):
        names = {value for port in self.inputs for value in port.names}
        feeds = {next(iter(port.names)): value for port, value in given.items()}
        assert set(feeds) <= names
        {fault}
        return dict(zip(self.outputs, self.evaluator.run(None, feeds)))

    def get_property(self, name):
        return [{"EXECUTION_DEVICES": self.device}[name]]

    def get_runtime_model(self):
        return self

    def get_ordered_ops(self):
        # As real processors do, it computes in less unless it is told not to.
        precision = self.settings.get("INFERENCE_PRECISION_HINT", "bf16")
        return [Node("Const", "i32"), Node("Convolution", precision), Node("Pooling", precision), Node("Output", "f32")]


class Core:
    available_devices = {devices}

    def read_model(self, path):
        return Model(path)

    def compile_model(self, model, device, settings):
        return Compiled(model, device, settings)
"""

_LITERT = """
import json

import numpy as np


class Interpreter:
    def __init__(self, model_path, num_threads):
        with open(model_path, "rb") as file:
            self.facts = json.loads(file.read()[8:])
        self.tensors = {}

    def allocate_tensors(self):
        pass

    def _detail(self, index, name, shape):
        scale, zero, dtype = self.facts[name]
        return {
            "index": index,
            "name": name,
            "shape": np.array(shape, np.int32),
            "shape_signature": np.array(shape, np.int32),
            "dtype": np.dtype(dtype).type,
            "quantization": (scale, zero),
        }

    def get_input_details(self):
        return [self._detail(0, "pixels", [1, 16, 16, 3])]

    def get_output_details(self):
        return [self._detail(1, "means", [1, 3])]

    def resize_tensor_input(self, index, shape):
        pass

    def set_tensor(self, index, value):
        assert value.dtype == self.facts["pixels"][2]
        self.tensors[index] = value

    def invoke(self):
        scale, zero, dtype = self.facts["pixels"]
        pixels = self.tensors[0].astype(np.float64)
        means = (scale * (pixels - zero) if scale else pixels).mean((1, 2))
        scale, zero, dtype = self.facts["means"]
        self.tensors[1] = (np.rint(means / scale) + zero if scale else means).astype(dtype)

    def get_tensor(self, index):
        return self.tensors[index]

    def _get_ops_details(self):
        kind = [np.float32]
        return [
            {"index": 0, "op_name": "CONV_2D", "inputs": [0], "outputs": [5], "result_types": kind},
            {"index": 1, "op_name": "MEAN", "inputs": [5], "outputs": [6], "result_types": kind},
            {"index": 2, "op_name": "FULLY_CONNECTED", "inputs": [6], "outputs": [1], "result_types": kind},
            {"index": 3, "op_name": "DELEGATE", "inputs": [0], "outputs": [6], "result_types": kind},
        ]
"""


def fake_openvino(folder: Path, fault: str = "pass", devices: tuple[str, ...] = ("CPU",)) -> Path:
    """A folder for the front of ``sys.path`` with an OpenVINO that runs ``fault`` before every call."""
    package = folder / "fakes" / "openvino.py"
    package.parent.mkdir(parents=True, exist_ok=True)
    text = _OPENVINO.replace("{fault}", fault).replace("{devices}", repr(list(devices)))
    package.write_text(text)
    return package.parent


def fake_litert(folder: Path) -> Path:
    """A folder for the front of ``sys.path`` with a LiteRT."""
    package = folder / "fakes" / "ai_edge_litert"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text('__version__ = "9.8.7"\n')
    (package / "interpreter.py").write_text(_LITERT)
    return package.parent


def without(folder: Path, *packages: str) -> Path:
    """A folder for the front of ``sys.path`` in which these packages cannot be imported."""
    place = folder / "without"
    place.mkdir(parents=True, exist_ok=True)
    for name in packages:
        (place / f"{name}.py").write_text(textwrap.dedent(f"raise ImportError('no {name} here')"))
    return place


def tflite_file(
    path: Path,
    pixels: tuple[float, int, str] = (0.0, 0, "float32"),
    means: tuple[float, int, str] = (0.0, 0, "float32"),
) -> Path:
    """A file that :func:`fake_litert` reads: scale, zero point and type of the input and of the output."""
    path.write_bytes(b"\x1c\0\0\0TFL3" + json.dumps({"pixels": pixels, "means": means}).encode())
    return path
