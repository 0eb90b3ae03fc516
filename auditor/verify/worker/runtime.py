"""The runtimes that a worker can run a model in: what each reads, on which devices, and how it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from auditor.onnxfile.graph import ModelFormat
from auditor.verify.errors import DeviceUnavailableError, ModelRefusedError
from auditor.verify.worker.device import Device, DeviceKind


class Runtime(Enum):
    """The values of ``--runtime``."""

    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    TFLITE = "tflite"
    WEB = "web"

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return _FACTS[self].title

    @property
    def install(self) -> str:
        """The command that installs it."""
        return _FACTS[self].install


@dataclass(frozen=True, slots=True)
class _RuntimeFacts:
    title: str
    install: str
    formats: tuple[ModelFormat, ...]
    devices: tuple[DeviceKind, ...]


_ONNX, _IR, _TFLITE = ModelFormat.ONNX, ModelFormat.OPENVINO_IR, ModelFormat.TFLITE
# Beside auto and cpu, which every runtime has.
_OPENVINO_DEVICES = (DeviceKind.GPU, DeviceKind.NPU)
_FACTS: Mapping[Runtime, _RuntimeFacts] = {
    Runtime.ONNXRUNTIME: _RuntimeFacts(
        "onnxruntime",
        "pip install 'aliasaudit[cpu]', or [gpu] for CUDA",
        (_ONNX,),
        tuple(kind for kind in DeviceKind if kind not in _OPENVINO_DEVICES),
    ),
    Runtime.OPENVINO: _RuntimeFacts(
        "OpenVINO",
        "pip install 'aliasaudit[openvino]'",
        (_ONNX, _IR, _TFLITE),
        (DeviceKind.AUTO, DeviceKind.CPU, *_OPENVINO_DEVICES),
    ),
    Runtime.TFLITE: _RuntimeFacts(
        "LiteRT", "pip install 'aliasaudit[tflite]'", (_TFLITE,), (DeviceKind.AUTO, DeviceKind.CPU)
    ),
    Runtime.WEB: _RuntimeFacts(
        "onnxruntime-web",
        "npm install onnxruntime-web, in the working folder, with node",
        (_ONNX,),
        (DeviceKind.AUTO, DeviceKind.CPU),
    ),
}
_OWN = {_ONNX: Runtime.ONNXRUNTIME, _IR: Runtime.OPENVINO, _TFLITE: Runtime.TFLITE}


def chosen_runtime(form: ModelFormat, asked: Runtime | None) -> Runtime:
    """What runs a file: the runtime that was asked for, else that of its format.

    Raises:
        ModelRefusedError: that runtime does not read the format.
    """
    runtime = asked or _OWN[form]
    if form not in _FACTS[runtime].formats:
        able = " or ".join(one.value for one in Runtime if form in _FACTS[one].formats)
        raise ModelRefusedError(f"--runtime {runtime.value} does not run {form.value} files: give --runtime {able}")
    return runtime


def require_device(runtime: Runtime, device: Device) -> None:
    """See to it that the runtime has such devices.

    Raises:
        DeviceUnavailableError: it has none; the message names what it has.
    """
    known = _FACTS[runtime].devices
    if device.kind not in known:
        names = ", ".join(kind.value for kind in known)
        raise DeviceUnavailableError(f"{runtime.title} has no --device {device.asked}: give one of {names}")


def device_of(runtime: Runtime, device: Device) -> Device:
    """The device for a model that runs beside another one, in a runtime that may not have the device of that."""
    return device if device.kind in _FACTS[runtime].devices else Device(DeviceKind.CPU)
