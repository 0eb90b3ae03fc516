"""From the pixels of an image to the tensor a model reads.

Two steps with the protocol between them: :func:`to_picture` brings any image to the size, channels and channel order
that are wanted (still on the 0..255 scale), and :func:`to_tensor` normalises, lays out and casts. The second step works
on each pixel alone, so it commutes with cutting windows: a canvas can be normalised once and cut afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.images.resample import resize_part

GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as Pillow's "L" and OpenCV's grey
_DTYPES = ("float32", "float16", "float64", "uint8", "int8", "int32")


class ImageLayout(Enum):
    """The axes of the model's image input. ``NHW`` has no channel axis (grey)."""

    NCHW = "NCHW"
    NHWC = "NHWC"
    NHW = "NHW"


class ChannelOrder(Enum):
    """The order of the three colour channels."""

    RGB = "rgb"
    BGR = "bgr"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """``tensor = (picture * scale - mean) / std`` per channel, in the channel order of the tensor.

    ``scale`` acts on 0..255 pixels. ``mean`` and ``std`` have one value per channel or one for all. ``channels`` is 1
    (grey), 3 (colour) or 4 (colour and one more). An integer ``dtype`` is rounded to the nearest and clipped to its
    range.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    order: ChannelOrder = ChannelOrder.RGB
    layout: ImageLayout = ImageLayout.NCHW
    dtype: str = "float32"
    channels: int = 3

    def __post_init__(self) -> None:
        if self.channels not in (1, 3, 4):
            raise ValueError(f"{self.channels} input channels: pictures have 1 (grey), 3 (colour) or 4")
        if self.layout is ImageLayout.NHW and self.channels != 1:
            raise ValueError("layout NHW has no channel axis: it needs channels = 1")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ValueError(f"{name} has {len(values)} values for {self.channels} channels")
        if not all(value > 0 for value in self.std):
            raise ValueError("std must be positive")
        if self.dtype not in _DTYPES:
            raise ValueError(f"input type {self.dtype} is not one of {', '.join(_DTYPES)}")

    def describe(self) -> str:
        """One line for the report; equal preprocessings have equal lines."""
        numbers = [f"scale {self.scale:.6g}"]
        for name, values in (("mean", self.mean), ("std", self.std)):
            numbers.append(f"{name} {' '.join(f'{value:.6g}' for value in values)}")
        colours = "grey" if self.channels == 1 else self.order.value.upper() + ("A" if self.channels == 4 else "")
        return ", ".join([colours, *numbers, self.layout.value, self.dtype])


_IMAGENET = Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

PRESETS: Mapping[str, Preprocessing] = MappingProxyType(
    {
        "imagenet": _IMAGENET,  # torchvision, timm
        "caffe-bgr": Preprocessing(mean=(104.0, 117.0, 123.0), order=ChannelOrder.BGR),  # Caffe, early ONNX zoo
        "unit": Preprocessing(scale=1 / 255),  # YOLO, most exported detectors
        "raw": Preprocessing(),  # the model normalises by itself
    }
)


# What is assumed, and said to be assumed, where nobody names a preset.
DEFAULT_PRESET = "imagenet"


def preset(name: str) -> Preprocessing:
    """The preset of this name; raises ValueError that lists the names."""
    if name not in PRESETS:
        raise ValueError(f"no preprocessing preset of this name; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def for_grey(preprocessing: Preprocessing) -> Preprocessing:
    """The same preprocessing for a grey input: mean and spread are those of the three channels, weighted as in luma."""
    if preprocessing.channels == 1:
        return preprocessing
    weights = GREY_WEIGHTS if preprocessing.order is ChannelOrder.RGB else GREY_WEIGHTS[::-1]

    def luma(values: tuple[float, ...]) -> tuple[float, ...]:
        return values if len(values) == 1 else (float(np.dot(weights, values)),)

    return replace(preprocessing, channels=1, mean=luma(preprocessing.mean), std=luma(preprocessing.std))


def for_four(preprocessing: Preprocessing) -> Preprocessing:
    """The same preprocessing with a fourth channel, which is only scaled where mean and std do not name it."""

    def widened(values: tuple[float, ...], last: float) -> tuple[float, ...]:
        return (*values, last) if len(values) == 3 else values

    mean, std = widened(preprocessing.mean, 0.0), widened(preprocessing.std, 1.0)
    return replace(preprocessing, channels=4, mean=mean, std=std)


def on_black(pixels: AnyArray) -> AnyArray:
    """A picture (h, w, 4) of colours and opacity as colours on black (h, w, 3)."""
    return np.rint(pixels[..., :3] * (pixels[..., 3:] / 255.0)).astype(pixels.dtype)


def to_picture(pixels: AnyArray, size: tuple[int, int], preprocessing: Preprocessing) -> FloatArray:
    """The image at exactly ``size`` (H, W): resized until it just covers the size, then its centre cut out.

    For a square size this is the usual "resize the shorter side, centre crop". ``pixels`` are (h, w) grey, (h, w, 1) or
    (h, w, 3) RGB on the 0..255 scale; the result is (H, W, C) in the channels and order of the tensor. Resized integer
    pixels are rounded to whole levels as Pillow does, so that pictures from files and from arrays are the same.

    Raises ValueError for another number of axes or channels.
    """
    coloured = _channels(pixels, preprocessing)
    height, width = coloured.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    covering = (max(size[0], round(height * scale)), max(size[1], round(width * scale)))
    top, left = (covering[0] - size[0]) // 2, (covering[1] - size[1]) // 2
    if covering == (height, width):
        return coloured[top : top + size[0], left : left + size[1]].astype(np.float64)
    resized = resize_part(coloured, covering, (top, left), size)
    return np.rint(resized) if pixels.dtype.kind in "ui" else resized


def to_tensor(canvas: AnyArray, preprocessing: Preprocessing) -> AnyArray:
    """Normalise, lay out and cast a canvas (H, W, C): (C, H, W), (H, W, C) or (H, W) without the batch axis.

    Pixel by pixel, hence equal to normalising every window by itself.
    """
    mean, std = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
    values = (np.asarray(canvas, dtype=np.float64) * preprocessing.scale - mean) / std
    if preprocessing.layout is ImageLayout.NCHW:
        values = values.transpose(2, 0, 1)
    elif preprocessing.layout is ImageLayout.NHW:
        values = values[..., 0]
    dtype = np.dtype(preprocessing.dtype)
    if dtype.kind in "ui":
        bounds = np.iinfo(dtype)
        values = np.clip(np.rint(values), bounds.min, bounds.max)
    return np.ascontiguousarray(values, dtype=dtype)


def _channels(pixels: AnyArray, preprocessing: Preprocessing) -> AnyArray:
    # Levels stay bytes until they are resized: as floats a large photograph would take eight times the memory.
    values = pixels if pixels.dtype == np.uint8 else np.asarray(pixels, dtype=np.float64)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4):
        raise ValueError(f"an image of shape {pixels.shape} is neither grey (h, w) nor colour (h, w, 3 or 4)")
    if (values.shape[2] == 4) != (preprocessing.channels == 4):
        raise ValueError(f"the image has {values.shape[2]} channels and the model reads {preprocessing.channels}")
    if min(values.shape) == 0:
        raise ValueError(f"an image of shape {pixels.shape} has no pixels")
    if preprocessing.channels == 1:
        if values.shape[2] == 3:
            values = np.rint(values @ np.asarray(GREY_WEIGHTS))[..., None]
        return values
    if values.shape[2] == 1:
        return np.repeat(values, 3, axis=2)
    if preprocessing.order is ChannelOrder.BGR:
        return values[..., [2, 1, 0, 3][: values.shape[2]]]
    return values
