from __future__ import annotations

import numpy as np
import pytest

from auditor.verify.measures.regression import consistency, difference, relative_change, spread, value_change
from auditor.verify.shifts.plan import Pairs


def test_the_change_is_in_the_unit_of_the_output() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.zeros((2, 2)))
    values = np.array([[10.0, 1.0], [12.0, 1.0], [9.0, 1.5]])
    assert value_change(values, pairs).tolist() == [[2.0, 0.0], [3.0, 0.5]]


def test_angles_are_compared_the_short_way() -> None:
    assert difference(np.array([179.0, -179.0, 10.0]), np.array([-179.0, 179.0, 30.0]), 360.0).tolist() == [2, -2, 20]
    assert difference(np.array([179.0]), np.array([-179.0])).tolist() == [-358]


def test_the_spread_of_angles_does_not_depend_on_where_zero_lies() -> None:
    angles = np.random.default_rng(0).normal(0, 20, (50, 1))
    around = (angles + 175 + 180) % 360 - 180
    assert spread(around, 360.0) == pytest.approx(angles.std(axis=0, ddof=1), rel=0.01)
    assert spread(around)[0] > 100


def test_at_one_a_shift_moves_an_answer_as_far_as_another_picture_does() -> None:
    between = spread(np.array([[0.0], [10.0], [20.0]]))
    assert between == pytest.approx([10])
    assert relative_change(np.array([[10.0], [5.0]]), between).tolist() == [1.0, 0.5]


def test_an_answer_that_no_picture_changes_has_no_scale() -> None:
    between = spread(np.array([[3.0, 1.0], [3.0, 2.0], [3.0, 3.0]]))
    assert relative_change(np.array([[0.5, 0.5]]), between).tolist() == [0.5]
    assert np.isnan(relative_change(np.array([[0.5]]), np.array([0.0]))).all()


def test_a_pair_is_steady_where_no_number_moves_by_a_tenth_of_its_spread() -> None:
    changes = np.array([[0.9, 0.0], [1.1, 0.0], [0.5, 0.5], [0.0, 0.1]])
    assert consistency(changes, np.array([10.0, 0.0])) == 0.75  # no picture changes the second number
    assert consistency(changes, np.array([10.0, 4.0])) == 0.5
    assert np.isnan(consistency(changes, np.zeros(2)))


def test_the_spread_of_two_images_is_an_accident() -> None:
    assert np.isnan(spread(np.array([[1.0], [2.0]]))).all()
