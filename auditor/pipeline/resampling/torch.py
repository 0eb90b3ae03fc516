"""``torch.nn.functional.interpolate`` and torchvision's ``v2.Resize`` on tensors, of torch 2.13 on a CPU.

With ``antialias=True`` the window is Pillow's; without, the kernel is not widened and aliases. uint8 is checked bit for
bit, float32 to 1e-5 of the range.
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
    along,
    around,
    cubic,
    folded,
    keys_half,
    keys_three_quarters,
    linear,
    nearest,
    separable,
    triangle,
    windowed,
)

_A = -0.75  # of bicubic without antialias; with it, torch takes -0.5


def _position(n: int, m: int, corners: bool) -> npt.NDArray[np.float32]:
    output = np.arange(m, dtype=np.float32)
    position: Array = (
        output * np.float32((n - 1) / (m - 1) if m > 1 else 0)
        if corners
        else np.float32(n / m) * (output + np.float32(0.5)) - np.float32(0.5)
    )
    return position


def _plain(count: int, weights: Callable[[Floats], Floats], corners: bool) -> Callable[[int, int], Taps]:
    def taps(n: int, m: int) -> Taps:
        position = _position(n, m, corners)
        if count == 2:
            position = np.maximum(position, 0)
        return around(position, count, n, weights)

    return taps


def _kernel(
    floats: Callable[[int, int], Taps], integers: Callable[[int, int], Taps] | None
) -> Callable[[Array, tuple[int, int]], Array]:
    def kernel(image: Array, size: tuple[int, int]) -> Array:
        height, width = image.shape[:2]
        if image.dtype != np.uint8 or integers is None:
            return separable(image.astype(np.float32), floats(height, size[0]), floats(width, size[1]))
        return _on_uint8(_on_uint8(image, integers(width, size[1]), 1), integers(height, size[0]), 0)

    return kernel


def _on_uint8(image: Array, taps: Taps, axis: int) -> Array:
    """One pass with weights of at most 15 bits, and a uint8 picture behind it; an axis that keeps its size is not
    run.
    """
    if taps.index.shape[0] == image.shape[axis]:
        return image
    largest = float(taps.weight.max())
    bits = max(p for p in range(23) if p == 0 or int(0.5 + largest * 2**p) < 1 << 15)
    scaled = taps.weight * 2.0**bits
    weight = np.trunc(scaled + np.copysign(0.5, scaled))
    total = along(image, Taps(taps.index, weight), axis, np.int32) + (1 << (bits - 1))
    result: Array = np.clip(total >> bits, 0, 255).astype(np.uint8)
    return result


def _window(support: float, profile: Profile) -> Callable[[int, int], Taps]:
    return lambda n, m: windowed(n, m, support, profile)


def _unwidened(support: float, profile: Profile) -> Callable[[int, int], Taps]:
    return lambda n, m: folded(n, m, support, profile, widen=False)


def _area(image: Array, size: tuple[int, int]) -> Array:
    """The plain mean over every sample that an output cell touches: neither OpenCV's nor TensorFlow's area."""

    def taps(n: int, m: int) -> Taps:
        first = np.arange(m) * n // m
        last = -(-(np.arange(m) + 1) * n // m)
        index = first[:, None] + np.arange(int((last - first).max()))[None, :]
        inside = index < last[:, None]
        return Taps(np.minimum(index, n - 1), (inside / (last - first)[:, None]).astype(np.float32))

    return separable(image.astype(np.float32), taps(image.shape[0], size[0]), taps(image.shape[1], size[1]))


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {
    "torch-nearest": nearest(0.0),
    "torch-nearest-exact": nearest(0.5),
    "torch-area": _area,
    "torch-bilinear": _kernel(_plain(2, linear, False), _unwidened(1, triangle)),
    "torch-bilinear-corners": _kernel(_plain(2, linear, True), None),
    "torch-bilinear-aa": _kernel(_window(1, triangle), _window(1, triangle)),
    "torch-bicubic": _kernel(_plain(4, cubic(_A), False), _unwidened(2, keys_three_quarters)),
    "torch-bicubic-corners": _kernel(_plain(4, cubic(_A), True), None),
    "torch-bicubic-aa": _kernel(_window(2, keys_half), _window(2, keys_half)),
}
