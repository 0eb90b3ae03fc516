"""The fixed numbers of a grid lock, as arrays: offsets, taper, phases, and the kernels of fractions of a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEPS = 32
"""Offsets per pixel of the sub-pixel form."""
TAPS = 8
BEFORE = 3
"""Pixels that the kernel of a fraction reads in front of the pixel in which the window begins."""
SMOOTHING = 7
"""Side of the averages, two of them, that the picture is smoothed by before its gradient is taken."""
LOST = SMOOTHING
"""Pixels at each border that the key has no gradient of: three for each average, one for the difference."""
_CUT_OFF = 0.8


def offsets(period: int, room: int, steps: int) -> NDArray[np.float64]:
    """Where the window may begin, (period * steps,), the middle of the room first.

    The first of equals is what is chosen where the picture says nothing, so that its window is the middle one.
    """
    import numpy as np

    count = period * steps
    order = (np.arange(count) + count // 2) % count
    return (room - period) // 2 + order / steps


def starts(chosen: NDArray[np.float64], before: int) -> NDArray[np.int64]:
    """The first pixel that is read for each offset."""
    import numpy as np

    return np.asarray(np.floor(chosen), np.int64) - before


def kernels(chosen: NDArray[np.float64]) -> NDArray[np.float32]:
    """The kernel (offsets, TAPS) that reads between pixels at the fraction of each offset.

    All fractions pass the same low frequencies: a kernel whose blur depends on the fraction would change the picture
    with the offset.
    """
    import numpy as np

    fraction = (chosen - np.floor(chosen))[:, None]
    places = np.arange(-BEFORE, TAPS - BEFORE) - fraction
    kernel = np.sinc(_CUT_OFF * places) * np.cos(np.pi * places / TAPS) ** 2
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), np.float32)


def taper(length: int) -> NDArray[np.float32]:
    """Hann's window (length,): what enters or leaves at the border has no weight in the key."""
    import numpy as np

    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2, np.float32)


def waves(length: int, first: int, period: int) -> NDArray[np.float32]:
    """Cosine and sine (length, 2) of the period at the pixels ``first``, ``first + 1``, ..."""
    import numpy as np

    angle = 2 * np.pi * (np.arange(length) + first) / period
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def directions(chosen: NDArray[np.float64], period: int) -> NDArray[np.float32]:
    """Cosine and sine (2, offsets) of each offset: their product with those of the content is largest at its phase."""
    import numpy as np

    angle = 2 * np.pi * chosen / period
    return np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
