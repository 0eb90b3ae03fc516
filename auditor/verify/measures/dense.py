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

from auditor.verify.alignment import Grid, aligned, coarse_step
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.shifts import Pairs


def class_agreement(outputs: AnyArray, pairs: Pairs, grid: Grid) -> FloatArray:
    """(P,) share of overlapping pixels with the same class; the mean over pairs is the image's mASSC.

    Outputs with one channel are class maps already (integers) and are compared at the nearest position; outputs with
    several are scores per class, upsampled before the largest is taken.
    """
    return compare_pairs(None, outputs, pairs, grid)["massc"]


def equivariance_error(outputs: AnyArray, pairs: Pairs, grid: Grid) -> FloatArray:
    """(P,) relative error on the overlap, 0 for equal outputs (two all-zero outputs are equal)."""
    return compare_pairs(outputs, None, pairs, grid)["equivariance-error"]


def overlap_cosine(outputs: AnyArray, pairs: Pairs, grid: Grid) -> FloatArray:
    """(P,) cosine of the overlapping parts, each taken as one vector."""
    return compare_pairs(outputs, None, pairs, grid)["cosine"]


def compare_pairs(maps: AnyArray | None, classes: AnyArray | None, pairs: Pairs, grid: Grid) -> dict[str, FloatArray]:
    """All measures of ``maps`` and of ``classes`` (which may be the same array) by name, each pair aligned once.

    Tensors of a stride above four pixels are compared at four places per cell along each axis: what lies between is
    interpolated from the same values.
    """
    names = [
        *(["massc"] if classes is not None else []),
        *(["equivariance-error", "cosine"] if maps is not None else []),
    ]
    found = {name: np.empty(len(pairs)) for name in names}
    step = coarse_step(grid)
    # One class per position can be chosen once per window where no position lies between two others.
    winners = _winners(classes) if classes is not None and _on_pixels(grid) else None
    for index, (reference, moved, shift) in enumerate(zip(pairs.reference, pairs.moved, pairs.shift, strict=True)):
        move = (float(shift[0]), float(shift[1]))
        left: AnyArray | None = None
        right: AnyArray | None = None
        if maps is not None:
            left, right = aligned(maps[reference], maps[moved], move, grid, step=step)
            found["equivariance-error"][index], found["cosine"][index] = _likeness(left, right)
        if winners is not None:
            one, two = aligned(winners[reference], winners[moved], move, grid)
            found["massc"][index] = np.mean(one == two)
        elif classes is not None:
            if classes.shape[1] == 1:
                first, second = classes[reference], classes[moved]
                left, right = aligned(_one_hot(first, second), _one_hot(second, first), move, grid, step=step)
            elif classes is not maps or left is None or right is None:
                left, right = aligned(classes[reference], classes[moved], move, grid, step=step)
            found["massc"][index] = np.mean(left.argmax(axis=0) == right.argmax(axis=0))
    return found


def _on_pixels(grid: Grid) -> bool:
    """Whether every position is a pixel of its own, so that nothing is interpolated."""
    return grid.stride == (1.0, 1.0) and not any(part % 1 for part in grid.offset)


def _winners(classes: AnyArray) -> AnyArray:
    """(W, h, w) the class at every position, as a small number type."""
    chosen = classes[:, 0] if classes.shape[1] == 1 else classes.argmax(axis=1)
    return chosen.astype(np.float32) if abs(int(chosen.max(initial=0))) < 1 << 24 else chosen.astype(np.float64)


def _likeness(left: AnyArray, right: AnyArray) -> tuple[float, float]:
    """Relative error and cosine of two tensors of one shape, with few passes and sums in double precision."""
    first, second, product = _dot(left, left), _dot(right, right), _dot(left, right)
    difference = left - right
    scale = np.sqrt((first + second) / 2)
    error = float(np.sqrt(_dot(difference, difference)) / scale) if scale else 0.0
    if first == 0 or second == 0:
        return error, 1.0 if first == second else 0.0
    return error, float(np.clip(product / np.sqrt(first * second), -1.0, 1.0))


def _dot(left: AnyArray, right: AnyArray) -> float:
    return float(np.einsum("...j,...j->...", left, right).sum(dtype=np.float64))


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
