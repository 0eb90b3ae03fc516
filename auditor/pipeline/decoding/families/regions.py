"""Text regions from a map of probabilities (DBNet, arXiv 1911.08947)."""

from __future__ import annotations

import re

import numpy as np

from auditor.pipeline.decoding.answers import Array, Regions
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_INSIDE = 0.3  # least probability of a text pixel
_REGION = 0.5  # least mean probability of a region
_GROWN = 1.6  # how far the shrunken regions of the training are grown again: area x this / perimeter
_SMALLEST = 3  # pixels of a side


def _fits(signature: Signature) -> Evidence:
    """By shape it is any map of one class; Paddle's name of the last operator is what tells it."""
    maps = signature.arrays[0]
    named = re.fullmatch(r"sigmoid_\d+\.tmp_0", signature.names[0]) is not None
    fits = len(signature.arrays) == 1 and maps.ndim == 4 and maps.shape[:2] == (1, 1)
    return Evidence.NAMES if fits and named else Evidence.NONE


def _read(signature: Signature, reading: Reading) -> Regions:  # noqa: ARG001 - every reader has this signature
    """Connected pixels above 0.3, their smallest rectangle, its mean probability, and that rectangle grown."""
    maps = signature.arrays[0]
    if maps.ndim != 4 or maps.shape[:2] != (1, 1):
        raise LayoutError("one map (1, 1, height, width) was expected")
    heat = maps[0, 0].astype(np.float64)
    step = np.array([signature.size[1] / heat.shape[1], signature.size[0] / heat.shape[0]])
    corners, scores = [], []
    for pixels in components(heat > _INSIDE):
        rectangle = smallest_rectangle(pixels[:, ::-1].astype(np.float64))
        sides = np.linalg.norm(rectangle[1] - rectangle[0]), np.linalg.norm(rectangle[2] - rectangle[1])
        if min(sides) < _SMALLEST:
            continue
        score = float(heat[_within(rectangle, heat.shape)].mean())
        if score < _REGION:
            continue
        corners.append(_clockwise(_grown(rectangle, sides[0] * sides[1] * _GROWN / (2 * sum(sides)))) * step)
        scores.append(score)
    return Regions(np.array(corners).reshape(-1, 4, 2), np.array(scores))


def components(mask: Array) -> list[Array]:
    """Pixels (N, 2) as (row, column) of each region of touching pixels, corners included, from the bottom up."""
    parent: list[int] = []

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    runs: list[tuple[int, int, int]] = []  # row, first column, last column
    above: list[int] = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        here = []
        for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
            index = len(runs)
            runs.append((row, int(first), int(last)))
            parent.append(index)
            here.append(index)
            for other in above:
                if runs[other][1] <= last + 1 and runs[other][2] >= first - 1:
                    parent[root(index)] = root(other)
        above = here
    regions: dict[int, list[Array]] = {}
    for index, (row, first, last) in enumerate(runs):
        columns = np.arange(first, last + 1)
        regions.setdefault(root(index), []).append(np.stack([np.full_like(columns, row), columns], axis=1))
    return [np.concatenate(parts) for parts in reversed(regions.values())]


def hull(points: Array) -> Array:
    """The convex hull (M, 2) of points (N, 2), by Andrew's monotone chain."""
    ordered = np.unique(points, axis=0)
    if len(ordered) < 3:
        return ordered

    def half(sequence: Array) -> list[Array]:
        chain: list[Array] = []
        for point in sequence:
            while len(chain) > 1:
                a, b = chain[-1] - chain[-2], point - chain[-1]
                if a[0] * b[1] - a[1] * b[0] > 0:
                    break
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))


def smallest_rectangle(points: Array) -> Array:
    """Corners (4, 2) in turn of the rectangle of least area around points (N, 2): one of its sides lies on the hull."""
    outline = hull(points)
    edges = np.roll(outline, -1, axis=0) - outline
    best: Array | None = None
    least = np.inf
    for angle in np.unique(np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2)):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned = outline @ turn
        low, high = turned.min(axis=0), turned.max(axis=0)
        area = float((high - low).prod())
        if area < least:
            least = area
            square = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
            best = square @ turn.T
    assert best is not None
    return best


def _grown(rectangle: Array, distance: float) -> Array:
    """The rectangle with each side moved outwards by ``distance``."""
    along = rectangle[1] - rectangle[0]
    across = rectangle[3] - rectangle[0]
    u = along / np.linalg.norm(along) * distance
    v = across / np.linalg.norm(across) * distance
    result: Array = rectangle + np.array([-u - v, u - v, u + v, -u + v])
    return result


def _within(rectangle: Array, shape: tuple[int, int]) -> Array:
    """(H, W) bool: the pixels of the rectangle with its corners cut to whole numbers, its outline included.

    OpenCV's ``fillPoly``, with which the score is published, draws the outline too: half a pixel along its steeper
    axis.
    """
    corners = np.trunc(_clockwise(rectangle))
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = np.ones(shape, bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        normal = np.array([start[1] - end[1], end[0] - start[0]])
        steep = max(np.abs(normal).max(), 1e-9)
        inside &= ((x - start[0]) * normal[0] + (y - start[1]) * normal[1]) / steep >= -0.5
    return inside


def _clockwise(rectangle: Array) -> Array:
    """The same corners from the upper left on, clockwise as seen in the picture."""
    left = rectangle[np.argsort(rectangle[:, 0], kind="stable")]
    one, four = left[:2][np.argsort(left[:2, 1], kind="stable")]
    two, three = left[2:][np.argsort(left[2:, 1], kind="stable")]
    return np.array([one, two, three, four])


LAYOUTS = (Layout("dbnet", "DBNet, PP-OCR detection", "arXiv 1911.08947, section 3.6", _fits, _read),)
