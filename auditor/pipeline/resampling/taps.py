"""Which input samples make one output sample of an axis, and with which weights.

One axis, ``n`` input and ``m`` output samples, ``s = n / m``, output index ``d``. Every kernel here is separable, so
two tables of taps are one resize.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[Any]
Integers = npt.NDArray[Any]
Profile = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Taps:
    """``index`` (m, K) integer and ``weight`` (m, K) floating: K taps of each output sample."""

    index: Integers
    weight: Floats

    @property
    def wide(self) -> bool:
        """Whether the taps read each input sample about once or more: the axis is best read in one pass."""
        return bool(self.index.size >= np.ptp(self.index) + 1)


def around(position: Floats, count: int, n: int, weights: Callable[[Floats], Floats]) -> Taps:
    """``count`` neighbouring taps around each position (m,), those outside of the axis moved to its end.

    ``weights`` takes the fraction behind the sample at the left of each position, (m,), and gives (m, count).
    """
    left = np.floor(position).astype(np.int64)
    fraction = (position - left).astype(position.dtype)
    index = left[:, None] + np.arange(count)[None, :] - (count // 2 - 1)
    return Taps(np.clip(index, 0, n - 1), weights(fraction))


def linear(fraction: Floats) -> Floats:
    """The two weights of linear interpolation."""
    return np.stack([1 - fraction, fraction], axis=1)


def cubic(a: float) -> Callable[[Floats], Floats]:
    """The four weights of Keys' cubic convolution (1981, eq. 4) with its free coefficient ``a``."""

    def weights(fraction: Floats) -> Floats:
        offsets = np.arange(-1, 3).astype(fraction.dtype)
        distance = np.abs(fraction[:, None] - offsets[None, :])
        return keys(distance, a).astype(fraction.dtype)

    return weights


def keys(distance: Floats, a: float) -> Floats:
    """Keys' cubic convolution kernel at these distances in samples."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    result: Floats = np.where(distance < 1, near, np.where(distance < 2, far, 0)).astype(distance.dtype)
    return result


def triangle(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The kernel of linear interpolation."""
    result: Array = np.maximum(1 - np.abs(distance), 0)
    return result


