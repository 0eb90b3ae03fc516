"""Points of people and hands: heat maps with offsets, several people in rows, and landmarks in pixels."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding.answers import Array, Detections, Keypoints
from auditor.pipeline.decoding.families.common import of_labels, sigmoid
from auditor.pipeline.decoding.families.rows import shares
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_HAND, _BODY, _BODY_WORLD = 21 * 3, 39 * 5, 39 * 3
_LANDMARKS = 33  # the others of a body are auxiliary
_PEOPLE = (1, 6, 56)


def _posenet(signature: Signature) -> tuple[Array, Array] | None:
    """Heat maps (h, w, K) and offsets (h, w, 2 K), rows before columns."""
    if not {"heatmaps", "short_offsets"} <= set(signature.names):
        return None
    heat, offsets = signature.named("heatmaps"), signature.named("short_offsets")
    if heat.ndim != 4 or offsets.shape != (1, *heat.shape[1:3], 2 * heat.shape[3]) or heat.shape[0] != 1:
        return None
    return (heat[0], offsets[0]) if min(heat.shape[1:3]) > 1 else None


def _fits_posenet(signature: Signature) -> Evidence:
    return Evidence.NAMES if _posenet(signature) is not None else Evidence.NONE


def _read_posenet(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    """One person: the surest cell of each heat map of logits, and the offset there in pixels."""
    parts = _posenet(signature)
    if parts is None:
        raise LayoutError("heatmaps (1, h, w, K) and short_offsets (1, h, w, 2 K) were expected")
    heat, offsets = (part.astype(np.float64) for part in parts)
    height, width, number = heat.shape
    rows, columns = np.divmod(heat.reshape(-1, number).argmax(axis=0), width)
    index = np.arange(number)
    down, across = offsets[rows, columns, index], offsets[rows, columns, number + index]
    step = (signature.size[1] - 1) / (width - 1), (signature.size[0] - 1) / (height - 1)
    points = np.stack([columns * step[0] + across, rows * step[1] + down], axis=1)
    return Keypoints(points, sigmoid(heat[rows, columns, index]))


def _fits_people(signature: Signature) -> Evidence:
    fits = len(signature.arrays) == 1 and signature.arrays[0].shape == _PEOPLE
    return Evidence.NAMES if fits and shares(signature.arrays[0][..., 2:51:3]) else Evidence.NONE


def _read_people(signature: Signature, reading: Reading) -> Detections:
    """Six rows: 17 points of y, x and score, the box as ymin, xmin, ymax, xmax, and its score; shares of the input."""
    if signature.arrays[0].shape != _PEOPLE:
        raise LayoutError("one output (1, 6, 56) was expected")
    table = signature.arrays[0][0].astype(np.float64)
    points = table[:, :51].reshape(-1, 17, 3)
    size = np.array(signature.size[::-1])
    return of_labels(
        table[:, [52, 51, 54, 53]] * np.tile(size, 2),
        table[:, 55],
        np.zeros(len(table), np.int64),
        reading,
        suppress=False,
        keypoints=points[..., [1, 0]] * size,
        visibility=points[..., 2],
    )


def _vectors(signature: Signature, size: int) -> list[Array]:
    return [array.reshape(-1).astype(np.float64) for array in signature.arrays if array.size == size]


def _presence(signature: Signature) -> float | None:
    """The first single number: a probability, or a logit."""
    single = _vectors(signature, 1)
    if not single:
        return None
    return float(single[0][0]) if shares(single[0]) else float(sigmoid(single[0])[0])


def _fits_hand(signature: Signature) -> Evidence:
    hands = _vectors(signature, _HAND)
    likely = len(hands) in (1, 2) and len(_vectors(signature, 1)) == 2 and len(signature.arrays) == len(hands) + 2
    return Evidence.NAMES if likely else Evidence.NONE


def _read_hand(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    """21 points in pixels of the input; those in metres, where the model has them, are left out."""
    hands = _vectors(signature, _HAND)
    if not hands:
        raise LayoutError("an output of 21 points of three numbers was expected")
    table = max(hands, key=lambda hand: float(np.abs(hand).max())).reshape(-1, 3)
    return Keypoints(table[:, :2], depth=table[:, 2], presence=_presence(signature))


def _fits_body(signature: Signature) -> Evidence:
    likely = len(_vectors(signature, _BODY)) == 1 and len(_vectors(signature, _BODY_WORLD)) == 1
    return Evidence.NAMES if likely else Evidence.NONE


def _read_body(signature: Signature, reading: Reading) -> Keypoints:  # noqa: ARG001 - every reader has this signature
    """The first 33 of 39 points in pixels of the input, with the logits of being visible and of being there."""
    bodies = _vectors(signature, _BODY)
    if not bodies:
        raise LayoutError("an output of 39 points of five numbers was expected")
    table = bodies[0].reshape(-1, 5)[:_LANDMARKS]
    return Keypoints(table[:, :2], sigmoid(table[:, 3]), depth=table[:, 2], presence=_presence(signature))


LAYOUTS = (
    Layout("posenet", "PoseNet, BodyPix: one person", "tfjs-models, posenet", _fits_posenet, _read_posenet),
    Layout("movenet-multipose", "MoveNet, up to six people", "its model card", _fits_people, _read_people, people=True),
    Layout("hand", "MediaPipe hand landmarks", "MediaPipe, hand_landmark", _fits_hand, _read_hand),
    Layout("body", "MediaPipe pose landmarks", "MediaPipe, pose_landmark", _fits_body, _read_body),
)
