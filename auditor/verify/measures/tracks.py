"""What becomes of an answer as its picture moves along a path of one-pixel steps: one series per box, joint or number.

A network that subsamples by S gives exactly the same answer after S pixels only, so a series that repeats with S is
the sampling grid's doing; its strength is that of :func:`auditor.verify.measures.period.periodic_share`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.pipeline.decoding.boxes import iou
from auditor.verify.arrays import BoolArray, FloatArray
from auditor.verify.measures.boxes import DEFAULT_IOU, Boxes
from auditor.verify.measures.period import periodic_share
from auditor.verify.result import Track

MOST_TRACKS = 3  # of an image; the surest boxes, the joints that move most


def track(name: str, unit: str, values: Sequence[float] | FloatArray, period: int | None) -> Track:
    """A series with the strength of its part of that period, None where it cannot be told."""
    series = np.asarray(values, np.float64)
    share = periodic_share(series, period) if period is not None else float("nan")
    return Track(name, unit, tuple(series.tolist()), period, None if np.isnan(share) else share)


def diagonal(count: int) -> FloatArray:
    """How far (dy, dx) each of so many inputs of a path has moved against the first."""
    return np.repeat(np.arange(count, dtype=np.float64)[:, None], 2, axis=1)


def box_tracks(path: Sequence[Boxes], threshold: float, period: int | None) -> tuple[Track, ...]:
    """The score along a path of each of the surest boxes of its first input, 0 where it is not found.

    A box is found again where one of its class overlaps it by one half, once the step is undone.
    """
    steps = diagonal(len(path))
    if not path:
        return ()
    first = path[0].above(threshold)
    tracks = []
    for index in range(min(len(first), MOST_TRACKS)):
        box, label = first.corners[[index]], int(first.labels[index])
        scores = []
        for boxes, (dy, dx) in zip(path, steps, strict=True):
            same = boxes.labels == label
            overlap = iou(box, boxes.corners[same] + [dx, dy, dx, dy])[0]
            scores.append(
                float(boxes.scores[same][overlap.argmax()]) if overlap.max(initial=0.0) >= DEFAULT_IOU else 0.0
            )
        tracks.append(track(f"box {index + 1}, class {label}: score", "probability", scores, period))
    return tuple(tracks)


def point_tracks(points: FloatArray, seen: BoolArray, period: int | None) -> tuple[Track, ...]:
    """How far right of its place in the first input each of the joints lies that move most, in pixels.

    ``points`` (T, K, 2) are those of one figure in each input, and ``seen`` (T, K) whether it is there; joints that
    some input does not see are left out.
    """
    if not len(points):
        return ()
    back = points + diagonal(len(points))[:, None, ::-1]
    away = back[:, :, 0] - back[:1, :, 0]
    order = [int(joint) for joint in np.argsort(-away.std(axis=0), kind="stable") if seen[:, joint].all()]
    return tuple(
        track(f"joint {joint}: place to the right", "px", away[:, joint], period) for joint in order[:MOST_TRACKS]
    )


def likeness_track(name: str, unit: str, values: Sequence[float] | FloatArray, period: int | None) -> tuple[Track, ...]:
    """How much each answer along a path is as the first one, which is wholly so."""
    return (track(name, unit, [1.0, *values], period),) if len(values) else ()


def number_tracks(values: FloatArray, names: Sequence[str], period: int | None) -> tuple[Track, ...]:
    """Each of the first numbers (T, D) along the path."""
    shown = zip(names[:MOST_TRACKS], values.T, strict=False)
    return tuple(track(name, "ratio", series, period) for name, series in shown)
