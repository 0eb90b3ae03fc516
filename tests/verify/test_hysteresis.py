"""How many answers live within their own jitter of a threshold, and which two thresholds would hold them."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.report.words.margins import margin_line
from auditor.verify.hysteresis import AnswerScores, margin
from auditor.verify.margin import Margin
from auditor.verify.measures.boxes import Boxes
from auditor.verify.measures.classification import lead_scores
from auditor.verify.measures.object_scores import followed_boxes
from auditor.verify.shifts.plan import Window


def scores(*values: float) -> AnswerScores:
    return AnswerScores.of(np.array(values))


def holds(values: tuple[float, ...], found: Margin) -> bool:
    """Whether two thresholds keep the first answer of a series, by a switch written apart."""
    assert found.low is not None
    assert found.high is not None
    first = on = values[0] >= found.threshold
    for value in values:
        on = value >= (found.low if on else found.high)
        if on != first:
            return False
    return True


def test_answers_within_their_own_jitter_are_counted() -> None:
    steady, far, near = scores(0.55, 0.55, 0.55), scores(0.9, 0.8, 0.85), scores(0.55, 0.48, 0.57)
    found = margin("score", 0.5, [steady, far, near])
    assert found is not None
    assert (found.answers, found.near, found.crossings) == (3, 1, 1)


SERIES = ((0.55, 0.44, 0.6), (0.47, 0.53, 0.45), (0.52, 0.49, 0.51), (0.9, 0.8, 0.7), (0.5, 0.43, 0.5))


def test_the_two_thresholds_stop_as_many_crossings_as_is_said() -> None:
    found = margin("score", 0.5, [scores(*series) for series in SERIES])
    assert found is not None
    crossing = [series for series in SERIES if len({value >= 0.5 for value in series}) > 1]
    assert found.crossings == len(crossing)
    assert found.stopped == sum(holds(series, found) for series in crossing) == len(crossing)
    assert (found.low, found.high) == (0.42, 0.58)


def test_narrower_thresholds_would_stop_fewer() -> None:
    found = margin("score", 0.5, [scores(*series) for series in SERIES])
    assert found is not None
    narrower = Margin("score", 0.5, 0, 0, 0, 0, 0.44, 0.56)
    assert not all(holds(series, narrower) for series in SERIES)


def test_where_no_thresholds_would_help_none_are_named() -> None:
    lost = margin("score", 0.5, [scores(0.6, 0.0)])
    assert lost is not None
    assert (lost.low, lost.high, lost.crossings) == (None, None, 1)
    assert "no two thresholds" in margin_line(lost)


def test_without_answers_there_is_no_margin_and_without_crossings_no_hysteresis() -> None:
    assert margin("score", 0.5, []) is None
    calm = margin("score", 0.5, [scores(0.9, 0.8)])
    assert calm is not None
    assert (calm.crossings, calm.low) == (0, None)
    assert "none of them across" in margin_line(calm)


def test_the_lead_of_a_class_is_against_the_next_one() -> None:
    table = np.array([[0.5, 0.4, 0.1], [0.3, 0.45, 0.25], [0.6, 0.1, 0.3]])
    lead = lead_scores(table)
    assert lead is not None
    assert (lead.first, lead.low, lead.high) == pytest.approx((0.1, -0.15, 0.3))
    found = margin("lead", 0.0, [lead])
    assert found is not None
    assert (found.crossings, found.stopped, found.high) == (1, 1, 0.16)
    assert lead_scores(np.ones((3, 1))) is None


def boxes(*rows: tuple[float, float, float]) -> Boxes:
    """Boxes of 20 pixels with their corner at (x, y), and a score."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    corners = np.concatenate([table[:, :2], table[:, :2] + 20], axis=1)
    return Boxes(corners, table[:, 2], np.zeros(len(table), np.int64))


def test_a_box_is_followed_by_where_it_lies_in_every_window() -> None:
    windows = [Window(0, 0, 0), Window(0, 3, 5), Window(0, 8, 0)]
    seen = [boxes((30, 30, 0.6), (60, 60, 0.9)), boxes((25, 27, 0.4), (55, 57, 0.8)), boxes((30, 22, 0.55))]
    found = followed_boxes(seen, windows, (100, 100), 0.5, 2)
    assert [one.scores.tolist() for one in found] == [[0.9, 0.8, 0.0], [0.6, 0.4, 0.55]]
    assert found[1].corners.tolist() == [[30, 30, 50, 50]] * 3  # the shifts are undone
    assert np.isnan(found[0].corners[2]).all()


def test_a_box_that_some_window_cuts_is_not_taken_for_lost_there() -> None:
    windows = [Window(0, 0, 0), Window(0, 0, 12), Window(0, 0, 1), Window(0, 0, 2)]
    seen = [boxes((10, 30, 0.6)), boxes(), boxes((9, 30, 0.62)), boxes((8, 30, 0.58))]
    (found,) = followed_boxes(seen, windows, (100, 100), 0.5, 2)
    assert found.scores.tolist() == [0.6, 0.62, 0.58]


def test_boxes_that_only_a_shifted_window_has_are_no_answer_of_the_unshifted_one() -> None:
    none = Boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    two = Boxes(np.array([[10.0, 10, 30, 30], [50, 50, 70, 70]]), np.array([0.9, 0.8]), np.zeros(2, np.int64))
    assert followed_boxes([none, two], [Window(0, 4, 4), Window(0, 4, 5)], (100, 100), 0.5, 2) == ()
