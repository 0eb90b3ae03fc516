from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from auditor.pipeline.decoding.boxes import iou
from auditor.verify.measures.box_pairs import pair_stability
from auditor.verify.measures.boxes import Boxes, match
from auditor.verify.shifts.plan import Pairs

WINDOW = (100, 120)


def boxes(*rows: tuple[float, ...]) -> Boxes:
    """Rows of x1, y1, x2, y2, score, class."""
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return Boxes(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def one_pair(dy: float, dx: float) -> Pairs:
    return Pairs(np.array([0]), np.array([1]), np.array([[dy, dx]]))


def shown(scene: Boxes, dy: float, dx: float) -> Boxes:
    """The scene in a window moved by (dy, dx)."""
    return Boxes(scene.corners - [dx, dy, dx, dy], scene.scores, scene.labels)


SCENE = boxes((20, 20, 40, 50, 0.9, 1), (60, 30, 90, 60, 0.8, 2), (22, 60, 50, 85, 0.7, 1))


@settings(max_examples=40, deadline=None)
@given(dy=st.integers(-8, 8), dx=st.integers(-8, 8))
def test_a_detector_that_moves_with_the_image_is_steady(dy: int, dx: int) -> None:
    stability = pair_stability([SCENE, shown(SCENE, dy, dx)], one_pair(dy, dx), WINDOW)
    for values in (stability.centre, stability.size, stability.score, stability.flicker):
        assert values[0] == pytest.approx(0, abs=1e-9)


def test_jitter_size_and_score_are_what_was_changed() -> None:
    moved = shown(SCENE, 3, 5)
    corners = moved.corners.copy()
    corners[0] += [3, 4, 3, 4]  # 5 px away
    corners[1] += [-3, 0, 3, 0]  # 20 % wider about its centre
    scores = moved.scores - [0.0, 0.0, 0.3]
    stability = pair_stability([SCENE, Boxes(corners, scores, moved.labels)], one_pair(3, 5), WINDOW)
    assert stability.centre[0] == pytest.approx(5 / 3)
    assert stability.size[0] == pytest.approx((6 / 33) / 6)
    assert stability.score[0] == pytest.approx(0.1)
    assert stability.flicker[0] == 0


def test_boxes_that_come_and_go_flicker() -> None:
    moved = shown(SCENE, 0, 1)
    fewer = Boxes(moved.corners[:2], moved.scores[:2], moved.labels[:2])
    assert pair_stability([SCENE, fewer], one_pair(0, 1), WINDOW).flicker[0] == pytest.approx(1 / 3)
    assert pair_stability([fewer, SCENE], one_pair(0, -1), WINDOW).flicker[0] == pytest.approx(1 / 3)
    other_class = Boxes(moved.corners, moved.scores, np.array([1, 3, 1]))
    assert pair_stability([SCENE, other_class], one_pair(0, 1), WINDOW).flicker[0] == pytest.approx(2 / 4)


def test_boxes_cut_by_the_border_do_not_count() -> None:
    scene = boxes((20, 20, 40, 50, 0.9, 1), (0, 30, 30, 60, 0.8, 2), (100, 10, 120, 40, 0.8, 2))
    moved = shown(scene, 0, 10)
    moved = Boxes(np.clip(moved.corners, 0, [120, 100, 120, 100]), moved.scores, moved.labels)
    kept = Boxes(moved.corners[:1], moved.scores[:1], moved.labels[:1])
    for other in (moved, kept):
        stability = pair_stability([scene, other], one_pair(0, 10), WINDOW)
        assert stability.flicker[0] == 0
        assert stability.centre[0] == pytest.approx(0)


@pytest.mark.parametrize(("dy", "dx"), [(0, 30), (50, 0), (70, 90), (0, 0)])
def test_a_circular_shift_brings_boxes_back_across_the_seam(dy: int, dx: int) -> None:
    rolled = shown(SCENE, dy, dx).corners
    centre = (rolled[:, :2] + rolled[:, 2:]) / 2
    wrapped = rolled - np.tile(np.floor(centre / [120, 100]) * [120, 100], 2)
    stability = pair_stability(
        [SCENE, Boxes(wrapped, SCENE.scores, SCENE.labels)], one_pair(dy, dx), WINDOW, circular=True
    )
    assert stability.centre[0] == pytest.approx(0, abs=1e-9)
    assert stability.flicker[0] == 0


def test_a_box_across_the_seam_does_not_count() -> None:
    # content at x = 20..40 lies across the seam of an input that is rolled by 30
    cut = shown(boxes((60, 30, 90, 60, 0.8, 2), (22, 60, 50, 85, 0.7, 1)), 0, 30)
    halves = boxes((0, 20, 10, 50, 0.9, 1), (110, 20, 120, 50, 0.9, 1))
    corners = np.concatenate([cut.corners[:1], halves.corners])
    moved = Boxes(corners, np.full(3, 0.8), np.array([2, 1, 1]))
    reference = boxes((20, 20, 40, 50, 0.9, 1), (60, 30, 90, 60, 0.8, 2))
    assert pair_stability([reference, moved], one_pair(0, 30), WINDOW, circular=True).flicker[0] == 0


def test_without_any_box_there_is_nothing_to_measure() -> None:
    stability = pair_stability([boxes(), boxes()], one_pair(1, 1), WINDOW)
    assert np.isnan([stability.centre[0], stability.size[0], stability.score[0], stability.flicker[0]]).all()
    assert pair_stability([boxes(), SCENE], one_pair(0, 0), WINDOW).flicker[0] == 1.0


def test_intersection_over_union_agrees_with_counting_pixels() -> None:
    draw = np.random.default_rng(0)
    low = draw.integers(0, 12, (6, 2))
    table = np.concatenate([low, low + draw.integers(0, 9, (6, 2))], axis=1).astype(float)

    def mask(row: np.ndarray) -> np.ndarray:
        grid = np.zeros((24, 24), dtype=bool)
        grid[int(row[1]) : int(row[3]), int(row[0]) : int(row[2])] = True
        return grid

    for i, left in enumerate(table):
        for j, right in enumerate(table):
            union = (mask(left) | mask(right)).sum()
            expected = (mask(left) & mask(right)).sum() / union if union else 0
            assert iou(table, table)[i, j] == pytest.approx(expected)


def test_matching_uses_each_box_once_and_finds_the_best_assignment_of_separate_boxes() -> None:
    draw = np.random.default_rng(1)
    low = np.stack(np.meshgrid(np.arange(4) * 30.0, np.arange(3) * 30.0), axis=-1).reshape(-1, 2)
    left = Boxes(np.concatenate([low, low + 20], axis=1), np.ones(12), np.zeros(12, dtype=np.int64))
    order = draw.permutation(12)
    jittered = left.corners[order] + draw.normal(0, 1, (12, 4))
    one, two = match(left, Boxes(jittered, np.ones(12), np.zeros(12, dtype=np.int64)))
    best = linear_sum_assignment(-iou(left.corners, jittered))
    assert dict(zip(one.tolist(), two.tolist(), strict=True)) == dict(
        zip(best[0].tolist(), best[1].tolist(), strict=True)
    )


def test_a_threshold_keeps_the_sure_boxes() -> None:
    assert len(SCENE.above(0.75)) == 2
