"""Heads of Ultralytics models: one column a cell, no objectness, class probabilities.

Source: the exported graphs of ultralytics 8.4.190 and the metadata they carry (``task``, ``names``, ``kpt_shape``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import from_centre, unturned
from auditor.pipeline.decoding.families.common import (
    LARGEST_PROBABILITY,
    best_class,
    expect_probabilities,
    literal,
    sigmoid,
)
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_SOURCE = "ultralytics 8.4.190, exported graphs and metadata"
_LIBREYOLO = "model_family"  # of the metadata
_LARGEST_SHARE = 2  # what is beyond is pixels


def columns(signature: Signature) -> Array | None:
    """The head as (rows, cells), or None where the first output is none."""
    head = signature.arrays[0]
    if head.ndim != 3 or head.shape[0] != 1:
        return None
    sums = grid.counts(signature.size)
    matrix: Array = head[0]
    return matrix if matrix.shape[1] in sums and matrix.shape[0] >= 5 else None


def _is(task: str, signature: Signature) -> bool:
    return signature.metadata.get("task") == task


def _fits_detect(signature: Signature) -> Evidence:
    if columns(signature) is None or len(signature.arrays) != 1:
        return Evidence.NONE
    head = columns(signature)
    assert head is not None
    if "task" in signature.metadata:
        fits = _is("detect", signature) and not (_LIBREYOLO in signature.metadata and _corners(head))
        return Evidence.METADATA if fits else Evidence.NONE
    # Sizes are never negative, and a row of ones is the objectness of a family that has none.
    boxes = head[2:4].min() >= 0 and not _corners(head) and not np.any(np.all(head[4:] == 1, axis=1))
    return Evidence.VALUES if _shares(head[4:]) and boxes else Evidence.NONE


def _shares(values: Array) -> bool:
    return bool(np.all((values >= 0) & (values <= 1)))


def _corners(head: Array) -> bool:
    """Corners instead of centres: the third row is never smaller than the first. Of centres and sizes, those at the
    right and at the bottom always are.
    """
    return bool(np.all(head[2:4] >= head[:2]))


def _fits_corners(signature: Signature) -> Evidence:
    """Libreyolo's metadata name the same task and shape as Ultralytics' for boxes of another form."""
    head = columns(signature)
    if head is None or len(signature.arrays) != 1 or _LIBREYOLO not in signature.metadata:
        return Evidence.NONE
    return Evidence.METADATA if _is("detect", signature) and _corners(head) else Evidence.NONE


def _read_corners(signature: Signature, reading: Reading) -> Detections:
    head = _columns(signature)
    return best_class(head[:4].T, head[4:].T, reading)


def _read_detect(signature: Signature, reading: Reading) -> Detections:
    """Centre and size in pixels; exports by way of TensorFlow give them as shares of the input."""
    head = _columns(signature)
    scale = np.tile(signature.size[::-1], 2) if head[:4].max(initial=0) <= _LARGEST_SHARE else 1
    return best_class(from_centre(head[:4].T * scale), head[4:].T, reading)


def _fits_pose(signature: Signature) -> Evidence:
    head = columns(signature)
    if head is None or len(signature.arrays) != 1:
        return Evidence.NONE
    if "task" in signature.metadata:
        return Evidence.METADATA if _is("pose", signature) else Evidence.NONE
    # One class, then points of three numbers: the third is a probability, and the others are pixels.
    rest = len(head) - 5
    if rest < 3 or rest % 3 or not (_shares(head[4]) and _shares(head[7::3])):
        return Evidence.NONE
    return Evidence.VALUES if head[5::3].max() > 2 and head[6::3].max() > 2 else Evidence.NONE


def _read_pose(signature: Signature, reading: Reading) -> Detections:
    head = _columns(signature)
    shape = literal(signature.metadata.get("kpt_shape")) or [(len(head) - 5) // 3, 3]
    number, depth = int(shape[0]), int(shape[1])
    classes = len(head) - 4 - number * depth
    if classes < 1:
        raise LayoutError(f"a pose head of {len(head)} rows has no room for {number} points of {depth} numbers")
    points = head[4 + classes :].T.reshape(-1, number, depth)
    more: dict[str, Any] = {"keypoints": points[..., :2]}
    if depth == 3:
        more["visibility"] = points[..., 2]
        if points[..., 2].max(initial=0) > LARGEST_PROBABILITY:
            raise LayoutError("every third number of a point was expected to be a probability")
    return best_class(from_centre(head[:4].T), head[4 : 4 + classes].T, reading, **more)


def _fits_segment(signature: Signature) -> Evidence:
    head = columns(signature)
    if head is None or len(signature.arrays) != 2 or signature.arrays[1].ndim != 4:
        return Evidence.NONE
    prototypes = signature.arrays[1].shape[1]
    quarter = signature.arrays[1].shape[2:] == grid.cells(signature.size, 4)
    if not quarter or len(head) <= 4 + prototypes or signature.metadata.get("task", "segment") != "segment":
        return Evidence.NONE
    return Evidence.METADATA if _is("segment", signature) else Evidence.SHAPE


def _read_segment(signature: Signature, reading: Reading) -> Detections:
    head, prototypes = _columns(signature), signature.arrays[1][0]
    number = len(prototypes)
    objects = best_class(
        from_centre(head[:4].T), head[4 : len(head) - number].T, reading, masks=head[len(head) - number :].T
    )
    return with_masks(objects, prototypes, signature.size)


def with_masks(objects: Detections, prototypes: Array, size: tuple[int, int]) -> Detections:
    """The objects with the masks that their coefficients, in the place of masks, make of the prototypes (K, h, w)."""
    return Detections(objects.boxes, objects.scores, objects.labels, masks=_masks(objects, prototypes, size))


def _masks(objects: Detections, prototypes: Array, size: tuple[int, int]) -> Array:
    """(N, H, W): sigmoid of the weighted prototypes above one half, within the box, at the input's size."""
    from auditor.pipeline.resizing import resize

    assert objects.masks is not None
    soft = np.tensordot(objects.masks.astype(np.float32), prototypes.astype(np.float32), axes=1)
    masks = np.zeros((len(objects), *size), bool)
    y, x = np.mgrid[: size[0], : size[1]]
    for index, (logits, box) in enumerate(zip(soft, objects.boxes, strict=True)):
        inside = (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])
        masks[index] = (sigmoid(resize(logits, size, "torch-bilinear")) > 0.5) & inside
    return masks


