"""The pictures that a kernel changes most, as the model sees them: few, small, and never resampled."""

from __future__ import annotations

import heapq
import io
from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np

from auditor.pipeline.placement import Placement
from auditor.resizing.answers import Likeness
from auditor.resizing.result import ChangedPicture, SeenInput
from auditor.text import ModelText
from auditor.verify.arrays import AnyArray
from auditor.verify.images.small_jpeg import LONGEST, small_jpeg

MOST = 8
DETAIL = 48


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
        # Of a larger input the part that differs most is shown.
        corner, size = _most_different(canvases[self.kernels[0]], canvases[self.kernels[1]], LONGEST)
        spot, detail = _most_different(canvases[self.kernels[0]], canvases[self.kernels[1]], DETAIL)
        inputs = tuple(
            _seen(kernel, words[kernel], _cut(canvases[kernel], corner, size), _cut(canvases[kernel], spot, detail))
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


def _seen(kernel: str, words: tuple[str, float | None], pixels: AnyArray, detail: AnyArray) -> SeenInput:
    """What the model sees behind a kernel; without pictures where Pillow is missing."""
    if find_spec("PIL") is None:
        return SeenInput(kernel, *words)
    from PIL import Image

    lossless = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(detail).squeeze()).save(lossless, "PNG", optimize=True)
    return SeenInput(kernel, *words, small_jpeg(pixels), lossless.getvalue())


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
