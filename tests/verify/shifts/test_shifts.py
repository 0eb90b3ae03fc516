from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.shifts.plan import (
    Pairs,
    Range,
    ShiftPlan,
    ShiftSettings,
    Window,
    plan_frames,
    plan_shifts,
    random_offsets,
)

CROP = Range(32, 32)
ROLL = Range(224, 224, circular=True)


def all_pairs(plan: ShiftPlan) -> list[Pairs]:
    return [plan.pairs, plan.neighbours, plan.distances, plan.exhaustive]


def corner(plan: ShiftPlan, index: int) -> tuple[int, int]:
    return plan.windows[index].y, plan.windows[index].x


@settings(max_examples=60, deadline=None)
@given(
    circular=st.booleans(),
    image=st.integers(0, 10**6),
    seed=st.integers(0, 2**32),
    pairs=st.integers(0, 6),
    exhaustive=st.integers(0, 3),
    path=st.integers(0, 32),
)
def test_every_shift_is_the_difference_of_two_windows_that_lie_on_the_canvas(
    circular: bool, image: int, seed: int, pairs: int, exhaustive: int, path: int
) -> None:
    positions = ROLL if circular else CROP
    plan = plan_shifts(
        image, positions, ShiftSettings(pairs=pairs, exhaustive=exhaustive, path=path, seed=seed, distances=(1, 7, 31))
    )
    for kind in all_pairs(plan):
        for reference, moved, shift in zip(kind.reference, kind.moved, kind.shift, strict=True):
            start, end = corner(plan, reference), corner(plan, moved)
            assert positions.normal(start[0] + int(shift[0]), start[1] + int(shift[1])) == end
            assert positions.holds(*start)
            assert positions.holds(*end)
    assert {window.image for window in plan.windows} == {image}


def test_no_window_is_run_twice_and_the_saving_is_counted() -> None:
    plan = plan_shifts(3, CROP, ShiftSettings(exhaustive=4, path=8))
    assert len(set(plan.windows)) == len(plan.windows)
    compared = sum(2 * len(kind) for kind in all_pairs(plan)) + len(plan.path)
    assert plan.requested == compared + 1
    # 81 inputs answer the exhaustive square; a loop over pairs would run 160
    assert len(plan.windows) < plan.requested


def test_the_unshifted_input_comes_first_and_is_the_centre_window() -> None:
    assert plan_shifts(0, CROP, ShiftSettings()).windows[0] == Window(0, 16, 16)
    assert plan_shifts(0, ROLL, ShiftSettings()).windows[0] == Window(0, 0, 0)


def test_shifts_depend_on_seed_and_image_and_on_nothing_else() -> None:
    first = [plan_shifts(i, CROP, ShiftSettings(seed=5)) for i in range(4)]
    again = [plan_shifts(i, CROP, ShiftSettings(seed=5)) for i in reversed(range(4))][::-1]
    assert [plan.windows for plan in first] == [plan.windows for plan in again]
    offsets = {tuple(map(tuple, plan.pairs.shift)) for plan in first}
    assert len(offsets) == 4, "every image has its own draws"
    assert plan_shifts(0, CROP, ShiftSettings(seed=6)).windows != first[0].windows


def test_asking_for_another_measure_leaves_the_random_pairs_as_they_are() -> None:
    plain = plan_shifts(1, CROP, ShiftSettings())
    more = plan_shifts(1, CROP, ShiftSettings(exhaustive=3, path=10, neighbours=9, distances=(3,)))
    np.testing.assert_array_equal(plain.pairs.shift, more.pairs.shift)


def test_zhang_offsets_are_uniform_over_0_to_31_on_each_axis() -> None:
    offsets = np.array([random_offsets(image, 4, CROP, ShiftSettings()) for image in range(4000)]).reshape(-1, 2)
    assert offsets.min() == 0
    assert offsets.max() == 31
    counts = np.apply_along_axis(np.bincount, 0, offsets, minlength=32)
    # chi-square of 31 degrees of freedom: 61.1 is its 99.9 % point
    assert ((counts - 500) ** 2 / 500).sum(axis=0).max() < 61.1
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.03


def test_circular_offsets_run_from_minus_radius_to_radius_minus_one() -> None:
    offsets = np.array([random_offsets(image, 8, ROLL, ShiftSettings(radius=3)) for image in range(200)])
    assert sorted(np.unique(offsets).tolist()) == [-3, -2, -1, 0, 1, 2]


def test_neighbours_are_one_pixel_apart_and_distances_are_exact() -> None:
    plan = plan_shifts(9, CROP, ShiftSettings(neighbours=50, distances=(1, 5, 31), per_distance=20))
    np.testing.assert_array_equal(plan.neighbours.distance, 1)
    np.testing.assert_array_equal(plan.distances.distance, np.repeat([1, 5, 31], 20))
    assert (np.abs(plan.distances.shift).min(axis=1) < plan.distances.distance).any(), "not only diagonals"


def test_the_exhaustive_square_holds_every_shift_of_the_radius_once() -> None:
    plan = plan_shifts(0, CROP, ShiftSettings(exhaustive=2))
    shifts = {(int(dy), int(dx)) for dy, dx in plan.exhaustive.shift}
    assert shifts == {(y, x) for y in range(-2, 3) for x in range(-2, 3)} - {(0, 0)}
    assert len(plan.exhaustive) == 24
    np.testing.assert_array_equal(plan.exhaustive.reference, 0)


def test_the_path_walks_the_diagonal_in_steps_of_one_pixel() -> None:
    plan = plan_shifts(0, CROP, ShiftSettings(path=32))
    corners = np.array([corner(plan, index) for index in plan.path])
    np.testing.assert_array_equal(corners, np.stack([np.arange(33)] * 2, axis=1))


def test_a_roll_by_a_whole_period_is_the_unshifted_input() -> None:
    assert ROLL.normal(224, -224) == (0, 0)
    plan = plan_shifts(0, Range(4, 4, circular=True), ShiftSettings(exhaustive=4, distances=(), pairs=0))
    assert len(plan.windows) == 16, "81 shifts of a 4 x 4 torus are 16 different inputs"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (ShiftSettings(radius=10), "radius"),
        (ShiftSettings(radius=1, distances=(9,)), "distance"),
        (ShiftSettings(radius=1, distances=(), path=9), "path"),
        (ShiftSettings(radius=1, distances=(), exhaustive=5), "exhaustive"),
    ],
)
def test_a_canvas_that_is_too_small_is_refused_with_the_reason(change: ShiftSettings, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        plan_shifts(0, Range(8, 8), change)


def test_meaningless_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        ShiftSettings(pairs=-1)
    with pytest.raises(ValueError, match="positions"):
        Range(-1, 3)


def test_a_sequence_compares_each_frame_with_the_next() -> None:
    plan = plan_frames([7, 8, 9])
    assert [window.image for window in plan.windows] == [7, 8, 9]
    assert plan.pairs.reference.tolist() == [0, 1]
    assert plan.pairs.moved.tolist() == [1, 2]
    assert plan.path.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="frame"):
        plan_frames([])
