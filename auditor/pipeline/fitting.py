"""A picture brought to a model's input size as a deployed pipeline does it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.choices import suggestion
from auditor.pipeline.conventions import CONVENTIONS
from auditor.pipeline.placement import Placement
from auditor.pipeline.resizing import Image, resize

# What each convention fills the border with, and the kernel of the library that it comes from.
FILLS = {"letterbox": 114, "letterbox-top-left": 114, "ultralytics": 114, "yolox": 114, "mmdet": 114}
_KERNELS = {
    "torchvision": "pil-bilinear",
    "transformers": "pil-bicubic",
    "timm": "pil-bicubic",
    "detr": "pil-bilinear",
    "torchvision-detection": "torch-bilinear",
    "tf-resize-with-pad": "tf-bilinear",
    "pil-pad": "pil-bicubic",
    "onnx-keep-aspect": "ort-linear",
}
_FIRST_ARGUMENT_IS_A_SIZE = {"size", "scale"}


def place(picture: tuple[int, int], size: tuple[int, int], fit: str, **settings: Any) -> Placement:
    """Where a picture of (height, width) lies in an input of ``size`` (height, width) under a convention.

    ``fit`` is ``stretch``, ``letterbox`` (centred, as ultralytics), ``letterbox-top-left`` (as YOLOX),
    ``shortest-edge`` (as torchvision's classifiers), ``crop``, ``cover``, or a library's own convention
    (:data:`~auditor.pipeline.conventions.CONVENTIONS`) with its settings by name. Conventions that know the shorter
    side only (``detr``, ``torchvision``, ``transformers``) take the smaller side of ``size``, and crop to ``size``
    where they crop.

    Raises:
        ValueError: the convention or a setting of it is not known, or it does not work for this size.

    >>> place((427, 640), (640, 640), "letterbox").top
    106
    """
    placement = _placed(picture, size, fit, **settings)
    if min(placement.resized) < 1:
        raise ValueError(f"a picture of {picture[0]}x{picture[1]} is so narrow that one of its sides would be 0 pixels")
    return placement


def _placed(picture: tuple[int, int], size: tuple[int, int], fit: str, **settings: Any) -> Placement:
    if fit not in CONVENTIONS:
        raise ValueError(f"unknown fit {fit!r}{suggestion(fit, CONVENTIONS)}: one of {', '.join(CONVENTIONS)}")
    function = CONVENTIONS[fit]
    parameters = list(inspect.signature(function).parameters)[1:]
    if unknown := sorted(set(settings) - set(parameters)):
        raise ValueError(f"fit {fit!r} has no setting {unknown[0]!r}; it has {', '.join(parameters[1:]) or 'none'}")
    first = parameters[0]
    if first in settings:
        return function(picture, **settings)
    if first in _FIRST_ARGUMENT_IS_A_SIZE:
        return function(picture, size, **settings)
    if first == "fraction":
        raise ValueError(f"fit {fit!r} needs its fraction=")
    if "crop" in parameters:
        settings.setdefault("crop", size)
    if fit == "torchvision-detection":
        settings.setdefault("longest", max(size))
    return function(picture, min(size), **settings)


def fit(
    image: Image,
    size: tuple[int, int],
    fit: str,
    *,
    kernel: str | None = None,
    fill: float | None = None,
    **settings: Any,
) -> tuple[Image, Placement]:
    """``image`` at the model's input size, and the way of points between the two.

    ``image`` is (H, W, C) or (H, W), uint8 or floating; ``size`` is (height, width). ``fit`` and ``settings`` are those
    of :func:`place`. ``kernel`` is a name of :func:`~auditor.pipeline.resizing.kernels`; without it the one of the
    library that the convention comes from, else ``cv2-linear``. ``fill`` is the value of the border (114 for the
    letterboxes of detectors, else 0).

    Raises:
        ValueError: as :func:`place` and :func:`~auditor.pipeline.resizing.resize`.

    >>> import numpy as np
    >>> boxed, placement = fit(np.zeros((100, 200, 3), np.uint8), (64, 64), "letterbox")
    >>> boxed.shape, placement.top, int(boxed[0, 0, 0])
    ((64, 64, 3), 16, 114)
    >>> placement.to_picture([[64, 48]]).tolist()
    [[200.0, 100.0]]
    """
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ValueError(
            f"an image is (height, width, channels) or (height, width), none of them 0; got {pixels.shape}"
        )
    placement = place((int(pixels.shape[0]), int(pixels.shape[1])), size, fit, **settings)
    resized = (
        pixels
        if placement.resized == placement.picture
        else resize(pixels, placement.resized, kernel or _KERNELS.get(fit, "cv2-linear"))
    )
    border = FILLS.get(fit, 0) if fill is None else fill
    return laid(resized, placement, border), placement


def laid(resized: Image, placement: Placement, fill: npt.ArrayLike) -> Image:
    """The resized picture in the input: cropped where it begins before it, bordered where it begins within it."""
    height, width = placement.out
    top, left = placement.top, placement.left
    seen = resized[max(-top, 0) : height - top, max(-left, 0) : width - left]
    if seen.shape[:2] == (height, width):
        return np.ascontiguousarray(seen)
    laid = np.full((height, width, *resized.shape[2:]), fill, resized.dtype)
    row, column = max(top, 0), max(left, 0)
    laid[row : row + seen.shape[0], column : column + seen.shape[1]] = seen
    return laid
