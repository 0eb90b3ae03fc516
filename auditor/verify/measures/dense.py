"""How equivariant an output is that still has a grid: segmentation, depth, restoration, feature maps.

* mASSC: share of positions of the overlap with the same class, averaged over shifts. Zou et al., "Delving Deeper into
  Anti-aliasing in ConvNets", BMVC 2020; Rojas-Gomez et al., "Learnable Polyphase Sampling", NeurIPS 2022.
* equivariance error: ||A - B|| / sqrt((||A||^2 + ||B||^2) / 2) on the overlap. It is 0 for equal outputs, sqrt(2) for
  unrelated ones, and symmetric, so that it does not depend on which window is called the reference.
* PSNR: Zhang 2019 (generation), Karras et al. 2021 (EQ-T).

``outputs`` are (W, C, h, w) for the windows of one image; shifts are undone by :mod:`auditor.verify.alignment`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from auditor.verify.alignment import Grid, aligned
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.measures.embedding import cosine
from auditor.verify.shifts import Pairs


def class_agreement(outputs: AnyArray, pairs: Pairs, grid: Grid) -> FloatArray:
    """(P,) share of overlapping pixels with the same class; the mean over pairs is the image's mASSC.

    Outputs with one channel are class maps already (integers) and are compared at the nearest position; outputs with
    several are scores per class, upsampled before the largest is taken.
    """
    shares = np.empty(len(pairs))
    for index, (reference, moved, shift) in enumerate(zip(pairs.reference, pairs.moved, pairs.shift, strict=True)):
        left, right = outputs[reference], outputs[moved]
        step = (float(shift[0]), float(shift[1]))
        if outputs.shape[1] == 1:
            one, two = aligned(_one_hot(left, right), _one_hot(right, left), step, grid)
        else:
            one, two = aligned(left, right, step, grid)
        shares[index] = np.mean(one.argmax(axis=0) == two.argmax(axis=0))
    return shares


def equivariance_error(outputs: AnyArray, pairs: Pairs, grid: Grid) -> FloatArray:
    """(P,) relative error on the overlap, 0 for equal outputs (two all-zero outputs are equal)."""
    errors = np.empty(len(pairs))
    for index, (left, right) in enumerate(_overlaps(outputs, pairs, grid)):
        errors[index] = relative_error(left, right)
    return errors


def overlap_cosine(outputs: AnyArray, pairs: Pairs, grid: Grid) -> FloatArray:
    """(P,) cosine of the overlapping parts, each taken as one vector."""
    values = np.empty(len(pairs))
    for index, (left, right) in enumerate(_overlaps(outputs, pairs, grid)):
        values[index] = cosine(left[None], right[None])[0]
    return values


def position_agreement(left: AnyArray, right: AnyArray) -> FloatArray:
    """(W,) share of positions with the same class in two outputs (W, C, h, w) for the same windows.

    Outputs with one channel are class maps already (integers).
    """
    same = left == right if left.shape[1] == 1 else left.argmax(axis=1) == right.argmax(axis=1)
    return np.asarray(same.reshape(len(left), -1).mean(axis=1), dtype=np.float64)


def psnr(outputs: AnyArray, pairs: Pairs, grid: Grid, peak: float) -> FloatArray:
    """(P,) peak signal-to-noise ratio on the overlap in dB for signals of peak-to-peak range ``peak``; inf if equal."""
    values = np.empty(len(pairs))
    for index, (left, right) in enumerate(_overlaps(outputs, pairs, grid)):
        error = float(np.mean((left - right) ** 2))
        values[index] = 10 * np.log10(peak**2 / error) if error else np.inf
    return values


def relative_error(left: AnyArray, right: AnyArray) -> float:
    """||left - right|| over the root mean square of the two norms."""
    first, second = np.asarray(left, dtype=np.float64).ravel(), np.asarray(right, dtype=np.float64).ravel()
    scale = np.sqrt((first @ first + second @ second) / 2)
    return float(np.linalg.norm(first - second) / scale) if scale else 0.0


def _overlaps(outputs: AnyArray, pairs: Pairs, grid: Grid) -> Iterator[tuple[AnyArray, AnyArray]]:
    for reference, moved, shift in zip(pairs.reference, pairs.moved, pairs.shift, strict=True):
        yield aligned(outputs[reference], outputs[moved], (float(shift[0]), float(shift[1])), grid)


def _one_hot(labels: AnyArray, others: AnyArray) -> FloatArray:
    """Class maps (1, h, w) as scores (classes, h, w) over the classes that either map holds."""
    classes = np.union1d(labels, others)
    return np.asarray(labels == classes[:, None, None], dtype=np.float64)
