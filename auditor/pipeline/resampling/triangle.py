"""The anti-aliased triangle in double precision, rounded once: what ``verify`` resizes with unless told otherwise.

It is the filter that Pillow and torchvision call bilinear (the support grows with the reduction, weights renormalised
at the edges) without the rounding between their passes, so it is within one level of ``pil-bilinear``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from auditor.pipeline.resampling.taps import Array, Taps, along, to_uint8

NAME = "triangle"


def resize(image: Array, size: tuple[int, int]) -> Array:
    """``image`` (H, W, C) at ``size`` (height, width)."""
    resized = resize_part(image, size, (0, 0), size)
    return to_uint8(resized) if image.dtype == np.uint8 else resized.astype(np.float32)


def resize_part(
    image: Array, size: tuple[int, int], corner: tuple[int, int], part: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """The rectangle of ``part`` (H, W) at ``corner`` (y, x) of the image at ``size``, bit for bit, not rounded.

    Costs what the rectangle needs: a picture of one row and a million columns is not enlarged before it is cropped.
    """
    rows, columns = (_taps(image.shape[axis], size[axis], corner[axis], part[axis]) for axis in (0, 1))
    first, last = int(columns.index.min()), int(columns.index.max())
    down = along(image[:, first : last + 1], rows, 0, np.float64)
    return along(down, Taps(columns.index - first, columns.weight), 1, np.float64)


@lru_cache(maxsize=8)  # pictures of one size, such as the frames of a clip, need the same ones
def _taps(n: int, m: int, start: int, count: int) -> Taps:
    """``count`` outputs from ``start`` on; the support is one input or one output pixel, whichever is larger."""
    scale = n / m
    reach = max(scale, 1.0)
    centre = (np.arange(start, start + count) + 0.5) * scale
    first = np.floor(centre - reach).astype(np.int64)
    index = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 1)[None, :]
    weight = np.maximum(0.0, 1.0 - np.abs(index + 0.5 - centre[:, None]) / reach)
    weight[(index < 0) | (index >= n)] = 0.0
    # Summed tap by tap: the order of numpy's own sum depends on the shape, and with it the last bit.
    total = np.zeros(count)
    for k in range(index.shape[1]):
        total += weight[:, k]
    return Taps(np.clip(index, 0, n - 1), weight / total[:, None])


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {NAME: resize}
