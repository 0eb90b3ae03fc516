"""Resizes of OpenVINO 2026.4's PrePostProcessor on float32 tensors, on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from auditor.pipeline.resampling.taps import (
    Array,
    Integers,
    around,
    by_axis,
    cubic,
    keys_half,
    linear,
    pick,
    triangle,
    windowed,
)


def _nearest(image: Array, size: tuple[int, int]) -> Array:
    """Half-pixel centres; the lower one of two samples that are equally near."""

    def index(n: int, m: int) -> Integers:
        position = (np.arange(m) + 0.5) * (n / m) - 0.5
        result: Array = np.clip(np.ceil(position - 0.5).astype(np.int64), 0, n - 1)
        return result

    return pick(image, index(image.shape[0], size[0]), index(image.shape[1], size[1]))


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {
    "ov-nearest": _nearest,
    "ov-linear": by_axis(lambda n, m: around(np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0, n - 1), 2, n, linear)),
    "ov-cubic": by_axis(lambda n, m: around((np.arange(m) + 0.5) * (n / m) - 0.5, 4, n, cubic(-0.75))),
    "ov-bilinear-pillow": by_axis(lambda n, m: windowed(n, m, 1, triangle)),
    "ov-bicubic-pillow": by_axis(lambda n, m: windowed(n, m, 2, keys_half)),
}
