"""The ONNX operator Resize as onnxruntime 1.32 computes it on a CPU (opset 19, ``sizes`` given).

``linear`` on uint8 cuts the fraction off instead of rounding. Checked bit for bit on uint8, to 1e-5 of the range on
float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from auditor.pipeline.resampling.taps import (
    Array,
    Floats,
    Integers,
    Taps,
    along,
    around,
    by_axis,
    cubic,
    dropped,
    keys,
    pick,
    separable,
)

_BITS = 22  # of the weights of the antialiased uint8 kernels


def _half_pixel(n: int, m: int) -> npt.NDArray[np.float32]:
    result: Array = ((np.arange(m, dtype=np.float32) + np.float32(0.5)) / np.float32(m / n) - np.float32(0.5)).astype(
        np.float32
    )
    return result


def _pytorch(n: int, m: int) -> npt.NDArray[np.float32]:
    return _half_pixel(n, m) if m > 1 else np.zeros(1, np.float32)


def _asymmetric(n: int, m: int) -> npt.NDArray[np.float32]:
    result: Array = np.arange(m, dtype=np.float32) / np.float32(m / n)
    return result


def _corners(n: int, m: int) -> npt.NDArray[np.float32]:
    return (np.arange(m) * ((n - 1) / (m - 1) if m > 1 else 0)).astype(np.float32)


Profile32 = Callable[[Floats], Floats]
Positions = Callable[[int, int], npt.NDArray[np.float32]]


def _linear(positions: Positions) -> Callable[[Array, tuple[int, int]], Array]:
    def taps(n: int, m: int) -> Taps:
        position = np.clip(positions(n, m), 0, n - 1).astype(np.float32)
        left = np.floor(position).astype(np.int64)
        right = np.minimum(left + 1, n - 1)
        before, behind = right - position, position - left
        half = np.float32(0.5)  # at the last sample both neighbours are the same
        weight = np.stack([np.where(left == right, half, before), np.where(left == right, half, behind)], axis=1)
        return Taps(np.stack([left, right], axis=1), weight.astype(np.float32))

    def kernel(image: Array, size: tuple[int, int]) -> Array:
        rows, columns = taps(image.shape[0], size[0]), taps(image.shape[1], size[1])
        if image.dtype != np.uint8:
            return separable(image, rows, columns)
        total = np.zeros((*size, image.shape[2]), np.float32)
        for j in range(2):
            for i in range(2):
                weight = (rows.weight[:, j, None] * columns.weight[None, :, i]).astype(np.float32)
                total += weight[..., None] * image[rows.index[:, j, None], columns.index[None, :, i]]
        return total.astype(np.uint8)

    return kernel


def _cubic(a: float, *, exclude: bool) -> Callable[[Array, tuple[int, int]], Array]:
    def taps(n: int, m: int) -> Taps:
        position = _half_pixel(n, m)
        return dropped(n, position, 4, cubic(a)) if exclude else around(position, 4, n, cubic(a))

    return by_axis(taps)


def _antialiased(profile: Profile32, support: int, *, exclude: bool) -> Callable[[Array, tuple[int, int]], Array]:
    def kernel(image: Array, size: tuple[int, int]) -> Array:
        rows = _window(image.shape[0], size[0], support, profile, exclude=exclude)
        columns = _window(image.shape[1], size[1], support, profile, exclude=exclude)
        if image.dtype != np.uint8:
            return separable(image, rows, columns)
        return _on_uint8(_on_uint8(image, columns, 1), rows, 0)

    return kernel


def _window(n: int, m: int, support: int, profile: Profile32, *, exclude: bool) -> Taps:
    """The widened window in float32 throughout, as onnxruntime computes it: ties of the uint8 result depend on it.

    What lies outside of the axis is folded onto its end samples, or left out before the weights are divided by their
    sum.
    """
    stretch = np.float32(max(n / m, 1.0))
    centre = np.float32(0.5) + _half_pixel(n, m)
    reach = np.float32(support) * stretch
    first = np.floor(centre - reach + np.float32(0.5)).astype(np.int64)
    last = np.floor(centre + reach + np.float32(0.5)).astype(np.int64)
    index = first[:, None] + np.arange(max(int((last - first).max()), 1))[None, :]
    distance = ((index - centre[:, None]).astype(np.float32) + np.float32(0.5)) * (np.float32(1) / stretch)
    weight = np.where(index < last[:, None], profile(distance), np.float32(0))
    if exclude:
        weight = np.where((index >= 0) & (index < n), weight, np.float32(0))
    total = np.zeros(m, np.float32)
    for k in range(weight.shape[1]):
        total += weight[:, k]
    return Taps(np.clip(index, 0, n - 1), weight * (np.float32(1) / total)[:, None])


def _on_uint8(image: Array, taps: Taps, axis: int) -> Array:
    """One pass with 22-bit weights and a uint8 picture behind it; an axis that keeps its size is not run."""
    if taps.index.shape[0] == image.shape[axis]:
        return image
    scaled = taps.weight * np.float32(1 << _BITS)
    weight = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))
    total = along(image, Taps(taps.index, weight), axis, np.int32) + (1 << (_BITS - 1))
    result: Array = np.clip(total >> _BITS, 0, 255).astype(np.uint8)
    return result


def _triangle(distance: Floats) -> Floats:
    result: Array = np.maximum(np.float32(1) - np.abs(distance), np.float32(0))
    return result


def _keys(a: float) -> Profile32:
    return lambda distance: keys(np.abs(distance), a)


def _nearest(positions: Positions, rounding: Callable[[Floats], Floats]) -> Callable[[Array, tuple[int, int]], Array]:
    def index(n: int, m: int) -> Integers:
        return np.clip(rounding(positions(n, m)).astype(np.int64), 0, n - 1)

    return lambda image, size: pick(image, index(image.shape[0], size[0]), index(image.shape[1], size[1]))


def _prefer_floor(position: Floats) -> Floats:
    """The nearest sample, the lower one of two that are equally near."""
    result: Array = np.ceil(position - np.float32(0.5))
    return result


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {
    "ort-nearest": _nearest(_half_pixel, _prefer_floor),
    "ort-nearest-half-floor": _nearest(_half_pixel, np.floor),
    "ort-nearest-asym-floor": _nearest(_asymmetric, np.floor),
    "ort-linear": _linear(_half_pixel),
    "ort-linear-asymmetric": _linear(_asymmetric),
    "ort-linear-corners": _linear(_corners),
    "ort-linear-pytorch": _linear(_pytorch),
    "ort-linear-symmetric": _linear(_half_pixel),  # `sizes` are whole numbers, where both modes agree
    "ort-linear-aa": _antialiased(_triangle, 1, exclude=False),
    "ort-linear-aa-exclude": _antialiased(_triangle, 1, exclude=True),
    "ort-cubic": _cubic(-0.75, exclude=False),
    "ort-cubic-a05-exclude": _cubic(-0.5, exclude=True),
    "ort-cubic-a05": _cubic(-0.5, exclude=False),
    "ort-cubic-aa": _antialiased(_keys(-0.75), 2, exclude=False),
    "ort-cubic-aa-a05-exclude": _antialiased(_keys(-0.5), 2, exclude=True),
}
