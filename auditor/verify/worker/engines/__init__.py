"""What runs models in the worker, one file per runtime. A runtime is imported when the first model asks for it."""

from __future__ import annotations

from collections.abc import Callable

from auditor.verify.worker.device import Device
from auditor.verify.worker.engines.engine import Engine
from auditor.verify.worker.runtime import Runtime


def start(runtime: Runtime, device: Device, threads: int, memory_bytes: int | None, log: Callable[[], str]) -> Engine:
    """The engine of a runtime.

    Raises:
        ImportError: the runtime is not installed.
        DeviceUnavailableError: the runtime was built without what the device needs.
    """
    if runtime is Runtime.OPENVINO:
        from auditor.verify.worker.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(device, threads)
    if runtime is Runtime.TFLITE:
        from auditor.verify.worker.engines.tflite import TfliteEngine

        return TfliteEngine(threads)
    if runtime is Runtime.WEB:
        from auditor.verify.worker.engines.web import WebEngine

        return WebEngine(threads)
    from auditor.verify.worker.engines.onnxruntime import OrtEngine

    return OrtEngine(device, threads, memory_bytes, log)
