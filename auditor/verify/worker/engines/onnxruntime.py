"""onnxruntime: the settings of its sessions, and calls that stay on a device. Runs in the worker only."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from auditor.verify.worker import prepare
from auditor.verify.worker.arena import Array
from auditor.verify.worker.device import Device
from auditor.verify.worker.engines.engine import Call, Engine, Session
from auditor.verify.worker.job import NodePlacement, Port, SessionSpec, Windows
from auditor.verify.worker.providers import CUDA, TENSORRT, provider_list, wants_gpu
from auditor.verify.worker.windows import argmax_graph, cutting_graph

_NUMPY_NAMES = {
    "tensor(bool)": "bool",
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(int8)": "int8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(uint8)": "uint8",
}
# TensorProto.DataType numbers of the types that an image input or a score map can have.
_ONNX_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10, "float64": 11}


class OrtEngine(Engine):
    """onnxruntime with the settings that every session of one worker shares."""

    def __init__(self, device: Device, threads: int, memory_bytes: int | None, log: Callable[[], str]) -> None:
        # A model can carry session settings of its own; this variable would make onnxruntime obey them.
        os.environ.pop("ORT_LOAD_CONFIG_FROM_MODEL", None)
        import onnxruntime

        self.runtime = onnxruntime
        self.device = device
        self.threads = threads
        self._log = log
        available = onnxruntime.get_available_providers()
        self.gpu = self.unbounded = wants_gpu(device, available)
        if self.gpu and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        onnxruntime.set_default_logger_severity(2 if self.gpu else 4)
        self.providers = provider_list(device, available, memory_bytes)

    def options(self, spec: SessionSpec | None = None) -> Any:
        """Session options: deterministic, quiet, and with the placement of every node on record."""
        options = self.runtime.SessionOptions()
        # Only warnings name the CUDA library that is missing.
        options.log_severity_level = 2 if self.gpu else 4
        options.intra_op_num_threads = self.threads
        options.use_deterministic_compute = True
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if spec is not None:
            folder = str(spec.model.resolve().parent)
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
            for library in spec.custom_ops:
                options.register_custom_ops_library(str(library))
        return options

    def open(self, spec: SessionSpec, key: int) -> Session:
        """Load a model."""
        return OrtSession(self, spec, key)

    def load(self, model: str | bytes, options: Any) -> Any:
        """A session on the providers of this engine, without onnxruntime's own second attempt on the CPU."""
        names = [name for name, _ in self.providers]
        settings = [dict(values) for _, values in self.providers]
        return self.runtime.InferenceSession(
            model, options, providers=names, provider_options=settings, enable_fallback=0
        )

    def placement(self, session: Any) -> NodePlacement:
        """Where every node of the optimised graph is; an older onnxruntime that cannot say so gives no nodes."""
        found: list[Any] = getattr(session, "get_provider_graph_assignment_info", list)()
        nodes = Counter((str(part.ep_name), str(node.op_type)) for part in found for node in part.get_nodes())
        counted = tuple((name, op, count) for (name, op), count in sorted(nodes.items()))
        providers = tuple(map(str, session.get_providers()))
        return NodePlacement(counted, providers, self.runtime.__version__, self._log() if self.gpu else "")


class OrtSession(Session):
    """A model in onnxruntime."""

    def __init__(self, engine: OrtEngine, spec: SessionSpec, key: int) -> None:
        self._engine = engine
        self._helpers: dict[tuple[object, ...], Any] = {}
        self._session = engine.load(model_source(spec), engine.options(spec))
        self.key = key
        self.inputs = tuple(_port(value) for value in self._session.get_inputs())
        self.outputs = tuple(_port(value) for value in self._session.get_outputs())
        self.placement = engine.placement(self._session)
        self._memory = "cuda"
        holders = [name for name, _, _ in self.placement.nodes] or self.placement.providers
        self._on_device = any(name in (CUDA, TENSORRT) for name in holders)

    def calls(self, windows: Windows, feeds: Mapping[str, Array]) -> Call:
        """How one batch of windows is run: on a device they are cut there."""
        return self._device_calls(windows, feeds) if self._on_device else super().calls(windows, feeds)

    def infer(self, feeds: Mapping[str, Array], outputs: tuple[str, ...]) -> Sequence[Array]:
        """The outputs of these names for one batch of inputs."""
        values: list[Array] = self._session.run(list(outputs), dict(feeds))
        return values

    def _device_calls(self, windows: Windows, feeds: Mapping[str, Array]) -> Call:
        """Canvases go to the device once per job; windows, the model and reductions stay there."""
        index = self._engine.device.index
        kind = self._memory
        place_on_device = self._engine.runtime.OrtValue.ortvalue_from_numpy
        canvases = place_on_device(windows.canvases, kind, index)
        constants = {name: place_on_device(value, kind, index) for name, value in feeds.items()}
        cutter = self._cutter(windows)

        def call(places: Array, outputs: tuple[str, ...], argmax: Mapping[str, int]) -> dict[str, Array]:
            where = place_on_device(places.astype(np.int64), kind, index)
            (tensor,) = _bound(cutter, {"canvases": canvases, "places": where}, ["windows"], kind, index)
            values = _bound(self._session, {windows.input: tensor, **constants}, list(outputs), kind, index)
            found: dict[str, Array] = {}
            for name, value in zip(outputs, values, strict=True):
                if name in argmax and value.element_type() in _ONNX_TYPES.values():
                    reducer = self._reducer(value.element_type(), argmax[name])
                    (value,) = _bound(reducer, {"values": value}, ["index"], kind, index)
                found[name] = value.numpy()
            return found

        return call

    def _cutter(self, windows: Windows) -> Any:
        shape, dtype = windows.canvases.shape, windows.canvases.dtype.name
        key = ("cut", dtype, shape[1:], windows.size, windows.channels_last)
        if key not in self._helpers:
            graph = cutting_graph(_ONNX_TYPES[dtype], shape, windows.size, windows.channels_last)
            self._helpers[key] = self._engine.load(graph, self._engine.options())
        return self._helpers[key]

    def _reducer(self, dtype: int, axis: int) -> Any:
        key = ("argmax", dtype, axis)
        if key not in self._helpers:
            self._helpers[key] = self._engine.load(argmax_graph(dtype, axis), self._engine.options())
        return self._helpers[key]


def _bound(session: Any, inputs: Mapping[str, Any], outputs: list[str], kind: str, index: int) -> list[Any]:
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    for name in outputs:
        binding.bind_output(name, kind, index)
    session.run_with_iobinding(binding)
    return list(binding.get_outputs())


def model_source(spec: SessionSpec) -> str | bytes:
    """The path of the model, or its edited bytes where the session needs edits."""
    if not spec.extra_outputs and not spec.free_batch and not spec.free_axes:
        return str(spec.model)
    data = spec.model.read_bytes()
    if spec.free_axes:
        data = prepare.with_free_axes(data, spec.free_axes)
    if spec.free_batch:
        data = prepare.with_free_batch(data, frozenset(spec.free_batch))
    return prepare.with_outputs(data, spec.extra_outputs)


def _port(value: Any) -> Port:
    shape = tuple(size if isinstance(size, int | str) else None for size in value.shape or ())
    return Port(value.name, _NUMPY_NAMES.get(value.type, ""), shape)
