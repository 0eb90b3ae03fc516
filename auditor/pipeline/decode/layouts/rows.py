"""One row an object: exports with the selection inside, and grids with an objectness.

Sources: the exported graphs of ultralytics 8.4 (end-to-end), yolov5 7.0 and YOLOv7 (grid), YOLOv6 0.4.
"""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decode import grid
from auditor.pipeline.decode.answers import Array, Detections
from auditor.pipeline.decode.boxes import from_centre
from auditor.pipeline.decode.layout import Evidence, Layout, Reading, Signature
from auditor.pipeline.decode.layouts.common import best_class, of_labels


def rows(signature: Signature) -> Array | None:
    """The only output as (rows, columns), or None."""
    if len(signature.arrays) != 1:
        return None
    table = signature.arrays[0]
    if table.ndim == 3 and table.shape[0] == 1:
        table = table[0]
    return table if table.ndim == 2 else None


def _fits_grid(signature: Signature) -> Evidence:
    table = rows(signature)
    per_cell = grid.count(signature.size, per_cell=3)
    return Evidence.SHAPE if table is not None and len(table) == per_cell and table.shape[1] >= 6 else Evidence.NONE


def _read_grid(signature: Signature, reading: Reading) -> Detections:
    table = rows(signature)
    assert table is not None
    return best_class(from_centre(table[:, :4]), table[:, 4:5] * table[:, 5:], reading)


def _fits_end_to_end(signature: Signature) -> Evidence:
    table = rows(signature)
    if table is None or table.shape[1] != 6:
        return Evidence.NONE
    if len(table) in (grid.count(signature.size), grid.count(signature.size, per_cell=3)):
        return Evidence.NONE  # one class of a grid
    classes = table[:, 5]
    if not (np.all(classes == np.rint(classes)) and np.all((table[:, 4] >= 0) & (table[:, 4] <= 1))):
        return Evidence.NONE
    if np.abs(table[:, :4]).max(initial=0) <= 2:
        return Evidence.NONE  # shares of the input, not pixels
    return Evidence.VALUES


def _read_end_to_end(signature: Signature, reading: Reading) -> Detections:
    table = rows(signature)
    assert table is not None
    return of_labels(table[:, :4], table[:, 4], table[:, 5], reading, suppress=False)


LAYOUTS = (
    Layout("yolov5", "YOLOv5, YOLOv7 grid export", "yolov5 7.0, exported graph", _fits_grid, _read_grid),
    Layout("end-to-end", "YOLOv10, YOLO26, nms=True", "ultralytics 8.4.190", _fits_end_to_end, _read_end_to_end),
)
