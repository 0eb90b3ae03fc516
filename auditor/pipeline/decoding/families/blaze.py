"""MediaPipe's detectors of faces, palms and people: offsets in pixels from anchors that are points only.

Source: MediaPipe, SsdAnchorsCalculator and TensorsToDetectionsCalculator with the options of each model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.pipeline.decoding import grid
from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import from_centre
from auditor.pipeline.decoding.families.common import of_labels, sigmoid
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_SOURCE = "MediaPipe, TensorsToDetectionsCalculator"
_LARGEST_LOGIT = 100


@dataclass(frozen=True, slots=True)
class _Family:
    """``points`` of each object, and for each side of the input the cells a side and the anchors a cell."""

    points: int
    levels: dict[int, tuple[tuple[int, int], ...]]

    @property
    def width(self) -> int:
        return 4 + 2 * self.points


_FACE = _Family(6, {128: ((16, 2), (8, 6)), 256: ((16, 2), (8, 6))})
_PALM = _Family(7, {192: ((24, 2), (12, 6)), 256: ((32, 2), (16, 2), (8, 6))})
_PERSON = _Family(4, {224: ((28, 2), (14, 2), (7, 6))})


def _parts(signature: Signature, family: _Family) -> tuple[Array, Array] | None:
    """Logits (N,) and numbers (N, width), from one output of each or from one a level."""
    height, width = signature.size
    if height != width or height not in family.levels:
        return None
    scores = [array.reshape(-1) for array in signature.arrays if array.ndim == 3 and array.shape[-1] == 1]
    numbers = [
        array.reshape(-1, family.width)
        for array in signature.arrays
        if array.ndim == 3 and array.shape[-1] == family.width
    ]
    if len(scores) + len(numbers) != len(signature.arrays):
        return None
    count = sum(cells**2 * anchors for cells, anchors in family.levels[height])
    if sum(map(len, scores)) != count or sorted(map(len, scores)) != sorted(map(len, numbers)):
        return None
    return tuple(np.concatenate(sorted(kind, key=len, reverse=True)) for kind in (scores, numbers))  # type: ignore[return-value]


def _layout(name: str, what: str, family: _Family) -> Layout:
    def fits(signature: Signature) -> Evidence:
        return Evidence.NAMES if _parts(signature, family) is not None else Evidence.NONE

    def read(signature: Signature, reading: Reading) -> Detections:
        parts = _parts(signature, family)
        if parts is None:
            sides = " or ".join(str(side) for side in family.levels)
            raise LayoutError(
                f"logits and rows of {family.width} numbers, one an anchor, of a square input of {sides} were expected"
            )
        logits, numbers = parts
        side = signature.size[0]
        centres = np.concatenate(
            [
                grid.points((side, side), (side // cells,), offset=0.5, per_cell=anchors)[:, :2]
                for cells, anchors in family.levels[side]
            ]
        )
        boxes = from_centre(np.concatenate([centres + numbers[:, :2], numbers[:, 2:4]], axis=1))
        landmarks = centres[:, None] + numbers[:, 4:].reshape(-1, family.points, 2)
        scores = sigmoid(np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT))
        return of_labels(boxes, scores, np.zeros(len(scores), np.int64), reading, keypoints=landmarks)

    return Layout(name, what, _SOURCE, fits, read)


LAYOUTS = (
    _layout("blazeface", "BlazeFace", _FACE),
    _layout("blazepalm", "BlazePalm", _PALM),
    _layout("blazepose", "BlazePose, detector", _PERSON),
)
