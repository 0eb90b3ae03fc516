"""Which resize kernels filter before they sample: measured, not read from a formula.

Impulses go through the kernel, and the power of its rows is averaged over the phases that the outputs have.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from auditor.pipeline.resizing import resize

FloatArray = npt.NDArray[np.float64]

# A fourfold shrink tells the two families apart: the share of white noise that folds along an axis is 0.75 without any
# filter, 0.52 for two taps of linear interpolation, 0.22 for the mean over the area.
_PROBE = (256, 64)
_LOW_PASS = 0.4
_BINS = 1 << 13


@lru_cache(maxsize=256)
def low_pass(kernel: str) -> bool:
    """Whether a kernel filters before it samples when it shrinks a picture.

    >>> low_pass("cv2-area"), low_pass("cv2-linear"), low_pass("torch-bilinear-aa")
    (True, False, True)
    """
    count, small = _PROBE
    power = power_response(kernel, count, small)
    return float(power[frequencies() > small / count / 2].sum() / power.sum()) < _LOW_PASS


def frequencies() -> FloatArray:
    """Those of :func:`power_response`, in cycles per sample."""
    return np.arange(_BINS // 2 + 1) / _BINS


@lru_cache(maxsize=256)
def power_response(kernel: str, count: int, small: int) -> FloatArray:
    """The mean power response of the rows of a resize from ``count`` to ``small`` samples, away from the borders."""
    impulses = np.eye(count, dtype=np.float32)[:, None, :]
    rows = np.asarray(resize(impulses, (small, 1), kernel), np.float64)[:, 0, :]
    border = small // 4
    power: FloatArray = (np.abs(np.fft.rfft(rows[border : small - border], _BINS, axis=1)) ** 2).mean(axis=0)
    return power
