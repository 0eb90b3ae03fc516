"""A picture moves by whole pixels of its own before it is resized, and no pixel of it is invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline import resize, shifted
from auditor.pipeline.native import window

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)


@given(dy=st.integers(-7, 7), dx=st.integers(-7, 7))
@settings(max_examples=40, deadline=None)
def test_the_moved_camera_sees_at_p_what_the_camera_at_rest_sees_at_p_plus_the_shift(dy: int, dx: int) -> None:
    rest, moved = shifted(PICTURE, (0, 0), 7), shifted(PICTURE, (dy, dx), 7)
    assert rest.shape == moved.shape == (46, 76, 3)
    for y, x in ((10, 20), (30, 50)):
        assert (moved[y, x] == rest[y + dy, x + dx]).all()


def test_a_shift_of_the_native_picture_by_the_factor_is_a_shift_of_the_resized_one_by_a_pixel() -> None:
    factor = 4
    rest, moved = (
        resize(shifted(PICTURE, (0, dx), 5)[: 10 * factor, : 20 * factor], (10, 20), "cv2-nearest")
        for dx in (0, factor)
    )
    assert (moved[:, :-1] == rest[:, 1:]).all()


def test_a_shift_by_less_than_the_factor_is_none_of_the_resized_picture() -> None:
    rest, moved = (resize(shifted(PICTURE, (0, dx), 5)[:40, :80], (10, 20), "cv2-nearest") for dx in (0, 1))
    assert all((moved[:, 2 + k : 18 + k] != rest[:, 2:18]).any() for k in (-2, -1, 0, 1, 2))


@pytest.mark.parametrize(("shift", "radius"), [((0, 4), 3), ((-4, 0), 3), ((0, 0), -1)])
def test_a_shift_beyond_the_radius_is_refused(shift: tuple[int, int], radius: int) -> None:
    with pytest.raises(ValueError, match="larger than the radius"):
        shifted(PICTURE, shift, radius)


def test_a_picture_that_is_all_border_is_refused_and_one_pixel_more_is_not() -> None:
    with pytest.raises(ValueError, match="no room for shifts"):
        shifted(PICTURE, (0, 0), 30)
    assert shifted(PICTURE, (29, -29), 29).shape == (2, 32, 3)


def test_every_corner_within_the_room_gives_a_part_of_one_size_and_the_others_are_refused() -> None:
    assert {window(PICTURE, (y, x), (3, 2)).shape for y in range(4) for x in range(3)} == {(57, 88, 3)}
    for corner in ((4, 0), (0, 3), (-1, 0)):
        with pytest.raises(ValueError, match="not within the room"):
            window(PICTURE, corner, (3, 2))
