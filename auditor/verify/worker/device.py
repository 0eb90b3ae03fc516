"""Where a model is to run: the words of ``--device``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class DeviceKind(Enum):
    """The kinds of ``--device``."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    OPENVINO = "openvino"
    COREML = "coreml"
    DIRECTML = "directml"
    GPU = "gpu"  # of the runtime OpenVINO, as the next
    NPU = "npu"


@dataclass(frozen=True, slots=True)
class Device:
    """A parsed ``--device`` setting. ``index`` is the ordinal of the GPU."""

    kind: DeviceKind
    index: int = 0

    @property
    def asked(self) -> str:
        return f"{self.kind.value}:{self.index}" if self.index else self.kind.value


def parse_device(text: str) -> Device:
    """Read a device as ``--device`` takes it; a ``ValueError`` says what is allowed."""
    name, colon, index = text.partition(":")
    kinds = {kind.value: kind for kind in DeviceKind}
    kind = kinds.get(name)
    if kind is None or (colon and (kind is not DeviceKind.CUDA or not (index.isascii() and index.isdigit()))):
        raise ValueError(f"a device is one of {', '.join(kinds)} and cuda:N")
    return Device(kind, int(index or 0))
