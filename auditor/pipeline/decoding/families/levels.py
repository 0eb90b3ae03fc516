"""Heads without anchors: every cell of every level says how far its object reaches."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import clipped, from_centre, from_distances
from auditor.pipeline.decoding.families.common import best_class, of_labels, sigmoid, softmax
from auditor.pipeline.decoding.families.rows import rows, shares
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_BINS = 8  # of a distance
_LONG = (8, 16, 32, 64)


def expected_distance(bins: Array) -> Array:
    """(N, 4 * bins) logits as (N, 4) distances in strides: the mean of a softmax over 0, 1, 2 … (2006.04388, eq. 6)."""
    parts = softmax(bins.reshape(len(bins), 4, -1))
    distances: Array = parts @ np.arange(parts.shape[-1])
    return distances


def _fits_nanodet(signature: Signature) -> Evidence:
    table = rows(signature)
    if table is None or len(table) not in _nanodet_levels(signature) or table.shape[1] <= 4 * _BINS:
        return Evidence.NONE
    classes = table[:, : -4 * _BINS]
    return Evidence.VALUES if shares(classes) and not shares(table[:, -4 * _BINS :]) else Evidence.NONE


def _nanodet_levels(signature: Signature) -> dict[int, tuple[int, ...]]:
    return {grid.count(signature.size, strides): strides for strides in (grid.STRIDES, _LONG)}


def _read_nanodet(signature: Signature, reading: Reading) -> Detections:
    table = rows(signature)
    levels = _nanodet_levels(signature)
    if table is None or len(table) not in levels:
        raise LayoutError("one table (1, N, classes + 32), one row a cell, was expected")
    points = grid.points(signature.size, levels[len(table)], offset=0.0)
    distances = expected_distance(table[:, -4 * _BINS :]) * points[:, 2:]
    return best_class(clipped(from_distances(points, distances), signature.size), table[:, : -4 * _BINS], reading)


def _levels_of(signature: Signature, strides: tuple[int, ...], last: int) -> tuple[Array, Array] | None:
    """Two outputs a level, (1, cells, classes) and (1, cells, ``last``), joined over the levels."""
    if len(signature.arrays) != 2 * len(strides):
        return None
    arrays = [array for array in signature.arrays if array.ndim == 3 and array.shape[0] == 1]
    number = [int(np.prod(grid.cells(signature.size, stride))) for stride in strides]
    boxes = sorted((array[0] for array in arrays if array.shape[-1] == last), key=len, reverse=True)
    scores = sorted((array[0] for array in arrays if array.shape[-1] != last), key=len, reverse=True)
    if [len(level) for level in boxes] != number or [len(level) for level in scores] != number:
        return None
    return np.concatenate(scores), np.concatenate(boxes)


def _fits_picodet(signature: Signature) -> Evidence:
    return Evidence.NAMES if _levels_of(signature, _LONG, 4 * _BINS) is not None else Evidence.NONE


def _read_picodet(signature: Signature, reading: Reading) -> Detections:
    parts = _levels_of(signature, _LONG, 4 * _BINS)
    if parts is None:
        raise LayoutError("scores (1, cells, classes) and bins (1, cells, 32) of four levels were expected")
    points = grid.points(signature.size, _LONG, offset=0.5)
    boxes = from_distances(points, expected_distance(parts[1]) * points[:, 2:])
    return best_class(clipped(boxes, signature.size), parts[0], reading)


def _rtmdet(signature: Signature) -> tuple[list[Array], list[Array]] | None:
    """Class and box maps of three levels, told apart by their channels; of four each, class maps come first."""
    if len(signature.arrays) != 6 or any(array.ndim != 4 or array.shape[0] != 1 for array in signature.arrays):
        return None
    boxes = [array for array in signature.arrays if array.shape[1] == 4]
    scores = [array for array in signature.arrays if array.shape[1] != 4]
    if len(boxes) == 6:
        scores, boxes = boxes[:3], boxes[3:]
    sizes = [grid.cells(signature.size, stride) for stride in grid.STRIDES]
    kinds = [sorted(kind, key=lambda level: level.size, reverse=True) for kind in (scores, boxes)]
    if any([level.shape[2:] for level in kind] != sizes for kind in kinds):
        return None
    return (kinds[0], kinds[1]) if len({level.shape[1] for level in scores}) == 1 else None


def _fits_rtmdet(signature: Signature) -> Evidence:
    return Evidence.NAMES if _rtmdet(signature) is not None else Evidence.NONE


def _read_rtmdet(signature: Signature, reading: Reading) -> Detections:
    """Distances are pixels already, points lie at the corner of a cell."""
    parts = _rtmdet(signature)
    if parts is None:
        raise LayoutError("three class maps and three maps of four distances were expected")
    scores = np.concatenate([sigmoid(level[0].reshape(level.shape[1], -1).T) for level in parts[0]])
    distances = np.concatenate([level[0].reshape(4, -1).T for level in parts[1]])
    boxes = from_distances(grid.points(signature.size, offset=0.0), distances)
    return best_class(clipped(boxes, signature.size), scores, reading)


def _fits_fastestdet(signature: Signature) -> Evidence:
    if len(signature.arrays) != 1 or signature.arrays[0].ndim != 4:
        return Evidence.NONE
    head = signature.arrays[0]
    if head.shape[1] < 6 or head.shape[2:] != grid.cells(signature.size, 16):
        return Evidence.NONE
    fits = shares(head[:, 0]) and shares(head[:, 5:]) and not shares(head[:, 1:5])
    return Evidence.VALUES if fits else Evidence.NONE


def _read_fastestdet(signature: Signature, reading: Reading) -> Detections:
    if _fits_fastestdet(signature) is Evidence.NONE:
        raise LayoutError("one map (1, 5 + classes, height / 16, width / 16) of probabilities was expected")
    head = signature.arrays[0][0]
    height, width = head.shape[1:]
    table = head.reshape(len(head), -1).T
    y, x = np.mgrid[:height, :width]
    step = np.array([signature.size[1] / width, signature.size[0] / height])
    centre = (np.stack([x, y], axis=-1).reshape(-1, 2) + np.tanh(table[:, 1:3])) * step
    sides = sigmoid(table[:, 3:5]) * np.array(signature.size[::-1])
    scores = table[:, :1] ** 0.6 * table[:, 5:] ** 0.4
    return best_class(from_centre(np.concatenate([centre, sides], axis=1)), scores, reading)


def _fits_centernet(signature: Signature) -> Evidence:
    return Evidence.NAMES if {"hm", "wh", "reg"} <= set(signature.names) else Evidence.NONE


def _read_centernet(signature: Signature, reading: Reading) -> Detections:
    """Peaks of a 3 x 3 maximum in cells of four pixels; the heat map holds logits or probabilities by export."""
    heat = signature.named("hm")[0].astype(np.float64)
    heat = heat if shares(heat) else sigmoid(heat)
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    around = [padded[:, i : i + heat.shape[1], j : j + heat.shape[2]] for i in range(3) for j in range(3)]
    label, row, column = np.nonzero((heat >= np.max(around, axis=0)) & (heat > reading.score))
    sides, offset = signature.named("wh")[0][:, row, column].T, signature.named("reg")[0][:, row, column].T
    step = np.array([signature.size[1] / heat.shape[2], signature.size[0] / heat.shape[1]])
    centre = (np.stack([column, row], axis=1) + offset) * step
    boxes = from_centre(np.concatenate([centre, sides * step], axis=1))
    return of_labels(boxes, heat[label, row, column], label, reading, suppress=False)


def _fits_yunet(signature: Signature) -> Evidence:
    wanted = {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in grid.STRIDES}
    return Evidence.NAMES if wanted <= set(signature.names) else Evidence.NONE


def _read_yunet(signature: Signature, reading: Reading) -> Detections:
    points = grid.points(signature.size, offset=0.0)
    stride = points[:, 2:]
    joined = {
        kind: np.concatenate([signature.named(f"{kind}_{level}")[0] for level in grid.STRIDES])
        for kind in ("cls", "obj", "bbox", "kps")
    }
    centre = points[:, :2] + joined["bbox"][:, :2] * stride
    boxes = from_centre(np.concatenate([centre, np.exp(joined["bbox"][:, 2:]) * stride], axis=1))
    scores = np.sqrt(np.clip(joined["cls"][:, 0], 0, 1) * np.clip(joined["obj"][:, 0], 0, 1))
    landmarks = points[:, None, :2] + joined["kps"].reshape(-1, 5, 2) * stride[:, None]
    return of_labels(boxes, scores, np.zeros(len(scores), np.int64), reading, keypoints=landmarks)


def _scrfd(signature: Signature) -> tuple[Array, Array, Array | None, tuple[int, ...], int] | None:
    """Scores, distances, points, strides and anchors a cell, told apart by their width and sorted by their length."""
    arrays = [array.reshape(-1, array.shape[-1]) for array in signature.arrays if array.ndim in (2, 3)]
    by_width = {width: [array for array in arrays if array.shape[1] == width] for width in (1, 4, 10)}
    kinds = [sorted(kind, key=len, reverse=True) for kind in by_width.values() if kind]
    if sum(map(len, kinds)) != len(signature.arrays) or not (by_width[1] and by_width[4]):
        return None
    for strides, anchors in ((grid.STRIDES, 2), ((8, 16, 32, 64, 128), 1)):
        number = [int(np.prod(grid.cells(signature.size, stride))) * anchors for stride in strides]
        if all([len(level) for level in kind] == number for kind in kinds):
            joined = [np.concatenate(kind) for kind in kinds]
            return joined[0], joined[1], joined[2] if len(joined) == 3 else None, strides, anchors
    return None


def _fits_scrfd(signature: Signature) -> Evidence:
    return Evidence.NAMES if _scrfd(signature) is not None else Evidence.NONE


def _read_scrfd(signature: Signature, reading: Reading) -> Detections:
    parts = _scrfd(signature)
    if parts is None:
        raise LayoutError("scores, distances and perhaps points of three levels with two anchors were expected")
    scores, distances, landmarks, strides, anchors = parts
    points = grid.points(signature.size, strides, offset=0.0, per_cell=anchors)
    boxes = from_distances(points, distances * points[:, 2:])
    more = {}
    if landmarks is not None:
        more["keypoints"] = points[:, None, :2] + landmarks.reshape(-1, 5, 2) * points[:, None, 2:]
    return of_labels(boxes, scores[:, 0], np.zeros(len(scores), np.int64), reading, **more)


def _centerface(signature: Signature) -> tuple[Array, Array, Array, Array] | None:
    """Heat map, sizes, offsets and points at a quarter of the input, by their order."""
    rows, columns = grid.cells(signature.size, 4)
    wanted = [(1, channels, rows, columns) for channels in (1, 2, 2, 10)]
    if [array.shape for array in signature.arrays] != wanted:
        return None
    heat, sizes, offsets, points = (array[0] for array in signature.arrays)
    return heat[0], sizes, offsets, points


def _fits_centerface(signature: Signature) -> Evidence:
    return Evidence.NAMES if _centerface(signature) is not None else Evidence.NONE


def _read_centerface(signature: Signature, reading: Reading) -> Detections:
    """Height and width, offsets and points are in the order y, x; points are shares of the box from its corner."""
    parts = _centerface(signature)
    if parts is None:
        raise LayoutError("a heat map, sizes, offsets and points at a quarter of the input were expected")
    heat, sizes, offsets, points = parts
    row, column = np.nonzero(heat > reading.score)
    high, wide = np.exp(sizes[:, row, column].astype(np.float64)) * 4
    down, across = offsets[:, row, column]
    middle = np.stack([(column + across + 0.5) * 4, (row + down + 0.5) * 4], axis=1)
    boxes = from_centre(np.concatenate([middle, np.stack([wide, high], axis=1)], axis=1))
    boxes[:, :2] = np.clip(boxes[:, :2], 0, signature.size[::-1])
    landmarks = points[:, row, column].T.reshape(-1, 5, 2)[..., ::-1] * np.stack([wide, high], axis=1)[:, None]
    landmarks = landmarks + boxes[:, None, :2]
    scores = heat[row, column]
    boxes = clipped(boxes, signature.size)
    return of_labels(boxes, scores, np.zeros(len(scores), np.int64), reading, keypoints=landmarks)


LAYOUTS = (
    Layout("nanodet", "NanoDet-Plus", "nanodet 1.0, nanodet_plus_head", _fits_nanodet, _read_nanodet),
    Layout("picodet", "PicoDet, raw", "PaddleDetection 2.5, PicoHead", _fits_picodet, _read_picodet),
    Layout("rtmdet", "RTMDet, raw", "mmdetection 3.3, RTMDetHead", _fits_rtmdet, _read_rtmdet),
    Layout("fastestdet", "FastestDet", "FastestDet, test.py", _fits_fastestdet, _read_fastestdet),
    Layout("centernet", "CenterNet", "arXiv 1904.07850, section 4", _fits_centernet, _read_centernet),
    Layout("yunet", "YuNet of 2023", "OpenCV 5, FaceDetectorYN", _fits_yunet, _read_yunet),
    Layout("scrfd", "SCRFD", "insightface, SCRFD", _fits_scrfd, _read_scrfd),
    Layout("centerface", "CenterFace", "CenterFace, centerface.py decode", _fits_centerface, _read_centerface),
)
