from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.alignment import Grid, aligned, overlap, pixel_grid, upsample


@settings(max_examples=60, deadline=None)
@given(dy=st.integers(-7, 7), dx=st.integers(-8, 8), circular=st.booleans(), seed=st.integers(0, 99))
def test_the_overlap_shows_the_same_pixels(dy: int, dx: int, circular: bool, seed: int) -> None:
    scene = np.random.default_rng(seed).normal(size=(3, 24, 27))
    if circular:
        reference, moved = scene, np.roll(scene, (-dy, -dx), axis=(1, 2))
    else:
        reference, moved = scene[:, 8:16, 9:18], scene[:, 8 + dy : 16 + dy, 9 + dx : 18 + dx]
    left, right = overlap(reference, moved, (dy, dx), circular)
    np.testing.assert_array_equal(left, right)
    size = (24, 27) if circular else (8 - abs(dy), 9 - abs(dx))
    assert left.shape == (3, *size)


def test_a_shift_beyond_the_window_has_no_overlap() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        overlap(np.zeros((4, 4)), np.zeros((4, 4)), (4, 0))
    with pytest.raises(ValueError, match="map pixels"):
        aligned(np.zeros((4, 4)), np.zeros((4, 4)), (0.5, 0), pixel_grid((4, 4)))
    with pytest.raises(ValueError, match="border"):
        aligned(np.zeros((4, 4)), np.zeros((4, 4)), (0, 0), pixel_grid((4, 4)), border=2)


@settings(max_examples=60, deadline=None)
@given(
    stride=st.sampled_from([1, 2, 3, 4, 8]),
    offset=st.sampled_from([-1.0, 0.0, 0.5, 1.5, 3.0]),
    count=st.integers(2, 9),
)
def test_a_linear_ramp_is_upsampled_to_the_input_coordinate_itself(stride: int, offset: float, count: int) -> None:
    centres = stride * np.arange(count) + offset
    size = int(centres[-1]) + 3
    grid = Grid((stride, 1.0), (offset, 0.0), (size, 2))
    done = upsample(np.repeat(centres[:, None], 2, axis=1), grid)
    rows = done.start[0] + np.arange(done.values.shape[0])
    np.testing.assert_allclose(done.values, np.repeat(rows[:, None], 2, axis=1), atol=1e-9)
    assert rows[0] == max(0, np.ceil(offset))
    assert rows[-1] == min(size - 1, np.floor(centres[-1]))


def test_a_circular_tensor_is_upsampled_across_its_seam() -> None:
    grid = Grid((2.0, 1.0), (0.0, 0.0), (6, 1), circular=True)
    done = upsample(np.array([[0.0], [4.0], [8.0]]), grid)
    np.testing.assert_allclose(done.values[:, 0], [0, 2, 4, 6, 8, 4])
    with pytest.raises(ValueError, match="span"):
        upsample(np.zeros((4, 1)), grid)


def test_a_shift_by_the_stride_of_a_circular_subsampling_is_exactly_equivariant() -> None:
    scene = np.random.default_rng(0).normal(size=(2, 12, 12))
    grid = Grid((3.0, 4.0), (0.0, 0.0), (12, 12), circular=True)

    def features(y: int, x: int) -> np.ndarray:
        return np.roll(scene, (-y, -x), axis=(1, 2))[:, ::3, ::4]

    left, right = aligned(features(0, 0), features(6, 4), (6, 4), grid)
    np.testing.assert_allclose(left, right, atol=1e-12)
    left, right = aligned(features(0, 0), features(1, 0), (1, 0), grid)
    assert np.abs(left - right).max() > 0.1


def test_a_grid_without_a_place_in_the_input_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Grid((0.0, 1.0), (0.0, 0.0), (4, 4))
    with pytest.raises(ValueError, match="between"):
        upsample(np.zeros((1, 4)), Grid((4.0, 1.0), (1.5, 0.0), (4, 4)))
