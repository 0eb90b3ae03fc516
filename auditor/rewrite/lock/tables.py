"""The fixed numbers of a grid lock, as arrays: offsets, taper, phases, and the kernels of fractions of a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEPS = 32
"""Offsets per pixel of the sub-pixel form."""
TAPS = 14
BEFORE = 6
"""Pixels that the kernel of a fraction reads in front of the pixel in which the window begins."""
SMOOTHING = 7
"""Side of the averages, two of them, that the picture is smoothed by before its gradient is taken."""
LOST = SMOOTHING
"""Pixels at each border that the key has no gradient of: three for each average, one for the difference."""
_HARMONICS, _SHORTEST = 4, 4
_FREQUENCIES = 513
_PASSED, _RAISED = 0.7, 0.05
"""What the kernels pass: up to this share of all frequencies, rising to so much more, for what is lost above.

Classifiers are less sure of what is blurred, which costs accuracy. Above that the resize of a picture has aliased, and
passing it costs steadiness under shifts of half a pixel.
"""
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
    response of the one that reads midway between two pixels, which can pass least: the kernel of sum 1 that comes
    nearest to passing all up to :data:`_PASSED`, by the spectrum of photographs. Those of other fractions, with their
    centre there, are the ones that come nearest to it in turn.
    """
    return matched(widest(), chosen)


def widest(passed: float = _PASSED, raised: float = _RAISED) -> NDArray[np.float64]:
    """The kernel (TAPS,) midway between two pixels."""
    import numpy as np

    places = np.arange(-BEFORE, TAPS - BEFORE)
    frequency, weight = _spectrum()
    share = frequency / (passed * np.pi)
    inside = weight * (share <= 1)
    goal = inside * (1 + raised * np.sin(np.pi / 2 * np.minimum(share, 1)) ** 2)
    cosines = np.cos(np.outer(frequency, places - 0.5))
    half = TAPS // 2  # it is symmetric
    folded = (cosines[:, half:] + cosines[:, :half][:, ::-1]) * inside[:, None]
    side = _fitted(folded.T @ folded, folded.T @ goal, np.ones((1, half)), [0.5])
    return np.concatenate([side[::-1], side])


def matched(middle: NDArray[np.float64], chosen: NDArray[np.float64]) -> NDArray[np.float32]:
    """The kernel of each offset whose response is nearest to that of one midway between two pixels."""
    import numpy as np

    fractions, which = np.unique(chosen - np.floor(chosen), return_inverse=True)
    taps = len(middle)
    places = np.arange(taps) - (taps // 2 - 1)
    frequency, weight = _spectrum()
    response = np.cos(np.outer(frequency, places - 0.5)) @ middle * weight
    found = []
    for fraction in fractions:
        angle = np.outer(frequency, places - fraction)
        cosine, sine = np.cos(angle) * weight[:, None], np.sin(angle) * weight[:, None]
        products = cosine.T @ cosine + sine.T @ sine
        found.append(_fitted(products, cosine.T @ response, np.stack([np.ones(taps), places]), [1.0, fraction]))
    return np.asarray(np.array(found)[which.reshape(-1)], np.float32)


def _spectrum() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies up to the highest, and the amplitude of photographs there."""
    import numpy as np

    frequency = np.linspace(0, np.pi, _FREQUENCIES)
    return frequency, 1 / np.maximum(frequency, _LOWEST)


def _fitted(
    products: NDArray[np.float64], with_goal: NDArray[np.float64], conditions: NDArray[np.float64], values: list[float]
) -> NDArray[np.float64]:
    """Least squares by its normal equations, under linear conditions: by Lagrange's multipliers."""
    import numpy as np

    count = len(conditions)
    system = np.block([[products, conditions.T], [conditions, np.zeros((count, count))]])
    return np.asarray(np.linalg.solve(system, np.append(with_goal, values))[: len(products)], np.float64)


def taper(length: int) -> NDArray[np.float32]:
    """Half a sine (length,): what enters or leaves at the border has no weight in the key."""
    import numpy as np

    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length), np.float32)


def harmonics(period: int) -> int:
    """How many of the first harmonics of a period the key reads, all with one weight.

    Together they are largest where much energy stands at one place modulo the period, which wavers less than the mean
    direction that the first alone gives. Below four pixels a smoothed picture has none.
    """
    return max(1, min(_HARMONICS, period // _SHORTEST))


def waves(length: int, first: int, period: int) -> NDArray[np.float32]:
    """Cosine and sine (length, 2 * harmonics) of the harmonics of a period at the pixels from ``first`` on."""
    import numpy as np

    return np.asarray(_waves(np.arange(first, first + length, dtype=np.float64), period).T, np.float32)


def directions(chosen: NDArray[np.float64], period: int, align: float) -> NDArray[np.float32]:
    """Cosine and sine (2 * harmonics, offsets) of each offset: their product with those of the content is largest where
    the window begins ``align`` pixels behind its phase.
    """
    import numpy as np

    return np.asarray(_waves(chosen - align, period), np.float32)


def _waves(places: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    import numpy as np

    angle = 2 * np.pi * places / period
    return np.concatenate([[np.cos(k * angle), np.sin(k * angle)] for k in range(1, harmonics(period) + 1)])
