from __future__ import annotations

import numpy as np
import pytest

from auditor.verify.measures.boxes import Boxes
from auditor.verify.measures.tracks import box_tracks, number_tracks, point_tracks, track

S = 8
STEPS = 2 * S + 1


def boxes(step: int, *scores: float) -> Boxes:
    """Boxes that stand still in the picture, seen after a diagonal step."""
    corners = np.array([[30.0, 30, 50, 60], [60.0, 20, 90, 50]])[: len(scores)] - step
    return Boxes(corners, np.array(scores), np.arange(len(scores)))


def test_the_score_of_a_box_that_depends_on_the_grid_alone_repeats_with_it() -> None:
    path = [boxes(step, 0.8 - 0.02 * (step % S), 0.6 + 0.001 * step**2) for step in range(STEPS)]
    first, second = box_tracks(path, 0.5, S)
    assert first.values == pytest.approx([0.8 - 0.02 * (step % S) for step in range(STEPS)])
    assert (first.period, first.unit) == (S, "probability")
    assert first.periodic == pytest.approx(1)
    assert second.periodic is not None
    assert second.periodic < 0.1
    assert first.name == "box 1, class 0: score"


def test_a_box_that_is_not_found_scores_nothing_and_weak_boxes_are_still_found() -> None:
    path = [boxes(0, 0.9), boxes(1, 0.3), Boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))]
    (found,) = box_tracks(path, 0.5, None)
    assert found.values == (0.9, 0.3, 0.0)
    assert (found.period, found.periodic) == (None, None)


def test_only_boxes_that_reach_the_threshold_are_followed() -> None:
    assert box_tracks([boxes(0, 0.4), boxes(1, 0.9)], 0.5, S) == ()
    assert box_tracks([], 0.5, S) == ()


def test_the_joints_that_move_most_are_followed_and_unseen_ones_are_not() -> None:
    places = np.array([[20.0, 20.0], [40.0, 40.0], [60.0, 60.0], [70.0, 30.0], [80.0, 80.0]])
    points = np.asarray(places[None] - np.arange(STEPS)[:, None, None], np.float64)
    points[:, 1, 0] += np.arange(STEPS) % 4
    points[:, 3, 0] += 5.0 * (np.arange(STEPS) % 2)
    points[:, 4, 0] += 9.0 * (np.arange(STEPS) % 2)
    seen = np.ones((STEPS, 5), bool)
    seen[3, 4] = False
    tracks = point_tracks(points, seen, S)
    assert [found.name for found in tracks][:2] == ["joint 3: place to the right", "joint 1: place to the right"]
    assert len(tracks) == 3
    assert tracks[1].values == pytest.approx(np.arange(STEPS) % 4)
    assert tracks[1].periodic == pytest.approx(1)
    assert tracks[2].periodic is None  # it does not move


def test_each_number_has_a_series_and_a_short_path_has_no_strength() -> None:
    table = np.stack([np.arange(5.0), np.full(5, 2.0)], axis=1)
    first, second = number_tracks(table, ("yaw", "pitch"), S)
    assert (first.name, first.periodic, second.periodic) == ("yaw", None, None)
    assert [list(series.values) for series in (first, second)] == [[0, 1, 2, 3, 4], [2] * 5]
    assert track("x", "px", [0.0, 1.0] * S, 2).periodic == pytest.approx(1)
