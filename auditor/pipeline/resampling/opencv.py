"""``cv2.resize`` of OpenCV 5.0 (and 4.14, which differs in ``INTER_NEAREST_EXACT`` only).

None of these but ``area`` widens its kernel when it shrinks, so all of them alias. Horizontal pass first. Checked bit
for bit against opencv-python-headless on uint8, to 1e-5 of the range on float32; ``cubic`` on uint8 goes through a
closed library on x86, which is met within one step. A large picture goes through OpenCV itself where it is installed
(:mod:`auditor.pipeline.resampling.installed`): the same bits, several times sooner.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from auditor.pipeline.resampling.installed import sooner
from auditor.pipeline.resampling.pillow import drifting_index
from auditor.pipeline.resampling.taps import (
    Array,
    Floats,
    Integers,
    Taps,
    along,
    around,
    bands,
    cubic,
    linear,
    pick,
    separable,
    to_uint8,
)

_A = -0.75
_BITS = 11  # of the weights of the fixed-point kernels
_ONE = 1 << _BITS


def nearest(image: Array, size: tuple[int, int]) -> Array:
    """INTER_NEAREST: ``min(floor(d / (m / n)), n - 1)``, without an offset of half a sample."""

    def index(n: int, m: int) -> Integers:
        result: Array = np.minimum(np.floor(np.arange(m) * (1 / (m / n))).astype(np.int64), n - 1)
        return result

    return pick(image, index(image.shape[0], size[0]), index(image.shape[1], size[1]))


def nearest_exact(image: Array, size: tuple[int, int]) -> Array:
    """INTER_NEAREST_EXACT of OpenCV 5.0: the samples that Pillow's NEAREST picks."""
    return pick(image, drifting_index(image.shape[0], size[0]), drifting_index(image.shape[1], size[1]))


