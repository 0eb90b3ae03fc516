"""Which two thresholds would stop the crossings of a clip: every width is tried as the frames go by.

A box that is shown from the threshold on flickers where its score trembles about it. With two thresholds it comes at
the upper one and goes below the lower one; a class changes only for another that leads by so much. Nothing is kept of
a frame but a state for each width, so that a long clip costs what a short one does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from auditor.verify.arrays import AnyArray, BoolArray, FloatArray, IntArray
from auditor.verify.hysteresis import AnswerScores
from auditor.verify.margin import Margin
from auditor.verify.measures.boxes import Boxes, match
from auditor.verify.measures.detection import Detection, WindowBoxes
from auditor.verify.measures.task import TaskMeasures
from auditor.verify.result import Task

WIDTHS = np.arange(50) / 100
# A box that is not seen for longer has left, or was another one.
_LONGEST_GAP = 3
_STOPPED = 0.95
_REACH = 2.0
_FEWEST = 2  # frames


class Hysteresis(ABC):
    """Sees the answers of a clip frame by frame."""

    @abstractmethod
    def add(self, answer: Any) -> None:
        """The answer to the next frame, as the task's ``read`` gives it."""

    @abstractmethod
    def margin(self) -> Margin | None:
        """What two thresholds would have stopped; None without an answer."""


def hysteresis(task: Task, measures: TaskMeasures[Any, Any]) -> Hysteresis | None:
    """How crossings are counted; None for a task whose answers have no threshold."""
    if isinstance(measures, Detection):
        return BoxHysteresis(measures.score)
    return ClassHysteresis() if task is Task.CLASSIFICATION else None


class _Track:
    """One box over frames: where it was last, the moments of its score, and for each width whether it is shown."""

    def __init__(self, corners: FloatArray, label: int, score: float, threshold: float) -> None:
        self.corners, self.label, self.missed = corners, label, 0
        self._first = self._low = self._high = score
        self._count, self._sum, self._squares = 1, score, score**2
        self._shown: BoolArray = np.full(len(WIDTHS), score >= threshold)
        self.changes: IntArray = np.zeros(len(WIDTHS), np.int64)
        self._unseen: IntArray = np.zeros(len(WIDTHS), np.int64)

    def add(self, score: float, threshold: float) -> None:
        """The score in the next frame, 0 where the box is not seen. What is not seen counts once it is seen again."""
        shown = np.where(score >= threshold + WIDTHS, True, np.where(score < threshold - WIDTHS, False, self._shown))
        changed = (shown != self._shown).astype(np.int64)
        self._shown = shown
        if self.missed:
            self._unseen += changed
            return
        self.changes += changed + self._unseen
        self._unseen[:] = 0
        self._low, self._high = min(self._low, score), max(self._high, score)
        self._count, self._sum, self._squares = self._count + 1, self._sum + score, self._squares + score**2

    def scores(self) -> AnswerScores:
        mean = self._sum / self._count
        spread = max(self._squares / self._count - mean**2, 0.0) ** 0.5
        return AnswerScores(self._first, mean, spread, self._low, self._high)


class BoxHysteresis(Hysteresis):
    """Boxes that are shown from the score ``threshold`` on; one is followed from the frame in which it comes."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._tracks: list[_Track] = []
        self._changes: IntArray = np.zeros(len(WIDTHS), np.int64)
        self._spreads: list[float] = []
        self._near = 0

    def add(self, answer: WindowBoxes) -> None:
        boxes = answer.windows[0]
        tracks = self._tracks
        last = Boxes(
            np.array([track.corners for track in tracks]).reshape(-1, 4),
            np.ones(len(tracks)),
            np.array([track.label for track in tracks], np.int64),
        )
        known, seen = match(last, boxes)
        partner = dict(zip(known.tolist(), seen.tolist(), strict=True))
        for index, track in enumerate(tracks):
            place = partner.get(index)
            track.missed = 0 if place is not None else track.missed + 1
            if place is not None:
                track.corners = boxes.corners[place]
            track.add(0.0 if place is None else float(boxes.scores[place]), self._threshold)
        self._end([track for track in tracks if track.missed > _LONGEST_GAP])
        new = np.setdiff1d(np.flatnonzero(boxes.scores >= self._threshold), seen)
        self._tracks = [track for track in tracks if track.missed <= _LONGEST_GAP] + [
            _Track(boxes.corners[place], int(boxes.labels[place]), float(boxes.scores[place]), self._threshold)
            for place in new
        ]

    def margin(self) -> Margin | None:
        self._end(self._tracks)
        self._tracks = []
        if not self._spreads:
            return None
        jitter = float(np.median(self._spreads))
        return _margin("score", self._threshold, len(self._spreads), self._near, jitter, self._changes)

    def _end(self, tracks: list[_Track]) -> None:
        for track in tracks:
            scores = track.scores()
            self._changes += track.changes
            self._spreads.append(scores.spread)
            self._near += scores.near(self._threshold)


class ClassHysteresis(Hysteresis):
    """The first class of a classifier. An answer is that to one frame."""

    def __init__(self) -> None:
        self._held: IntArray | None = None
        self._changes: IntArray = np.zeros(len(WIDTHS), np.int64)
        self._leads: list[float] = []

    def add(self, answer: AnyArray) -> None:
        scores = answer[0]
        best = int(scores.argmax())
        others = np.delete(scores, best)
        self._leads.append(float(scores[best] - others.max()) if len(others) else 1.0)
        if self._held is None:
            self._held = np.full(len(WIDTHS), best)
            return
        changes = (self._held != best) & (scores[best] - scores[self._held] >= WIDTHS)
        self._held = np.where(changes, best, self._held)
        self._changes += changes

    def margin(self) -> Margin | None:
        if len(self._leads) < _FEWEST:
            return None
        leads = np.array(self._leads)
        jitter = float(np.median(np.abs(np.diff(leads))))
        near = int(np.count_nonzero((leads <= _REACH * jitter) & (jitter > 0)))
        return _margin("lead", 0.0, len(leads), near, jitter, self._changes)


def _margin(of: str, threshold: float, answers: int, near: int, jitter: float, changes: IntArray) -> Margin:
    """The narrowest pair of thresholds that stops nearly all crossings, where there is one."""
    total = int(changes[0])
    found = Margin(of, threshold, answers, near, jitter, total)
    if not total:
        return found
    for width, left in zip(WIDTHS[1:].tolist(), changes[1:].tolist(), strict=True):
        low, high = threshold - width, threshold + width
        if of == "score" and not 0 < low < high < 1:
            return found
        if left <= (1 - _STOPPED) * total:
            return Margin(of, threshold, answers, near, jitter, total, round(low, 6), round(high, 6), total - left)
    return found
