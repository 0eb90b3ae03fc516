"""How far the content of a picture has moved between two frames, to a fraction of a pixel, and how sure that is.

Phase correlation tells the whole pixels (Kuglin and Hines 1975); least squares on the gradients of what both frames
show then tells the fraction (Lucas and Kanade 1981), and from what is left its standard error. A direction without
texture, and a move that noise alone could have made, count as no motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.time.moved import moved

# What noise leaves in frames that do not move stays below three standard errors.
_SURE = 3.0
_STEPS = 4
_CONTENT = 1e-6  # of the larger energy: less is no texture along that direction
_LEAST = 12  # pixels of a side: fewer hold no texture to tell a motion by
_SMOOTHING = 0.12  # cycles per pixel: phases above it are those of noise


@dataclass(frozen=True, slots=True)
class Motion:
    """The content of the first frame moved ``down`` and ``right`` in pixels; ``error`` is the standard error."""

    down: float
    right: float
    error: float

    @property
    def length(self) -> float:
        """The distance in pixels."""
        return float(np.hypot(self.down, self.right))


STILL = Motion(0.0, 0.0, 0.0)


def motion(before: AnyArray, after: AnyArray) -> Motion | None:
    """The motion between two grey pictures (h, w) of one size; None where they are too small to tell.

    ``error`` is infinite where nothing in the picture tells a motion: that is not a picture at rest.
    """
    if min(before.shape) < _LEAST:
        return None
    left, right = np.asarray(before, np.float64), np.asarray(after, np.float64)
    down, across = _whole(left, right)
    one, two = _overlap(left, right, down, across)
    if min(one.shape) < _LEAST:
        return Motion(0.0, 0.0, float("inf"))
    move, error = _fraction(one, two, np.array([down, across], np.float64))
    return Motion(float(move[0]), float(move[1]), error)


def _whole(left: FloatArray, right: FloatArray) -> tuple[int, int]:
    """The whole pixels by the peak of the smoothed phase correlation."""
    height, width = left.shape
    taper = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    spectra = [np.fft.rfft2((frame - frame.mean()) * taper) for frame in (left, right)]
    cross = spectra[1] * np.conj(spectra[0])
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    # Where there is no power there is no phase: dividing by it would lift noise to the weight of content.
    floor = 1e-3 * float(np.abs(cross).max()) + 1e-12
    phases = cross / (np.abs(cross) + floor) * np.exp(-((radius / _SMOOTHING) ** 2))
    correlation = np.fft.irfft2(phases, (height, width))
    down, across = divmod(int(np.argmax(correlation)), width)
    return (down + height // 2) % height - height // 2, (across + width // 2) % width - width // 2


def _overlap(left: FloatArray, right: FloatArray, down: int, across: int) -> tuple[FloatArray, FloatArray]:
    """What both frames show, after whole pixels."""
    height, width = left.shape
    rows = slice(max(0, -down), height - max(0, down)), slice(max(0, down), height + min(0, down))
    columns = slice(max(0, -across), width - max(0, across)), slice(max(0, across), width + min(0, across))
    return left[rows[0], columns[0]], right[rows[1], columns[1]]


def _fraction(one: FloatArray, two: FloatArray, whole: FloatArray) -> tuple[FloatArray, float]:
    """The move (down, right) as far as it is sure, and its standard error, by repeated least squares.

    ``whole`` is the part that was undone between the two. Noise has slopes as well, which tell nothing: their energy,
    an eighth of the variance that is left for each pixel, is taken off.
    """
    move, inner = np.zeros(2), (slice(4, -4), slice(4, -4))
    energy, axes, variance, noise = np.zeros(2), np.eye(2), 0.0, 0.0
    for _ in range(_STEPS):
        there = moved(two, (-float(move[0]), -float(move[1])))
        mean = (one + there) / 2
        slopes = np.stack([np.gradient(mean, axis=axis)[inner].ravel() for axis in (0, 1)])
        gap = (one - there)[inner].ravel()
        energy, axes = np.linalg.eigh(slopes @ slopes.T)
        steps = axes.T @ (slopes @ gap)
        step = np.divide(steps, energy, out=np.zeros(2), where=energy > 1e-9 * max(float(energy[1]), 1e-9))
        remaining = gap - (axes @ step) @ slopes
        variance = float(remaining @ remaining) / max(len(remaining) - 2, 1)
        noise = len(remaining) * variance / 8
        move = np.clip(move + axes @ step, -2, 2)
    told = energy - noise > max(_CONTENT * float(energy[1]), 1e-9)
    if not told.any():
        return np.zeros(2), float("inf")
    total = axes.T @ (move + whole)
    errors = np.sqrt(variance * energy) / np.where(told, energy - noise, np.inf)
    sure = told & (np.abs(total) > _SURE * errors)
    return axes @ np.where(sure, total, 0.0), float(errors[told].max())
