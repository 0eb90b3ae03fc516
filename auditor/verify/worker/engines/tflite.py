"""TensorFlow Lite files, in LiteRT or in the older tflite-runtime. Runs in the worker only.

A quantised model is fed and read in real numbers: the input is quantised with the scale and the zero point that the
file declares, and outputs are brought back with theirs, as code that deploys such a model does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from auditor.verify.worker.arena import Array
from auditor.verify.worker.engines.engine import NUMERIC, Engine, Session
from auditor.verify.worker.job import NodePlacement, Port, Quantisation, SessionSpec

_PACKAGES = ("ai_edge_litert", "tflite_runtime")
_DELEGATE = "DELEGATE"


class TfliteEngine(Engine):
    """The interpreter of TensorFlow Lite files on the CPU, with the delegate that it takes by itself."""

    def __init__(self, threads: int) -> None:
        package = _package()
        self.version = str(getattr(package, "__version__", "unknown"))
        self.interpreter = import_module(f"{package.__name__}.interpreter").Interpreter
        self.threads = threads

    def open(self, spec: SessionSpec, key: int) -> Session:
        """Load a model."""
        return TfliteSession(self, spec, key)


class TfliteSession(Session):
    """A model in the interpreter."""

    def __init__(self, engine: TfliteEngine, spec: SessionSpec, key: int) -> None:
        self.key = key
        self._model = engine.interpreter(model_path=str(spec.model), num_threads=engine.threads)
        self._model.allocate_tensors()
        inputs, outputs = self._model.get_input_details(), self._model.get_output_details()
        self._inputs = {str(detail["name"]): detail for detail in inputs}
        self._outputs = {str(detail["name"]): detail for detail in outputs}
        self._shapes = {name: tuple(map(int, detail["shape"])) for name, detail in self._inputs.items()}
        self.inputs = tuple(_port(detail, frozenset(spec.free_batch)) for detail in inputs)
        self.outputs = tuple(_port(detail, None if spec.free_batch else frozenset()) for detail in outputs)
        self.placement = _placement(self._model, outputs, engine.version)

    def infer(self, feeds: Mapping[str, Array], outputs: tuple[str, ...]) -> Sequence[Array]:
        """The outputs of these names for one batch of inputs."""
        if any(self._shapes[name] != value.shape for name, value in feeds.items()):
            for name, value in feeds.items():
                self._model.resize_tensor_input(self._inputs[name]["index"], value.shape)
                self._shapes[name] = value.shape
            self._model.allocate_tensors()
        for name, value in feeds.items():
            detail = self._inputs[name]
            self._model.set_tensor(detail["index"], _stored(value, detail))
        self._model.invoke()
        return [_real(self._model.get_tensor(self._outputs[name]["index"]), self._outputs[name]) for name in outputs]


def _package() -> ModuleType:
    """The first package that is installed.

    Raises:
        ImportError: none is.
    """
    for name in _PACKAGES:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError(f"none of {', '.join(_PACKAGES)} is installed")


def _quantisation(detail: Mapping[str, Any]) -> Quantisation | None:
    """How whole numbers of a tensor stand for real ones; None for real numbers, or where the file does not say."""
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    return Quantisation(dtype.name, float(scale), int(zero_point)) if scale and dtype.kind in "iu" else None


def _port(detail: Mapping[str, Any], free: frozenset[str] | None) -> Port:
    """An input or output; those of the names in ``free``, or all for None, have any number of rows."""
    name, quantised = str(detail["name"]), _quantisation(detail)
    # Files of older converters declare no signature of the shape: theirs is fixed.
    declared = detail.get("shape_signature", ())
    shape = declared if len(declared) == len(detail["shape"]) else detail["shape"]
    sizes: list[int | None] = [int(size) if size >= 0 else None for size in shape]
    if sizes and (free is None or name in free):
        sizes[0] = None
    dtype = "float32" if quantised else np.dtype(detail["dtype"]).name
    return Port(name, dtype if dtype in NUMERIC else "", tuple(sizes), quantised)


def _stored(value: Array, detail: Mapping[str, Any]) -> Array:
    quantised = _quantisation(detail)
    if quantised is None:
        return value
    limits = np.iinfo(quantised.dtype)
    whole = np.rint(value / np.float32(quantised.scale)) + quantised.zero_point
    stored: Array = np.clip(whole, limits.min, limits.max).astype(quantised.dtype)
    return stored


def _real(value: Array, detail: Mapping[str, Any]) -> Array:
    quantised = _quantisation(detail)
    if quantised is None:
        return value
    real: Array = (value.astype(np.float32) - np.float32(quantised.zero_point)) * np.float32(quantised.scale)
    return real


def _placement(model: Any, outputs: Sequence[Mapping[str, Any]], version: str) -> NodePlacement:
    """Which operators a delegate took over, and which the interpreter runs by itself.

    The list of operators keeps those that were taken over: they are the ones that no output needs any more.
    """
    operators: list[Mapping[str, Any]] = list(getattr(model, "_get_ops_details", list)())
    makers: dict[int, Mapping[str, Any]] = {}
    for operator in sorted(operators, key=lambda one: one["op_name"] == _DELEGATE):
        makers.update({int(tensor): operator for tensor in operator["outputs"]})
    needed: dict[int, Mapping[str, Any]] = {}
    waiting = [int(detail["index"]) for detail in outputs]
    while waiting:
        operator = makers.get(waiting.pop(), {})
        if operator and operator["index"] not in needed:
            needed[operator["index"]] = operator
            waiting += [int(tensor) for tensor in operator["inputs"] if tensor >= 0]
    nodes: Counter[tuple[str, str]] = Counter()
    precisions: Counter[str] = Counter()
    for operator in operators:
        if operator["op_name"] == _DELEGATE:
            continue
        holder = "LiteRT CPU" if operator["index"] in needed else "LiteRT XNNPACK"
        nodes[holder, str(operator["op_name"])] += 1
        precisions.update(np.dtype(kind).name for kind in operator.get("result_types", ())[:1])
    counted = tuple((holder, kind, count) for (holder, kind), count in sorted(nodes.items()))
    return NodePlacement(counted, ("LiteRT CPU",), version, "", tuple(sorted(precisions.items())))