def nearest_exact_4(image: Array, size: tuple[int, int]) -> Array:
    """INTER_NEAREST_EXACT of OpenCV 4: a step of 16 fractional bits."""

    def index(n: int, m: int) -> Integers:
        step = ((n << 16) + m // 2) // m
        result: Array = np.clip((step * np.arange(m) + step // 2 - n % 2) >> 16, 0, n - 1)
        return result

    return pick(image, index(image.shape[0], size[0]), index(image.shape[1], size[1]))


def linear_kernel(image: Array, size: tuple[int, int]) -> Array:
    """INTER_LINEAR; a shrink by exactly two on both axes is INTER_AREA, as OpenCV decides it."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return np.array(image)
    if (height, width) == (2 * size[0], 2 * size[1]):
        return area(image, size)
    return _linear(image, _linear_axis(height, size[0]), _linear_axis(width, size[1]))


def linear_exact(image: Array, size: tuple[int, int]) -> Array:
    """INTER_LINEAR_EXACT: eight fractional bits from coordinates in double precision. On floats it is INTER_LINEAR."""
    if image.dtype != np.uint8:
        return linear_kernel(image, size)
    if image.shape[:2] == size:
        return np.array(image)

    def taps(n: int, m: int) -> Taps:
        position = np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0, n - 1)
        left = np.floor(position).astype(np.int64)
        right = np.rint((position - left) * 256).astype(np.int64)
        return Taps(
            np.stack([left, np.minimum(left + 1, n - 1)], axis=1), np.stack([256 - right, right], axis=1).astype(float)
        )

    total = _whole(image, taps(image.shape[0], size[0]), taps(image.shape[1], size[1]))
    total += 1 << 15
    total >>= 16
    return total.astype(np.uint8)


def area(image: Array, size: tuple[int, int]) -> Array:
    """INTER_AREA: the mean over the input pixels that an output pixel covers; a linear kernel if an axis grows."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return np.array(image)
    if size[0] > height or size[1] > width:
        return _linear(image, _growing_axis(height, size[0]), _growing_axis(width, size[1]))
    if height % size[0] == 0 and width % size[1] == 0:
        return _block_mean(image, size)
    mean = separable(image, _area_axis(height, size[0]), _area_axis(width, size[1]))
    return to_uint8(mean) if image.dtype == np.uint8 else mean


def cubic_kernel(image: Array, size: tuple[int, int]) -> Array:
    """INTER_CUBIC with a = -0.75, as the x86 wheels compute it: weights in double, sums in float32, rounded once."""
    if image.shape[:2] == size:
        return np.array(image)
    if image.dtype == np.uint8 and min(image.shape[:2]) < 4:
        return cubic_without_ipp(image, size)  # the closed library is not called for a side shorter than the kernel

    def taps(n: int, m: int) -> Taps:
        exact = around((np.arange(m) + 0.5) * (n / m) - 0.5, 4, n, cubic(_A))
        return Taps(exact.index, exact.weight.astype(np.float32))

    rows, columns = taps(image.shape[0], size[0]), taps(image.shape[1], size[1])
    total = separable(image, rows, columns)
    return to_uint8(total) if image.dtype == np.uint8 else total


def cubic_without_ipp(image: Array, size: tuple[int, int]) -> Array:
    """INTER_CUBIC where Intel's library is off or absent (ARM): 11-bit weights on uint8."""
    if image.dtype != np.uint8 or image.shape[:2] == size:
        return cubic_kernel(image, size)
    rows, columns = _fixed(_cubic_axis(image.shape[0], size[0])), _fixed(_cubic_axis(image.shape[1], size[1]))
    return to_uint8(_whole(image, rows, columns) * 2.0 ** (-2 * _BITS))


def lanczos4(image: Array, size: tuple[int, int]) -> Array:
    """INTER_LANCZOS4: eight taps; 11-bit weights on uint8."""
    if image.shape[:2] == size:
        return np.array(image)
    rows, columns = _lanczos_axis(image.shape[0], size[0]), _lanczos_axis(image.shape[1], size[1])
    if image.dtype != np.uint8:
        return separable(image, rows, columns)
    total = _whole(image, _fixed(rows), _fixed(columns))
    total += 1 << (2 * _BITS - 1)
    total >>= 2 * _BITS
    return np.clip(total, 0, 255, out=total).astype(np.uint8)


def _position(n: int, m: int) -> npt.NDArray[np.float32]:
    return ((np.arange(m) + 0.5) * (n / m) - 0.5).astype(np.float32)


def _linear_axis(n: int, m: int) -> tuple[Integers, npt.NDArray[np.float32]]:
    position = _position(n, m)
    left = np.floor(position)
    return left.astype(np.int64), position - left


def _growing_axis(n: int, m: int) -> tuple[Integers, npt.NDArray[np.float32]]:
    inverse = m / n
    scale = 1 / inverse  # not n / m: their last bits differ, and the floor below sees it
    output = np.arange(m)
    left = np.floor(output * scale).astype(np.int64)
    fraction = ((output + 1) - (left + 1) * inverse).astype(np.float32)
    return left, np.where(fraction <= 0, np.float32(0), fraction - np.floor(fraction))


def _linear(image: Array, rows: tuple[Integers, Floats], columns: tuple[Integers, Floats]) -> Array:
    """Linear interpolation; on uint8 in the fixed point of OpenCV, whose borders differ by axis."""
    height, width = image.shape[:2]
    left, fraction = columns
    outside = (left < 0) | (left >= width - 1)
    left, fraction = np.clip(left, 0, width - 1), np.where(outside, 0, fraction).astype(np.float32)
    across = Taps(np.stack([left, np.minimum(left + 1, width - 1)], axis=1), linear(fraction))
    top, weight = rows
    down = Taps(np.clip(np.stack([top, top + 1], axis=1), 0, height - 1), linear(weight))
    if image.dtype != np.uint8:
        return separable(image, down, across)
    across, down = _fixed(across), _fixed(down)
    # A sixteenth of the whole weights is still exact in float32, and the cast cuts it off as a shift by four does.
    sixteenth = Taps(across.index, across.weight / 16)
    result = np.empty((len(down.index), len(across.index), image.shape[2]), np.uint8)
    for part, source, taps in bands(image, down):
        sums = along(source, sixteenth, 1, np.float32).astype(np.int32)
        beta = taps.weight.astype(np.int32)[..., None, None]
        total = (beta[:, 0] * sums[taps.index[:, 0]]) >> 16
        total += (beta[:, 1] * sums[taps.index[:, 1]]) >> 16
        total += 2
        total >>= 2
        result[part] = total
    return result


def _whole(image: Array, rows: Taps, columns: Taps) -> Array:
    """Sums of whole weights: float32 holds those of one axis exactly, and int32 those of both."""
    result = np.empty((len(rows.index), len(columns.index), image.shape[2]), np.int32)
    for part, source, down in bands(image, rows):
        across = along(source, columns, 1, np.float32).astype(np.int32)
        result[part] = along(across, down, 0, np.int32)
    return result


def _fixed(taps: Taps) -> Taps:
    return Taps(taps.index, np.rint(taps.weight * _ONE))


def _cubic_axis(n: int, m: int) -> Taps:
    taps = around(_position(n, m), 4, n, cubic(_A))
    last = 1 - taps.weight[:, 0] - taps.weight[:, 1] - taps.weight[:, 2]
    return Taps(taps.index, np.concatenate([taps.weight[:, :3], last[:, None]], axis=1))


def _lanczos_axis(n: int, m: int) -> Taps:
    def weights(fraction: Floats) -> Floats:
        # sin(pi t) is one common factor, up to its sign, of all taps; sin(pi t / 4) comes from one sine and one cosine.
        tap = np.arange(8)[None, :]
        distance = (fraction + np.float32(3))[:, None].astype(np.float64) - tap
        angle = (fraction + np.float32(3))[:, None].astype(np.float64) * (np.pi / 4)
        turned = np.sin(angle) * np.cos(tap * np.pi / 4) - np.cos(angle) * np.sin(tap * np.pi / 4)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = (np.where(tap % 2, -1, 1) * turned / (distance * np.pi / 4) ** 2).astype(np.float32)
        weight[np.abs(distance) < 1e-6] = 1e30  # the tap on the sample outweighs all others
        on_sample = fraction < np.finfo(np.float32).eps
        weight[on_sample] = np.eye(8, dtype=np.float32)[3]
        total = np.zeros(len(weight), np.float32)
        for k in range(8):
            total += weight[:, k]
        result: Array = weight * (np.float32(1) / total)[:, None]
        return result

    return around(_position(n, m), 8, n, weights)


def _area_axis(n: int, m: int) -> Taps:
    """Shares of the input samples that each output sample covers; slivers below a thousandth are left out."""
    scale = n / m
    begin = np.arange(m) * scale
    end = begin + scale
    cell = np.minimum(scale, n - begin)
    last = np.minimum(np.floor(end), n - 1).astype(np.int64)
    first = np.minimum(np.ceil(begin).astype(np.int64), last)
    count = int((last - first).max()) + 2
    index = first[:, None] - 1 + np.arange(count)[None, :]
    weight = np.where((index >= first[:, None]) & (index < last[:, None]), 1 / cell[:, None], 0)
    before, behind = first - begin, end - last
    weight[:, 0] = np.where(before > 1e-3, before / cell, 0)
    share = np.where(behind > 1e-3, np.minimum(np.minimum(behind, 1), cell) / cell, 0)
    weight[np.arange(m), last - first + 1] = share
    return Taps(np.clip(index, 0, n - 1), weight.astype(np.float32))


def _block_mean(image: Array, size: tuple[int, int]) -> Array:
    rows, columns = image.shape[0] // size[0], image.shape[1] // size[1]
    kind = np.int64 if image.dtype == np.uint8 else np.float32
    total = np.zeros((*size, image.shape[2]), kind)
    for row in range(rows):
        for column in range(columns):
            total += image[row::rows, column::columns]
    if image.dtype != np.uint8:
        result: Array = total * np.float32(1 / (rows * columns))
        return result
    if (rows, columns) == (2, 2):
        return ((total + 2) >> 2).astype(np.uint8)
    return to_uint8(total.astype(np.float32) * np.float32(1 / (rows * columns)))


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {
    "cv2-nearest": sooner("cv2-nearest", nearest),
    "cv2-nearest-exact": nearest_exact,
    "cv4-nearest-exact": nearest_exact_4,
    "cv2-linear": sooner("cv2-linear", linear_kernel),
    "cv2-linear-exact": sooner("cv2-linear-exact", linear_exact),
    "cv2-area": sooner("cv2-area", area),
    "cv2-cubic": sooner("cv2-cubic", cubic_kernel),
    "cv2-cubic-noipp": cubic_without_ipp,
    "cv2-lanczos4": sooner("cv2-lanczos4", lanczos4),
}
