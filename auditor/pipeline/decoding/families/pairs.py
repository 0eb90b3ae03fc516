"""One output of boxes and one of scores, of all candidates, without the suppression."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.families.common import best_class
from auditor.pipeline.decoding.families.rows import corners, pixels, shares
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_FACE_STRIDES, _FACE_PRIORS = (8, 16, 32, 64), (3, 2, 2, 3)


def _split(signature: Signature) -> tuple[Array, Array, bool] | None:
    """Boxes (N, 4), scores (N, classes) and whether scores come first, one row a cell; None where it is not so or not
    clear.
    """
    if len(signature.arrays) != 2:
        return None
    first, second = (array[0] if array.ndim == 3 and array.shape[0] == 1 else array for array in signature.arrays)
    number = grid.count(signature.size)
    if first.ndim != 2 or second.ndim != 2 or number not in first.shape or number not in second.shape:
        return None
    readings = []
    for boxes, scores, swapped in ((first, second, False), (second, first, True)):
        table = scores.T if scores.shape[0] != number else scores
        if boxes.shape == (number, 4) and pixels(boxes) and corners(boxes) and shares(table):
            readings.append((boxes, table, swapped))
    return readings[0] if len(readings) == 1 else None


def _classes_first(signature: Signature) -> bool:
    """Whether scores are (classes, N)."""
    return any(array.ndim == 3 and array.shape[-1] == grid.count(signature.size) for array in signature.arrays)


def _fits_nas(signature: Signature) -> Evidence:
    parts = _split(signature)
    return Evidence.VALUES if parts is not None and not parts[2] and not _classes_first(signature) else Evidence.NONE


def _fits_damo(signature: Signature) -> Evidence:
    parts = _split(signature)
    return Evidence.VALUES if parts is not None and parts[2] and not _classes_first(signature) else Evidence.NONE


def _fits_ppyoloe(signature: Signature) -> Evidence:
    return Evidence.VALUES if _split(signature) is not None and _classes_first(signature) else Evidence.NONE


def _read_split(signature: Signature, reading: Reading) -> Detections:
    parts = _split(signature)
    if parts is None:
        raise LayoutError("boxes (1, N, 4) in pixels and scores in 0..1, one row a cell, were expected")
    return best_class(parts[0], parts[1], reading)


def _fits_yolov4(signature: Signature) -> Evidence:
    if set(signature.names) != {"boxes", "confs"}:
        return Evidence.NONE
    return Evidence.NAMES if signature.named("boxes").shape[-2:] == (1, 4) else Evidence.NONE


def _read_yolov4(signature: Signature, reading: Reading) -> Detections:
    boxes = signature.named("boxes").reshape(-1, 4) * np.tile(signature.size[::-1], 2)
    return best_class(boxes, signature.named("confs")[0], reading)


def _faces(signature: Signature) -> tuple[Array, Array] | None:
    """UltraFace's scores and boxes, by name and by their number."""
    if set(signature.names) != {"scores", "boxes"}:
        return None
    scores, boxes = signature.named("scores"), signature.named("boxes")
    number = grid.count(signature.size, _FACE_STRIDES, _FACE_PRIORS)
    fits = scores.ndim == 3 and scores.shape[-1] in (2, 3) and boxes.shape == (1, number, 4)
    return (scores[0], boxes[0]) if fits else None


def _fits_ultraface(signature: Signature) -> Evidence:
    parts = _faces(signature)
    return Evidence.NAMES if parts is not None and corners(parts[1]) else Evidence.NONE


def _read_ultraface(signature: Signature, reading: Reading) -> Detections:
    parts = _faces(signature)
    if parts is None:
        raise LayoutError("outputs scores (1, N, 2) and boxes (1, N, 4) of UltraFace were expected")
    scores, boxes = parts
    objects = best_class(boxes * np.tile(signature.size[::-1], 2), scores[:, 1:], reading)
    return Detections(objects.boxes, objects.scores, objects.labels + 1)  # class 0 is the background


def _fits_ultraface_raw(signature: Signature) -> Evidence:
    parts = _faces(signature)
    return Evidence.NAMES if parts is not None and not corners(parts[1]) else Evidence.NONE


def _read_ultraface_raw(signature: Signature, reading: Reading) -> Detections:
    """The file with undecoded boxes: priors of 10 to 256 pixels at cell centres, variances 0.1 and 0.2."""
    parts = _faces(signature)
    if parts is None:
        raise LayoutError("outputs scores (1, N, 2) and boxes (1, N, 4) of UltraFace were expected")
    scores, deltas = parts
    sizes = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
    levels = []
    for stride, sides in zip(_FACE_STRIDES, sizes, strict=True):
        centres = grid.points(signature.size, (stride,), offset=0.5)[:, :2]
        level = np.repeat(centres, len(sides), axis=0)
        levels.append(np.concatenate([level, np.tile(np.array(sides, float)[:, None], (len(centres), 2))], axis=1))
    priors = np.concatenate(levels)
    centre = priors[:, :2] + deltas[:, :2] * 0.1 * priors[:, 2:]
    half = priors[:, 2:] * np.exp(deltas[:, 2:] * 0.2) / 2
    objects = best_class(np.concatenate([centre - half, centre + half], axis=1), scores[:, 1:], reading)
    return Detections(objects.boxes, objects.scores, objects.labels + 1)


LAYOUTS = (
    Layout("yolonas", "YOLO-NAS without NMS", "super-gradients 3.7", _fits_nas, _read_split),
    Layout("damoyolo", "DAMO-YOLO", "its exporter", _fits_damo, _read_split),
    Layout("ppyoloe", "PP-YOLOE without NMS", "PaddleDetection 2.5", _fits_ppyoloe, _read_split),
    Layout("yolov4", "YOLOv4, PyTorch port", "its exported graph", _fits_yolov4, _read_yolov4),
    Layout("ultraface", "UltraFace", "its exported graph", _fits_ultraface, _read_ultraface),
    Layout(
        "ultraface-raw",
        "UltraFace, undecoded",
        "its exported graph and box_utils",
        _fits_ultraface_raw,
        _read_ultraface_raw,
    ),
)
