"""A picture moved by whole pixels of its own, before it is resized.

What a moved camera or a moved crop does to the input of a model is a shift of the native picture: behind a resize by
the factor s it is 1/s pixels of the model for each pixel, so no whole-pixel shift of the resized picture stands for it.
Every pixel is one of the picture: a window that is smaller than it moves within it.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

Image = npt.NDArray[Any]


def window(image: Image, corner: tuple[int, int], room: tuple[int, int]) -> Image:
    """The part of ``image`` (H, W, ...) at ``corner`` (y, x) that leaves ``room`` (rows, columns) to move: a view.

    Every corner from (0, 0) to ``room``, both included, gives a part of the same size.

    Raises:
        ValueError: the corner is outside of the room, or the picture has no more pixels than that.

    >>> import numpy as np
    >>> window(np.arange(12).reshape(3, 4), (1, 0), (1, 2)).tolist()
    [[4, 5], [8, 9]]
    """
    height, width = image.shape[0] - room[0], image.shape[1] - room[1]
    if min(height, width) < 1 or min(room) < 0:
        raise ValueError(
            f"a picture of {image.shape[0]}x{image.shape[1]} has no room for shifts of {room[0]}x{room[1]} pixels"
        )
    top, left = corner
    if not (0 <= top <= room[0] and 0 <= left <= room[1]):
        raise ValueError(f"the corner {corner} is not within the room of {room[0]}x{room[1]} pixels")
    return image[top : top + height, left : left + width]


def shifted(image: Image, shift: tuple[int, int], radius: int) -> Image:
    """What the camera sees of ``image`` (H, W, ...) when it has moved by ``shift`` (dy, dx) whole pixels: a view.

    ``radius`` pixels are left out on every side, so that all shifts up to it give a picture of the same size, none of
    whose pixels is invented: the result shows at p what that of the shift (0, 0) shows at p + shift.

    Raises:
        ValueError: the shift is larger than the radius, or the picture has no more pixels than twice the radius.

    >>> import numpy as np
    >>> picture = np.arange(36).reshape(6, 6)
    >>> shifted(picture, (0, 0), 2).tolist(), shifted(picture, (0, 1), 2).tolist()
    ([[14, 15], [20, 21]], [[15, 16], [21, 22]])
    """
    if radius < 0 or max(abs(shift[0]), abs(shift[1])) > radius:
        raise ValueError(f"a shift of {shift} pixels is larger than the radius of {radius}")
    return window(image, (radius + shift[0], radius + shift[1]), (2 * radius, 2 * radius))
