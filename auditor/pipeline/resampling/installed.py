"""OpenCV itself for large pictures, where one is installed whose bits are those that are computed here."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from auditor.pipeline.resampling.taps import Array

_VERSIONS = ("4.14.", "5.0.")  # the ones whose bits were compared, as the processors
_PROCESSORS = ("x86_64", "AMD64")
_LARGE = 1 << 20  # bytes; below, the import of OpenCV takes longer than the resize
_LONGEST = 1 << 15  # OpenCV counts pixels of a side in 16 bits

# What OpenCV calls the kernels that it computes for large pictures.
_MODES = {
    "cv2-nearest": "INTER_NEAREST",
    "cv2-linear": "INTER_LINEAR",
    "cv2-linear-exact": "INTER_LINEAR_EXACT",
    "cv2-area": "INTER_AREA",
    "cv2-cubic": "INTER_CUBIC",
    "cv2-lanczos4": "INTER_LANCZOS4",
}

Kernel = Callable[[Array, tuple[int, int]], Array]


def sooner(name: str, kernel: Kernel) -> Kernel:
    """``kernel``, which is called ``name``, or OpenCV's own in its place for a large picture of bytes."""
    mode = _MODES[name]

    def resize(image: Array, size: tuple[int, int]) -> Array:
        library = _opencv_for(image, size)
        if library is None:
            return kernel(image, size)
        result = library.resize(np.ascontiguousarray(image), size[::-1], interpolation=getattr(library, mode))
        return np.asarray(result).reshape(*size, image.shape[2])

    return resize


def runs_in_library(kernel: str, image: Array, size: tuple[int, int]) -> bool:
    """Whether the library that a kernel is named after does the resize, and not the arithmetic here."""
    if kernel.startswith("pil-"):
        return True
    return kernel in _MODES and _opencv_for(image, size) is not None


def _opencv_for(image: Array, size: tuple[int, int]) -> Any:
    """OpenCV, where it is to resize this picture; else None."""
    if image.dtype != np.uint8 or image.size < _LARGE or image.shape[2] not in (1, 3):
        return None
    return _opencv() if max(*image.shape[:2], *size) < _LONGEST else None


@cache
def _opencv() -> Any:
    if platform.machine() not in _PROCESSORS:
        return None
    try:
        library = import_module("cv2")
    except ImportError:
        return None
    return library if str(library.__version__).startswith(_VERSIONS) else None
