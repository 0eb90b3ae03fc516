"""How a digit of 8 x 8 pixels becomes an input of the built-in example network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CANVAS = 48
ZOOM = 3
DIGIT = 8 * ZOOM
LAST_POSITION = CANVAS - DIGIT


def draw(digits: NDArray[np.uint8], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Enlarge digits linearly and place each on a black canvas; moving one by a pixel moves its picture exactly.

    Args:
        digits: grey values 0 to 16, uint8 [N, 8, 8].
        rows: the top edge of each digit on the canvas, int64 [N], 0 to ``LAST_POSITION`` pixels.
        columns: the left edge, likewise.

    Returns:
        float32 [N, 1, CANVAS, CANVAS], values 0 to 1.
    """
    weights = _linear_weights(8, ZOOM)
    large = np.einsum("ri,nij,cj->nrc", weights, digits.astype(np.float64) / 16.0, weights)
    canvas = np.zeros((len(digits), 1, CANVAS, CANVAS), np.float32)
    for index, (row, column) in enumerate(zip(rows, columns, strict=True)):
        canvas[index, 0, row : row + DIGIT, column : column + DIGIT] = large[index]
    return canvas


def _linear_weights(size: int, zoom: int) -> NDArray[np.float64]:
    """Linear interpolation with pixel centres aligned and the border repeated, as a matrix [size * zoom, size]."""
    centres = (np.arange(size * zoom) + 0.5) / zoom - 0.5
    distance = np.abs(np.clip(centres, 0, size - 1)[:, None] - np.arange(size)[None, :])
    return np.maximum(0.0, 1.0 - distance)
