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
_FREQUENCIES = 513
_LOWEST = 0.1  # radians per pixel: photographs have a spectrum of 1 / f^2, though not down to 0


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

    A kernel whose blur depends on the fraction would change the picture with the offset. So all have the frequency
    response of the one that reads midway between two pixels, a sinc under a squared cosine, which can pass least: those
    of other fractions are the kernels of sum 1 that come nearest to it, by the spectrum of photographs.
    """
    import numpy as np

    fractions, which = np.unique(chosen - np.floor(chosen), return_inverse=True)
    places = np.arange(-BEFORE, TAPS - BEFORE)
    middle = np.sinc(places - 0.5) * np.cos(np.pi * (places - 0.5) / TAPS) ** 2
    frequency = np.linspace(0, np.pi, _FREQUENCIES)
    weight = 1 / np.maximum(frequency, _LOWEST)
    response = np.cos(np.outer(frequency, places - 0.5)) @ (middle / middle.sum()) * weight
    ones = np.ones((TAPS, 1))
    found = []
    for fraction in fractions:
        angle = np.outer(frequency, places - fraction)
        cosine, sine = np.cos(angle) * weight[:, None], np.sin(angle) * weight[:, None]
        # Least squares under the condition that the sum is 1, by Lagrange's multiplier.
        system = np.block([[cosine.T @ cosine + sine.T @ sine, ones], [ones.T, np.zeros((1, 1))]])
        found.append(np.linalg.solve(system, np.append(cosine.T @ response, 1.0))[:TAPS])
    return np.asarray(np.array(found)[which.reshape(-1)], np.float32)


def taper(length: int) -> NDArray[np.float32]:
    """Half a sine (length,): what enters or leaves at the border has no weight in the key."""
    import numpy as np

    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length), np.float32)


def waves(length: int, first: int, period: int) -> NDArray[np.float32]:
    """Cosine and sine (length, 2) of the period at the pixels ``first``, ``first + 1``, ..."""
    import numpy as np

    angle = 2 * np.pi * (np.arange(length) + first) / period
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def directions(chosen: NDArray[np.float64], period: int, align: float) -> NDArray[np.float32]:
    """Cosine and sine (2, offsets) of each offset: their product with those of the content is largest where the window
    begins ``align`` pixels behind its phase.
    """
    import numpy as np

    angle = 2 * np.pi * (chosen - align) / period
    return np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
