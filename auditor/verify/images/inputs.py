"""Which input of a model takes the image, in which layout, size and type, and what the other inputs are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from auditor.choices import suggestion
from auditor.text import plain
from auditor.verify.errors import DataError
from auditor.verify.images.preprocess import ChannelOrder, ImageLayout, Preprocessing, for_four, for_grey
from auditor.verify.worker.arena import Array
from auditor.verify.worker.job import Port, Windows

# Image networks that leave the size open were nearly all trained at this one.
DEFAULT_SIZE = (224, 224)
# Readers of text lines take lines of a fixed height, which many exports leave open.
LINE_SIZES = ((48, 320), (32, 320))
_IMAGE_TYPES = ("float32", "float16", "float64", "uint8", "int8", "int32")
_COLOURS = (1, 3, 4)
# What is smaller or longer is a signal, a state or a table, not a picture.
_LEAST_SIDE = 8
_LONGEST = 20
_LONGEST_GREY = 4  # without an axis of channels: (N, C, T) is a signal


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The input that takes the image.

    ``size`` is (H, W), ``open_sides`` which of the two the model leaves open. ``batch`` is the fixed batch size, None
    where it is free. ``assumed_size`` says that the model leaves the size open and nobody named one.
    """

    name: str
    layout: ImageLayout
    channels: int
    size: tuple[int, int]
    dtype: str
    batch: int | None
    assumed_size: bool
    open_sides: tuple[bool, bool] = (False, False)

    def possible(self, size: tuple[int, int]) -> tuple[int, int]:
        """A size (H, W) with the sides that the model fixes."""
        return (
            size[0] if self.open_sides[0] else self.size[0],
            size[1] if self.open_sides[1] else self.size[1],
        )

    def sized(self, size: tuple[int, int] | None) -> ImageInput:
        """The same with another size (H, W) for open sides that nobody named; None leaves it as it is."""
        if size is None or not self.assumed_size:
            return self
        return replace(self, size=self.possible(size), assumed_size=False)

    def fit(self, preprocessing: Preprocessing) -> Preprocessing:
        """The preprocessing with the layout, type and number of channels of this input."""
        if self.channels == 1:
            preprocessing = replace(for_grey(preprocessing), order=ChannelOrder.RGB)
        if self.channels == 4:
            preprocessing = for_four(preprocessing)
        return replace(preprocessing, layout=self.layout, dtype=self.dtype, channels=self.channels)

    def windows(self, canvases: Array, places: Array) -> Windows:
        """Windows of this input."""
        return Windows(self.name, canvases, places, self.size, channels_last=self.layout is not ImageLayout.NCHW)


def image_input(
    ports: tuple[Port, ...],
    name: str | None = None,
    size: tuple[int, int] | None = None,
    layout: ImageLayout | None = None,
    channels: int | None = None,
) -> ImageInput:
    """Find the image input: the one named, else the only one whose shape is that of a batch of pictures.

    A picture has one, three or four channels on an axis of their own and two sides of some length. (N, H, W) is taken
    for grey pictures where both sides are fixed and alike; signals, states and unbatched pictures have such shapes too.

    Args:
        ports: all inputs of the session.
        name: the input that the user named; None looks for it.
        size: (H, W) for axes that the model leaves open.
        layout: the order of the axes; None asks the shape.
        channels: 1 or 3 where the model leaves it open.

    Raises:
        DataError: no input or several look like images, or what the user said contradicts the shape.
    """
    if name is not None:
        candidates = [port for port in ports if port.name == name]
        if not candidates:
            hint = suggestion(name, [plain(port.name) for port in ports])
            raise DataError(f"the model has no input of the name given with --image-input{hint}", _listed(ports))
    else:
        candidates = _pictures(ports, layout)
        numeric = [port for port in ports if port.dtype in _IMAGE_TYPES and len(port.shape) == 4]
        if not candidates and len(numeric) == 1 and _sides(numeric[0], layout) is None:
            candidates = numeric  # why it is none is said below
    if len(candidates) != 1:
        count = "no" if not candidates else f"{len(candidates)}"
        raise DataError(
            f"{count} inputs of the model look like an image (N, C, H, W): name one with --image-input, and its axes "
            "with --layout",
            _listed(ports),
        )
    port = candidates[0]
    if port.dtype not in _IMAGE_TYPES or len(port.shape) not in (3, 4):
        raise DataError("the input is no image (N, C, H, W), (N, H, W, C) or (N, H, W) of numbers", port.name)
    return _described(port, size, layout, channels)


