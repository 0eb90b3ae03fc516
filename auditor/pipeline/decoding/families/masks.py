"""Objects with the coefficients of their masks, beside the prototypes that they weigh."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import from_centre
from auditor.pipeline.decoding.families.common import best_class, of_labels
from auditor.pipeline.decoding.families.rows import pixels, shares, three_per_cell, whole
from auditor.pipeline.decoding.families.ultralytics import with_masks
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature


def _parts(signature: Signature) -> tuple[Array, Array] | None:
    """A table of rows and the prototypes (K, h, w)."""
    if len(signature.arrays) != 2:
        return None
    table, prototypes = signature.arrays
    if table.ndim != 3 or table.shape[0] != 1 or prototypes.ndim != 4 or prototypes.shape[0] != 1:
        return None
    quarter = prototypes.shape[2:] == grid.cells(signature.size, 4)
    return (table[0], prototypes[0]) if quarter and table.shape[2] > 4 + prototypes.shape[1] else None


def _expect(signature: Signature) -> tuple[Array, Array]:
    parts = _parts(signature)
    if parts is None:
        raise LayoutError("rows with mask coefficients, and prototypes at a quarter of the input, were expected")
    return parts


def _fits_yolov5(signature: Signature) -> Evidence:
    parts = _parts(signature)
    if parts is None or len(parts[0]) not in three_per_cell(signature):
        return Evidence.NONE
    table, prototypes = parts
    likely = shares(table[:, 4 : -len(prototypes)]) and pixels(table[:, :4])
    return Evidence.NAMES if likely and table.shape[1] > 5 + len(prototypes) else Evidence.NONE


def _read_yolov5(signature: Signature, reading: Reading) -> Detections:
    table, prototypes = _expect(signature)
    if len(table) not in three_per_cell(signature):
        raise LayoutError("three rows a cell were expected")
    number = len(prototypes)
    scores = table[:, 4:5] * table[:, 5:-number]
    objects = best_class(from_centre(table[:, :4]), scores, reading, masks=table[:, -number:])
    return with_masks(objects, prototypes, signature.size)


def _fits_end_to_end(signature: Signature) -> Evidence:
    parts = _parts(signature)
    if parts is None or parts[0].shape[1] != 6 + len(parts[1]):
        return Evidence.NONE
    table = parts[0]
    if signature.metadata.get("task") == "segment":
        return Evidence.METADATA if whole(table[:, 5]) and shares(table[:, 4]) else Evidence.NONE
    likely = "task" not in signature.metadata and whole(table[:, 5]) and shares(table[:, 4]) and pixels(table[:, :4])
    return Evidence.VALUES if likely else Evidence.NONE


def _read_end_to_end(signature: Signature, reading: Reading) -> Detections:
    table, prototypes = _expect(signature)
    objects = of_labels(table[:, :4], table[:, 4], table[:, 5], reading, suppress=False, masks=np.asarray(table[:, 6:]))
    return with_masks(objects, prototypes, signature.size)


LAYOUTS = (
    Layout("yolov5-seg", "YOLOv5, YOLOv7: segmentation", "yolov5 7.0, exported graph", _fits_yolov5, _read_yolov5),
    Layout(
        "end-to-end-seg",
        "YOLO26-seg, YOLOv8-seg with NMS",
        "ultralytics 8.4.190",
        _fits_end_to_end,
        _read_end_to_end,
    ),
)
