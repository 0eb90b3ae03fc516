"""Short-time Fourier transforms that were exported as convolutions: windowed sinusoids of evenly spaced frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHORTEST = 16  # samples of a frame: shorter kernels of a few oscillations are learned often enough
FEWEST_BINS = 4
MOST_BINS = 8192
CONCENTRATED = 0.7  # the share of a windowed sinusoid's power within two bins of its peak, for any usual window
LOWEST = 2  # bins at either end that are too near to frequency zero, or to the highest, to have one peak
PRESENT = 1e-6  # of the strongest row: the sine of frequency zero is empty


def analysis_window(weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The window of the transform whose cosines, sines, or both are the rows of ``weights`` (bins, samples), else None.

    Rows of both are all cosines and then all sines, or a cosine and its sine in turn.
    """
    import numpy as np

    rows, width = weights.shape
    used = np.flatnonzero(np.abs(weights).max(axis=0) > PRESENT * np.abs(weights).max(initial=0))
    if width < SHORTEST or rows < FEWEST_BINS or used.size < SHORTEST:
        return None
    spectrum = np.abs(np.fft.rfft(weights, 2 * width, axis=1)) ** 2
    power, peaks = spectrum.sum(axis=1), spectrum.argmax(axis=1)
    present = power > PRESENT * power.max()
    lobe = 4 * width / (used[-1] - used[0] + 1)
    near = np.abs(np.arange(spectrum.shape[1])[None] - peaks[:, None]) <= lobe
    if not ((spectrum * near).sum(axis=1)[present] >= CONCENTRATED * power[present]).all():
        return None
    half = rows // 2
    halves = [(slice(0, half), slice(half, None)), (slice(0, None, 2), slice(1, None, 2))] if rows % 2 == 0 else []
    for first, second in [*halves, (slice(None), slice(None))]:
        both = np.flatnonzero(present[first] & present[second])[LOWEST:-LOWEST]
        if both.size < FEWEST_BINS:
            continue
        slope, start = np.polyfit(both, peaks[first][both], 1)
        even = slope > 0 and np.abs(peaks[first][both] - slope * both - start).max() <= 2
        if even and (np.abs(peaks[first] - peaks[second])[both] <= 2).all():
            window: NDArray[np.float64] = np.sqrt(2 * (weights[present] ** 2).mean(axis=0))
            return window
    return None
