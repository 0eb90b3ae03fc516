"""Where a picture lies within a model's input, and the way of points between the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture of ``picture`` pixels, resized to ``resized``, laid into an input of ``out``; each is (height, width).

    ``top`` and ``left`` are the position of the resized picture's first row and column in the input: padding where
    positive, cropping where negative. Points are (x, y) in pixels with 0 at the outer edge of the first pixel, so that
    the centre of the first pixel is 0.5.

    Where only a part of a larger picture was placed, ``picture`` is the size of the part and ``origin`` its first (row,
    column): points are then those of the larger picture.
    """

    picture: tuple[int, int]
    resized: tuple[int, int]
    out: tuple[int, int]
    top: int = 0
    left: int = 0
    origin: tuple[int, int] = (0, 0)

    @property
    def scale(self) -> tuple[float, float]:
        """Input pixels per picture pixel, (vertical, horizontal)."""
        return self.resized[0] / self.picture[0], self.resized[1] / self.picture[1]

    @property
    def covers(self) -> bool:
        """Whether no border is left around the picture."""
        starts = zip((self.top, self.left), self.resized, self.out, strict=True)
        return all(first <= 0 and first + side >= wanted for first, side, wanted in starts)

    def to_input(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Points (..., 2) as (x, y) of the picture, in pixels of the model's input.

        >>> Placement((100, 200), (320, 640), (640, 640), top=160).to_input([[0, 0], [200, 100]]).tolist()
        [[0.0, 160.0], [640.0, 480.0]]
        """
        vertical, horizontal = self.scale
        inside: npt.NDArray[np.float64] = np.asarray(points, float) - self.origin[::-1]
        return inside * (horizontal, vertical) + (self.left, self.top)

    def to_picture(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Points (..., 2) as (x, y) of the model's input, in pixels of the picture: the inverse of :meth:`to_input`.

        >>> Placement((100, 200), (320, 640), (640, 640), top=160).to_picture([[640, 480]]).tolist()
        [[200.0, 100.0]]
        """
        vertical, horizontal = self.scale
        inside = (np.asarray(points, float) - (self.left, self.top)) / (horizontal, vertical)
        return inside + self.origin[::-1]

    def boxes_to_picture(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Boxes (N, 4) as (x0, y0, x1, y1) of the model's input, in pixels of the picture; not clipped to it."""
        corners = np.asarray(boxes, float).reshape(-1, 2, 2)
        return self.to_picture(corners).reshape(-1, 4)
