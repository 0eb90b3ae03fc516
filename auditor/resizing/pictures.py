"""The pictures that a kernel changes most, as the model sees them: few, small, and never resampled."""

from __future__ import annotations

import heapq
import io
from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np

from auditor.pipeline.placement import Placement
from auditor.resizing.answers import Likeness
from auditor.resizing.result import ChangedPicture, SeenInput, Thumbnail
from auditor.text import ModelText
from auditor.verify.arrays import AnyArray

MOST = 8
LONGEST = 320  # pixels of a side; of a larger input the part that differs most is shown
DETAIL = 48
_QUALITIES = (78, 60, 40, 25)  # of JPEG, down to the one that fits
_MOST_BYTES = 24_000


class Gallery:
    """Keeps the worst pictures behind the second kernel, held against the first; the rest is forgotten."""

    def __init__(self, kernels: tuple[str, str]) -> None:
        self.kernels = kernels
        self._kept: list[tuple[float, int, ChangedPicture]] = []
        self._count = 0

    def add(
        self,
        name: ModelText,
        placement: Placement,
        likeness: Likeness,
        words: Mapping[str, tuple[str, float | None]],
        canvases: Mapping[str, AnyArray],
    ) -> None:
        """One picture; canvases are bytes (H, W, 1 or 3) by kernel."""
        self._count += 1
        if not (likeness.same < 1):
            return
        change = float(np.nan_to_num(likeness.change))
        weight = (1 - likeness.same) + change / 2
        if len(self._kept) == MOST and self._kept[0][0] >= weight:
            return
        corner, size = _most_different(canvases[self.kernels[0]], canvases[self.kernels[1]], LONGEST)
        spot, detail = _most_different(canvases[self.kernels[0]], canvases[self.kernels[1]], DETAIL)
        inputs = tuple(
            SeenInput(
                kernel,
                *words[kernel],
                thumbnail(_cut(canvases[kernel], corner, size), _cut(canvases[kernel], spot, detail)),
            )
            for kernel in self.kernels
        )
        factor = placement.picture[0] / placement.resized[0], placement.picture[1] / placement.resized[1]
        picture = ChangedPicture(name, placement.picture, factor, likeness.same, change, inputs)
        # Of equal ones the first stays, whatever the heap's order.
        heapq.heappush(self._kept, (weight, -self._count, picture))
        if len(self._kept) > MOST:
            heapq.heappop(self._kept)

    def changed(self) -> tuple[ChangedPicture, ...]:
        """The pictures, the most changed first."""
        return tuple(picture for _, _, picture in sorted(self._kept, key=lambda item: (-item[0], -item[1])))


def thumbnail(pixels: AnyArray, detail: AnyArray) -> Thumbnail | None:
    """A picture of bytes as JPEG of bounded size, with its detail as PNG; None without Pillow."""
    if find_spec("PIL") is None:
        return None
    from PIL import Image

    picture, data = Image.fromarray(np.ascontiguousarray(pixels).squeeze()), b""
    for quality in _QUALITIES:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality, optimize=True)
        data = stream.getvalue()
        if len(data) <= _MOST_BYTES:
            break
    lossless = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(detail).squeeze()).save(lossless, "PNG", optimize=True)
    return Thumbnail("image/jpeg", data, (int(pixels.shape[0]), int(pixels.shape[1])), lossless.getvalue())


def _most_different(first: AnyArray, second: AnyArray, longest: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corner and size of the part, at most ``longest`` on a side, where two pictures differ most."""
    height, width = first.shape[:2]
    size = min(height, longest), min(width, longest)
    difference = np.abs(first.astype(np.float32) - second).sum(axis=2)
    total = np.pad(difference, ((1, 0), (1, 0))).cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    sums = (
        total[size[0] :, size[1] :]
        - total[: height - size[0] + 1, size[1] :]
        - total[size[0] :, : width - size[1] + 1]
        + total[: height - size[0] + 1, : width - size[1] + 1]
    )
    row, column = divmod(int(np.argmax(sums)), sums.shape[1])
    return (row, column), size


def _cut(pixels: AnyArray, corner: tuple[int, int], size: tuple[int, int]) -> AnyArray:
    return pixels[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]
