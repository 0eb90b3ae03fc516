"""The activations just before a site's subsampling, which no graph holds: the operator at stride 1.

A strided convolution or pool filters and subsamples in one step. From the site's input these functions compute what the
filter gives at every position ("valid" positions only, so that padding adds no edges). Subsampling the result by the
stride gives the operator's own output, up to the padding.

Axes: features (N, C, *spatial), kernels (C_out, C_in / groups, *kernel).
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray


def convolve(
    features: AnyArray, kernel: AnyArray, dilation: tuple[int, ...] | None = None, groups: int = 1
) -> FloatArray:
    """ONNX Conv at stride 1 without padding and bias: (N, C_out, *valid). Sums over kernel taps, no im2col copies.

    Raises ValueError where the kernel does not fit the features.
    """
    axes = features.ndim - 2
    steps = dilation if dilation is not None else (1,) * axes
    if kernel.ndim != features.ndim or kernel.shape[1] * groups != features.shape[1] or kernel.shape[0] % groups:
        raise ValueError(f"a kernel {kernel.shape} with {groups} groups does not fit features {features.shape}")
    valid = _valid(features.shape[2:], kernel.shape[2:], steps)
    count = features.shape[0]
    out = kernel.shape[0] // groups
    split = np.asarray(features, dtype=np.float64).reshape(count, groups, -1, *features.shape[2:])
    weights = np.asarray(kernel, dtype=np.float64).reshape(groups, out, kernel.shape[1], -1)
    total = np.zeros((count, groups, out, math.prod(valid)))
    for at, tap in enumerate(product(*(range(size) for size in kernel.shape[2:]))):
        window = _window(split, tap, steps, valid).reshape(count, groups, split.shape[2], -1)
        total += weights[:, :, :, at] @ window
    return total.reshape(count, kernel.shape[0], *valid)


def max_pool(features: AnyArray, kernel: tuple[int, ...], dilation: tuple[int, ...] | None = None) -> FloatArray:
    """ONNX MaxPool at stride 1 without padding: (N, C, *valid)."""
    steps = dilation if dilation is not None else (1,) * len(kernel)
    valid = _valid(features.shape[2:], kernel, steps)
    values = np.asarray(features, dtype=np.float64)
    best = np.full((*features.shape[:2], *valid), -np.inf)
    for tap in product(*(range(size) for size in kernel)):
        np.maximum(best, _window(values, tap, steps, valid), out=best)
    return best


def average_pool(features: AnyArray, kernel: tuple[int, ...], dilation: tuple[int, ...] | None = None) -> FloatArray:
    """ONNX AveragePool at stride 1 without padding: (N, C, *valid)."""
    steps = dilation if dilation is not None else (1,) * len(kernel)
    valid = _valid(features.shape[2:], kernel, steps)
    values = np.asarray(features, dtype=np.float64)
    total = np.zeros((*features.shape[:2], *valid))
    for tap in product(*(range(size) for size in kernel)):
        total += _window(values, tap, steps, valid)
    return total / math.prod(kernel)


def _valid(size: tuple[int, ...], kernel: tuple[int, ...], steps: tuple[int, ...]) -> tuple[int, ...]:
    if len(size) != len(kernel) or len(steps) != len(kernel):
        raise ValueError(f"a kernel {kernel} does not fit a grid of {size}")
    valid = tuple(length - (taps - 1) * step for length, taps, step in zip(size, kernel, steps, strict=True))
    if min(valid, default=0) < 1:
        raise ValueError(f"a kernel {kernel} with dilation {steps} is larger than the grid {size}")
    return valid


def _window(values: FloatArray, tap: tuple[int, ...], steps: tuple[int, ...], valid: tuple[int, ...]) -> FloatArray:
    """What the kernel tap reads for all valid positions."""
    lead = (slice(None),) * (values.ndim - len(tap))
    grid = tuple(slice(at * step, at * step + size) for at, step, size in zip(tap, steps, valid, strict=True))
    return values[lead + grid]
