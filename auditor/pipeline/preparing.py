"""A picture turned into what a model is fed, as a known pipeline does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.choices import suggestion
from auditor.pipeline.fitting import laid, place
from auditor.pipeline.kernels.taps import to_uint8
from auditor.pipeline.placement import Placement
from auditor.pipeline.presets import Preset, presets
from auditor.pipeline.resizing import resize


def prepare(
    image: npt.NDArray[np.uint8], preset: str | Preset, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], Placement]:
    """The model's input for a picture, with its batch axis, and the way of points between the two.

    ``image`` is (height, width, 3), uint8, red first; ``preset`` a name of
    :func:`~auditor.pipeline.presets.presets` or a :class:`~auditor.pipeline.presets.Preset` of your own; ``size`` the
    input's (height, width). The array is float32, (1, 3, height, width) or (1, height, width, 3) as the preset says.

    Raises:
        ValueError: there is no such preset, the image is no such picture, or its size does not work.
        ImportError: a preset that resizes with Pillow, without Pillow.

    >>> import numpy as np
    >>> red = np.zeros((100, 200, 3), np.uint8)
    >>> red[..., 0] = 255
    >>> array, placement = prepare(red, "ultralytics", (64, 64))
    >>> array.shape, placement.top, array[0, :, 32, 32].tolist()
    ((1, 3, 64, 64), 16, [1.0, 0.0, 0.0])
    >>> prepare(red, "yolox", (64, 64))[0][0, :, 0, 0].tolist()  # blue first, not scaled, upper left corner
    [0.0, 0.0, 255.0]
    """
    chosen = preset if isinstance(preset, Preset) else _named(preset)
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"a picture is uint8 of (height, width, 3), red first; got {pixels.dtype} {pixels.shape}")
    shape = int(pixels.shape[0]), int(pixels.shape[1])
    if chosen.same_aspect and shape[0] * size[1] != shape[1] * size[0]:
        raise ValueError(
            f"{chosen.name} cuts a region of the input's aspect ratio first: a picture of {shape[0]}x{shape[1]} has "
            f"another one than {size[0]}x{size[1]}; crop it, or pad it"
        )
    placement = _placed(shape, size, chosen)
    resized = _resized(pixels, placement.resized, chosen)
    array = (
        _scaled(laid(resized, placement, chosen.fill), chosen)
        if chosen.fill is not None
        else laid(_scaled(resized, chosen), placement, 0).astype(np.float32, copy=False)
    )
    ordered = array.transpose(2, 0, 1) if chosen.channels_first else array
    return np.ascontiguousarray(ordered[None]), placement


def _named(name: str) -> Preset:
    known = presets()
    if name not in known:
        raise ValueError(f"unknown preset {name!r}{suggestion(name, known)}: one of {', '.join(known)}")
    return known[name]


def _placed(picture: tuple[int, int], size: tuple[int, int], preset: Preset) -> Placement:
    settings = dict(preset.settings)
    if preset.fit == "mmdet":
        settings.setdefault("pad", size)
    return place(picture, size, preset.fit, **settings)


def _resized(pixels: npt.NDArray[np.uint8], size: tuple[int, int], preset: Preset) -> npt.NDArray[Any]:
    source = pixels.astype(np.float32) if preset.float_resize else pixels
    if pixels.shape[:2] == size:
        return source
    resized = resize(source, size, preset.kernel)
    return resized if preset.float_resize or resized.dtype == np.uint8 else to_uint8(resized)


def _scaled(pixels: npt.NDArray[Any], preset: Preset) -> npt.NDArray[np.float32]:
    ordered = pixels[..., ::-1] if preset.bgr else pixels
    values: npt.NDArray[np.float32] = ordered.astype(np.float32)
    values /= np.float32(preset.scaling.divisor)
    values -= np.array(preset.scaling.mean, np.float32)
    values /= np.array(preset.scaling.std, np.float32)
    return values