def _fits_obb(signature: Signature) -> Evidence:
    head = columns(signature)
    if head is None or len(signature.arrays) != 1:
        return Evidence.NONE
    if "task" in signature.metadata:
        return Evidence.METADATA if _is("obb", signature) else Evidence.NONE
    turned = -np.pi / 4 - 1e-3 <= head[-1].min() and head[-1].max() <= 3 * np.pi / 4 + 1e-3
    fits = len(head) >= 6 and turned and _shares(head[4:-1]) and not _shares(head[-1])
    return Evidence.VALUES if fits else Evidence.NONE


def _read_obb(signature: Signature, reading: Reading) -> Detections:
    """The angle is the last row; boxes are those before the object is turned."""
    head = _columns(signature)
    finite = np.isfinite(head[[0, 1, 2, 3, -1]]).all(axis=0)
    head = head[:, finite]
    boxes, angles, scores = head[:4].T.astype(np.float64), head[-1].astype(np.float64), head[4:-1].T
    labels = scores.argmax(axis=1)
    best = scores.max(axis=1)
    sure = np.flatnonzero(best > reading.score)
    sure = sure[np.argsort(-best[sure], kind="stable")]
    expect_probabilities(best[sure])
    kept = sure[unturned(boxes[sure], angles[sure], labels[sure], reading.iou)]
    return Detections(
        from_centre(boxes[kept]), best[kept].astype(np.float64), labels[kept].astype(np.int64), angles=angles[kept]
    )


def _columns(signature: Signature) -> Array:
    head = columns(signature)
    if head is None:
        raise LayoutError(
            f"the first output {list(signature.arrays[0].shape)} has not one column a cell of an input of"
            f" {signature.size[0]}x{signature.size[1]}"
        )
    return head


LAYOUTS = (
    Layout("yolov8", "YOLOv8, v9, 11, 12, v5u: detection", _SOURCE, _fits_detect, _read_detect),
    Layout("corner-columns", "PP-YOLOE and others by libreyolo", "libreyolo 1.6", _fits_corners, _read_corners),
    Layout("yolov8-pose", "YOLOv8, 11: pose", _SOURCE, _fits_pose, _read_pose, people=True),
    Layout("yolov8-obb", "YOLOv8, 11: oriented boxes", _SOURCE, _fits_obb, _read_obb),
    Layout("yolov8-seg", "YOLOv8, 11: segmentation", _SOURCE, _fits_segment, _read_segment),
)
