"""Reading boxes out of a detector's outputs, for the usual exports.

========  ==================================================================================================
lists     boxes (N, 4) beside scores (N,) or (N, classes), perhaps labels (N,): torchvision, SSD, TensorFlow, DETR
rows      (N, 6) of x1, y1, x2, y2, score, class: YOLOv10 and later, most exports with suppression inside;
          (N, 7) of image, x1, y1, x2, y2, class, score: YOLOv7
yolo      (4 + classes, N) or its transpose, centre and size first, no suppression: YOLOv8 and its family;
          (N, 5 + classes) with objectness: YOLOv5
========  ==================================================================================================

What shapes and names cannot tell (are coordinates pixels or shares, corners or centre and size) is read from the
numbers of one output and then kept for the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from auditor.pipeline.decode.boxes import iou
from auditor.verify.arrays import AnyArray, FloatArray, IntArray
from auditor.verify.settings import DEFAULT_SCORE


@dataclass(frozen=True, slots=True)
class Boxes:
    """Detections of one window: ``corners`` (N, 4) of x1, y1, x2, y2 in pixels, ``scores`` (N,), ``labels`` (N,)."""

    corners: FloatArray
    scores: FloatArray
    labels: IntArray

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Boxes:
        """The boxes whose score reaches the threshold."""
        kept = self.scores >= threshold
        return Boxes(self.corners[kept], self.scores[kept], self.labels[kept])


_SUPPRESS = 0.65  # overlap above which the weaker box of a class is a duplicate; the usual value for YOLO
_MOST = 300  # boxes per window after suppression, as in the usual exports


class Kind(Enum):
    """How the numbers are arranged."""

    LISTS = "lists"
    ROWS = "rows"
    ROWS_WITH_IMAGE = "rows-with-image"
    YOLO = "yolo"
    YOLO_OBJECTNESS = "yolo-objectness"


class Coordinates(Enum):
    """What four numbers say of a box."""

    CORNERS = "x1 y1 x2 y2"
    CORNERS_YX = "y1 x1 y2 x2"
    CENTRE = "centre and size"


NO_BOXES = Boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class BoxFormat:
    """How to read a detector: names of its outputs, what they hold; ``relative`` coordinates are shares of the input.

    ``background`` says that the last class of a score list means "nothing" (DETR).
    """

    kind: Kind
    boxes: str
    scores: str | None
    labels: str | None
    coordinates: Coordinates
    relative: bool
    transposed: bool = False
    background: bool = False


def find_format(rows: Mapping[str, AnyArray]) -> BoxFormat | None:
    """The format of the outputs of one window, by name without the batch axis.

    None where it is none of the known, or where this window has no box to tell from: ask again with another. Scores
    outside 0..1 are read as DETR's logits, whose last class is "nothing".
    """
    arrays = {name: _squeeze(row) for name, row in rows.items()}
    lists = _find_lists(arrays)
    if lists is not None:
        return lists
    for name, array in arrays.items():
        if array.ndim != 2 or not np.any(array):
            continue
        if array.shape[1] in (6, 7) and array.shape[0] != array.shape[1]:
            kind = Kind.ROWS if array.shape[1] == 6 else Kind.ROWS_WITH_IMAGE
            corners = array[:, :4] if kind is Kind.ROWS else array[:, 1:5]
            return BoxFormat(kind, name, None, None, Coordinates.CORNERS, _relative(corners))
        transposed = array.shape[0] < array.shape[1]
        wide = array.T if transposed else array
        if wide.shape[1] >= (5 if transposed else 6) and wide.shape[0] > wide.shape[1]:
            # A transposed output is YOLOv8's, the other orientation carries objectness (YOLOv5).
            kind = Kind.YOLO if transposed else Kind.YOLO_OBJECTNESS
            return BoxFormat(kind, name, None, None, Coordinates.CENTRE, _relative(wide[:, :4]), transposed)
    return None


def read_boxes(
    rows: Mapping[str, AnyArray], form: BoxFormat, window: tuple[int, int], least: float = DEFAULT_SCORE
) -> Boxes:
    """The boxes of one window whose score reaches ``least``, in input pixels; ``window`` is the input's (H, W).

    Duplicates are suppressed for the formats that leave that to the caller. Raises ValueError for numbers that are not
    finite.
    """
    corners, scores, labels = _decoded(rows, form)
    if not (np.isfinite(corners).all() and np.isfinite(scores).all()):
        raise ValueError("the boxes hold values that are not finite")
    found = Boxes(_corners(corners, form, window), scores, labels).above(least)
    return suppress(found) if form.kind in (Kind.YOLO, Kind.YOLO_OBJECTNESS) else found


def highest_score(rows: Mapping[str, AnyArray], form: BoxFormat) -> float | None:
    """The highest score of any box of one window, None where it has none."""
    _, scores, _ = _decoded(rows, form)
    return float(scores.max()) if len(scores) else None


def _decoded(rows: Mapping[str, AnyArray], form: BoxFormat) -> tuple[FloatArray, FloatArray, IntArray]:
    array = np.asarray(_squeeze(rows[form.boxes]), dtype=np.float64)
    if form.kind is Kind.LISTS:
        corners, (scores, labels) = array, _list_scores(rows, form, len(array))
    elif form.kind is Kind.ROWS:
        corners, scores, labels = array[:, :4], array[:, 4], array[:, 5].astype(np.int64)
    elif form.kind is Kind.ROWS_WITH_IMAGE:
        corners, scores, labels = array[:, 1:5], array[:, 6], array[:, 5].astype(np.int64)
    else:
        wide = array.T if form.transposed else array
        classes = wide[:, 5:] * wide[:, 4:5] if form.kind is Kind.YOLO_OBJECTNESS else wide[:, 4:]
        corners, scores, labels = wide[:, :4], classes.max(axis=1), classes.argmax(axis=1).astype(np.int64)
    return corners, scores, labels


def suppress(boxes: Boxes, overlap: float = _SUPPRESS) -> Boxes:
    """Without the weaker of any two boxes of one class that overlap by more; the strongest first (greedy)."""
    order = np.argsort(-boxes.scores, kind="stable")
    kept: list[int] = []
    while len(order) and len(kept) < _MOST:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        same = boxes.labels[rest] == boxes.labels[best]
        order = rest[~(same & (iou(boxes.corners[[best]], boxes.corners[rest])[0] > overlap))]
    return Boxes(boxes.corners[kept], boxes.scores[kept], boxes.labels[kept])


def _find_lists(arrays: Mapping[str, AnyArray]) -> BoxFormat | None:
    boxes = next((name for name, array in arrays.items() if array.ndim == 2 and array.shape[1] == 4), None)
    if boxes is None or not np.any(arrays[boxes]):
        return None
    count = len(arrays[boxes])
    others = {name: array for name, array in arrays.items() if name != boxes and len(np.atleast_1d(array)) == count}
    matrices = [name for name, array in others.items() if array.ndim == 2]
    vectors = [name for name, array in others.items() if array.ndim == 1]
    scores = matrices[0] if matrices else next((name for name in vectors if _like_scores(name, arrays[name])), None)
    if scores is None:
        return None
    labels = next((name for name in vectors if name != scores), None) if not matrices else None
    coordinates = Coordinates.CORNERS_YX if "detection_boxes" in boxes else _coordinates(arrays[boxes])
    logits = bool(matrices) and bool(arrays[scores].min(initial=0) < 0 or arrays[scores].max(initial=0) > 1)
    return BoxFormat(Kind.LISTS, boxes, scores, labels, coordinates, _relative(arrays[boxes]), background=logits)


def _like_scores(name: str, array: AnyArray) -> bool:
    if "score" in name.lower() or "conf" in name.lower():
        return True
    fractional = array.dtype.kind == "f" and bool(np.any(array % 1))
    return fractional and bool(array.min() >= 0 and array.max() <= 1)


def _list_scores(rows: Mapping[str, AnyArray], form: BoxFormat, count: int) -> tuple[FloatArray, IntArray]:
    scores = np.asarray(_squeeze(rows[form.scores or ""]), dtype=np.float64)
    if scores.ndim == 1:
        labels = np.zeros(count) if form.labels is None else _squeeze(rows[form.labels])
        return scores, np.asarray(labels).astype(np.int64)
    if form.background:
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = (shifted / shifted.sum(axis=1, keepdims=True))[:, :-1]
    return scores.max(axis=1), scores.argmax(axis=1).astype(np.int64)


def _corners(values: FloatArray, form: BoxFormat, window: tuple[int, int]) -> FloatArray:
    if form.coordinates is Coordinates.CENTRE:
        half = values[:, 2:] / 2
        values = np.concatenate([values[:, :2] - half, values[:, :2] + half], axis=1)
    elif form.coordinates is Coordinates.CORNERS_YX:
        values = values[:, [1, 0, 3, 2]]
    return values * np.array([window[1], window[0]] * 2) if form.relative else values


def _coordinates(boxes: AnyArray) -> Coordinates:
    """Corners if every box has its second corner behind the first; padding rows of zeros say nothing."""
    real = boxes[np.any(boxes != 0, axis=1)]
    return Coordinates.CORNERS if np.all(real[:, 2:] >= real[:, :2]) else Coordinates.CENTRE


def _relative(boxes: AnyArray) -> bool:
    return bool(np.abs(boxes).max() <= 2.0)


def _squeeze(row: AnyArray) -> AnyArray:
    """Without leading axes of size one, which exports with a batch axis leave behind."""
    array = np.asarray(row)
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    return array
