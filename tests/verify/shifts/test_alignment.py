from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.shifts.alignment import Grid, aligned, common_pixels

ONE_TO_ONE = (1.0, 1.0), (0.0, 0.0)


@settings(max_examples=60, deadline=None)
@given(dy=st.integers(-7, 7), dx=st.integers(-8, 8), circular=st.booleans(), seed=st.integers(0, 99))
def test_the_overlap_shows_the_same_pixels(dy: int, dx: int, circular: bool, seed: int) -> None:
    scene = np.random.default_rng(seed).normal(size=(3, 24, 27))
    if circular:
        reference, moved = scene, np.roll(scene, (-dy, -dx), axis=(1, 2))
    else:
        reference, moved = scene[:, 8:16, 9:18], scene[:, 8 + dy : 16 + dy, 9 + dx : 18 + dx]
    size = reference.shape[1:]
    left, right = aligned(reference, moved, (dy, dx), Grid(*ONE_TO_ONE, (size[0], size[1]), circular))
    np.testing.assert_array_equal(left, right)
    assert left.shape == ((3, 24, 27) if circular else (3, 8 - abs(dy), 9 - abs(dx)))


def test_nothing_to_compare_is_refused() -> None:
    nothing = np.zeros((4, 4))
    with pytest.raises(ValueError, match="nothing"):
        aligned(nothing, nothing, (4, 0), Grid(*ONE_TO_ONE, (4, 4)))
    with pytest.raises(ValueError, match="map pixels"):
        aligned(nothing, nothing, (0.5, 0), Grid(*ONE_TO_ONE, (4, 4)))
    with pytest.raises(ValueError, match="border of 2"):
        aligned(nothing, nothing, (0, 0), Grid(*ONE_TO_ONE, (4, 4)), border=2)
    with pytest.raises(ValueError, match="nothing"):
        aligned(np.zeros((1, 4)), np.zeros((1, 4)), (0, 0), Grid((4.0, 1.0), (1.5, 0.0), (4, 4)))
    with pytest.raises(ValueError, match="positive"):
        Grid((0.0, 1.0), (0.0, 0.0), (4, 4))


@settings(max_examples=60, deadline=None)
@given(
    stride=st.sampled_from([1, 2, 3, 4, 8]),
    offset=st.sampled_from([-1.0, 0.0, 0.5, 1.5, 3.0]),
    count=st.integers(2, 9),
    step=st.integers(1, 3),
)
def test_a_linear_ramp_is_upsampled_to_the_input_coordinate_itself(
    stride: int, offset: float, count: int, step: int
) -> None:
    centres = stride * np.arange(count) + offset
    size = int(centres[-1]) + 3
    grid = Grid((stride, 1.0), (offset, 0.0), (size, 2))
    ramp = np.repeat(centres[:, None], 2, axis=1)
    pixels = common_pixels(count, 0, 0, grid)
    left, right = aligned(ramp, ramp, (0, 0), grid, step=(step, 1))
    np.testing.assert_allclose(left, np.repeat(pixels[::step, None], 2, axis=1), atol=1e-9)
    np.testing.assert_array_equal(left, right)
    assert pixels[0] == max(0, np.ceil(offset))
    assert pixels[-1] == min(size - 1, np.floor(centres[-1]))


def test_a_circular_tensor_is_upsampled_across_its_seam() -> None:
    grid = Grid((2.0, 1.0), (0.0, 0.0), (6, 1), circular=True)
    tensor = np.array([[0.0], [4.0], [8.0]])
    left, right = aligned(tensor, tensor, (1, 0), grid)
    np.testing.assert_allclose(left[:, 0], [0, 2, 4, 6, 8, 4])
    np.testing.assert_allclose(right[:, 0], [4, 0, 2, 4, 6, 8])
    with pytest.raises(ValueError, match="span"):
        aligned(np.zeros((4, 1)), np.zeros((4, 1)), (0, 0), grid)


def test_a_border_leaves_out_the_outermost_pixels() -> None:
    rows = np.arange(10.0)[:, None] * np.ones(9)
    left, _ = aligned(rows, rows, (2, 0), Grid(*ONE_TO_ONE, (10, 9)), border=1)
    np.testing.assert_array_equal(left[:, 0], np.arange(3, 9))
    assert left.shape == (6, 7)


@pytest.mark.parametrize("circular", [True, False])
def test_a_shift_by_a_multiple_of_the_stride_is_exactly_equivariant(circular: bool) -> None:
    scene = np.random.default_rng(0).normal(size=(2, 24, 24))
    grid = Grid((3.0, 4.0), (0.0, 0.0), (12, 12) if not circular else (24, 24), circular)

    def features(y: int, x: int) -> np.ndarray:
        part = np.roll(scene, (-y, -x), axis=(1, 2)) if circular else scene[:, y : y + 12, x : x + 12]
        return part[:, ::3, ::4]

    left, right = aligned(features(0, 0), features(6, 4), (6, 4), grid)
    np.testing.assert_allclose(left, right, atol=1e-12)
    left, right = aligned(features(0, 0), features(1, 0), (1, 0), grid)
    assert np.abs(left - right).max() > 0.1
