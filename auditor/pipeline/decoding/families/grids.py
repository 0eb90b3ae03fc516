"""One table of rows with all candidates of a grid: with an objectness, or one probability a class.

Every width has several meanings, so that values have to rule the others out: where they do not, two layouts fit and the
user is asked.
"""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import from_centre
from auditor.pipeline.decoding.families.common import best_class, literal, of_labels, possible
from auditor.pipeline.decoding.families.rows import (
    corners,
    one_per_cell,
    pixels,
    rows,
    shares,
    table_of,
    three_per_cell,
)
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature


def _grid_of(signature: Signature, least: int, per_cell: int = 1) -> Array:
    """The only output as (rows, columns), so many rows a cell.

    Raises:
        LayoutError: it is none.
    """
    table = table_of(signature, least)
    if len(table) not in grid.counts(signature.size, per_cell):
        a_cell = "one row" if per_cell == 1 else f"{per_cell} rows"
        height, width = signature.size
        raise LayoutError(f"expected {a_cell} for each cell of an input of {height}x{width}; there are {len(table)}")
    return table


def _fits_yolov5(signature: Signature) -> Evidence:
    table = rows(signature)
    if table is None or len(table) not in three_per_cell(signature) or table.shape[1] < 6:
        return Evidence.NONE
    return Evidence.VALUES if shares(table[:, 4:]) and pixels(table[:, :4]) else Evidence.NONE


def _read_yolov5(signature: Signature, reading: Reading) -> Detections:
    return _read_objectness(signature, reading, 3)


def _read_yolov6(signature: Signature, reading: Reading) -> Detections:
    return _read_objectness(signature, reading, 1)


def _read_objectness(signature: Signature, reading: Reading, per_cell: int) -> Detections:
    table = _grid_of(signature, 6, per_cell)
    table = table[possible(table[:, 4], reading)]
    return best_class(from_centre(table[:, :4]), table[:, 4:5] * table[:, 5:], reading)


def _fits_yolov5_face(signature: Signature) -> Evidence:
    table = rows(signature)
    if table is None or len(table) not in three_per_cell(signature) or table.shape[1] != 16:
        return Evidence.NONE
    return Evidence.VALUES if pixels(table[:, 5:15]) and shares(table[:, [4, 15]]) else Evidence.NONE


def _fits_yolov7_face(signature: Signature) -> Evidence:
    table = rows(signature)
    if table is None or len(table) not in three_per_cell(signature) or table.shape[1] != 21:
        return Evidence.NONE
    fits = pixels(table[:, 6::3]) and pixels(table[:, 7::3]) and shares(table[:, [4, 5, 8, 11, 14, 17, 20]])
    return Evidence.VALUES if fits else Evidence.NONE


def _read_yolov7_face(signature: Signature, reading: Reading) -> Detections:
    """Box, objectness, the class, then five points of x, y and a probability."""
    table = table_of(signature, 21, exact=True)
    points = table[:, 6:].reshape(-1, 5, 3)
    scores = table[:, 4] * table[:, 5]
    return of_labels(
        from_centre(table[:, :4]),
        scores,
        np.zeros(len(scores), np.int64),
        reading,
        keypoints=points[..., :2],
        visibility=points[..., 2],
    )


def _read_yolov5_face(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 16, exact=True)
    points = table[:, 5:15].reshape(-1, 5, 2)
    return best_class(from_centre(table[:, :4]), table[:, 4:5], reading, keypoints=points)


def _fits_yolov6(signature: Signature) -> Evidence:
    table = one_per_cell(signature)
    if table is None or table.shape[1] < 6 or not pixels(table[:, :4]):
        return Evidence.NONE
    return Evidence.VALUES if np.all(table[:, 4] == 1) else Evidence.NONE


def _fits_corner_rows(signature: Signature) -> Evidence:
    table = one_per_cell(signature)
    if table is None or table.shape[1] < 5 or not (pixels(table[:, :4]) and shares(table[:, 4:])):
        return Evidence.NONE
    return Evidence.VALUES if corners(table[:, :4]) and not np.all(table[:, 4] == 1) else Evidence.NONE


def objects_of_no_class(table: Array) -> bool:
    """Whether a row is sure in column 4 and in no other: as the first class, not as an objectness."""
    return bool(np.any((table[:, 4] > 0.5) & (table[:, 5:].max(axis=1, initial=0) < 0.1)))


def objects_of_two_classes(table: Array) -> bool:
    """Whether a row is sure in column 4 and in another: as an objectness, not as a class."""
    return bool(np.any((table[:, 4] > 0.5) & (table[:, 5:].max(axis=1, initial=0) > 0.5)))


def _fits_yolov8_rows(signature: Signature) -> Evidence:
    """YOLOv8's head the other way round, which has the shape of a grid with an objectness."""
    table = rows(signature)
    if table is None or len(table) not in grid.counts(signature.size) or table.shape[1] < 5:
        return Evidence.NONE
    boxes, classes = table[:, :4], table[:, 4:]
    if not (shares(classes) and pixels(boxes)) or boxes[:, 2:].min() < 0 or corners(boxes):
        return Evidence.NONE
    names = literal(signature.metadata.get("names"))
    if signature.metadata.get("task") == "detect" and names is not None and len(names) == classes.shape[1]:
        return Evidence.METADATA
    if np.any(np.all(classes == 1, axis=0)) or objects_of_two_classes(table):
        return Evidence.NONE
    return Evidence.VALUES


def _read_yolov8_rows(signature: Signature, reading: Reading) -> Detections:
    table = _grid_of(signature, 5)
    return best_class(from_centre(table[:, :4]), table[:, 4:], reading)


def _read_corner_rows(signature: Signature, reading: Reading) -> Detections:
    table = _grid_of(signature, 5)
    return best_class(table[:, :4], table[:, 4:], reading)


LAYOUTS = (
    Layout("yolov5", "YOLOv5, YOLOv7 grid export", "yolov5 7.0, exported graph", _fits_yolov5, _read_yolov5),
    Layout("yolov5-face", "YOLOv5-face", "its exported graph", _fits_yolov5_face, _read_yolov5_face),
    Layout("yolov7-face", "YOLOv7-face", "its exported graph", _fits_yolov7_face, _read_yolov7_face),
    Layout("yolov6", "YOLOv6", "YOLOv6 0.4, exported graph", _fits_yolov6, _read_yolov6),
    Layout(
        "ppyoloe-rows", "PP-YOLOE without NMS, one output", "PaddleDetection 2.5", _fits_corner_rows, _read_corner_rows
    ),
    Layout(
        "yolov8-rows",
        "YOLOv8, 11 with a row a cell (transposed)",
        "ultralytics 8.4.190, its output transposed",
        _fits_yolov8_rows,
        _read_yolov8_rows,
    ),
)
