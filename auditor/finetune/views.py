"""More pictures out of few: random parts of each, and their mirror images.

A student that only has to agree with its teacher may learn from any picture that the teacher can look at, and the more
there are, the less it learns them by heart (Beyer et al., "Knowledge distillation: a good teacher is patient and
consistent", CVPR 2022). Held-out pictures stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.result import Rejected

HELD_OUT = 4  # every fourth picture tells which epoch is best
_SMALLEST = 0.5  # of the shorter side of a picture
_FEWEST_PIXELS = 8  # on a side


def views(source: ImageSource, count: int, seed: int) -> ImageSource:
    """The pictures of a source, those to train on ``count`` times: once as they are, then as random views.

    In the place of a label each one says whether it is held out (1) or not (0).
    """

    def read() -> Iterator[Picture | Rejected]:
        usable = 0
        for picture in source:
            if isinstance(picture, Rejected):
                yield picture
                continue
            usable += 1
            held_out = usable % HELD_OUT == 0
            yield replace(picture, label=int(held_out))
            random = np.random.default_rng([seed, usable])
            for _ in range(0 if held_out else count - 1):
                yield _view(picture, random)

    expected = None if source.count is None else source.count + (source.count - source.count // HELD_OUT) * (count - 1)
    return replace(source, count=expected, read=read, at=None)


def _view(picture: Picture, random: np.random.Generator) -> Picture:
    """A square part of a picture, mirrored in every second case."""
    height, width = picture.pixels.shape[:2]
    shorter = min(height, width)
    side = max(round(shorter * random.uniform(_SMALLEST, 1)), min(shorter, _FEWEST_PIXELS))
    y, x = (int(random.integers(0, size - side + 1)) for size in (height, width))
    part = picture.pixels[y : y + side, x : x + side]
    return replace(picture, pixels=part[:, ::-1] if random.integers(2) else part, label=0)
