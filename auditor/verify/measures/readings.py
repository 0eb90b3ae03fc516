"""What one output of a model can be, from its numbers for several images: every reading that fits, not the likeliest.

Widths that two kinds of output share, and ranges that they share, give two readings; who asks must then ask the user.
Shapes of the common exports: docs of their projects, and the numbers of a few images, since one image decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

import numpy as np

from auditor.verify.arrays import FloatArray
from auditor.verify.worker.arena import Array


class OutputReading(Enum):
    """What an output can be."""

    CLASSES = "class scores (classification)"
    EMBEDDING = "an embedding"
    MAP = "a map (dense)"
    LANDMARKS = "landmarks or other coordinates"
    NUMBERS = "one or a few numbers (regression)"
    HEATMAPS = "heat maps, features or a raw detection head"
    SEQUENCE = "boxes, text or another sequence"
    UNKNOWN = "nothing that is known"


# The widths of the features under a classifier's last layer; no common data set has so many classes.
_EMBEDDING_WIDTHS = frozenset([128, 160, 192, 256, 320, 384, 512, 640, 768, 960, 1024, 1152, 1280, 1536, 2048, 4096])
# ImageNet-1k, with a background class, ImageNet-21k: nothing else is as wide.
_CLASS_COUNTS = frozenset([1000, 1001, 21841, 21843])
# Coordinates per face, hand or body (2 or 3 each), and the parameters of face models: 3DDFA 62, 3DMM 199.
_LANDMARK_WIDTHS = frozenset([42, 62, 63, 99, 136, 165, 195, 196, 199, 204, 212, 936, 956, 1404, 1434])
# Anchors times (box, objectness, classes) of detection heads on COCO and VOC.
_HEAD_WIDTHS = frozenset([18, 75, 85, 125, 255, 340, 425])

_FEW_NUMBERS = 4
_LEAST_MAP = 8  # a smaller table (a rotation matrix, a handful of tokens) is no map without channels
_COARSE = 16  # from a larger stride on a map is a head or a feature
_FEATURES = 64
_NAMES = (
    (OutputReading.CLASSES, re.compile(r"logit|prob|softmax|class|label|categor|(?<!box)score", re.I)),
    (OutputReading.EMBEDDING, re.compile(r"embed|feat|descriptor", re.I)),
    (OutputReading.LANDMARKS, re.compile(r"landmark|keypoint|kpt|kps|coord|joint|pose|bbox|boxes|point", re.I)),
    (OutputReading.NUMBERS, re.compile(r"angle|yaw|pitch|regress|(^|_)age|depth|distance|steer", re.I)),
)


def named(name: str) -> OutputReading | None:
    """What the name of an output says, where it says one thing only."""
    said = [reading for reading, pattern in _NAMES if pattern.search(name)]
    return said[0] if len(said) == 1 else None


def squeezed(row: Array) -> Array:
    """Without leading axes of size one, which exports leave behind."""
    while row.ndim > 1 and row.shape[0] == 1:
        row = row[0]
    return row


def is_vector(row: Array) -> bool:
    """Whether a row is one vector: (C,), (1, C) or (C, 1, 1), and not C rows of one number each."""
    row = squeezed(row)
    return row.ndim <= 1 or (row.ndim == 3 and row.shape[1:] == (1, 1))


def read_vector(name: str, rows: Sequence[Array], labelled: bool) -> frozenset[OutputReading]:
    """What a vector can be. ``labelled`` says that the images have classes, so that somebody takes it for scores."""
    values = np.stack([np.asarray(row, np.float64).ravel() for row in rows])
    width = values.shape[1]
    if width == 0 or not np.isfinite(values).all():
        return frozenset([OutputReading.UNKNOWN])
    said = named(name)
    if _are_probabilities(values) or _are_log_probabilities(values):
        return frozenset([OutputReading.CLASSES])
    if width >= 32 and bool(np.all(np.abs(np.linalg.norm(values, axis=1) - 1) < 1e-3)):
        return frozenset([OutputReading.EMBEDDING])
    if width in _CLASS_COUNTS or (said is OutputReading.CLASSES and width > 1):
        return frozenset([OutputReading.CLASSES])
    if width in _EMBEDDING_WIDTHS:
        return frozenset([said or OutputReading.EMBEDDING])
    if said is not None and width > 1:
        return frozenset([said])
    if labelled and width > 1:
        return frozenset([OutputReading.CLASSES])
    if width <= _FEW_NUMBERS:
        return frozenset([OutputReading.CLASSES, OutputReading.NUMBERS])
    in_pairs = width % 2 == 0 or width % 3 == 0
    if in_pairs and (width in _LANDMARK_WIDTHS or _like_coordinates(values)):
        return frozenset([OutputReading.CLASSES, OutputReading.LANDMARKS])
    return frozenset([OutputReading.CLASSES])


def _are_probabilities(values: FloatArray) -> bool:
    return values.shape[1] > 1 and bool(values.min() >= -1e-6 and np.all(np.abs(values.sum(axis=1) - 1) < 1e-2))


def _are_log_probabilities(values: FloatArray) -> bool:
    if values.shape[1] < 2 or values.max() > 1e-3:
        return False
    return bool(np.all(np.abs(np.exp(values).sum(axis=1) - 1) < 1e-2))


def _like_coordinates(values: FloatArray) -> bool:
    """Shares of a size (to a little outside of it), or pixels: positive numbers with hardly a negative one."""
    return bool(np.abs(values).max() <= 1.5 or np.mean(values < 0) < 0.05)


def like_window(shape: tuple[int, ...], window: tuple[int, int]) -> bool:
    """Whether a map has the proportions of the input, to within one cell of rounding."""
    return abs(shape[0] * window[1] - shape[1] * window[0]) <= max(window)


def channel_axis(shape: tuple[int, ...], window: tuple[int, int]) -> int | None:
    """The axis of the channels of a map of three axes; None where no two others look like the input."""
    first, last = like_window(shape[1:], window), like_window(shape[:2], window)
    if first and last:
        return 0 if shape[0] <= shape[2] else 2
    return 0 if first else 2 if last else None


def read_map(rows: Sequence[Array], window: tuple[int, int]) -> frozenset[OutputReading]:
    """What an output with two or three axes can be: a map where its grid looks like the input's."""
    shape = rows[0].shape
    if len(shape) == 3 and 1 in shape and not is_vector(rows[0]):
        shape = tuple(size for size in shape if size != 1)
    if len(shape) == 2:
        fits = min(shape) >= _LEAST_MAP and like_window(shape, window)
        return frozenset([OutputReading.MAP if fits else OutputReading.SEQUENCE])
    if len(shape) != 3:
        return frozenset([OutputReading.UNKNOWN])
    axis = channel_axis(shape, window)
    if axis is None:
        return frozenset([OutputReading.SEQUENCE])
    channels = shape[axis]
    high, wide = (size for position, size in enumerate(shape) if position != axis)
    stride = max(window[0] / high, window[1] / wide)
    if min(high, wide) < 2:
        return frozenset([OutputReading.UNKNOWN])
    if stride < 2:
        return frozenset([OutputReading.MAP])
    values = np.stack([np.moveaxis(np.asarray(row, np.float64), axis, 0) for row in rows])
    low, top = float(values.min()), float(values.max())
    sums_to_one = low >= -1e-6 and bool(np.all(np.abs(values.sum(axis=1) - 1) < 1e-2))
    doubtful = (
        stride > _COARSE
        or channels in _HEAD_WIDTHS
        or (channels > 1 and low >= -0.5 and top <= 1.5 and not sums_to_one)
        or (channels >= _FEATURES and low >= 0 and not sums_to_one)
    )
    return frozenset([OutputReading.MAP, OutputReading.HEATMAPS] if doubtful else [OutputReading.MAP])
