"""What many layouts share: scores to objects."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import suppressed
from auditor.pipeline.decoding.layout import LayoutError, Reading

# What is beyond is none; quantised outputs may lie a step above 1.
LARGEST_PROBABILITY = 1.05


def sigmoid(values: Array) -> Array:
    """The logistic function, without overflow."""
    result: Array = 0.5 * (1 + np.tanh(np.asarray(values, np.float64) / 2))
    return result


def softmax(values: Array, axis: int = -1) -> Array:
    """The shares of exp(values) along an axis."""
    shifted = np.exp(values - values.max(axis=axis, keepdims=True))
    result: Array = shifted / shifted.sum(axis=axis, keepdims=True)
    return result


def best_class(boxes: Array, scores: Array, reading: Reading, *, suppress: bool = True, **more: Any) -> Detections:
    """Objects from candidates: ``boxes`` (N, 4) corners, ``scores`` (N, classes); each candidate is of its surest
    class.

    ``more`` are further fields of :class:`Detections`, one entry a candidate.
    """
    if len(boxes) != len(scores):
        raise LayoutError(f"there are {len(boxes)} boxes and {len(scores)} rows of scores")
    best = scores.max(axis=1) if scores.shape[1] else np.zeros(len(scores))
    # The class is looked up for the few that are sure enough only.
    sure = np.flatnonzero(best > reading.score)
    if np.count_nonzero((boxes[sure, 2:] < boxes[sure, :2]).any(axis=1)) * 2 > len(sure):
        raise LayoutError("most boxes end before they begin")
    labels = scores[sure].argmax(axis=1) if len(sure) else np.zeros(0, np.int64)
    chosen = {name: values[sure] for name, values in more.items()}
    return of_labels(boxes[sure], best[sure], labels, reading, suppress=suppress, **chosen)


def possible(objectness: Array, reading: Reading) -> Array:
    """Indices of the candidates whose objectness alone reaches the score: no probability of a class raises it."""
    result: Array = np.flatnonzero(objectness > reading.score)
    return result


def of_labels(
    boxes: Array, scores: Array, labels: Array, reading: Reading, *, suppress: bool = True, **more: Array
) -> Detections:
    """Objects from candidates whose class is known; the same object found twice is kept once where ``suppress``."""
    finite = np.isfinite(scores) & np.isfinite(boxes).all(axis=1) & np.isfinite(labels)
    sure = np.flatnonzero(finite & (scores > reading.score))
    expect_probabilities(scores[sure])
    if suppress:
        sure = sure[suppressed(boxes[sure], scores[sure], labels[sure], reading.iou)]
    else:
        sure = sure[np.argsort(-scores[sure], kind="stable")]
    fields: dict[str, Any] = {name: values[sure] for name, values in more.items()}
    return Detections(
        boxes[sure].astype(np.float64), scores[sure].astype(np.float64), labels[sure].astype(np.int64), **fields
    )


def expect_probabilities(scores: Array) -> None:
    """See to it that scores can be probabilities.

    Raises:
        LayoutError: one lies beyond 1.
    """
    if scores.max(initial=0) > LARGEST_PROBABILITY:
        raise LayoutError(f"scores in 0..1 were expected; there is {scores.max():.3g}")


def literal(text: str | None) -> Any:
    """A Python literal of a file's metadata, or None."""
    try:
        return ast.literal_eval(text or "")
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # the last two of text that nests too deeply
        return None
