"""Forms of boxes, and the suppression of those that are found twice."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding.answers import Array

# Up to here all pairs at once are less work than one pass for each box that stays.
_FEW = 64


def from_centre(boxes: Array) -> Array:
    """(N, 4) centre x, centre y, width, height as corners x0, y0, x1, y1."""
    centre, half = boxes[:, :2], boxes[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def from_distances(points: Array, distances: Array) -> Array:
    """Corners from points (N, 2) and their distances (N, 4) to the left, top, right and bottom edge."""
    return np.concatenate([points[:, :2] - distances[:, :2], points[:, :2] + distances[:, 2:4]], axis=1)


def clipped(boxes: Array, size: tuple[int, int]) -> Array:
    """Boxes held within an input of (height, width)."""
    limit = np.array([size[1], size[0], size[1], size[0]], float)
    return np.clip(boxes, 0, limit)


def iou(left: Array, right: Array) -> Array:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4); boxes without area have none with anything."""
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (left, right)]
    union = areas[0][:, None] + areas[1][None, :] - common
    result: Array = common / np.where(union > 0, union, 1.0)
    return result


def suppressed(boxes: Array, scores: Array, labels: Array, iou: float) -> Array:
    """Indices of the boxes that stay, the surest first: greedy non-maximum suppression within each class.

    A box goes when its intersection over union with a surer one of its class is above ``iou``.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) <= _FEW:
        return order[_first_of_doubles(boxes[order], labels[order], iou)]
    by_class = np.argsort(labels[order], kind="stable")
    classes = np.split(by_class, np.flatnonzero(np.diff(labels[order][by_class])) + 1)
    kept = [members[_surest(boxes[order[members]], iou)] for members in classes if len(members)]
    result: Array = order[np.sort(np.concatenate(kept))] if kept else order
    return result


def _first_of_doubles(boxes: Array, labels: Array, iou: float) -> Array:
    """As :func:`_surest` within each class, for so few boxes (N, 4) that all pairs cost less than a loop."""
    left, top, right, bottom = np.ascontiguousarray(boxes[:, :4].T, np.float64)
    area = (right - left) * (bottom - top)
    wide = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    high = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    apart = shared <= iou * np.maximum(area[:, None] + area - shared, np.finfo(float).tiny)
    apart |= labels[:, None] != labels
    stays = np.ones(len(boxes), np.bool_)
    np.fill_diagonal(apart, val=True)
    if not apart.all():
        for place in range(len(boxes)):
            if stays[place]:
                stays[place + 1 :] &= apart[place, place + 1 :]
    return np.flatnonzero(stays)


def _surest(boxes: Array, iou: float) -> list[int]:
    """Positions of the boxes (N, 4), the surest first, that are nobody's double."""
    # One array a side: the loop runs once for each box that stays, and is nothing but these few operations.
    left, top, right, bottom = np.ascontiguousarray(boxes[:, :4].T, np.float64)
    area = (right - left) * (bottom - top)
    place = np.arange(len(boxes))
    kept: list[int] = []
    while len(place):
        kept.append(int(place[0]))
        wide = np.minimum(right, right[0]) - np.maximum(left, left[0])
        high = np.minimum(bottom, bottom[0]) - np.maximum(top, top[0])
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        other = shared <= iou * np.maximum(area + area[0] - shared, np.finfo(float).tiny)
        other[0] = False
        place, left, top, right, bottom, area = (side[other] for side in (place, left, top, right, bottom, area))
    return kept


def unturned(boxes: Array, angles: Array, labels: Array, iou: float) -> Array:
    """Positions, in the given order (surest first), of turned boxes (N, 4), centre and size, that are nobody's double.

    The likeness is the probabilistic intersection over union of Llerena et al. (arXiv 2106.06072, eq. 1 to 7): one
    minus the Hellinger distance of the normal distributions with the boxes' centres and covariances.
    """
    if not len(boxes):
        return np.zeros(0, np.int64)
    variance = boxes[:, 2:] ** 2 / 12
    cosine, sine = np.cos(angles), np.sin(angles)
    a = variance[:, 0] * cosine**2 + variance[:, 1] * sine**2
    b = variance[:, 0] * sine**2 + variance[:, 1] * cosine**2
    c = (variance[:, 0] - variance[:, 1]) * cosine * sine
    pair_a, pair_b, pair_c = (values[:, None] + values[None, :] for values in (a, b, c))
    dx = boxes[:, None, 0] - boxes[None, :, 0]
    dy = boxes[:, None, 1] - boxes[None, :, 1]
    determinant = pair_a * pair_b - pair_c**2
    own = np.clip(a * b - c**2, 0, None)
    distance = (
        (pair_a * dy**2 + pair_b * dx**2) / determinant / 4
        - pair_c * dx * dy / determinant / 2
        + np.log(determinant / (4 * np.sqrt(own[:, None] * own[None, :])) + 1e-12) / 2
    )
    likeness = 1 - np.sqrt(1 - np.exp(-np.clip(distance, 1e-12, 100)))
    double = (likeness >= iou) & (labels[:, None] == labels[None, :])
    return np.flatnonzero(~np.triu(double, 1).any(axis=0))
