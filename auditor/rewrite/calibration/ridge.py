"""The linear map that brings the features of a rewritten network back to the original ones, in closed form and from
sums alone.

For pairs of columns z (of the rewritten network) and features t (of the original one) the map minimises

    E |t - (M z + b)|^2 + r |M - P|^2

per group of channels. P is the map to stay close to where pictures say little: the weights as they are, or, between
features of the same channels, the match of moments ``diag(sigma_t / sigma_z)``, clipped to 0.5 .. 2.5. A strong ridge r
needs few pictures, a weak one many; r is chosen by the error on pictures that were held out, and the map is then fitted
on all of them. Memory is the square of the number of columns, whatever the number of pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 1e2, 1e3)
"""Ridges that are tried, as multiples of the mean variance of the columns."""

_GAIN = (0.5, 2.5)
_TINY = 1e-12


@dataclass(slots=True)
class Moments:
    """Running sums over positions of z (groups, columns) and t (groups, outputs): counts, first and second moments."""

    groups: int
    columns: int
    outputs: int
    count: int = 0
    z: Floats = field(init=False)
    t: Floats = field(init=False)
    zz: Floats = field(init=False)
    tz: Floats = field(init=False)
    tt: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.z, self.t = np.zeros((self.groups, self.columns)), np.zeros((self.groups, self.outputs))
        self.zz = np.zeros((self.groups, self.columns, self.columns))
        self.tz, self.tt = np.zeros((self.groups, self.outputs, self.columns)), np.zeros((self.groups, self.outputs))

    def add(self, z: Floats, t: Floats) -> None:
        """Add columns (groups, columns, n) and what was wanted of them (groups, outputs, n)."""
        across = z.transpose(0, 2, 1)
        self.count += z.shape[2]
        self.z += z.sum(2)
        self.t += t.sum(2)
        self.zz += z @ across
        self.tz += t @ across
        self.tt += np.einsum("gon,gon->go", t, t)

    def __add__(self, other: Moments) -> Moments:
        made = Moments(self.groups, self.columns, self.outputs, self.count + other.count)
        made.z, made.t, made.tt = self.z + other.z, self.t + other.t, self.tt + other.tt
        made.zz, made.tz = self.zz + other.zz, self.tz + other.tz
        return made

    def central(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Means of z and t, covariance of z, of t with z, and variances of t, all per group."""
        n = max(self.count, 1)
        mean_z, mean_t = self.z / n, self.t / n
        return (
            mean_z,
            mean_t,
            self.zz / n - np.einsum("gi,gj->gij", mean_z, mean_z),
            self.tz / n - np.einsum("go,gi->goi", mean_t, mean_z),
            np.maximum(self.tt / n - mean_t**2, 0.0),
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """``t ~ matrix @ z + bias`` per group. Errors are shares of the variance of t, on the held-out pictures."""

    matrix: Floats
    bias: Floats
    strength: float
    before: float
    after: float


def fit(used: Moments, held_out: Moments, matrix: Floats, bias: Floats, prior: Floats) -> Fit:
    """The map whose ridge towards ``prior`` does best on ``held_out``; ``matrix`` and ``bias`` where none is better."""
    before = error(held_out, matrix, bias)
    best, least = float("inf"), before
    for strength in STRENGTHS:
        after = error(held_out, *_solved(used, strength, prior))
        if after < least:
            best, least = strength, after
    if best == float("inf"):
        return Fit(matrix, bias, best, before, before)
    return Fit(*_solved(used + held_out, best, prior), best, before, least)


def matched(moments: Moments) -> Floats:
    """The diagonal maps that give every column the variance of the feature of the same number."""
    _, _, zz, _, tt = moments.central()
    own = np.einsum("gii->gi", zz)
    gains = np.where(own > _TINY, np.sqrt(tt / np.maximum(own, _TINY)), 1.0)
    return np.clip(gains, *_GAIN)[:, :, None] * np.eye(moments.columns)


def error(moments: Moments, matrix: Floats, bias: Floats) -> float:
    """E |t - (M z + b)|^2 as a share of the variance of t."""
    mean_z, mean_t, zz, tz, tt = moments.central()
    shift = mean_t - np.einsum("goi,gi->go", matrix, mean_z) - bias
    left = tt.sum() - 2 * (matrix * tz).sum() + ((matrix @ zz) * matrix).sum() + (shift**2).sum()
    return float(max(left, 0.0) / max(float(tt.sum()), _TINY))


def _solved(moments: Moments, strength: float, prior: Floats) -> tuple[Floats, Floats]:
    mean_z, mean_t, zz, tz, _ = moments.central()
    scale = np.maximum(np.einsum("gii->gi", zz).mean(1), _TINY) * strength
    ridge = scale[:, None, None]
    left = zz + ridge * np.eye(moments.columns)
    right = (tz + ridge * prior).transpose(0, 2, 1)
    matrix = np.linalg.solve(left, right).transpose(0, 2, 1)
    return matrix, mean_t - np.einsum("goi,gi->go", matrix, mean_z)
