from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.layers.presampling import average_pool, convolve, max_pool


@settings(max_examples=30, deadline=None)
@given(groups=st.sampled_from([1, 2, 4]), dilation=st.integers(1, 2), height=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_convolution_at_stride_one_is_scipys_correlation(groups: int, dilation: int, height: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    features, kernel = draw.normal(size=(2, 4, 9, 10)), draw.normal(size=(8, 4 // groups, height, 3))
    spaced = np.zeros((8, 4 // groups, (height - 1) * dilation + 1, 2 * dilation + 1))
    spaced[:, :, ::dilation, ::dilation] = kernel
    got = convolve(features, kernel, (dilation, dilation), groups)
    inputs, outputs = 4 // groups, 8 // groups
    for image in range(2):
        for out in range(8):
            group = out // outputs
            expected = sum(
                scipy.signal.correlate(features[image, group * inputs + i], spaced[out, i], mode="valid")
                for i in range(inputs)
            )
            np.testing.assert_allclose(got[image, out], expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 2, 11), (2, 3, 8, 9), (1, 1, 5, 6, 7)])
def test_pools_at_stride_one_are_scipys_filters(shape: tuple[int, ...]) -> None:
    features = np.random.default_rng(0).normal(size=shape)
    axes = len(shape) - 2
    kernel = (3,) * axes
    inner = (slice(None), slice(None), *(slice(1, -1) for _ in range(axes)))
    size = (1, 1, *kernel)
    np.testing.assert_allclose(max_pool(features, kernel), scipy.ndimage.maximum_filter(features, size)[inner])
    np.testing.assert_allclose(
        average_pool(features, kernel), scipy.ndimage.uniform_filter(features, size)[inner], atol=1e-12
    )


def test_dilated_pools_look_at_every_second_position() -> None:
    features = np.arange(7.0)[None, None]
    np.testing.assert_array_equal(max_pool(features, (3,), (2,))[0, 0], [4, 5, 6])
    np.testing.assert_array_equal(average_pool(features, (3,), (2,))[0, 0], [2, 3, 4])


def test_a_kernel_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="fit"):
        convolve(np.zeros((1, 3, 8, 8)), np.zeros((4, 2, 3, 3)))
    with pytest.raises(ValueError, match="larger"):
        max_pool(np.zeros((1, 3, 2, 8)), (3, 3))
    with pytest.raises(ValueError, match="fit"):
        average_pool(np.zeros((1, 3, 8, 8)), (3,))
