"""What is followed from one frame to the next, by task: the whole answer, a box, a figure with joints, or a mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.measures.boxes import Boxes, match
from auditor.verify.measures.dense import Dense, class_scores
from auditor.verify.measures.detection import Detection, WindowBoxes
from auditor.verify.measures.poses import Poses, same_figures
from auditor.verify.measures.task import TaskMeasures
from auditor.verify.result import Task

# The strongest of a frame; each costs an estimate of its motion.
MOST_OBJECTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """One thing in two frames.

    ``region`` (x0, y0, x1, y1) in pixels of the input is where it lies in the first one, None for the whole picture,
    and ``after`` in the second one, None where it is in one of them alone.
    ``change`` is that of its score, NaN where it has none. ``moves`` (K, 2) are the moves (right, down) of its points.
    ``crossed`` says that another answer comes of it: another class, or the other side of the threshold. ``maps`` are
    the classes at every position of the two masks. ``label`` is the class whose score is followed, where it is one.
    """

    region: FloatArray | None
    after: FloatArray | None = None
    change: float = float("nan")
    moves: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    crossed: bool = False
    maps: tuple[AnyArray, AnyArray] | None = None
    label: int | None = None


Follower = Callable[[Any, Any, "int | None"], Sequence[Followed]]
"""What two answers of the task's ``read``, of one window each, have in common; of one class where a label is given."""


def follower(task: Task, measures: TaskMeasures[Any, Any]) -> Follower | None:
    """How answers are followed; None for a task whose answers are not."""
    if isinstance(measures, Detection):
        return lambda before, after, _: _boxes(before, after, measures.score)
    if isinstance(measures, Dense):
        return _masks
    return _PLAIN.get(task)


def _classes(before: FloatArray, after: FloatArray, label: int | None) -> list[Followed]:
    best = int(before[0].argmax()), int(after[0].argmax())
    label = best[0] if label is None else label
    return [Followed(None, change=float(after[0, label] - before[0, label]), crossed=best[0] != best[1], label=label)]


def _boxes(before: WindowBoxes, after: WindowBoxes, threshold: float) -> list[Followed]:
    left, right = before.windows[0], after.windows[0]
    one, two = match(left, right)
    strong = np.maximum(left.scores[one], right.scores[two]) >= threshold
    one, two = one[strong], two[strong]
    order = np.argsort(-left.scores[one], kind="stable")[:MOST_OBJECTS]
    first, second = left.chosen(one[order]), right.chosen(two[order])
    pairs = [
        Followed(box, later, float(change), move[None], bool(crossed))
        for box, later, change, move, crossed in zip(
            first.corners,
            second.corners,
            second.scores - first.scores,
            _centres(second) - _centres(first),
            (first.scores >= threshold) != (second.scores >= threshold),
            strict=True,
        )
    ]
    # A box without any partner has crossed the threshold, too: all that is weaker than the weakest is not shown.
    gone = np.setdiff1d(np.flatnonzero(left.scores >= threshold), one)
    come = np.setdiff1d(np.flatnonzero(right.scores >= threshold), two)
    lost = [*left.chosen(gone).corners, *right.chosen(come).corners]
    return [*pairs, *(Followed(box, crossed=True) for box in lost)]


def _centres(boxes: Boxes) -> FloatArray:
    centres: FloatArray = (boxes.corners[:, :2] + boxes.corners[:, 2:]) / 2
    return centres


def _figures(before: tuple[Poses, ...], after: tuple[Poses, ...], _: int | None) -> list[Followed]:
    left, right = before[0], after[0]
    followed = []
    for one, two in list(zip(*same_figures(left, right, np.zeros(2)), strict=True))[:MOST_OBJECTS]:
        seen = left.visible[one] & right.visible[two]
        if seen.any():
            points, later = left.points[one][seen], right.points[two][seen]
            followed.append(Followed(_around(points), _around(later), moves=later - points))
    return followed


def _around(points: FloatArray) -> FloatArray:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _masks(before: AnyArray, after: AnyArray, _: int | None) -> list[Followed]:
    """Masks with the same classes by either rule; maps of numbers have no boundary and no flicker."""
    scores = class_scores(before), class_scores(after)
    if scores[0] is None or scores[1] is None:
        return []
    chosen = [maps[0, 0] if maps.shape[1] == 1 else maps[0].argmax(axis=0) for maps in scores if maps is not None]
    return [Followed(None, maps=(chosen[0], chosen[1]))]


_PLAIN: Mapping[Task, Follower] = {Task.CLASSIFICATION: _classes, Task.KEYPOINTS: _figures}
