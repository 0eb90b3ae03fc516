"""``fn.resize`` of NVIDIA DALI 2.4 on a CPU.

Its antialiasing is on by default; what lies outside of the picture is folded onto its edge. uint8 is met within one
step, float32 cubic to 2e-3 of the range, since DALI tabulates that kernel. Its nearest neighbour is not here: how it
decides ties is not known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from auditor.pipeline.resampling.taps import (
    Array,
    Taps,
    around,
    folded,
    keys_half,
    linear,
    separable,
    to_uint8,
    triangle,
)


def _kernel(taps: Callable[[int, int], Taps]) -> Callable[[Array, tuple[int, int]], Array]:
    def kernel(image: Array, size: tuple[int, int]) -> Array:
        total = separable(image, taps(image.shape[0], size[0]), taps(image.shape[1], size[1]))
        return to_uint8(total) if image.dtype == np.uint8 else total

    return kernel


KERNELS: dict[str, Callable[[Array, tuple[int, int]], Array]] = {
    "dali-linear": _kernel(lambda n, m: folded(n, m, 1, triangle)),
    "dali-linear-noaa": _kernel(lambda n, m: around((np.arange(m) + 0.5) * (n / m) - 0.5, 2, n, linear)),
    "dali-cubic": _kernel(lambda n, m: folded(n, m, 2, keys_half)),
}