def keys_half(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' kernel with a = -0.5, the one of third order."""
    return keys(np.abs(distance), -0.5).astype(np.float64)


def keys_three_quarters(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' kernel with a = -0.75, OpenCV's choice."""
    return keys(np.abs(distance), -0.75).astype(np.float64)


def mitchell(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mitchell and Netravali (1988, eq. 8) with B = C = 1/3."""
    x = np.abs(distance)
    near = (7 * x**3 - 12 * x**2 + 16 / 3) / 6
    far = (-7 / 3 * x**3 + 12 * x**2 - 20 * x + 32 / 3) / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def lanczos(lobes: int) -> Profile:
    """A sinc windowed by the main lobe of a wider sinc."""

    def profile(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(np.abs(distance) < lobes, np.sinc(distance) * np.sinc(distance / lobes), 0.0)

    return profile


def windowed(n: int, m: int, support: float, profile: Profile, *, widen: bool = True) -> Taps:
    """Pillow's window: kernel stretched by ``max(s, 1)``, cut off at the border, its weights divided by their sum.

    ``Image.resize``: centre ``(d + 0.5) s``, taps from ``int(c - S + 0.5)`` up to ``int(c + S + 0.5)`` exclusive.
    """
    scale = n / m
    stretch = max(scale, 1.0) if widen else 1.0
    reach = support * stretch
    centre = (np.arange(m) + 0.5) * scale
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + reach + 0.5).astype(np.int64), n)
    offsets = np.arange(max(int((last - first).max()), 1))
    index = first[:, None] + offsets[None, :]
    inside = index < last[:, None]
    weight = np.where(inside, profile((index - centre[:, None] + 0.5) / stretch), 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    return Taps(np.minimum(index, n - 1), weight)


def folded(n: int, m: int, support: float, profile: Profile, *, widen: bool = True) -> Taps:
    """The stretched window with what lies outside of the axis added to the weight of its end samples."""
    scale = n / m
    stretch = max(scale, 1.0) if widen else 1.0
    reach = support * stretch
    centre = (np.arange(m) + 0.5) * scale
    first = np.floor(centre - reach + 0.5).astype(np.int64)
    last = np.floor(centre + reach + 0.5).astype(np.int64)
    count = max(int((last - first).max()), 1)
    index = first[:, None] + np.arange(count)[None, :]
    weight = np.where(index < last[:, None], profile((index - centre[:, None] + 0.5) / stretch), 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    start = np.clip(first, 0, n - 1)
    merged = np.zeros_like(weight)
    np.add.at(merged, (np.arange(m)[:, None], np.clip(index, 0, n - 1) - start[:, None]), weight)
    return Taps(np.minimum(start[:, None] + np.arange(count)[None, :], n - 1), merged)


def dropped(n: int, position: Floats, count: int, weights: Callable[[Floats], Floats]) -> Taps:
    """Neighbouring taps around each position; those outside of the axis are left out and the rest divided by its
    sum.
    """
    left = np.floor(position).astype(np.int64)
    fraction = (position - left).astype(position.dtype)
    index = left[:, None] + np.arange(count)[None, :] - (count // 2 - 1)
    weight = np.where((index >= 0) & (index < n), weights(fraction), 0)
    weight = weight / weight.sum(axis=1, keepdims=True)
    return Taps(np.clip(index, 0, n - 1), weight)


def along(image: Array, taps: Taps, axis: int, dtype: npt.DTypeLike) -> Array:
    """The weighted sums of the taps along axis 0 (rows) or 1 (columns) of ``image`` (H, W, C), in ``dtype``.

    The taps are added one after the other in the order of their index, as the libraries do.
    """
    weight = taps.weight.astype(dtype, copy=False)
    return _down(image, taps.index, weight) if axis == 0 else _across(image, taps.index, weight)


_CACHED = 1 << 17  # numbers that the fast memory of a processor core holds
_BAND = 32  # output rows
_PLACES = 1 << 14  # the same for places of pixels, beside the pixels


def _down(image: Array, index: Integers, weight: Array) -> Array:
    """A few output rows at a time."""
    height, length = len(index), image.shape[1] * image.shape[2]
    rows = image.reshape(image.shape[0], length)
    total = np.empty((height, length), weight.dtype)
    step = max(_CACHED // length, 1)
    for start in range(0, height, step):
        part = slice(start, start + step)
        _summed(rows, index[part], weight[part], total[part])
    return total.reshape(height, *image.shape[1:])


def _across(image: Array, index: Integers, weight: Array) -> Array:
    """A few rows at a time, turned where most columns are read: what a tap reads of all rows then lies together."""
    height, width, channels = image.shape
    count = len(index)
    rows = np.ascontiguousarray(image).reshape(height, width * channels)
    if index.size < width:
        return _gathered(rows, index, weight, channels).reshape(height, count, channels)
    total = np.empty((height, count, channels), weight.dtype)
    step = max(_CACHED // (max(width, count) * channels), 16)
    for start in range(0, height, step):
        turned = np.ascontiguousarray(rows[start : start + step].T)
        band = turned.reshape(width, -1).astype(weight.dtype, copy=False)
        sums = np.empty((count, band.shape[1]), weight.dtype)
        _summed(band, index, weight, sums)
        total[start : start + step] = sums.reshape(count, channels, -1).transpose(2, 0, 1)
    return total


def _gathered(rows: Array, index: Integers, weight: Array, channels: int) -> Array:
    """The taps of all outputs side by side, first taps first, then their sum; a few rows at a time."""
    length = len(index) * channels
    places = (index.T[:, :, None] * channels + np.arange(channels)).ravel()
    weights = np.repeat(weight.T.ravel(), channels)
    total = np.empty((len(rows), length), weight.dtype)
    step = max(_CACHED // len(places), 1)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        terms = np.take(rows[part], places, axis=1).astype(weight.dtype)
        terms *= weights
        sums = total[part]
        sums[...] = terms[:, :length]
        for k in range(1, index.shape[1]):
            sums += terms[:, k * length : (k + 1) * length]
    return total


def _summed(rows: Array, index: Integers, weight: Array, total: Array) -> None:
    """Into ``total`` the sums of the rows that each line of ``index`` names."""
    np.multiply(np.take(rows, index[:, 0], axis=0), weight[:, :1], out=total, casting="unsafe")
    term, picked = np.empty_like(total), np.empty(total.shape, rows.dtype)
    for k in range(1, index.shape[1]):
        np.take(rows, index[:, k], axis=0, out=picked, mode="clip")
        np.multiply(picked, weight[:, k, None], out=term, casting="unsafe")
        total += term


def separable(image: Array, rows: Taps, columns: Taps, dtype: npt.DTypeLike = np.float32) -> Array:
    """Columns, then rows, in one type; only the rows that are read are worked on."""
    result = np.empty((len(rows.index), len(columns.index), image.shape[2]), dtype)
    for part, source, down in bands(image, rows):
        result[part] = along(along(source, columns, 1, dtype), down, 0, dtype)
    return result


def bands(image: Array, rows: Taps) -> Iterator[tuple[slice, Array, Taps]]:
    """A few output rows at a time: which, the input rows that they read, and their taps within those.

    What lies between the two passes then stays in the fast memory of a processor core.
    """
    for start in range(0, len(rows.index), _BAND):
        part = slice(start, start + _BAND)
        needed, place = np.unique(rows.index[part], return_inverse=True)
        first, last = int(needed[0]), int(needed[-1]) + 1
        source = image[first:last] if len(needed) == last - first else np.take(image, needed, axis=0)
        yield part, source, Taps(place.reshape(rows.index[part].shape), rows.weight[part])


def pick(image: Array, rows: Integers, columns: Integers) -> Array:
    """The samples of these rows and columns: every nearest-neighbour kernel."""
    height, width, channels = image.shape
    pixels = np.ascontiguousarray(image).reshape(height * width, channels)
    picked = np.empty((len(rows), len(columns), channels), image.dtype)
    step = max(_PLACES // len(columns), 1)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        # With "clip" the pixels go where they belong at once, and not through a copy.
        np.take(pixels, rows[part, None] * width + columns, axis=0, out=picked[part], mode="clip")
    return picked


def to_uint8(values: Array) -> npt.NDArray[np.uint8]:
    """Rounded to the nearest integer, half to even, and held within 0..255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def nearest(offset: float) -> Callable[[Array, tuple[int, int]], Array]:
    """The sample at ``floor((d + offset) s)``, in single precision as torch and TensorFlow compute it."""

    def index(n: int, m: int) -> Integers:
        position = (np.arange(m, dtype=np.float32) + np.float32(offset)) * np.float32(n / m)
        samples: Array = np.minimum(np.floor(position).astype(np.int64), n - 1)
        return samples

    return lambda image, size: pick(image, index(image.shape[0], size[0]), index(image.shape[1], size[1]))


def by_axis(taps: Callable[[int, int], Taps]) -> Callable[[Array, tuple[int, int]], Array]:
    """The kernel in float32 whose taps of an axis are ``taps(n, m)``, the same on both axes."""
    return lambda image, size: separable(
        image.astype(np.float32, copy=False), taps(image.shape[0], size[0]), taps(image.shape[1], size[1])
    )
