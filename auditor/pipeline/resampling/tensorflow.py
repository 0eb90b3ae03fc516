"""``tf.image.resize`` of TensorFlow 2.21, ``tf.compat.v1.image.resize_*`` and Keras' ``Resizing`` on TensorFlow.

Always half-pixel centres but for ``tf1-*``; the result is float32 but for ``nearest``. Checked to 1e-5 of the range.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from auditor.pipeline.resampling.taps import (
    Array,
    Floats,
    Profile,
    Taps,
    by_axis,
    dropped,
    keys,
    keys_half,
    lanczos,
    linear,
    mitchell,
    nearest,
    triangle,
)

_A = -0.5
_TABLE = 1024  # steps between two samples of the tabulated bicubic kernel


def _position(n: int, m: int) -> npt.NDArray[np.float32]:
    result: Array = (np.arange(m, dtype=np.float32) + np.float32(0.5)) * np.float32(n / m) - np.float32(0.5)
    return result


def _ends_held(position: npt.NDArray[np.float32], n: int) -> Taps:
    left = np.floor(position)
    index = np.stack([np.maximum(left, 0), np.minimum(np.ceil(position), n - 1)], axis=1).astype(np.int64)
    return Taps(np.clip(index, 0, n - 1), linear(position - left))


def _bilinear(n: int, m: int) -> Taps:
    return _ends_held(_position(n, m), n)


def _first_bilinear(n: int, m: int) -> Taps:
    return _ends_held(np.arange(m, dtype=np.float32) * np.float32(n / m), n)


def _first_corners(n: int, m: int) -> Taps:
    return _ends_held(np.arange(m, dtype=np.float32) * np.float32((n - 1) / (m - 1) if m > 1 else n / m), n)


def _bicubic(n: int, m: int) -> Taps:
    def weights(fraction: Floats) -> Floats:
        tabulated = np.rint(fraction * _TABLE) / _TABLE
        return keys(np.abs(tabulated[:, None] - np.arange(-1, 3)[None, :]), _A)

    return dropped(n, _position(n, m), 4, weights)


def _area(n: int, m: int) -> Taps:
    scale = n / m
    begin, end = np.arange(m) * scale, (np.arange(m) + 1) * scale
    first, last = np.floor(begin).astype(np.int64), np.ceil(end).astype(np.int64)
    index = first[:, None] + np.arange(int((last - first).max()))[None, :]
    overlap = np.minimum(index + 1, end[:, None]) - np.maximum(index, begin[:, None])
    return Taps(np.clip(index, 0, n - 1), (np.maximum(overlap, 0) / scale).astype(np.float32))


def _translated(support: float, profile: Profile, *, antialias: bool) -> Callable[[int, int], Taps]:
    """``ScaleAndTranslate``: taps ``ceil(c - S - 0.5) .. floor(c + S - 0.5)``, held within the axis."""

    def taps(n: int, m: int) -> Taps:
        scale = n / m
        stretch = max(scale, 1.0) if antialias else 1.0
        centre = (np.arange(m) + 0.5) * scale
        first = np.clip(np.ceil(centre - support * stretch - 0.5), 0, n - 1).astype(np.int64)
        last = np.clip(np.floor(centre + support * stretch - 0.5), 0, n - 1).astype(np.int64)
        index = first[:, None] + np.arange(int((last - first).max()) + 1)[None, :]
        distance = (index + 0.5 - centre[:, None]) / stretch
        weight = np.where(index <= last[:, None], profile(distance), 0.0)
        total = weight.sum(axis=1, keepdims=True)
        return Taps(np.minimum(index, n - 1), (weight / np.where(total == 0, 1, total)).astype(np.float32))

    return taps


def _keras_crop(image: Array, size: tuple[int, int]) -> Array:
    """``crop_to_aspect_ratio``: the middle of the wanted aspect ratio, then bilinear."""
    height, width = image.shape[:2]
    rows = min(height, int(width * size[0] / size[1]))
    columns = min(width, int(height * size[1] / size[0]))
    if not rows or not columns:
        raise ValueError(
            f"no pixel of a picture of {height}x{width} is left of the aspect ratio of {size[0]}x{size[1]}"
        )
    top, left = int((height - rows) / 2), int((width - columns) / 2)
    return KERNELS["tf-bilinear"](image[top : top + rows, left : left + columns], size)


def _keras_pad(image: Array, size: tuple[int, int]) -> Array:
    """``pad_to_aspect_ratio``: the same zeros on both sides, an odd one left out, then bilinear."""
    height, width = image.shape[:2]
    top = int((max(height, int(width * size[0] / size[1])) - height) / 2)
    left = int((max(width, int(height * size[1] / size[0])) - width) / 2)
    return KERNELS["tf-bilinear"](np.pad(image, ((top, top), (left, left), (0, 0))), size)


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {
    "tf-nearest": nearest(0.5),
    "tf-bilinear": by_axis(_bilinear),
    "tf-bicubic": by_axis(_bicubic),
    "tf-area": by_axis(_area),
    "tf-bilinear-aa": by_axis(_translated(1, triangle, antialias=True)),
    "tf-bicubic-aa": by_axis(_translated(2, keys_half, antialias=True)),
    "tf-lanczos3": by_axis(_translated(3, lanczos(3), antialias=False)),
    "tf-lanczos5": by_axis(_translated(5, lanczos(5), antialias=False)),
    "tf-lanczos3-aa": by_axis(_translated(3, lanczos(3), antialias=True)),
    "tf-lanczos5-aa": by_axis(_translated(5, lanczos(5), antialias=True)),
    "tf-mitchellcubic-aa": by_axis(_translated(2, mitchell, antialias=True)),
    "tf1-nearest": nearest(0.0),
    "tf1-bilinear": by_axis(_first_bilinear),
    "tf1-bilinear-corners": by_axis(_first_corners),
    "keras-bilinear-crop": _keras_crop,
    "keras-bilinear-pad": _keras_pad,
}
