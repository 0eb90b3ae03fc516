"""Images for a measurement without data: a seeded set with the statistics of natural images, and a few pictures.

Two kinds, in turn, in colour, at 0..255:

* dead leaves: opaque discs that hide each other, with radii of density r^-3. Their edges, occlusions and scale
  invariance are what makes natural images answer to subsampling. Lee, Mumford and Huang, "Occlusion models for natural
  images", IJCV 2001. Drawn at twice the size and averaged, so that the edges are as soft as a camera's.
* 1/f noise: power falls with the square of frequency, as in natural images on average. Field, "Relations between the
  statistics of natural images and the response properties of cortical cells", JOSA A 1987.

Such images rank models and find instabilities; they are no photographs, and accuracy or the level of consistency on
them says nothing about real ones. Image i depends on (seed, i, size) only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from auditor.text import ModelText
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.errors import DataError
from auditor.verify.images.drawn import Drawn
from auditor.verify.images.picture_file import decode
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.result import DataKind, Rejected

# (H, W): windows of up to 640 px and their shifts fit without enlarging, which takes detail away.
SIZE = (720, 720)
_PICTURES = Path(__file__).with_name("pictures")
_LEAVES = 500
_LEAST_RADIUS = 3.0  # pixels of the finished image
_LARGEST_RADIUS = 0.45  # of the shorter side
_TEXTURE = 0.12  # strength of the 1/f texture on a leaf, relative to its colour


def synthetic_image(index: int, seed: int = 0, size: tuple[int, int] = SIZE) -> AnyArray:
    """Image ``index`` of the set: (H, W, 3) uint8. Even ones are dead leaves, odd ones 1/f noise."""
    draw = np.random.default_rng(np.random.SeedSequence(entropy=(seed, index)))
    levels = dead_leaves(draw, size) if index % 2 == 0 else pink_noise(draw, size)
    return np.clip(np.rint(levels * 255), 0, 255).astype(np.uint8)


def dead_leaves(draw: np.random.Generator, size: tuple[int, int]) -> FloatArray:
    """One dead-leaves image (H, W, 3), 0..1: discs painted from the back to the front, each in its colour."""
    height, width = 2 * size[0], 2 * size[1]
    canvas = np.broadcast_to(draw.random(3), (height, width, 3)).astype(np.float32)
    ys, xs = draw.random(_LEAVES) * height, draw.random(_LEAVES) * width
    radii = _radii(draw, 2 * _LEAST_RADIUS, _LARGEST_RADIUS * min(height, width))
    lightness, tint = draw.random(_LEAVES), draw.random((_LEAVES, 3)) - 0.5
    colours = np.clip(lightness[:, None] + 0.5 * tint, 0, 1)
    for y, x, radius, colour in zip(ys, xs, radii, colours, strict=True):
        top, left = max(0, int(y - radius)), max(0, int(x - radius))
        bottom, right = min(height, int(y + radius) + 2), min(width, int(x + radius) + 2)
        rows, columns = np.arange(top, bottom)[:, None], np.arange(left, right)[None, :]
        canvas[top:bottom, left:right][(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = colour
    blocks: FloatArray = canvas.reshape(size[0], 2, size[1], 2, 3).mean(axis=(1, 3), dtype=np.float64)
    return np.clip(blocks * (1 + 2 * _TEXTURE * (pink_noise(draw, size) - 0.5)), 0, 1)


def pink_noise(draw: np.random.Generator, size: tuple[int, int]) -> FloatArray:
    """Colour noise (H, W, 3), 0..1, whose amplitude falls as 1/f; most of it in lightness, as in natural images."""
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :])
    frequency[0, 0] = np.inf  # no mean
    phase = 2j * np.pi * draw.random((3, *frequency.shape))
    planes = np.fft.irfft2(np.exp(phase) / frequency, s=size)
    planes /= planes.std(axis=(1, 2), keepdims=True)
    light, red_green, blue_yellow = planes
    colour = np.stack([light + 0.3 * red_green, light - 0.3 * red_green, light + 0.4 * blue_yellow], axis=-1)
    levels: FloatArray = np.clip(0.5 + 0.18 * colour, 0, 1)
    return levels


def builtin_images(count: int = 32, seed: int = 0, drawn: Drawn | None = None) -> ImageSource:
    """The pictures that the package carries and synthetic images, ``count`` in all; without Pillow only the latter.

    ``drawn`` holds those of seed 0 that were drawn before, and keeps the others.

    Raises ValueError for a count below 1.
    """
    if count < 1:
        raise ValueError("the number of images must be at least 1")
    files = sorted(_PICTURES.glob("*.jpg"))[:count]
    note = "no images were given: built-in pictures and synthetic images rank models, they say nothing about real data"

    def at(place: int) -> Picture | Rejected:
        if place < len(files):
            return _picture(files[place])
        index = place - len(files)
        pixels = drawn.image(index) if drawn is not None and seed == 0 else synthetic_image(index, seed)
        return Picture(ModelText(f"synthetic {index}"), pixels)

    return ImageSource.listed(DataKind.BUILTIN, count, (note,), at)


def _picture(file: Path) -> Picture | Rejected:
    called = ModelText(f"built-in {file.name}")
    try:
        return Picture(called, decode(file)[0])
    except DataError as error:
        return Rejected(called, str(error))


def _radii(draw: np.random.Generator, least: float, largest: float) -> FloatArray:
    """Radii of density r^-3 between the bounds, by inverting the distribution."""
    share = draw.random(_LEAVES)
    radii: FloatArray = 1 / np.sqrt(least**-2 - share * (least**-2 - largest**-2))
    return radii
