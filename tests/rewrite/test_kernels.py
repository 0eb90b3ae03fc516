"""Low-pass kernels: the published binomials at stride 2, and kernels that filter at any stride."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from auditor.rewrite.lowpass import kernels
from auditor.rewrite.result import Kernel

NAMED = [(Kernel.RECT2, 2), (Kernel.TRI3, 3), (Kernel.BIN4, 4), (Kernel.BIN5, 5), (Kernel.BIN6, 6), (Kernel.BIN7, 7)]


@pytest.mark.parametrize(("kernel", "size"), NAMED)
def test_at_stride_2_a_kernel_is_the_row_of_pascals_triangle_that_zhang_uses(kernel: Kernel, size: int) -> None:
    assert np.allclose(kernels.taps(kernel, 2), [comb(size - 1, k) / 2 ** (size - 1) for k in range(size)])


@pytest.mark.parametrize("stride", range(2, 17))
@pytest.mark.parametrize(("kernel", "_size"), NAMED)
def test_a_kernel_keeps_constants_and_stops_every_frequency_that_folds_onto_them(
    kernel: Kernel, _size: int, stride: int
) -> None:
    taps = kernels.taps(kernel, stride)
    assert len(taps) == kernels.length(kernel, stride)
    assert np.isclose(taps.sum(), 1)
    folding = 2 * np.pi * np.arange(1, stride) / stride
    response = np.exp(-1j * np.outer(folding, np.arange(len(taps)))) @ taps
    assert np.abs(response).max() < 1e-12


def test_an_axis_without_a_stride_is_not_filtered() -> None:
    assert kernels.low_pass(Kernel.BIN5, (2, 1)).shape == (5, 1)


def test_an_even_kernel_cannot_be_blended() -> None:
    with pytest.raises(ValueError, match="even"):
        kernels.low_pass(Kernel.BIN4, (2,), 0.5)
