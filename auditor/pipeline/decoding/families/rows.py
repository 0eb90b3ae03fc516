"""One table of rows: exports with the selection inside; and what grids have in common with them.

Every width has several meanings, so that values have to rule the others out: where they do not, two layouts fit and the
user is asked.
"""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import from_centre
from auditor.pipeline.decoding.families.common import best_class, literal, of_labels
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature


def rows(signature: Signature) -> Array | None:
    """The only output as (rows, columns), or None."""
    if len(signature.arrays) != 1:
        return None
    table = signature.arrays[0]
    if table.ndim == 3 and table.shape[0] == 1:
        table = table[0]
    return table if table.ndim == 2 else None


def table_of(signature: Signature, least: int, exact: bool = False) -> Array:
    """The only output as (rows, columns) of at least so many columns, or of just so many.

    Raises:
        LayoutError: it is none.
    """
    table = rows(signature)
    wanted = f"{'' if exact else 'at least '}{least} columns"
    if table is None or table.shape[1] < least or (exact and table.shape[1] != least):
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in signature.outputs.items())
        raise LayoutError(f"one table of rows with {wanted} was expected; there is {shapes}")
    return table


def one_per_cell(signature: Signature) -> Array | None:
    """The table, where it has one row for each cell of strides 8, 16 and 32."""
    table = rows(signature)
    return table if table is not None and len(table) == grid.count(signature.size) else None


def shares(values: Array) -> bool:
    """Whether all values lie in 0..1, as probabilities do."""
    return bool(np.all((values >= 0) & (values <= 1)))


def whole(values: Array) -> bool:
    """Whether all values are whole numbers."""
    return bool(np.all(values == np.rint(values)))


def corners(boxes: Array) -> bool:
    """Whether (N, 4) can be corners: the second never lies before the first."""
    return bool(len(boxes) and np.all(boxes[:, 2:] >= boxes[:, :2]))


def pixels(boxes: Array) -> bool:
    """Whether (N, 4) are pixels and not shares of the input."""
    return bool(np.abs(boxes).max(initial=0) > 2)


def _is_task(signature: Signature, task: str) -> bool:
    return signature.metadata.get("task", task) == task


def three_per_cell(signature: Signature) -> tuple[int, int]:
    """Rows of three anchors a cell of strides 8 to 32, and of 8 to 64 as the P6 variants have them."""
    return grid.count(signature.size, per_cell=3), grid.count(signature.size, (8, 16, 32, 64), per_cell=3)


def _selected(signature: Signature, width: int) -> Array | None:
    """A table of that width that is no grid of fewer classes."""
    table = rows(signature)
    if table is None or table.shape[1] != width:
        return None
    return None if len(table) in (grid.count(signature.size), *three_per_cell(signature)) else table


def _fits_end_to_end(signature: Signature) -> Evidence:
    table = _selected(signature, 6)
    if table is None or signature.metadata.get("head") == "RTDETRDecoder" or not _is_task(signature, "detect"):
        return Evidence.NONE
    told = "task" in signature.metadata
    if told and not table.any():
        return Evidence.METADATA  # nothing was found: rows that fill up are zero
    if not (whole(table[:, 5]) and shares(table[:, 4]) and pixels(table[:, :4])) or _class_first(table):
        return Evidence.NONE
    return Evidence.METADATA if told else Evidence.VALUES


def _classes(labels: Array) -> Array:
    """Labels, which are whole numbers.

    Raises:
        LayoutError: they are none.
    """
    if not whole(labels[np.isfinite(labels)]):
        raise LayoutError("whole numbers were expected in the column of the class")
    return labels


def _class_first(table: Array) -> bool:
    return bool(len(table) and whole(table[:, 0]) and table[:, 0].min() >= -1 and shares(table[:, 1]))


def _read_end_to_end(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 6, exact=True)
    return of_labels(table[:, :4], table[:, 4], _classes(table[:, 5]), reading, suppress=False)


def _fits_end_to_end_pose(signature: Signature) -> Evidence:
    table = rows(signature)
    if table is None or table.shape[1] <= 6 or signature.metadata.get("task") != "pose":
        return Evidence.NONE
    return Evidence.METADATA if len(table) != grid.count(signature.size) and whole(table[:, 5]) else Evidence.NONE


def _read_end_to_end_pose(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 8)
    shape = literal(signature.metadata.get("kpt_shape"))
    depth = int(shape[1]) if shape else 3 if (table.shape[1] - 6) % 3 == 0 else 2
    if (table.shape[1] - 6) % depth:
        raise LayoutError(f"{table.shape[1]} columns have no room for points of {depth} numbers behind the first six")
    points = table[:, 6:].reshape(len(table), -1, depth)
    more = {"keypoints": points[..., :2], **({"visibility": points[..., 2]} if depth == 3 else {})}
    return of_labels(table[:, :4], table[:, 4], _classes(table[:, 5]), reading, suppress=False, **more)


def _fits_end_to_end_obb(signature: Signature) -> Evidence:
    table = _selected(signature, 7)
    if table is None or signature.metadata.get("task") != "obb":
        return Evidence.NONE
    return Evidence.METADATA if whole(table[:, 5]) else Evidence.NONE


def _read_end_to_end_obb(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 7, exact=True)
    boxes = from_centre(table[:, :4])
    return of_labels(boxes, table[:, 4], _classes(table[:, 5]), reading, suppress=False, angles=table[:, 6])


