"""What the onnxruntime that tests are held against can do: it is an oracle only where it works."""

from __future__ import annotations

import onnxruntime


def runtime_since(major: int, minor: int) -> bool:
    """Whether the installed onnxruntime is this version or a later one."""
    installed = tuple(int(part) for part in onnxruntime.__version__.split(".")[:2])
    return installed >= (major, minor)
