"""From a picture to a model's input: as deployed, but by any kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from auditor.pipeline.placement import Placement
from auditor.pipeline.resampling.installed import runs_in_library
from auditor.pipeline.resampling.taps import to_uint8
from auditor.verify.arrays import AnyArray
from auditor.verify.images.preprocess import ChannelOrder, Preprocessing, in_channels, on_black, to_picture, to_tensor
from auditor.verify.images.source import Picture

NOT_SHRUNK = "is not shrunk"


@dataclass(frozen=True, slots=True)
class Front:
    """What stands in front of a model, its own kernel aside. ``size`` is the input's (height, width)."""

    size: tuple[int, int]
    preprocessing: Preprocessing

    def pixels(self, picture: Picture) -> AnyArray:
        """The picture (h, w, C) in the channels of the model, red first; bytes where the file has bytes.

        Raises:
            ValueError: it has other channels than the model reads.
        """
        opaque = picture.transparent and self.preprocessing.channels != 4
        return in_channels(on_black(picture.pixels) if opaque else picture.pixels, self.preprocessing)

    def place(self, pixels: AnyArray) -> Placement:
        """Where the picture lies in the input.

        Raises:
            ValueError: the fit does not work for its size.
        """
        return self.preprocessing.geometry.place((int(pixels.shape[0]), int(pixels.shape[1])), self.size)

    def canvas(self, pixels: AnyArray, kernel: str) -> AnyArray:
        """The input (H, W, C) on the scale of pixels, in the channel order of the model.

        Raises:
            ValueError: the fit makes an input of another size.
        """
        geometry = replace(self.preprocessing.geometry, kernel=kernel)
        return to_picture(pixels, self.size, replace(self.preprocessing, geometry=geometry))[0]

    def tensor(self, canvas: AnyArray) -> AnyArray:
        """The numbers that the model reads, without the batch axis."""
        return to_tensor(canvas, self.preprocessing)

    def cost(self, kernel: str, pixels: AnyArray, placement: Placement, seconds: float) -> float | None:
        """Microseconds per million pixels of the picture, where the library itself did the resize."""
        if self.preprocessing.geometry.float_resize or not runs_in_library(kernel, pixels, placement.resized):
            return None
        return float(seconds * 1e12 / (pixels.shape[0] * pixels.shape[1]))

    def shown(self, canvas: AnyArray) -> AnyArray:
        """The canvas as bytes (H, W, 1 or 3), red first, for the eye."""
        seen = to_uint8(np.asarray(canvas, np.float64))[..., :3]
        return seen[..., ::-1] if self.preprocessing.order is ChannelOrder.BGR and seen.shape[2] == 3 else seen


def bordered(pixels: AnyArray) -> AnyArray:
    """The picture (h, w, C) with its edge repeated once on every side, the room for :func:`auditor.pipeline.shifted`.

    A kernel depends on the exact factor (OpenCV's linear kernel averages at exactly 2), so the moved picture has to
    have the size of the picture itself; the line that enters is the price.
    """
    return np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
