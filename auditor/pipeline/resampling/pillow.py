"""``Image.resize`` of the Pillow that is installed: the library itself is the kernel.

Since 13.0 Pillow takes the vertical pass first where that is less work, and the 8-bit picture between the passes makes
that another result; ``pil11-*`` is the order of all versions before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from auditor.pipeline.resampling.taps import Array, Integers

_FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")


def drifting_index(n: int, m: int) -> Integers:
    """NEAREST: the position is summed step by step in double precision, and the sum's error decides ties."""
    scale = n / m
    steps = np.full(m, scale)
    steps[0] = scale / 2
    return np.minimum(np.cumsum(steps).astype(np.int64), n - 1)


def resize(image: Array, size: tuple[int, int], name: str, gap: float | None = None) -> Array:
    """``image`` (H, W, C) uint8 or float32 through Pillow's filter ``name``; ``gap`` is its ``reducing_gap``."""
    from PIL import Image

    filter_ = Image.Resampling[name.upper()]
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize(size[::-1], filter_, reducing_gap=gap))
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[..., c])).resize(size[::-1], filter_, reducing_gap=gap))
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=2)


def _kernel(name: str, gap: float | None = None) -> Callable[[Array, tuple[int, int]], Array]:
    return lambda image, size: resize(image, size, name, gap)


def _horizontal_first(name: str, gap: float | None = None) -> Callable[[Array, tuple[int, int]], Array]:
    def kernel(image: Array, size: tuple[int, int]) -> Array:
        if gap is None:
            return resize(resize(image, (image.shape[0], size[1]), name), size, name)
        return _reduced_horizontal_first(image, size, name, gap)

    return kernel


def _reduced_horizontal_first(image: Array, size: tuple[int, int], name: str, gap: float) -> Array:
    from PIL import Image

    filter_ = Image.Resampling[name.upper()]
    height, width = image.shape[:2]
    down = int(height / size[0] / gap) or 1
    across = int(width / size[1] / gap) or 1
    if down == across == 1:
        return resize(resize(image, (height, size[1]), name), size, name)
    planes = []
    for c in range(image.shape[2]):
        small = Image.fromarray(np.ascontiguousarray(image[..., c])).reduce((across, down))
        first = small.resize((size[1], small.height), filter_, box=(0, 0, width / across, small.height))
        planes.append(np.asarray(first.resize(size[::-1], filter_, box=(0, 0, size[1], height / down))))
    return np.stack(planes, axis=2)


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {
    **{f"pil-{name}": _kernel(name) for name in _FILTERS},
    **{f"pil11-{name}": _horizontal_first(name) for name in _FILTERS},
    **{f"pil-{name}-gap{gap}": _kernel(name, float(gap)) for name in _FILTERS[1:] for gap in (2, 3)},
    **{f"pil11-{name}-gap{gap}": _horizontal_first(name, float(gap)) for name in _FILTERS[1:] for gap in (2, 3)},
}