def other_feeds(
    ports: tuple[Port, ...], image: ImageInput, constants: Mapping[str, float], given: Mapping[str, Array], batch: int
) -> dict[str, Array]:
    """What the other inputs are fed: the arrays that came with the image, else a constant that the user named.

    A free first axis gets the size of the batch, any other free axis the size 1. Arrays that came with the image are
    one image's and are repeated over the batch.

    Raises:
        DataError: an input has neither, or an array does not fit.
    """
    feeds: dict[str, Array] = {}
    for port in ports:
        if port.name == image.name:
            continue
        if port.name in given:
            value = np.asarray(given[port.name], port.dtype or None)
            feeds[port.name] = np.repeat(value[None], batch, 0) if value.ndim == len(port.shape) - 1 else value
            continue
        if port.name not in constants or not port.dtype:
            raise DataError("the model has a further input that needs a value: give --feed NAME=NUMBER", port.name)
        shape = [axis if isinstance(axis, int) else 1 for axis in port.shape]
        if port.shape and not isinstance(port.shape[0], int):
            shape[0] = batch
        feeds[port.name] = np.full(shape, constants[port.name], port.dtype)
    return feeds


def _described(
    port: Port, size: tuple[int, int] | None, layout: ImageLayout | None, channels: int | None
) -> ImageInput:
    guess = _guess(port)
    chosen = layout or (guess[0] if guess else ImageLayout.NCHW)
    if (chosen is ImageLayout.NHW) != (len(port.shape) == 3):
        raise DataError(f"layout {chosen.value} does not fit an input with {len(port.shape)} axes", port.name)
    spatial = (2, 3) if chosen is ImageLayout.NCHW else (1, 2)
    declared = 1 if chosen is ImageLayout.NHW else port.shape[1 if chosen is ImageLayout.NCHW else 3]
    depth = declared if isinstance(declared, int) and declared > 0 else (channels or 3)
    if depth not in _COLOURS or (channels is not None and channels != depth):
        raise DataError(
            f"the image input has {depth} channels: images have 1, 3 or 4; give --layout, --channels or --image-input",
            port.name,
        )
    sides: list[int] = []
    assumed = False
    for position, axis in enumerate(spatial):
        fixed = port.shape[axis]
        if isinstance(fixed, int) and fixed > 0:
            if size is not None and size[position] != fixed:
                raise DataError(f"the model is fixed to {fixed} px on an axis, --size says {size[position]}", port.name)
            sides.append(fixed)
        else:
            assumed = assumed or size is None
            sides.append((size or DEFAULT_SIZE)[position])
    first = port.shape[0]
    batch = first if isinstance(first, int) and first > 0 else None
    high, wide = (not isinstance(port.shape[axis], int) or port.shape[axis] in (0, -1) for axis in spatial)
    return ImageInput(port.name, chosen, depth, (sides[0], sides[1]), port.dtype, batch, assumed, (high, wide))


def _pictures(ports: tuple[Port, ...], layout: ImageLayout | None) -> list[Port]:
    """The inputs whose shape is that of a batch of pictures; those in colour, if there are some."""
    likely = [port for port in ports if port.dtype in _IMAGE_TYPES and _like_picture(port, layout)]
    best = [port for port in likely if 3 in (port.shape[1], port.shape[-1]) and len(port.shape) == 4]
    return best or likely


def _like_picture(port: Port, layout: ImageLayout | None) -> bool:
    sides = _sides(port, layout)
    if sides is None:
        return False
    fixed = [side for side in sides if isinstance(side, int) and side > 0]
    if any(side < _LEAST_SIDE for side in fixed):
        return False
    if len(port.shape) == 3 and layout is not ImageLayout.NHW:
        # An axis of the batch that is fixed to three is one of colours.
        return len(fixed) == 2 and max(fixed) <= _LONGEST_GREY * min(fixed) and port.shape[0] != 3
    return len(fixed) < 2 or max(fixed) <= _LONGEST * min(fixed)


def _sides(port: Port, layout: ImageLayout | None) -> tuple[int | str | None, int | str | None] | None:
    """The two spatial axes of an input, None where its shape has no place for colours."""
    guess = _guess(port)
    chosen = layout or (guess[0] if guess else None)
    if chosen is None and len(port.shape) == 4 and not all(isinstance(axis, int) for axis in port.shape[1:]):
        chosen = ImageLayout.NCHW if not isinstance(port.shape[1], int) else None
    if chosen is None or (chosen is ImageLayout.NHW) != (len(port.shape) == 3) or len(port.shape) not in (3, 4):
        return None
    first, second = (2, 3) if chosen is ImageLayout.NCHW else (1, 2)
    return port.shape[first], port.shape[second]


def _listed(ports: tuple[Port, ...]) -> str:
    return "; ".join(f"{port.name} {port.dtype or '?'} {'x'.join(map(str, port.shape))}" for port in ports)


def _guess(port: Port) -> tuple[ImageLayout] | None:
    """The layout that the shape suggests; None where neither channel position has one, three or four."""
    if len(port.shape) == 3:
        return (ImageLayout.NHW,)
    if len(port.shape) != 4:
        return None
    first, last = port.shape[1], port.shape[3]
    if first in _COLOURS:
        return (ImageLayout.NCHW,)
    return (ImageLayout.NHWC,) if last in _COLOURS else None
