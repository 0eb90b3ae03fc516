"""What a decoder gives: plain values in pixels of the model's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Objects of one picture, the surest first: N of them.

    ``boxes`` (N, 4) float64 as (x0, y0, x1, y1) in pixels of the input; ``scores`` (N,) in 0..1; ``labels`` (N,) int64
    as the layout counts them. ``keypoints`` (N, K, 2) in pixels with ``visibility`` (N, K) in 0..1; ``angles`` (N,)
    radians, where ``boxes`` are those of the object before it is turned about its centre; ``masks`` (N, H, W) bool.
    """

    boxes: Array
    scores: Array
    labels: Array
    keypoints: Array | None = None
    visibility: Array | None = None
    angles: Array | None = None
    masks: Array | None = None

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """Points of one picture or one person: ``points`` (K, 2) as (x, y) in pixels of the input, ``scores`` (K,).

    ``depth`` (K,) is the third coordinate of models that have one, in the scale of x. ``presence`` is the probability
    that the thing is there at all. ``pitch`` is the spacing of the coordinates (x, y) that the decoder can give, in
    pixels of the input: the cell of a heat map whose largest sample is taken; 0 where they are continuous.
    """

    points: Array
    scores: Array | None = None
    depth: Array | None = None
    presence: float | None = None
    pitch: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One line of text; ``scores`` (len(text),) is the probability of each character, ``score`` their mean."""

    text: str
    scores: Array

    @property
    def score(self) -> float:
        return float(self.scores.mean()) if len(self.scores) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Text regions as quadrilaterals: ``corners`` (N, 4, 2) as (x, y) in pixels of the input, ``scores`` (N,)."""

    corners: Array
    scores: Array


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Quantities in their own unit: ``values`` (K,) with their ``names``, and whether they are angles that come
    round.
    """

    values: Array
    names: tuple[str, ...]
    unit: str
    circular: bool = False


Answer = Detections | Keypoints | Text | Regions | Numbers
