"""What two thresholds would have stopped in a clip, against a simulation that keeps every frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from auditor.report.words.over_time import sentences
from auditor.verify.measures.boxes import Boxes
from auditor.verify.measures.detection import WindowBoxes
from auditor.verify.time.result import TimeResult
from auditor.verify.time.thresholds import BoxHysteresis, ClassHysteresis


def answer(*boxes: tuple[float, float]) -> WindowBoxes:
    """Boxes of 20 px by the place of their corner and their score."""
    corners = np.array([[x, 10.0, x + 20, 30.0] for x, _ in boxes]).reshape(-1, 4)
    scores = np.array([score for _, score in boxes])
    return WindowBoxes((Boxes(corners, scores, np.zeros(len(boxes), np.int64)),), None)


def crossings(scores: NDArray[np.float64], low: float, high: float) -> int:
    """How often a box comes or goes that comes at one threshold and goes below the other."""
    shown, changes = scores[0] >= (low + high) / 2, 0
    for score in scores[1:]:
        now = True if score >= high else False if score < low else shown
        changes += now != shown
        shown = now
    return changes


@pytest.mark.parametrize("seed", range(5))
def test_the_thresholds_of_a_box_are_the_nearest_that_stop_nearly_all_crossings(seed: int) -> None:
    scores = np.clip(0.5 + np.random.default_rng(seed).normal(scale=0.03, size=80), 0.3, 0.7)
    scores[0] = 0.55
    held = BoxHysteresis(0.5)
    for place, score in enumerate(scores):
        held.add(answer((5 + 0.5 * place, float(score))))  # it moves, slowly enough to be known again
    found = held.margin()
    assert found is not None
    assert (found.answers, found.crossings) == (1, crossings(scores, 0.5, 0.5))
    assert found.low is not None
    assert found.high is not None
    assert found.crossings - found.stopped == crossings(scores, found.low, found.high) <= 0.05 * found.crossings
    nearer = crossings(scores, round(found.low + 0.01, 2), round(found.high - 0.01, 2))
    assert nearer > 0.05 * found.crossings
    assert found.jitter == pytest.approx(scores.std())
    assert found.near == 1


def test_a_box_that_is_missed_for_a_moment_crosses_and_one_that_leaves_does_not() -> None:
    held = BoxHysteresis(0.5)
    for frame in [answer((5, 0.9))] * 5 + [answer()] * 2 + [answer((5, 0.9))] * 5 + [answer()] * 9:
        held.add(frame)
    found = held.margin()
    assert found is not None
    assert (found.answers, found.crossings) == (1, 2)
    assert found.low is None, "no lower threshold shows what is not there"


def test_boxes_are_followed_apart_and_a_steady_one_has_nothing_to_stop() -> None:
    held = BoxHysteresis(0.5)
    for place in range(20):
        held.add(answer((5, 0.9), (60, 0.525 - 0.05 * (place % 2))))
    found = held.margin()
    assert found is not None
    assert (found.answers, found.near, found.crossings, found.stopped) == (2, 1, 19, 19)
    assert (found.low, found.high) == (0.47, 0.53)
    steady = BoxHysteresis(0.5)
    steady.add(answer((5, 0.9)))
    steady.add(answer((5, 0.9)))
    kept = steady.margin()
    assert kept is not None
    assert (kept.crossings, kept.low) == (0, None)
    assert BoxHysteresis(0.5).margin() is None


def simulated(scores: NDArray[np.float64], width: float) -> int:
    held, changes = int(scores[0].argmax()), 0
    for row in scores[1:]:
        best = int(row.argmax())
        if best != held and row[best] - row[held] >= width:
            held, changes = best, changes + 1
    return changes


def test_a_class_changes_only_for_one_that_leads_by_enough() -> None:
    rng = np.random.default_rng(1)
    logits = np.array([1.0, 0.95, 0.2]) + rng.normal(scale=0.1, size=(60, 3))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    held = ClassHysteresis()
    for row in scores:
        held.add(row[None])
    found = held.margin()
    assert found is not None
    assert (found.of, found.answers, found.crossings) == ("lead", 60, simulated(scores, 0))
    assert found.high is not None
    assert found.crossings - found.stopped == simulated(scores, found.high) <= 0.05 * found.crossings
    assert simulated(scores, round(found.high - 0.01, 2)) > 0.05 * found.crossings
    words = next(sentences(TimeResult(60, 1, None, 1.0, (), (), margin=found)))
    assert words.startswith(f"over all frames, {found.near} of 60 answers within their own jitter of another class")
    assert f"leads by {found.high:.2f} would stop {found.stopped} of {found.crossings}" in words
