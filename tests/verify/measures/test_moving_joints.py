from __future__ import annotations

import math

import numpy as np
import pytest

from auditor.verify.measures.moving_joints import MOST_JOINTS, moving_joints
from auditor.verify.measures.poses import Poses
from auditor.verify.shifts.plan import Window

SIZE = (200, 240)
FACE = np.array([[60.0, 80.0], [100.0, 80.0], [80.0, 120.0]])
ORIGIN = Window(0, 8, 8)


def figure(points: np.ndarray) -> Poses:
    return Poses(points[None], np.ones((1, len(points)), bool))


def moved(*steps: tuple[int, int]) -> list[Window]:
    return [Window(0, ORIGIN.y + dy, ORIGIN.x + dx) for dy, dx in steps]


def test_joints_that_move_with_the_picture_stay_where_they_are_once_the_shift_is_undone() -> None:
    steps = [(3, -5), (0, 1), (-8, 2)]
    inputs = [figure(FACE), *(figure(FACE - [dx, dy]) for dy, dx in steps)]
    found = moving_joints(inputs, [ORIGIN, *moved(*steps)], SIZE, 2.0)
    assert found is not None
    assert found.farthest == pytest.approx((0, 0, 0))
    assert found.extent == pytest.approx(SIZE)
    assert np.array([seen.shift for seen in found.seen]) == pytest.approx(np.array([(0, 0), *steps]))
    for seen in found.seen:
        assert np.array(seen.points) == pytest.approx(FACE[list(found.joints)])


def test_the_joint_that_moves_farthest_stands_first_with_the_shift_at_which_it_does() -> None:
    other = FACE - [1, 0]
    other[1] += [3, 4]
    found = moving_joints([figure(FACE), figure(FACE), figure(other)], [ORIGIN, *moved((0, 0), (0, 1))], SIZE, 2.0)
    assert found is not None
    assert found.joints[0] == 1
    assert found.farthest[0] == pytest.approx(5)
    (away,) = [seen for seen in found.seen if seen.shift == (0.0, 1.0)]
    assert away.points[0] == pytest.approx((103, 84))


def test_joints_at_the_edge_of_a_window_and_unseen_ones_are_left_out() -> None:
    points = np.array([[1.0, 50.0], [100.0, 100.0], [120.0, 100.0]])
    unseen = Poses((points - [1, 0])[None], np.array([[True, True, False]]))
    found = moving_joints([figure(points), unseen], [ORIGIN, *moved((0, 1))], SIZE, 2.0)
    assert found is not None
    assert found.joints == (1,)


def test_of_a_face_of_hundreds_of_points_few_are_kept_at_few_positions() -> None:
    points = np.random.default_rng(0).uniform(40, 160, (468, 2))
    steps = [(0, x) for x in range(1, 60)]
    inputs = [figure(points), *(figure(points - [dx, dy] + 0.01 * dx) for dy, dx in steps)]
    found = moving_joints(inputs, [ORIGIN, *moved(*steps)], SIZE, 2.0)
    assert found is not None
    assert len(found.joints) == MOST_JOINTS
    assert len(found.seen) <= 12
    assert list(found.farthest) == sorted(found.farthest, reverse=True)


def test_nothing_is_shown_of_an_image_without_a_figure_or_with_frames_alone() -> None:
    nobody = Poses(np.zeros((0, 3, 2)), np.zeros((0, 3), bool))
    assert moving_joints([nobody, figure(FACE)], [ORIGIN, *moved((0, 1))], SIZE, 2.0) is None
    assert moving_joints([figure(FACE), figure(FACE)], [ORIGIN, Window(1, 8, 9)], SIZE, 2.0) is None


def test_a_joint_that_is_lost_in_a_window_has_no_place_there() -> None:
    lost = Poses((FACE - [1, 0])[None], np.array([[False, True, True]]))
    there = figure(FACE - [2, 0])
    found = moving_joints([figure(FACE), lost, there], [ORIGIN, *moved((0, 1), (0, 2))], SIZE, 2.0)
    assert found is not None
    (seen,) = [one for one in found.seen if one.shift == (0.0, 1.0)]
    assert math.isnan(seen.points[found.joints.index(0)][0])