def _fits_rtdetr_rows(signature: Signature) -> Evidence:
    table = _selected(signature, 6)
    if table is None or not (table.any() and whole(table[:, 5]) and shares(table[:, :5])):
        return Evidence.NONE
    return Evidence.METADATA if signature.metadata.get("head") == "RTDETRDecoder" else Evidence.VALUES


def _read_rtdetr_rows(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 6, exact=True)
    return of_labels(_in_pixels(signature, table), table[:, 4], _classes(table[:, 5]), reading, suppress=False)


def _fits_rtdetr_scores(signature: Signature) -> Evidence:
    table = rows(signature)
    if table is None or len(table) != 300 or table.shape[1] < 5 or not shares(table):
        return Evidence.NONE
    if len(table) in (grid.count(signature.size), grid.count(signature.size, per_cell=3)) or whole(table[:, -1]):
        return Evidence.NONE
    return Evidence.VALUES


def _read_rtdetr_scores(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 5)
    return best_class(_in_pixels(signature, table), table[:, 4:], reading, suppress=False)


def _in_pixels(signature: Signature, table: Array) -> Array:
    if pixels(table[:, :4]):
        raise LayoutError("boxes were expected as shares of the input; there are pixels")
    result: Array = from_centre(table[:, :4]) * np.tile(signature.size[::-1], 2)
    return result


def _fits_paddle(signature: Signature) -> Evidence:
    table = _with_count(signature)
    return Evidence.NAMES if table is not None and (not len(table) or _class_first(table)) else Evidence.NONE


def _with_count(signature: Signature) -> Array | None:
    """The first of two outputs, (M, 6), where the second is the number of objects a picture."""
    if len(signature.arrays) != 2:
        return None
    table, number = signature.arrays
    fits = table.ndim == 2 and table.shape[1] == 6 and number.size == 1 and np.issubdtype(number.dtype, np.integer)
    return table if fits else None


def _read_paddle(signature: Signature, reading: Reading) -> Detections:
    table = _with_count(signature)
    if table is None:
        raise LayoutError("a table of six columns and the number of objects were expected")
    table = table[table[:, 0] >= 0]
    return of_labels(table[:, 2:], table[:, 1], table[:, 0], reading, suppress=False)


def _seven(signature: Signature) -> Array | None:
    """A table of image, four numbers of a box, and two of class and score; grids and turned boxes have none of it."""
    table = _selected(signature, 7)
    if table is None or signature.metadata.get("task") == "obb" or not len(table):
        return None
    return table if np.all(table[:, 0] == 0) and pixels(table[:, 1:5]) else None


def _fits_yolov7(signature: Signature) -> Evidence:
    table = _seven(signature)
    if table is None or not (whole(table[:, 5]) and shares(table[:, 6])):
        return Evidence.NONE
    return Evidence.NAMES if "NonMaxSuppression" in signature.operators else Evidence.VALUES


def _read_yolov7(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 7, exact=True)
    return of_labels(table[:, 1:5], table[:, 6], _classes(table[:, 5]), reading, suppress=False)


def _fits_nas_rows(signature: Signature) -> Evidence:
    table = _seven(signature)
    if table is None or not (whole(table[:, 6]) and shares(table[:, 5])):
        return Evidence.NONE
    if signature.names[0] == "detections":
        return Evidence.NONE
    return Evidence.NAMES if "flat_predictions" in signature.names[0] else Evidence.VALUES


def _read_nas_rows(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 7, exact=True)
    return of_labels(table[:, 1:5], table[:, 5], _classes(table[:, 6]), reading, suppress=False)


def _fits_automl(signature: Signature) -> Evidence:
    table = _seven(signature)
    if table is None or not (whole(table[:, 6]) and shares(table[:, 5])):
        return Evidence.NONE
    return Evidence.NAMES if signature.names[0] == "detections" else Evidence.NONE


def _read_automl(signature: Signature, reading: Reading) -> Detections:
    table = table_of(signature, 7, exact=True)
    return of_labels(table[:, [2, 1, 4, 3]], table[:, 5], _classes(table[:, 6]), reading, suppress=False)


LAYOUTS = (
    Layout("end-to-end", "YOLOv10, YOLO26, nms=True", "ultralytics 8.4.190", _fits_end_to_end, _read_end_to_end),
    Layout(
        "end-to-end-pose",
        "YOLO26-pose, YOLOv8-pose with NMS",
        "ultralytics 8.4.190",
        _fits_end_to_end_pose,
        _read_end_to_end_pose,
        people=True,
    ),
    Layout("end-to-end-obb", "YOLO26-obb", "ultralytics 8.4.190", _fits_end_to_end_obb, _read_end_to_end_obb),
    Layout("rtdetr-rows", "RT-DETR of ultralytics 8.4", "ultralytics 8.4.190", _fits_rtdetr_rows, _read_rtdetr_rows),
    Layout(
        "rtdetr-scores",
        "RT-DETR of ultralytics 8.0 to 8.3",
        "ultralytics 8.3",
        _fits_rtdetr_scores,
        _read_rtdetr_scores,
    ),
    Layout("paddle-rows", "PaddleDetection with NMS", "PaddleDetection's deployment guide", _fits_paddle, _read_paddle),
    Layout("yolov7-end2end", "YOLOv7 --end2end", "YOLOv7 0.1, exporter", _fits_yolov7, _read_yolov7),
    Layout(
        "yolonas-rows",
        "YOLO-NAS, flat predictions",
        "super-gradients 3.7, documentation",
        _fits_nas_rows,
        _read_nas_rows,
    ),
    Layout("automl-efficientdet", "EfficientDet of AutoML", "open_model_zoo, model page", _fits_automl, _read_automl),
)
