"""What kernels let through, against numbers that stand elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.resizing.response import expected_alias
from auditor.sampling.spectrum.alias import Autocorrelation
from auditor.sampling.spectrum.expected import PICTURE, power_law_share


@pytest.mark.parametrize(("kernel", "taps"), [("cv2-nearest", [1.0]), ("cv2-area", [0.5, 0.5])])
@pytest.mark.parametrize("side", [224, 640])
def test_the_expected_alias_of_a_resize_is_that_of_the_same_filter_in_a_network(
    kernel: str, taps: list[float], side: int
) -> None:
    along = np.correlate(taps, taps, "full")
    oracle = power_law_share(Autocorrelation(np.outer(along, along)), [2.0, 2.0], side, PICTURE)
    assert oracle is not None
    assert expected_alias(kernel, (2.0, 2.0), side) == pytest.approx(oracle, rel=0.03)


def test_a_triangle_over_four_pixels_folds_what_that_filter_folds() -> None:
    taps = np.array([1.0, 3.0, 3.0, 1.0]) / 8
    along = np.correlate(taps, taps, "full")
    oracle = power_law_share(Autocorrelation(np.outer(along, along)), [2.0, 2.0], 512, PICTURE)
    assert oracle is not None
    assert expected_alias("torch-bilinear-aa", (2.0, 2.0), 512) == pytest.approx(oracle, rel=0.05)


def test_linear_interpolation_averages_at_a_factor_of_two_and_only_there() -> None:
    two, three = (expected_alias("cv2-linear", (factor, factor), 600) for factor in (2.0, 3.0))
    assert two == pytest.approx(expected_alias("cv2-area", (2.0, 2.0), 600), rel=1e-6)
    assert three == pytest.approx(expected_alias("cv2-nearest", (3.0, 3.0), 600), rel=1e-6)  # every third pixel


def test_the_more_a_picture_is_shrunk_the_more_folds_without_a_low_pass() -> None:
    unfiltered = [expected_alias("cv2-nearest", (factor, factor), 2000) for factor in (2.0, 4.0, 8.0, 16.0)]
    filtered = [expected_alias("cv2-area", (factor, factor), 2000) for factor in (2.0, 4.0, 8.0, 16.0)]
    assert unfiltered == sorted(unfiltered)
    assert all(low < high / 4 for low, high in zip(filtered, unfiltered, strict=True))
