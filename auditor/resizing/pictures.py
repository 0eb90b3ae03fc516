"""The pictures that a kernel changes most, as the model sees them: few, small, and never resampled."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from auditor.resizing.answers import Likeness
from auditor.resizing.result import ChangedPicture, SeenInput
from auditor.resizing.rows import PreparedPicture, ResizePlan, ResizeRow, prepared
from auditor.verify.arrays import AnyArray
from auditor.verify.images.small_jpeg import LONGEST, small_jpeg
from auditor.verify.images.source import ImageSource

MOST = 8
DETAIL = 48


def changed_pictures(plan: ResizePlan, source: ImageSource, rows: Sequence[ResizeRow]) -> tuple[ChangedPicture, ...]:
    """The pictures that the second of the ``shown`` kernels changes most against the first, the most changed first.

    They are read once more, and no model is run. Of equal ones the first is taken.
    """
    if not plan.shown:
        return ()
    weights = {row.index: _weight(row.numbers[plan.shown[1]]) for row in rows if not row.rejected}
    chosen = sorted((place for place in weights if weights[place]), key=lambda place: (-weights[place], place))[:MOST]
    by_place = {row.index: row for row in rows if row.index in chosen}
    made = {}
    for place, item in source.places(frozenset(chosen)):
        picture = prepared(item, plan.front)
        if isinstance(picture, PreparedPicture):
            made[place] = _changed(plan, picture, by_place[place])
    return tuple(made[place] for place in chosen if place in made)


def _weight(likeness: Likeness) -> float:
    """How much an answer changed, 0 where it is the same."""
    return (1 - likeness.same) + float(np.nan_to_num(likeness.change)) / 2 if likeness.same < 1 else 0.0


def _changed(plan: ResizePlan, picture: PreparedPicture, row: ResizeRow) -> ChangedPicture:
    placement, likeness = picture.placement, row.numbers[plan.shown[1]]
    first, second = (plan.front.shown(plan.front.canvas(picture.pixels, kernel)) for kernel in plan.shown)
    # Of a larger input the part that differs most is shown.
    corner, size = _most_different(first, second, LONGEST)
    spot, detail = _most_different(first, second, DETAIL)
    inputs = tuple(
        _seen(kernel, row.words[kernel], _cut(canvas, corner, size), _cut(canvas, spot, detail))
        for kernel, canvas in zip(plan.shown, (first, second), strict=True)
    )
    factor = placement.picture[0] / placement.resized[0], placement.picture[1] / placement.resized[1]
    change = float(np.nan_to_num(likeness.change))
    return ChangedPicture(picture.name, placement.picture, factor, likeness.same, change, inputs)


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
