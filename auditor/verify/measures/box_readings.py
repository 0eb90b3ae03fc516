"""Whether outputs are boxes in a form that :mod:`auditor.verify.measures.boxes` reads rightly, or raw ones that it
cannot tell.

Every layout is accepted by what its numbers must be over several images, never by its shape alone: a column of class
numbers holds integers, scores lie in 0..1, corners are in order. Raw grids (YOLOX, YOLOv3 to v7 heads), anchors before
suppression (SSD, RetinaFace, BlazeFace) and rotated boxes share their shapes with those and are left in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from auditor.verify.arrays import FloatArray
from auditor.verify.measures.readings import OutputReading, like_window, squeezed
from auditor.verify.worker.arena import Array

_SUPPRESSION = frozenset(
    ["NonMaxSuppression", "EfficientNMS_TRT", "BatchedNMS_TRT", "BatchedNMSDynamic_TRT", "NMS_TRT", "MultiClassNMS"]
)
_MANY = 500
_SHARED_ROWS = 16


def read_box_outputs(
    samples: Sequence[Mapping[str, Array]], window: tuple[int, int], operators: frozenset[str]
) -> OutputReading | None:
    """BOXES where all outputs together are boxes that can be read, RAW_BOXES where they may be, None where not."""
    tables = {
        name: [squeezed(sample[name]) for sample in samples]
        for name in samples[0]
        if samples[0][name].dtype.kind in "fiub"
    }
    grids = {name: rows for name, rows in tables.items() if rows[0].ndim == 2 and not _is_map(rows[0], window)}
    if not grids:
        return None
    suppressed = bool(operators & _SUPPRESSION)
    if _lists(tables, suppressed):
        return OutputReading.BOXES
    for rows in grids.values():
        if len(grids) == 1 and (_ended(rows, suppressed) or _yolo(rows, window)):
            return OutputReading.BOXES
    return OutputReading.RAW_BOXES if suppressed or _anchors(grids) else None


def cells(window: tuple[int, int]) -> frozenset[int]:
    """The number of cells of strides 8 to 32, and of 8 to 64, on an input (H, W)."""
    counts = [-(-window[0] // stride) * -(-window[1] // stride) for stride in (8, 16, 32, 64)]
    return frozenset([sum(counts[:3]), sum(counts)])


def _is_map(row: Array, window: tuple[int, int]) -> bool:
    return min(row.shape) >= 8 and like_window(row.shape, window)


def _lists(tables: Mapping[str, list[Array]], suppressed: bool) -> bool:
    """Boxes (N, 4) beside one score per box: nothing is left to decode; DETR's logits by their names."""
    boxes = [name for name, rows in tables.items() if rows[0].ndim == 2 and rows[0].shape[1] == 4]
    if len(boxes) != 1:
        return False
    others = {name: rows for name, rows in tables.items() if name != boxes[0]}
    if set(tables) == {"logits", "pred_boxes"} and len(tables["logits"][0]) == 100:
        return True
    vectors = [
        rows
        for rows in others.values()
        if rows[0].ndim == 1 and all(len(row) == len(box) for row, box in zip(rows, tables[boxes[0]], strict=True))
    ]
    scores = [rows for rows in vectors if rows[0].dtype.kind == "f" and all(_shares(row) for row in rows)]
    named = any("score" in name.lower() or "conf" in name.lower() for name in others)
    tables_left = any(row.ndim > 1 for rows in others.values() for row in rows)
    return bool(scores) and not tables_left and (suppressed or named or len(vectors) > 1)


def _ended(rows: list[Array], suppressed: bool) -> bool:
    """Rows of x1 y1 x2 y2 score class, or of image x1 y1 x2 y2 class score, padded with zeros."""
    width = rows[0].shape[1]
    if width not in (6, 7):
        return False
    table = np.concatenate([np.asarray(row, np.float64) for row in rows])
    table = table[np.any(table != 0, axis=1)]
    if not len(table):
        return suppressed
    box, score, label = (
        (table[:, :4], table[:, 4], table[:, 5]) if width == 6 else (table[:, 1:5], table[:, 6], table[:, 5])
    )
    if width == 7 and table[:, 0].any():
        return False
    integers = bool(np.all(label % 1 == 0) and label.min() >= 0)
    # Class numbers of 0 and 1 only could be scores; a whole column of them that is exact is a column of classes.
    return integers and _shares(score) and bool(np.all(box[:, 2:] >= box[:, :2])) and bool(np.any(score % 1))


def _yolo(rows: list[Array], window: tuple[int, int]) -> bool:
    """(4 + classes, N) without objectness, or (3 N, 5 + classes) with it: centres and sizes, then shares."""
    shape = rows[0].shape
    counts = cells(window)
    transposed = shape[1] in counts and shape[0] > 4
    if not transposed and (shape[0] not in {3 * count for count in counts} or shape[1] < 6):
        return False
    table: FloatArray = np.concatenate([np.asarray(row.T if transposed else row, np.float64) for row in rows])
    box, scores = table[:, :4], table[:, 4:]
    centred = bool(np.any(box[:, 2] < box[:, 0]) and np.any(box[:, 3] < box[:, 1]) and np.all(box[:, 2:] >= 0))
    spread = float(box[:, 0].max())
    # A grid that is not decoded counts cells or shares of one; centres reach over the whole input.
    return centred and _shares(scores) and (spread > window[1] / 2 or (transposed and 0.5 < spread <= 1.5))


def _anchors(grids: Mapping[str, list[Array]]) -> bool:
    """Many rows, or several outputs with the same number of them, or four numbers per row."""
    shapes = [rows[0].shape for rows in grids.values()]
    counts = [shape[0] for shape in shapes]
    return any(
        (max(shape) >= _MANY and min(shape) > 4) or (shape[1] in (4, 5, 6, 7) and shape[0] > 1) for shape in shapes
    ) or any(count >= _SHARED_ROWS and counts.count(count) > 1 for count in counts)


def _shares(values: Array) -> bool:
    return values.size > 0 and bool(np.all(np.isfinite(values)) and values.min() >= 0 and values.max() <= 1 + 1e-4)
