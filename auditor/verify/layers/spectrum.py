"""The spectrum of real activations: how much of their power a subsampling folds.

Arrays are (N, C, *spatial): maps, channels, then one to three grid axes; frequencies are in cycles per sample, Nyquist
is 0.5. After a subsampling by s only the box |f| < 1 / (2 s) per axis is left; all power outside it folds into it. This
is the same box as in the predicted alias energy (:class:`auditor.sampling.result.AliasEnergy`), so the numbers compare.

A map is a cut-out, not a period: its border jump would leak power over all frequencies and look like aliasing. So maps
are tapered with a Hann window (side lobes fall with the sixth power of frequency in power) about their tapered mean.
Axes shorter than 16 samples are mirrored instead: a Hann window would smear over a quarter of their band, while an even
extension has no jump, keeps all samples at full weight, and leaks with the fourth power only from the kinks at its
ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.layers.maps import Spectrum

_SHORT = 16
_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class AliasedPower:
    """Shares 0..1 of the power of pre-sampling activations that lie outside the box of the new Nyquist frequency.

    ``total``: of all power, the mean of the maps included: the share of the signal that folds. ``varying``: of the
    power about each map's mean, which is what can move when the input is shifted. ``worst_channel``: the largest
    ``varying`` of any channel that varies at all. ``power``: the mean square of the activations.
    """

    total: float
    varying: float
    worst_channel: float
    power: float


def alias_share(features: AnyArray, factor: tuple[float, ...]) -> AliasedPower:
    """What subsampling (N, C, *spatial) activations by ``factor`` per spatial axis folds.

    A frequency on the edge of the box counts half. All-zero activations fold nothing. Raises ValueError for another
    number of axes than factors or for a factor below 1.
    """
    if features.ndim != len(factor) + 2 or any(step < 1 for step in factor):
        raise ValueError(f"factors {factor} do not fit activations of shape {features.shape}")
    power, mean_square, frequencies = _power(features)
    kept = np.ones(())
    for axis, step in zip(frequencies, factor, strict=True):
        kept = np.multiply.outer(kept, _inside(axis, 0.5 / step))
    grid = tuple(range(2, features.ndim))
    varying = power.sum(axis=grid)
    folded = (power * (1 - kept)).sum(axis=grid)
    total = float((varying + mean_square).sum())
    of_channels = varying.sum(axis=0)
    moving = of_channels > 1e-12 * max(of_channels.max(initial=0.0), 1e-300)
    worst = (folded.sum(axis=0)[moving] / of_channels[moving]).max(initial=0.0) if total else 0.0
    return AliasedPower(
        total=float(folded.sum()) / total if total else 0.0,
        varying=float(folded.sum() / varying.sum()) if varying.sum() > 0 else 0.0,
        worst_channel=float(worst),
        power=total / (features.shape[0] * features.shape[1]),
    )


def radial_power(features: AnyArray, bins: int | None = None) -> Spectrum:
    """Mean power per frequency, averaged over maps, channels and rings of equal |f|, without the maps' mean.

    ``frequencies`` are the rings' centres from 0 to the corner of the band (0.5 times the square root of the number of
    axes). By default a ring is as wide as the longest axis resolves. Empty rings are left out.
    """
    power, _, frequencies = _power(features)
    radius = np.sqrt(sum(np.square(axis) for axis in np.meshgrid(*frequencies, indexing="ij")))
    count = bins if bins is not None else max(2, max(features.shape[2:]) // 2)
    corner = 0.5 * math.sqrt(len(frequencies))
    ring = np.minimum((radius / corner * count).astype(np.int64), count - 1).ravel()
    density = power.mean(axis=(0, 1)).ravel() * power[0, 0].size
    members = np.bincount(ring, minlength=count)
    sums = np.bincount(ring, weights=density, minlength=count)
    filled = members > 0
    centres = (np.arange(count) + 0.5) * corner / count
    mean = sums[filled] / members[filled]
    return Spectrum(tuple(centres[filled].tolist()), tuple(mean.tolist()))


def _power(features: AnyArray) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
    """Power per frequency about the mean (N, C, *f), the squared mean (N, C), and |f| per axis.

    The powers of one map sum to its (tapered) variance, so that power and squared mean add up to the mean square.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim < 3 or values.size == 0:
        raise ValueError(f"activations of shape {features.shape} are not (N, C, *spatial)")
    if not np.isfinite(values).all():
        raise ValueError("the activations hold values that are not finite")
    grid = tuple(range(2, values.ndim))
    weight = np.ones(())
    for axis in grid:
        size = values.shape[axis]
        if size < _SHORT:
            values = np.concatenate([values, np.flip(values, axis)], axis=axis)
            weight = np.multiply.outer(weight, np.ones(2 * size))
        else:
            weight = np.multiply.outer(weight, np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2)
    mean = (values * weight).sum(axis=grid, keepdims=True) / weight.sum()
    spectrum = np.fft.fftn((values - mean) * weight, axes=grid)
    power: FloatArray = np.abs(spectrum) ** 2 / (weight.size * np.square(weight).sum())
    frequencies: list[FloatArray] = [np.abs(np.fft.fftfreq(values.shape[axis])) for axis in grid]
    squared: FloatArray = np.square(mean).reshape(values.shape[:2])
    return power, squared, frequencies


def _inside(frequencies: FloatArray, cutoff: float) -> FloatArray:
    """1 below the cutoff, 0 above, and half on it: one half of such a component folds onto the other."""
    inside = np.where(frequencies < cutoff - _EDGE, 1.0, 0.0)
    on_edge = (np.abs(frequencies - cutoff) <= _EDGE) & (cutoff < 0.5 - _EDGE)
    inside[on_edge] = 0.5
    if cutoff >= 0.5 - _EDGE:
        inside[:] = 1.0
    return inside
