"""OpenVINO: ONNX, its own IR and TensorFlow Lite files, computed in float32. Runs in the worker only.

On many processors OpenVINO computes in bfloat16 or float16 unless it is told not to, which would be taken for a
difference of the model; what each node was really given is read back from the compiled graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auditor.onnxfile import ModelFileError, read_model
from auditor.verify.errors import DeviceUnavailableError
from auditor.verify.worker.arena import Array
from auditor.verify.worker.device import Device, DeviceKind
from auditor.verify.worker.engines.engine import NUMERIC, Engine, Session
from auditor.verify.worker.job import NodePlacement, Port, SessionSpec

# One value each in the graph that runs; they compute nothing.
_NO_WORK = frozenset(["Const", "Input", "Output", "Parameter", "Result", "Constant"])
_DEVICES = {DeviceKind.GPU: "GPU", DeviceKind.NPU: "NPU"}


class OpenVinoEngine(Engine):
    """OpenVINO on one device, with its reduced precisions turned off."""

    def __init__(self, device: Device, threads: int) -> None:
        import openvino

        self.version = str(openvino.__version__).partition("-")[0]  # without the number of the build
        self.device = _DEVICES.get(device.kind, "CPU")
        self._threads = threads
        self._core = openvino.Core()
        if self.device not in {name.partition(".")[0] for name in self._core.available_devices}:
            raise DeviceUnavailableError("OpenVINO has no such device here")
        self.unbounded = self.device != "CPU"

    def open(self, spec: SessionSpec, key: int) -> Session:
        """Load a model."""
        model = self._core.read_model(str(spec.model))
        if spec.free_batch:
            inputs = {name: port for port in model.inputs for name in port.names}
            shapes = {name: inputs[name].partial_shape for name in spec.free_batch}
            for shape in shapes.values():
                shape[0] = -1
            model.reshape(shapes)
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if self.device == "CPU":
            settings["INFERENCE_NUM_THREADS"] = str(self._threads)
        return OpenVinoSession(self, self._core.compile_model(model, self.device, settings), spec.model, key)


class OpenVinoSession(Session):
    """A model in OpenVINO."""

    def __init__(self, engine: OpenVinoEngine, compiled: Any, path: Path, key: int) -> None:
        self.key = key
        self._request = compiled.create_infer_request()
        declared = _declared(path)
        self.inputs = tuple(_port(port, declared, index) for index, port in enumerate(compiled.inputs))
        self.outputs = tuple(_port(port, declared, index) for index, port in enumerate(compiled.outputs))
        self._inputs = dict(zip((port.name for port in self.inputs), compiled.inputs, strict=True))
        self._outputs = dict(zip((port.name for port in self.outputs), compiled.outputs, strict=True))
        self.placement = _placement(compiled, engine.version)

    def infer(self, feeds: Mapping[str, Array], outputs: tuple[str, ...]) -> Sequence[Array]:
        """The outputs of these names for one batch of inputs."""
        given = {self._inputs[name]: value for name, value in feeds.items()}
        results = self._request.infer(given, share_inputs=True, share_outputs=True)
        return [results[self._outputs[name]] for name in outputs]


def _declared(path: Path) -> frozenset[str]:
    """The names of inputs and outputs in an ONNX file; OpenVINO gives a tensor the names of all that equal it."""
    try:
        graph = read_model(path).graph
    except ModelFileError:
        return frozenset()
    return frozenset(value.name for value in (*graph.inputs, *graph.outputs))


def _port(port: Any, declared: frozenset[str], index: int) -> Port:
    names = sorted(port.names)
    name = next((name for name in names if name in declared), names[0] if names else f"tensor_{index}")
    try:
        dtype = str(port.element_type.to_dtype().name)
    except RuntimeError:
        dtype = ""
    partial = port.partial_shape
    sizes = () if partial.rank.is_dynamic else tuple(axis.get_length() if axis.is_static else None for axis in partial)
    return Port(name, dtype if dtype in NUMERIC else "", sizes)


def _placement(compiled: Any, version: str) -> NodePlacement:
    """The kinds of nodes that run, the device of all of them, and the precision that each has."""
    devices = tuple(f"OpenVINO {name}" for name in compiled.get_property("EXECUTION_DEVICES"))
    nodes: Counter[str] = Counter()
    precisions: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ordered_ops():
        facts = node.get_rt_info()
        kind = _text(facts, "layerType") or str(node.get_type_name())
        if kind not in _NO_WORK:
            nodes[kind] += 1
            precisions[_text(facts, "runtimePrecision")] += 1
    holder = devices[0] if devices else "unknown"
    counted = tuple((holder, kind, count) for kind, count in sorted(nodes.items()))
    return NodePlacement(counted, devices, version, "", tuple(sorted(precisions.items())))


def _text(facts: Any, key: str) -> str:
    return str(facts[key].astype(str)) if key in facts else ""
