"""Pictures for a page, made small: as JPEG, since a page holds many of them."""

from __future__ import annotations

import io

import numpy as np

from auditor.verify.arrays import AnyArray
from auditor.verify.example import Jpeg

LONGEST = 320  # pixels of a side
_MOST_BYTES = 24_000
_QUALITIES = (78, 60, 40, 25)  # down to the one that fits


def small_jpeg(levels: AnyArray) -> Jpeg:
    """A picture of bytes (H, W, 1, 3 or 4) as JPEG of bounded size, without metadata; opacity is left out.

    One of at most :data:`LONGEST` pixels on a side is never resampled.

    Raises:
        ImportError: Pillow is not installed.
    """
    from PIL import Image

    pixels = np.ascontiguousarray(levels[..., :3])
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    data = b""
    for quality in _QUALITIES:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality, optimize=True)
        data = stream.getvalue()
        if len(data) <= _MOST_BYTES:
            break
    return Jpeg(data, (picture.height, picture.width))
