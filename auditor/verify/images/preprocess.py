"""From the pixels of an image to the tensor a model reads.

Two steps with the protocol between them: :func:`to_picture` brings any image to the size, channels and channel order
that are wanted (still on the 0..255 scale), and :func:`to_tensor` normalises, lays out and casts. The second step works
on each pixel alone, so it commutes with cutting windows: a canvas can be normalised once and cut afterwards. Both are
computed by :mod:`auditor.pipeline`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

import numpy as np

from auditor.choices import suggestion
from auditor.pipeline.geometry import Geometry
from auditor.pipeline.placement import Placement
from auditor.pipeline.preparing import scaled
from auditor.pipeline.preset import Preset
from auditor.pipeline.preset import presets as pipelines
from auditor.verify.arrays import AnyArray
from auditor.verify.images.picture_file import FileReader

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
    range. ``geometry`` is how a picture gets the input's size; its file is read as ``read_by`` does, or as the library
    of the kernel where that is None. ``single``: computed in single precision, as the code of
    the pipelines does. ``name`` is the preset that the user named, and ``changed`` what the user set otherwise.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    order: ChannelOrder = ChannelOrder.RGB
    layout: ImageLayout = ImageLayout.NCHW
    dtype: str = "float32"
    channels: int = 3
    geometry: Geometry = field(default_factory=Geometry)
    single: bool = False
    name: str = ""
    changed: tuple[str, ...] = ()
    read_by: FileReader | None = None

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
        colours = "grey" if self.channels == 1 else self.order.value.upper() + ("A" if self.channels == 4 else "")
        if (self.scale, set(self.mean), set(self.std)) == (1.0, {0.0}, {1.0}):
            numbers = [f"{colours} 0..255"]
        else:
            numbers = [colours, f"scale {self.scale:.6g}"]
            for name, values in (("mean", self.mean), ("std", self.std)):
                numbers.append(f"{name} {' '.join(f'{value:.6g}' for value in values)}")
        named = f"--preset {self.name}" if self.name else ""
        if self.changed:
            named += f"{', changed by ' if named else ''}{' '.join(f'--{option}' for option in self.changed)}"
        line = ", ".join([self.geometry.words, *numbers, self.layout.value, self.dtype])
        return f"{line} ({named})" if named else line

    @property
    def border(self) -> tuple[float, ...]:
        """The level around the picture, one per channel of the tensor."""
        fill = self.geometry.fill
        if fill is None:  # what becomes 0
            return tuple(mean / self.scale for mean in (self.mean * self.channels)[: self.channels])
        if self.channels == 1:
            return (float(np.rint(np.dot(fill, GREY_WEIGHTS))),)
        colours = fill if self.order is ChannelOrder.RGB else fill[::-1]
        return (*colours, 0.0)[: self.channels]

    @property
    def reader(self) -> FileReader:
        """Whose way of reading a file is followed."""
        return self.read_by or _READERS.get(self.geometry.kernel.split("-")[0], FileReader.OWN)

    @staticmethod
    def of(pipeline: Preset) -> Preprocessing:
        """The colours and numbers of a whole pipeline."""
        scaling = pipeline.scaling
        order = ChannelOrder.BGR if pipeline.bgr else ChannelOrder.RGB
        return Preprocessing(
            1 / scaling.divisor,
            scaling.mean,
            scaling.std,
            order,
            geometry=Geometry.of(pipeline),
            single=True,
            name=pipeline.name,
            read_by=_READERS.get(pipeline.reader),
        )


# By the first word of a kernel, or the reader of a preset.
_READERS = {
    "cv2": FileReader.OPENCV,
    "cv4": FileReader.OPENCV,
    "pil": FileReader.PILLOW,
    "pil11": FileReader.PILLOW,
    "transformers": FileReader.TRANSFORMERS,
}
_IMAGENET = Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

# Colours and numbers alone. The presets of auditor.pipeline are whole pipelines.
PRESETS: Mapping[str, Preprocessing] = MappingProxyType(
    {
        "imagenet": _IMAGENET,  # torchvision, timm
        "caffe-bgr": Preprocessing(mean=(104.0, 117.0, 123.0), order=ChannelOrder.BGR),  # Caffe, early ONNX zoo
        "unit": Preprocessing(scale=1 / 255),  # YOLO, most exported detectors
        "signed": Preprocessing(scale=1 / 127.5, mean=(1.0,)),  # TensorFlow's MobileNets
        "raw": Preprocessing(),  # the model normalises by itself
    }
)


# What is assumed, and said to be assumed, where nobody names a preset.
DEFAULT_PRESET = "imagenet"


def preset_names() -> tuple[str, ...]:
    """Every preset: those of colours and numbers first, then the whole pipelines."""
    return (*PRESETS, *pipelines())


def preset(name: str) -> Preprocessing:
    """The preset of this name; raises ValueError that suggests one, or lists the names."""
    if name in PRESETS:
        return PRESETS[name]
    if name not in pipelines():
        known = preset_names()
        raise ValueError(f"there is no preset {name!r}{suggestion(name, known)}: one of {', '.join(known)}")
    return Preprocessing.of(pipelines()[name])


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


def to_picture(
    pixels: AnyArray, size: tuple[int, int], preprocessing: Preprocessing, margin: int = 0
) -> tuple[AnyArray, Placement]:
    """The image on a canvas that is ``margin`` larger than ``size`` (H, W), and where it lies there.

    ``pixels`` are (h, w) grey, (h, w, 1), or (h, w, 3 or 4) with red first, on the 0..255 scale; the result is
    (H, W, C) in the channels and order of the tensor. Integer pixels stay whole levels, as in the pipelines.

    Raises ValueError for another number of axes or channels, and where the fit does not make this size.
    """
    coloured = in_channels(pixels, preprocessing)
    picture = int(coloured.shape[0]), int(coloured.shape[1])
    geometry = preprocessing.geometry
    placement = geometry.around(picture, size, margin)
    if placement.out != (size[0] + margin, size[1] + margin):
        wanted, made = (f"{height}x{width}" for height, width in (size, geometry.place(picture, size).out))
        raise ValueError(f"the {geometry.words} makes an input of {made} of it, and the model reads {wanted}")
    border = preprocessing.border
    swapped = preprocessing.channels > 1 and preprocessing.order is ChannelOrder.BGR
    channels = [2, 1, 0, 3][: preprocessing.channels] if swapped else slice(None)
    canvas: AnyArray = geometry.apply(coloured, placement, np.asarray(border)[channels])
    return canvas[..., channels], placement


def to_tensor(canvas: AnyArray, preprocessing: Preprocessing) -> AnyArray:
    """Normalise, lay out and cast a canvas (H, W, C): (C, H, W), (H, W, C) or (H, W) without the batch axis.

    Pixel by pixel, hence equal to normalising every window by itself.
    """
    if canvas.dtype == np.uint8:
        levels = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 1, canvas.shape[2]))
        return _looked_up(canvas, _numbers(levels, preprocessing)[:, 0], preprocessing.layout)
    values = _numbers(canvas, preprocessing)
    if preprocessing.layout is ImageLayout.NCHW:
        values = values.transpose(2, 0, 1)
    elif preprocessing.layout is ImageLayout.NHW:
        values = values[..., 0]
    return np.ascontiguousarray(values)


def to_levels(tensor: AnyArray, preprocessing: Preprocessing) -> AnyArray:
    """The picture of bytes (H, W, 1, 3 or 4), red first, of an input that :func:`to_tensor` made, as near as it can."""
    if preprocessing.layout is ImageLayout.NCHW:
        tensor = tensor.transpose(1, 2, 0)
    elif preprocessing.layout is ImageLayout.NHW:
        tensor = tensor[..., None]
    values = tensor.astype(np.float64) * np.asarray(preprocessing.std) + np.asarray(preprocessing.mean)
    levels: AnyArray = np.clip(np.rint(values / preprocessing.scale), 0, 255).astype(np.uint8)
    swapped = preprocessing.channels > 1 and preprocessing.order is ChannelOrder.BGR
    return levels[..., [2, 1, 0, 3][: preprocessing.channels]] if swapped else levels


def _numbers(levels: AnyArray, preprocessing: Preprocessing) -> AnyArray:
    """(H, W, C) levels as numbers of the tensor's type."""
    kind = np.float32 if preprocessing.single else np.float64
    values = scaled(levels, 1 / preprocessing.scale, preprocessing.mean, preprocessing.std, kind)
    dtype = np.dtype(preprocessing.dtype)
    if dtype.kind in "ui":
        bounds = np.iinfo(dtype)
        values = np.clip(np.rint(values), bounds.min, bounds.max)
    return values.astype(dtype, copy=False)


def _looked_up(canvas: AnyArray, table: AnyArray, layout: ImageLayout) -> AnyArray:
    """The number of every level of a canvas (H, W, C) of bytes, from ``table`` (256, C)."""
    height, width, channels = canvas.shape
    if layout is ImageLayout.NCHW:
        tensor = np.empty((channels, height, width), table.dtype)
        for channel in range(channels):
            np.take(table[:, channel], canvas[..., channel], out=tensor[channel], mode="clip")
        return tensor
    values = np.stack([table[:, channel][canvas[..., channel]] for channel in range(channels)], axis=-1)
    return np.ascontiguousarray(values[..., 0] if layout is ImageLayout.NHW else values)


def in_channels(pixels: AnyArray, preprocessing: Preprocessing) -> AnyArray:
    """The pixels (h, w, C) with as many channels as the tensor, red first; raises ValueError as :func:`to_picture`."""
    # Levels stay bytes until they are resized: as floats a large photograph would take eight times the memory.
    values = pixels if pixels.dtype.kind in "ui" else np.asarray(pixels, dtype=np.float64)
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
            grey = np.rint(values @ np.asarray(GREY_WEIGHTS))[..., None]
            values = grey.astype(values.dtype)
        return values
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values
