"""Heads that move and stretch anchors of known sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import clipped, from_centre
from auditor.pipeline.decoding.families.common import best_class, of_labels, sigmoid, softmax
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

# SSD300 with VGG of torchvision: cells a side, step, smallest and next size, and aspect ratios beside 1.
_SSD = (
    (38, 8, 0.07, 0.15, (2,)),
    (19, 16, 0.15, 0.33, (2, 3)),
    (10, 32, 0.33, 0.51, (2, 3)),
    (5, 64, 0.51, 0.69, (2, 3)),
    (3, 100, 0.69, 0.87, (2,)),
    (1, 300, 0.87, 1.05, (2,)),
)
_RETINAFACE = ((16, 32), (64, 128), (256, 512))
_EFFICIENTDET_STRIDES = (8, 16, 32, 64, 128)
_EFFICIENTDET_RATIOS = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))


def moved(priors: Array, deltas: Array, centre: float, size: float) -> Array:
    """Corners of priors (N, 4), centre and size, moved by ``deltas`` times the variances ``centre`` and ``size``."""
    middle = priors[:, :2] + deltas[:, :2] * centre * priors[:, 2:]
    return from_centre(np.concatenate([middle, priors[:, 2:] * np.exp(deltas[:, 2:] * size)], axis=1))


def _ssd(signature: Signature) -> tuple[Array, Array] | None:
    """Deltas and logits, in any order; of four columns each, deltas come first."""
    if len(signature.arrays) != 2 or signature.size != (300, 300):
        return None
    for boxes, logits in (signature.arrays, signature.arrays[::-1]):
        if boxes.shape == (1, 8732, 4) and logits.ndim == 3 and logits.shape[:2] == (1, 8732):
            return boxes[0], logits[0]
    return None


def _fits_ssd(signature: Signature) -> Evidence:
    return Evidence.VALUES if _ssd(signature) is not None else Evidence.NONE


def _read_ssd(signature: Signature, reading: Reading) -> Detections:
    parts = _ssd(signature)
    if parts is None:
        raise LayoutError("deltas (1, 8732, 4) and logits (1, 8732, classes) of an input of 300 x 300 were expected")
    priors = []
    for side, step, smallest, following, ratios in _SSD:
        sizes = [(smallest, smallest), (math.sqrt(smallest * following),) * 2]
        for ratio in ratios:
            root = math.sqrt(ratio)
            sizes += [(smallest * root, smallest / root), (smallest / root, smallest * root)]
        y, x = np.mgrid[:side, :side]
        centres = np.stack([(x + 0.5) * step, (y + 0.5) * step], axis=-1).reshape(-1, 1, 2)
        shapes = np.broadcast_to(np.array(sizes) * 300.0, (len(centres), len(sizes), 2))
        priors.append(np.concatenate([np.broadcast_to(centres, shapes.shape), shapes], axis=-1).reshape(-1, 4))
    boxes = clipped(moved(np.concatenate(priors), parts[0], 0.1, 0.2), signature.size)
    return best_class(boxes, softmax(parts[1])[:, 1:], reading)  # class 0 is the background


def _retinaface(signature: Signature) -> tuple[Array, Array, Array | None] | None:
    """Deltas, probabilities and perhaps points, told apart by their width."""
    number = grid.count(signature.size, per_cell=2)
    by_width = {
        array.shape[2]: array[0] for array in signature.arrays if array.ndim == 3 and array.shape[:2] == (1, number)
    }
    if len(by_width) != len(signature.arrays) or not {4, 2} <= set(by_width) <= {4, 2, 10}:
        return None
    return by_width[4], by_width[2], by_width.get(10)


def _fits_retinaface(signature: Signature) -> Evidence:
    return Evidence.NAMES if _retinaface(signature) is not None else Evidence.NONE


def _read_retinaface(signature: Signature, reading: Reading) -> Detections:
    parts = _retinaface(signature)
    if parts is None:
        raise LayoutError("deltas (1, N, 4), probabilities (1, N, 2) and perhaps points (1, N, 10) were expected")
    priors = []
    for stride, sides in zip(grid.STRIDES, _RETINAFACE, strict=True):
        centres = np.repeat(grid.points(signature.size, (stride,), offset=0.5)[:, :2], 2, axis=0)
        priors.append(
            np.concatenate([centres, np.tile(np.array(sides, float)[:, None], (len(centres) // 2, 2))], axis=1)
        )
    every = np.concatenate(priors)
    deltas, shares, points = parts
    boxes = moved_in_shares(every, deltas)
    more = {}
    if points is not None:
        offsets = points.reshape(-1, 5, 2)
        more["keypoints"] = every[:, None, :2] + offsets * 0.1 * every[:, None, 2:]
    scores = shares[:, 1]
    return of_labels(boxes, scores, np.zeros(len(scores), np.int64), reading, **more)


def moved_in_shares(priors: Array, deltas: Array) -> Array:
    """As :func:`moved` with SSD's variances 0.1 and 0.2."""
    return moved(priors, deltas, 0.1, 0.2)


