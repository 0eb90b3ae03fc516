"""How a pipeline brings a picture to the size of an input: where it lies, by which kernel, on which border."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.pipeline.conventions import CONVENTIONS
from auditor.pipeline.fitting import FILLS, laid, place
from auditor.pipeline.placement import Placement
from auditor.pipeline.preset import Preset
from auditor.pipeline.resampling import triangle
from auditor.pipeline.resampling.taps import to_uint8
from auditor.pipeline.resizing import resize

Levels = npt.NDArray[Any]
Fill = tuple[float, ...]

# A picture that is a thousand times as wide as high is not resized whole to be cropped.
_MOST_RESIZED = 1 << 28  # pixels
_GENERAL = ("stretch", "letterbox", "letterbox-top-left", "shortest-edge", "crop", "cover")


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """``fit`` and its ``settings`` are those of :func:`~auditor.pipeline.fitting.place`, ``kernel`` of ``resize``.

    ``fill`` is the border as a pixel (red, green, blue), or ``None`` for what becomes 0 behind the scaling.
    ``float_resize``: the picture is resized as floating numbers and never rounded. ``same_aspect``: a picture of
    another aspect ratio than the input's is refused. ``name`` is who says so, for errors.
    """

    fit: str = "cover"
    kernel: str = triangle.NAME
    settings: tuple[tuple[str, object], ...] = ()
    fill: Fill | None = (0.0, 0.0, 0.0)
    float_resize: bool = False
    same_aspect: bool = False
    name: str = ""

    @classmethod
    def of(cls, preset: Preset) -> Geometry:
        """The geometry of a whole pipeline."""
        return cls(
            fit=preset.fit,
            kernel=preset.kernel,
            settings=preset.settings,
            fill=preset.fill,
            float_resize=preset.float_resize,
            same_aspect=preset.same_aspect,
            name=preset.name,
        )

    @property
    def general_fit(self) -> str:
        """The fit for people: a library's own name for a general fit is that fit."""
        return next((name for name in _GENERAL if CONVENTIONS[name] is CONVENTIONS[self.fit]), self.fit)

    @property
    def words(self) -> str:
        """Fit and kernel for people."""
        return f"fit {self.general_fit}, {self.kernel}{' on floats' if self.float_resize else ''}"

    def with_fit(self, fit: str) -> Geometry:
        """The same kernel under another fit, on the border that comes with it."""
        level = float(FILLS.get(fit, 0))
        return replace(self, fit=fit, settings=(), fill=(level, level, level), same_aspect=False)

    def place(self, picture: tuple[int, int], size: tuple[int, int]) -> Placement:
        """Where a picture of (height, width) lies in an input of ``size``.

        Raises:
            ValueError: the fit does not work for this size, or makes an input of another one.
        """
        if self.same_aspect and picture[0] * size[1] != picture[1] * size[0]:
            raise ValueError(
                f"{self.name} cuts a region of the input's aspect ratio first: a picture of {picture[0]}x{picture[1]} "
                f"has another one than {size[0]}x{size[1]}; crop it, or pad it"
            )
        settings = dict(self.settings)
        if self.fit == "mmdet":
            settings.setdefault("pad", size)
        return place(picture, size, self.fit, **settings)

    def around(self, picture: tuple[int, int], size: tuple[int, int], margin: int) -> Placement:
        """Where it lies on a canvas that is ``margin`` larger, of which inputs of ``size`` are cut.

        A fit that crops keeps its scale where the resized picture has the room: the input in the middle of the canvas
        is then the one of :meth:`place`. Any other picture is brought to the size of the canvas.

        Raises:
            ValueError: as :meth:`place`.
        """
        placement = self.place(picture, size)
        if not margin:
            return placement
        canvas = size[0] + margin, size[1] + margin
        wider = replace(placement, out=canvas, top=placement.top + margin // 2, left=placement.left + margin // 2)
        if wider.covers and placement.out == size:
            return wider
        return replace(self, same_aspect=False).place(picture, canvas)

    def apply(self, pixels: Levels, placement: Placement, border: npt.ArrayLike) -> Levels:
        """``pixels`` (H, W, C) as they lie in the input, with ``border`` (one level per channel) around them.

        Levels stay on the scale of the pixels; whole numbers stay whole unless ``float_resize``.

        Raises:
            ValueError: the whole picture would be enlarged beyond reason to be cropped.
        """
        whole = pixels.dtype.kind in "ui"
        if self.float_resize:
            pixels = pixels.astype(np.float32)
        if placement.resized == placement.picture:
            resized = pixels
        elif self.kernel == triangle.NAME:
            return self._part(pixels, placement, border, whole)
        else:
            height, width = placement.resized
            if height * width > max(_MOST_RESIZED, placement.picture[0] * placement.picture[1]):
                raise ValueError(f"resized whole the picture would have {height * width / 1e6:.0f} million pixels")
            source = pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)
            resized = resize(source, placement.resized, self.kernel)
            if whole and not self.float_resize and resized.dtype != np.uint8:
                resized = to_uint8(resized) if pixels.dtype == np.uint8 else np.rint(resized)
        return _bordered(resized, placement, border)

    def _part(self, pixels: Levels, placement: Placement, border: npt.ArrayLike, whole: bool) -> Levels:
        """Only what is seen of the resized picture."""
        top, left = max(-placement.top, 0), max(-placement.left, 0)
        (height, width), (rows, columns) = placement.resized, placement.out
        part = min(height, rows - placement.top) - top, min(width, columns - placement.left) - left
        seen: Levels = triangle.resize_part(pixels, placement.resized, (top, left), part)
        if whole and not self.float_resize:
            seen = to_uint8(seen) if pixels.dtype == np.uint8 else np.rint(seen)
        elif self.float_resize:
            seen = seen.astype(np.float32)
        return _bordered(seen, replace(placement, top=max(placement.top, 0), left=max(placement.left, 0)), border)


def _bordered(resized: Levels, placement: Placement, border: npt.ArrayLike) -> Levels:
    if resized.dtype.kind in "ui" and not placement.covers and np.any(np.asarray(border, float) % 1):
        resized = resized.astype(np.float32)  # a border between two levels would be cut off
    return laid(resized, placement, border)
