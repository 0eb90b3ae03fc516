"""Perturbed pictures; see :mod:`auditor.verify.perturbation`. Pictures are (H, W, C) levels 0..255, red first."""

from __future__ import annotations

import io

import numpy as np

from auditor.pipeline.resampling.taps import along, around, to_uint8
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.images.synthetic import dead_leaves
from auditor.verify.perturbation import Perturbation, PerturbationKind
from auditor.verify.shifts.plan import DIRECTIONS, generator
from auditor.verify.shifts.subpixel import fourier_shift, rotated

# Purposes of random numbers beyond those of any shift.
_NOISE_DRAWS, _OBJECT_DRAWS = 1_000_010, 1_000_011
# 80 of 224 px: an object that fills an eighth of the window.
_OBJECT_SHARE = 80 / 224
_SOFT = 1.0  # pixels over which the object's edge fades, as behind a lens
_SINC_TAPS = 8
_LUMA = (0.299, 0.587, 0.114)


def perturbed(
    picture: AnyArray, perturbation: Perturbation, draw: tuple[int, int], room: tuple[int, int], moved: bool
) -> AnyArray:
    """The picture after a perturbation, in its own type: bytes stay bytes, as a camera would deliver them.

    Args:
        picture: levels on the 0..255 scale.
        perturbation: what happens to it; half a pixel is :func:`half_pixel`'s.
        draw: the seed and the image's place, on which alone depends what is drawn.
        room: by how many rows and columns the picture is larger than the windows that are cut from it.
        moved: whether an object has moved already.
    """
    kind, amount = perturbation.kind, perturbation.amount
    if kind is PerturbationKind.OBJECT:
        return _levels(_with_object(picture, draw, room, int(amount), moved), picture)
    if kind is PerturbationKind.JPEG:
        return _recoded(picture, int(amount))
    if amount == 0:
        return picture
    if kind is PerturbationKind.NOISE:
        noise = generator(*draw, _NOISE_DRAWS).standard_normal(picture.shape, dtype=np.float32)
        return _levels(picture + np.float32(amount) * noise, picture)
    if kind is PerturbationKind.LIGHT:
        return _levels(picture * (1 + amount / 100), picture)
    return _levels(rotated(picture, amount), picture)


def half_pixel(picture: AnyArray, step: tuple[float, float], circular: bool = False) -> AnyArray:
    """The picture sampled ``step`` (dy, dx) of its pixels further on, in its own type.

    By a sinc of eight taps under a cosine window, edges replicated; ``circular``: by an ideal circular shift.
    """
    if circular:
        return _levels(fourier_shift(picture, *step), picture)
    rows, columns = (
        around(np.arange(size) + move, _SINC_TAPS, size, _sinc)
        for size, move in zip(picture.shape[:2], step, strict=True)
    )
    return _levels(along(along(picture, rows, 0, np.float32), columns, 1, np.float32), picture)


def _sinc(fraction: FloatArray) -> FloatArray:
    half = _SINC_TAPS // 2
    distance = fraction[:, None] - np.arange(1 - half, half + 1)
    weights = np.sinc(distance) * np.cos(np.pi * distance / _SINC_TAPS) ** 2
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _levels(values: AnyArray, picture: AnyArray) -> AnyArray:
    """Values as levels in the type of the picture."""
    if picture.dtype.kind in "ui":
        return to_uint8(values).astype(picture.dtype, copy=False)
    return np.clip(values, 0, 255).astype(picture.dtype, copy=False)


def _recoded(picture: AnyArray, quality: int) -> AnyArray:
    """Through a JPEG file. Opacity is not coded."""
    from PIL import Image

    levels = to_uint8(picture)
    colours = levels[..., 0] if levels.shape[2] == 1 else levels[..., :3]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(colours)).save(file, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(file)).reshape(*levels.shape[:2], -1)
    return np.concatenate([decoded, levels[..., decoded.shape[2] :]], axis=2).astype(picture.dtype)


def _with_object(picture: AnyArray, draw: tuple[int, int], room: tuple[int, int], step: int, moved: bool) -> FloatArray:
    """A textured disc over the picture, and when it has ``moved`` by ``step`` pixels in one of eight directions.

    It lies where every window shows it, or in the middle where windows have too little in common.
    """
    random = generator(*draw, _OBJECT_DRAWS)
    sizes = picture.shape[0] - room[0], picture.shape[1] - room[1]
    side = max(4, round(_OBJECT_SHARE * min(sizes)))
    way = int(random.integers(len(DIRECTIONS)))
    corner = []
    for size, margin in zip(sizes, room, strict=True):
        low, high = margin + step, size - side - step
        start = int(random.integers(low, high + 1)) if low <= high else (size + margin - side) // 2
        corner.append(start)
    dy, dx = DIRECTIONS[way]
    texture = 255 * dead_leaves(random, (side, side))
    if picture.shape[2] == 1:
        texture = (texture @ np.asarray(_LUMA))[..., None]
    if moved:
        corner = [corner[0] + dy * step, corner[1] + dx * step]
    top, left = max(0, corner[0]), max(0, corner[1])
    centre = (side - 1) / 2
    radius = np.hypot(*np.meshgrid(np.arange(side) - centre, np.arange(side) - centre))
    cover = np.clip((side / 2 - radius) / _SOFT, 0, 1)[..., None]
    result = picture.astype(np.float64)
    part = result[top : top + side, left : left + side, : texture.shape[2]]
    high, wide = part.shape[:2]
    part += cover[:high, :wide] * (texture[:high, :wide] - part)
    return result
