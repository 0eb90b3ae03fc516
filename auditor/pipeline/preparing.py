"""A picture turned into what a model is fed, as a known pipeline does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.choices import suggestion
from auditor.pipeline.fitting import laid
from auditor.pipeline.geometry import Geometry
from auditor.pipeline.placement import Placement
from auditor.pipeline.preset import Preset, presets


def prepare(
    image: npt.NDArray[np.uint8], preset: str | Preset, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], Placement]:
    """The model's input for a picture, with its batch axis, and the way of points between the two.

    ``image`` is (height, width, 3), uint8, red first; ``preset`` a name of
    :func:`~auditor.pipeline.preset.presets` or a :class:`~auditor.pipeline.preset.Preset` of your own; ``size`` the
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
    geometry = Geometry.of(chosen)
    placement = geometry.place((int(pixels.shape[0]), int(pixels.shape[1])), size)
    levels = geometry.apply(pixels, placement, chosen.fill or (0.0, 0.0, 0.0))
    scaling = chosen.scaling
    array = scaled(levels[..., ::-1] if chosen.bgr else levels, scaling.divisor, scaling.mean, scaling.std, np.float32)
    if chosen.fill is None and not placement.covers:
        array[laid(np.zeros(placement.resized, np.uint8), placement, 1) == 1] = 0
    ordered = array.transpose(2, 0, 1) if chosen.channels_first else array
    return np.ascontiguousarray(ordered[None]), placement


def scaled(
    levels: npt.NDArray[Any], divisor: float, mean: Sequence[float], std: Sequence[float], dtype: type[np.floating[Any]]
) -> npt.NDArray[Any]:
    """``(levels / divisor - mean) / std`` channel by channel (the last axis), step by step in the type ``dtype``."""
    values: npt.NDArray[Any] = levels.astype(dtype)
    values /= dtype(divisor)
    values -= np.array(mean, dtype)
    values /= np.array(std, dtype)
    return values


def _named(name: str) -> Preset:
    known = presets()
    if name not in known:
        raise ValueError(f"unknown preset {name!r}{suggestion(name, known)}: one of {', '.join(known)}")
    return known[name]
