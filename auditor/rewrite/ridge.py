"""The linear map that brings blurred features back to the original ones, in closed form and from sums alone.

For pairs of features z (blurred) and t (original), both of C channels, the map minimises

    E |t - (M z + b)|^2 + r |M - D|^2,    D = diag(sigma_t / sigma_z), clipped to 0.5 .. 2.5,

so that a strong ridge r ends in the match of moments per channel, which needs few pictures, and a weak one in the full
mixing of channels, which needs many. r is chosen by the error on pictures that were held out. Memory is C^2 whatever
the number of pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 1e3)
"""Ridges that are tried, as multiples of the mean variance of the blurred channels."""

POSITIONS = 4096
"""About how many positions of one picture count: neighbours on a large map say nearly the same."""

_GAIN = (0.5, 2.5)
_TINY = 1e-12


@dataclass(slots=True)
class Moments:
    """Running sums over positions: counts, first and second moments of z and t."""

    channels: int
    count: int = 0
    z: Floats = field(init=False)
    t: Floats = field(init=False)
    zz: Floats = field(init=False)
    tz: Floats = field(init=False)
    tt: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.z, self.t, self.tt = np.zeros(self.channels), np.zeros(self.channels), np.zeros(self.channels)
        self.zz, self.tz = np.zeros((self.channels,) * 2), np.zeros((self.channels,) * 2)

    def add(self, blurred: Array, original: Array) -> None:
        """Add features of shape (N, C, ...), both the same; of large maps evenly spread positions."""
        z, t = (np.moveaxis(x, 1, 0).reshape(self.channels, -1) for x in (blurred, original))
        step = max(z.shape[1] // POSITIONS, 1)
        z, t = (x[:, ::step].astype(np.float64) for x in (z, t))
        self.count += z.shape[1]
        self.z += z.sum(1)
        self.t += t.sum(1)
        self.zz += z @ z.T
        self.tz += t @ z.T
        self.tt += np.einsum("cn,cn->c", t, t)

    def central(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Means of z and t, covariance of z (C, C), of t with z (C, C), and variances of t (C)."""
        n = max(self.count, 1)
        mean_z, mean_t = self.z / n, self.t / n
        return (
            mean_z,
            mean_t,
            self.zz / n - np.outer(mean_z, mean_z),
            self.tz / n - np.outer(mean_t, mean_z),
            np.maximum(self.tt / n - mean_t**2, 0.0),
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """``t ~ matrix @ z + bias``. Errors are shares of the variance of t, on the held-out pictures."""

    matrix: Floats
    bias: Floats
    strength: float
    before: float
    after: float


def fit(used: Moments, held_out: Moments) -> Fit:
    """The map from ``used`` whose ridge does best on ``held_out``; the identity where no map does better."""
    mean_z, mean_t, zz, tz, tt = used.central()
    gains = np.sqrt(tt / np.maximum(np.diag(zz), _TINY))
    prior = np.diag(np.clip(np.where(np.diag(zz) > _TINY, gains, 1.0), *_GAIN))
    unit = np.eye(used.channels)
    before = error(held_out, unit, np.zeros(used.channels))
    best = Fit(unit, np.zeros(used.channels), float("inf"), before, before)
    scale = max(float(np.diag(zz).mean()), _TINY)
    for strength in STRENGTHS:
        ridge = strength * scale
        matrix = np.linalg.solve(zz + ridge * unit, (tz + ridge * prior).T).T
        bias = mean_t - matrix @ mean_z
        after = error(held_out, matrix, bias)
        if after < best.after:
            best = Fit(matrix, bias, strength, before, after)
    return best


def error(moments: Moments, matrix: Floats, bias: Floats) -> float:
    """E |t - (M z + b)|^2 as a share of the variance of t."""
    mean_z, mean_t, zz, tz, tt = moments.central()
    shift = mean_t - matrix @ mean_z - bias
    left = tt.sum() - 2 * np.einsum("ij,ij->", matrix, tz) + np.einsum("ij,jk,ik->", matrix, zz, matrix) + shift @ shift
    return float(max(left, 0.0) / max(float(tt.sum()), _TINY))