def _efficientdet(signature: Signature) -> tuple[list[Array], list[Array]] | None:
    """Class and box maps of five levels, by the number of their channels."""
    if len(signature.arrays) != 10:
        return None
    first, second = signature.arrays[:5], signature.arrays[5:]
    if any(array.ndim != 4 for array in signature.arrays):
        return None
    sizes = [grid.cells(signature.size, stride) for stride in _EFFICIENTDET_STRIDES]
    for classes, boxes in ((first, second), (second, first)):
        fits = all(
            box.shape[1:] == (36, *size) and level.shape[2:] == size and level.shape[1] % 9 == 0
            for level, box, size in zip(classes, boxes, sizes, strict=True)
        )
        if fits:
            return list(classes), list(boxes)
    return None


def _fits_efficientdet(signature: Signature) -> Evidence:
    return Evidence.NAMES if _efficientdet(signature) is not None else Evidence.NONE


def _read_efficientdet(signature: Signature, reading: Reading) -> Detections:
    parts = _efficientdet(signature)
    if parts is None:
        raise LayoutError("five class maps (1, 9 classes, h, w) and five box maps (1, 36, h, w) were expected")
    boxes, scores = [], []
    for stride, classes, deltas in zip(_EFFICIENTDET_STRIDES, *parts, strict=True):
        centres = grid.points(signature.size, (stride,), offset=0.5)[:, None, :2]
        # effdet orders its nine anchors by octave, then by ratio (width, height).
        shapes = np.array(
            [
                (4 * stride * 2 ** (octave / 3) * wide, 4 * stride * 2 ** (octave / 3) * high)
                for octave in range(3)
                for wide, high in _EFFICIENTDET_RATIOS
            ]
        )
        ty, tx, th, tw = np.moveaxis(_per_anchor(deltas, 9), -1, 0)
        middle = centres + np.stack([tx, ty], axis=-1) * shapes
        size = np.exp(np.stack([tw, th], axis=-1)) * shapes
        boxes.append(np.concatenate([middle, size], axis=-1).reshape(-1, 4))
        scores.append(sigmoid(_per_anchor(classes, 9)).reshape(-1, classes.shape[1] // 9))
    return best_class(clipped(from_centre(np.concatenate(boxes)), signature.size), np.concatenate(scores), reading)


def _per_anchor(level: Array, anchors: int) -> Array:
    """(1, anchors * K, h, w) as (cells, anchors, K)."""
    _, channels, height, width = level.shape
    values: Array = level.reshape(anchors, channels // anchors, height * width).transpose(2, 0, 1)
    return values


def _heads(signature: Signature, anchors: int = 3) -> list[Array] | None:
    """Raw heads as (h, w, anchors, 5 + classes), each of square strides; None where an output is none."""
    heads = []
    for array in signature.arrays:
        if array.ndim == 5 and array.shape[0] == 1 and array.shape[1] == anchors:
            head = array[0].transpose(1, 2, 0, 3)
        elif array.ndim == 5 and array.shape[0] == 1 and array.shape[3] == anchors:
            head = array[0]
        elif array.ndim == 4 and array.shape[1] % anchors == 0:
            head = array[0].reshape(anchors, -1, *array.shape[2:]).transpose(2, 3, 0, 1)
        else:
            return None
        if head.shape[-1] < 6 or signature.size[0] / head.shape[0] != signature.size[1] / head.shape[1]:
            return None
        heads.append(head)
    widths = {head.shape[-1] for head in heads}
    levels = {head.shape[:2] for head in heads}
    return heads if len(heads) == len(levels) in (2, 3, 4) and len(widths) == 1 else None


def _fits_heads(signature: Signature) -> Evidence:
    return Evidence.SHAPE if _heads(signature) is not None else Evidence.NONE


def _stride(signature: Signature, head: Array) -> float:
    return signature.size[0] / len(head)


def _anchors(signature: Signature, heads: Sequence[Array], reading: Reading) -> list[Array]:
    """The anchors of each head: levels are given from fine to coarse, or in the order of the outputs with their
    strides.
    """
    assert reading.anchors is not None
    if len(reading.anchors) != len(heads):
        raise LayoutError(f"{len(heads)} levels need as many lists of anchors; got {len(reading.anchors)}")
    levels = [np.array(level, float) for level in reading.anchors]
    given: Sequence[float] = reading.strides or sorted(_stride(signature, head) for head in heads)
    by_stride = dict(zip((float(stride) for stride in given), levels, strict=True))
    try:
        return [by_stride[_stride(signature, head)] for head in heads]
    except KeyError as error:
        raise LayoutError(f"no anchors were given for the level of stride {error}") from None


def _read_darknet(signature: Signature, reading: Reading) -> Detections:
    """``x = (sigmoid(t) k - (k - 1) / 2 + column) s``, ``w = anchor e^t``; k is 1 for YOLOv3."""
    heads = _expect_heads(signature)
    scales = reading.scale_x_y if reading.scale_x_y is not None else 1.0
    each = [scales] * len(heads) if isinstance(scales, (int, float)) else list(scales)
    boxes, scores = [], []
    for head, anchors, scale in zip(heads, _anchors(signature, heads, reading), each, strict=True):
        inner = sigmoid(head[..., :2]) * scale - (scale - 1) / 2
        sides = np.exp(head[..., 2:4]) * anchors
        boxes.append(_placed(signature, head, inner, sides))
        scores.append((sigmoid(head[..., 4:5]) * sigmoid(head[..., 5:])).reshape(-1, head.shape[-1] - 5))
    return best_class(from_centre(np.concatenate(boxes)), np.concatenate(scores), reading)


def _read_yolov5_heads(signature: Signature, reading: Reading) -> Detections:
    """``xy = (2 sigmoid - 0.5 + cell) s``, ``wh = (2 sigmoid)^2 anchor``."""
    heads = _expect_heads(signature)
    boxes, scores = [], []
    for head, anchors in zip(heads, _anchors(signature, heads, reading), strict=True):
        shares = sigmoid(head)
        boxes.append(_placed(signature, head, shares[..., :2] * 2 - 0.5, (shares[..., 2:4] * 2) ** 2 * anchors))
        scores.append((shares[..., 4:5] * shares[..., 5:]).reshape(-1, head.shape[-1] - 5))
    return best_class(from_centre(np.concatenate(boxes)), np.concatenate(scores), reading)


def _placed(signature: Signature, head: Array, inner: Array, sides: Array) -> Array:
    """(N, 4) centre and size in pixels from places within the cells, in cells, and sizes in pixels."""
    y, x = np.mgrid[: head.shape[0], : head.shape[1]]
    centre = (inner + np.stack([x, y], axis=-1)[:, :, None]) * _stride(signature, head)
    return np.concatenate([centre, sides], axis=-1).reshape(-1, 4)


def _expect_heads(signature: Signature) -> list[Array]:
    heads = _heads(signature)
    if heads is None:
        raise LayoutError("two to four maps of 3 (5 + classes) channels were expected")
    return heads


LAYOUTS = (
    Layout("ssd300", "SSD300 of torchvision, raw", "torchvision 0.29, anchor_utils", _fits_ssd, _read_ssd),
    Layout(
        "retinaface",
        "RetinaFace, PyTorch port",
        "its exported graph and prior boxes",
        _fits_retinaface,
        _read_retinaface,
    ),
    Layout("efficientdet", "EfficientDet, raw", "effdet 0.4, anchors", _fits_efficientdet, _read_efficientdet),
    Layout(
        "darknet", "YOLOv3, YOLOv4 raw heads", "arXiv 1804.02767, section 2.1", _fits_heads, _read_darknet, ("anchors",)
    ),
    Layout(
        "yolov5-heads", "YOLOv5, YOLOv7 raw heads", "yolov5 7.0, Detect", _fits_heads, _read_yolov5_heads, ("anchors",)
    ),
)
