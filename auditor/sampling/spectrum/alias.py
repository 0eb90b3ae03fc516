"""Alias energy: the share of a filter's output power that a subsampling folds into the frequencies it keeps.

A site samples ``y = w * x`` on every s-th position per axis (``w``: kernel, ``x``: input with power spectrum S). The
power of ``y`` inside of the new Nyquist box, ``|omega_a| <= pi / s_a`` on every axis, survives; the rest is folded:

    alias = 1 - (integral over the box of |W|^2 S) / (integral over all frequencies of |W|^2 S)

Both integrals are quadratic forms of the kernel, ``sum_jk w_j w_k T[j - k]``, with a table ``T`` over lags. For a flat
spectrum they need no frequency grid: the whole integral is the energy of ``w``, and the one over the box has
``T[tau] = prod_a q_a(tau_a)`` with ``q_s(tau) = sin(pi tau / s) / (pi tau)`` and ``q_s(0) = 1 / s``, the inverse
transform of an ideal low-pass. An input that was filtered before is given by its autocorrelation, which is convolved
into ``T``. All of this is exact to rounding (float64), whatever the kernel.

All powers are of the fluctuation about the mean. A share is None where it is not defined or not affordable: no power,
weights that are not finite, sizes that do not fit together or are past the limits below.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Table: TypeAlias = NDArray[np.float64]
Replicas: TypeAlias = Mapping[tuple[int, ...], float]

MAX_LAGS = 1 << 18
"""The most lags that an autocorrelation or a table may have, about 2 MB; larger ones are not known (None)."""

MAX_WEIGHTS = 1 << 22
"""The most weights that are read of one kernel: of a larger one, every n-th output channel stands for all."""

_BLOCK = 1 << 18
_FEW_TAPS = 64  # of a kernel whose autocorrelation is summed pair by pair
_ROUGH = 0.17  # share of the power that a maximum over uncorrelated positions makes white
_NEGLIGIBLE = 1e-6  # of the strongest channel's power: channels below this are pruned or dead


@dataclass(frozen=True, slots=True, eq=False)
class Autocorrelation:
    """The autocorrelation of a random field: ``lags`` is float64 ``(2 L_1 + 1, ..., 2 L_d + 1)``, lag 0 in its centre.

    It is zero past its last lag, and symmetric about lag 0. The scale is free; shares do not depend on it. ``linear``:
    it is that of white noise behind linear filters alone, so that they bound what any signal has left.
    """

    lags: Table
    linear: bool = True


@dataclass(frozen=True, slots=True)
class AliasShare:
    """Shares of power that fold, 0 to 1: ``total`` over all output channels, ``worst`` of any one of them.

    ``channels`` of ``out_of`` output channels were examined: all of them, up to MAX_WEIGHTS weights.
    """

    total: float
    worst: float
    channels: int
    out_of: int


def white(d: int) -> Autocorrelation:
    """White noise on ``d`` axes: a flat spectrum."""
    return Autocorrelation(np.ones((1,) * d))


def of_kernel(kernel: NDArray[Any], dilation: Sequence[int]) -> Autocorrelation | None:
    """White noise after one filter: ``kernel`` ``(K_1, ..., K_d)``, ``dilation`` the distance of its taps per axis."""
    extents = _extents(kernel.shape, dilation)
    if extents is None or not kernel.size:
        return None
    spread = np.zeros(extents)
    spread[tuple(slice(None, None, step) for step in dilation)] = kernel
    size = [2 * extent - 1 for extent in extents]
    axes = tuple(range(kernel.ndim))
    transform = np.fft.rfftn(spread, size, axes)
    lags = np.fft.fftshift(np.fft.irfftn(np.abs(transform) ** 2, size, axes))
    return Autocorrelation(lags) if np.isfinite(lags).all() else None


def of_weights(kernel: NDArray[Any], dilation: Sequence[int]) -> Autocorrelation | None:
    """White noise on every input after all filters of a convolution ``(O, I, K_1, ..., K_d)``, summed over outputs."""
    shape = kernel.shape[2:]
    extents = _extents(shape, dilation)
    if extents is None or not kernel.size or kernel.size > MAX_WEIGHTS:
        return None
    rows = np.asarray(kernel, np.float64).reshape(-1, math.prod(shape))
    with np.errstate(all="ignore"):
        dense = _few_taps(rows, shape) if rows.shape[1] <= _FEW_TAPS else _many_taps(rows, shape)
    spread = np.zeros([2 * extent - 1 for extent in extents])
    spread[tuple(slice(None, None, step) for step in dilation)] = dense
    return Autocorrelation(spread) if np.isfinite(spread).all() else None


def _few_taps(rows: Table, shape: Sequence[int]) -> Table:
    places = np.indices(shape).reshape(len(shape), -1)
    lags = places[:, :, None] - places[:, None, :] + np.array(shape)[:, None, None] - 1
    size = [2 * taps - 1 for taps in shape]
    index = np.ravel_multi_index(tuple(lags), size).ravel()
    return np.asarray(np.bincount(index, (rows.T @ rows).ravel(), math.prod(size)).reshape(size), np.float64)


def _many_taps(rows: Table, shape: Sequence[int]) -> Table:
    size = [2 * taps - 1 for taps in shape]
    axes = tuple(range(1, 1 + len(shape)))
    power = 0.0
    step = max(_BLOCK // math.prod(size), 1)
    for start in range(0, len(rows), step):
        transform = np.fft.rfftn(rows[start : start + step].reshape(-1, *shape), size, axes)
        power = power + (np.abs(transform) ** 2).sum(axis=0)
    return np.asarray(np.fft.fftshift(np.fft.irfftn(power, size, range(len(size)))), np.float64)


def mixed(parts: Sequence[tuple[float, Autocorrelation]]) -> Autocorrelation:
    """A field whose power is made up of these shares of others."""
    halves = [max(part.lags.shape[axis] // 2 for _, part in parts) for axis in range(parts[0][1].lags.ndim)]
    total = np.zeros([2 * half + 1 for half in halves])
    for weight, part in parts:
        own = [size // 2 for size in part.lags.shape]
        inside = tuple(slice(half - mine, half + mine + 1) for half, mine in zip(halves, own, strict=True))
        total[inside] += weight * part.lags / part.lags[tuple(own)]
    return Autocorrelation(total)


def of_average_pool(kernel: Sequence[int], dilation: Sequence[int] | None = None) -> Autocorrelation | None:
    """White noise after an average pool with a window of ``kernel`` positions per axis."""
    extents = _extents(kernel, dilation or (1,) * len(kernel))
    return None if extents is None else of_kernel(np.ones(tuple(kernel)), dilation or (1,) * len(kernel))


def of_max_pool(kernel: Sequence[int], dilation: Sequence[int] | None = None) -> Autocorrelation | None:
    """White uniform noise after a max pool with a window of ``kernel`` positions per axis.

    Two windows of n positions that share m of them have maxima M and M' with ``P(M <= x, M' <= y) = (xy)^(n-m)
    min(x, y)^m`` on the unit square, so by Hoeffding's formula
    ``Cov(M, M') = 2 / ((n + 1)(2n - m + 2)) - 1 / (n + 1)^2 = m / ((n + 1)^2 (2n - m + 2))``.
    """
    spacing = dilation or (1,) * len(kernel)
    extents = _extents(kernel, spacing)
    if extents is None:
        return None
    shared: Table = np.ones((1,) * len(kernel))
    for axis, (taps, step, extent) in enumerate(zip(kernel, spacing, extents, strict=True)):
        overlap = np.zeros(2 * extent - 1)
        overlap[::step] = taps - np.abs(np.arange(1 - taps, taps))
        shared = shared * _lift(overlap, axis, len(kernel))
    n = float(math.prod(kernel))
    return Autocorrelation(shared / ((n + 1) ** 2 * (2 * n - shared + 2)))


def of_max_pool_behind(
    field: Autocorrelation, kernel: Sequence[int], dilation: Sequence[int] | None = None
) -> Autocorrelation | None:
    """Filtered noise after a max pool: close to the average over the window, since neighbours are alike.

    The rest is rough: ``0.17 (1 - c)`` of the power, for a mean correlation ``c`` between two positions of the window.
    That was fitted to simulated Gaussian and uniform noise behind boxes and binomials of 2 to 7 taps.
    """
    box = of_average_pool(kernel, dilation)
    smooth = None if box is None else then(field, box)
    n = math.prod(kernel)
    if smooth is None or n == 1:
        return field if n == 1 else None
    power = float(field.lags[tuple(size // 2 for size in field.lags.shape)])
    pairs = float(smooth.lags[tuple(size // 2 for size in smooth.lags.shape)]) / power
    rough = _ROUGH * (1 - (pairs - n) / (n * (n - 1)))
    return mixed([(1 - rough, smooth), (rough, white(len(kernel)))])


def rectified(field: Autocorrelation) -> Autocorrelation:
    """Gaussian noise behind a ReLU: ``(sqrt(1 - r^2) + r (pi - acos r) - 1) / (2 pi)`` at the correlation r.

    The arc-cosine kernel of order 1 (Cho and Saul, NIPS 2009), less the squared mean.
    """
    r = np.clip(field.lags / field.lags[tuple(size // 2 for size in field.lags.shape)], -1, 1)
    return Autocorrelation((np.sqrt(1 - r**2) + r * (np.pi - np.arccos(r)) - 1) / (2 * np.pi), linear=False)


def then(first: Autocorrelation, second: Autocorrelation) -> Autocorrelation | None:
    """What remains of noise that passes the linear filter of ``second`` after it has become ``first``."""
    if first.lags.ndim != second.lags.ndim:
        return None
    size = [a + b - 1 for a, b in zip(first.lags.shape, second.lags.shape, strict=True)]
    if math.prod(size) > MAX_LAGS:
        return None
    axes = tuple(range(len(size)))
    product = np.fft.rfftn(first.lags, size, axes) * np.fft.rfftn(second.lags, size, axes)
    return Autocorrelation(np.fft.irfftn(product, size, axes), first.linear and second.linear)


def decimated(field: Autocorrelation, steps: Sequence[int]) -> Autocorrelation | None:
    """The field at every ``steps``-th position per axis, with what folded: its lags at multiples of the steps."""
    if field.lags.ndim != len(steps):
        return None
    halves = [size // 2 for size in field.lags.shape]
    kept = tuple(slice(half % step, None, step) for half, step in zip(halves, steps, strict=True))
    return Autocorrelation(field.lags[kept], field.linear)


def folded_share(field: Autocorrelation, stride: Sequence[float], replicas: Replicas | None = None) -> float | None:
    """The share of the field's power that folds when it is sampled at every ``stride`` positions per axis.

    ``replicas`` are those that fold, with the share of their power that does
    (:mod:`auditor.sampling.spectrum.replicas`); None for all of them.
    """
    if field.lags.ndim != len(stride):
        return None
    total = float(field.lags[tuple(size // 2 for size in field.lags.shape)])
    here = [np.zeros(1)] * len(stride)
    if replicas is None:
        return _share(float(_band(field.lags, here, stride).sum()), total)
    folded = sum(share * float(_band(field.lags, here, stride, k).sum()) for k, share in replicas.items())
    return _share(total - folded, total)


def folded_shares(
    field: Autocorrelation, stride: Sequence[float], replicas: Replicas | None = None
) -> tuple[float, ...] | None:
    """Per axis, the share of the field's power that lies above the new Nyquist frequency of that axis alone.

    Where only some replicas fold, one that lies off several axes counts in equal parts on each of them.
    """
    shares = []
    for axis in range(len(stride)):
        if replicas is None:
            share = folded_share(field, [step if a == axis else 1.0 for a, step in enumerate(stride)])
        else:
            own = {k: left / sum(map(bool, k)) for k, left in replicas.items() if k[axis]}
            share = folded_share(field, stride, own)
        if share is None:
            return None
        shares.append(share)
    return tuple(shares)


def decimation(stride: Sequence[float]) -> float:
    """The alias energy of sampling white noise without any filter."""
    return 1 - 1 / math.prod(max(float(step), 1.0) for step in stride)


def alias_energy(
    kernel: NDArray[Any],
    stride: Sequence[int],
    dilation: Sequence[int],
    field: Autocorrelation | None = None,
    replicas: Replicas | None = None,
) -> AliasShare | None:
    """The alias energy of a strided convolution from its weights, exact to rounding.

    ``kernel`` is ``(O, I, K_1, ..., K_d)`` as in ONNX Conv (I: input channels per group), any numeric type; ``stride``
    and ``dilation`` are per axis. The input channels are independent noise with the autocorrelation ``field``, white
    where it is None. ``replicas`` as in :func:`folded_share`.
    """
    shape = kernel.shape[2:]
    total = (white(len(stride)) if field is None else field).lags
    if not _fits(shape, stride, dilation, total.shape):
        return None
    offsets = [step * np.arange(1 - taps, taps) for taps, step in zip(shape, dilation, strict=True)]
    halves = [size // 2 for size in total.shape]
    bands = {k: share * _band(total, offsets, stride, k) for k, share in (replicas or {}).items()}
    inside = _band(total, offsets, stride)
    for axis, (offset, half) in enumerate(zip(offsets, halves, strict=True)):
        # Past its last lag the autocorrelation is zero: those lags take an entry that is appended for them.
        padded = np.concatenate([total, np.zeros_like(np.take(total, [0], axis))], axis)
        total = np.take(padded, np.where(np.abs(offset) <= half, offset + half, 2 * half + 1), axis)
    if replicas is not None:
        inside = total - sum(bands.values(), np.zeros_like(total))
    return _shares(kernel, inside, total)


def _extents(kernel: Sequence[int], dilation: Sequence[int]) -> list[int] | None:
    """The width of a dilated kernel per axis, None where it makes no sense or its lags would be too many."""
    if len(kernel) != len(dilation) or min((*kernel, *dilation), default=0) < 1:
        return None
    extents = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    return extents if math.prod(2 * extent - 1 for extent in extents) <= MAX_LAGS else None


def _fits(shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int], lags: Sequence[int]) -> bool:
    """Whether a strided convolution of a field with so many ``lags`` is well formed, and its tables small enough."""
    if not len(shape) == len(stride) == len(dilation) == len(lags) or min((*shape, *stride, *dilation), default=0) < 1:
        return False
    if max(dilation) > MAX_LAGS:
        return False
    pairs = [(2 * taps - 1, size) for taps, size in zip(shape, lags, strict=True)]
    return math.prod(map(max, pairs)) <= MAX_LAGS and max(map(math.prod, pairs)) <= MAX_WEIGHTS


def _band(lags: Table, places: Sequence[Table], stride: Sequence[float], replica: Sequence[int] = ()) -> Table:
    """The autocorrelation ``lags`` at ``places`` per axis, of the part within ``pi / s`` of ``2 pi k / s``."""
    table: NDArray[Any] = lags
    for axis, (place, step) in enumerate(zip(places, stride, strict=True)):
        half = lags.shape[axis] // 2
        distance = place[:, None] - np.arange(-half, half + 1)
        band = _low_pass(distance, step)
        if any(replica):
            band = band * np.exp(2j * np.pi * replica[axis] / step * distance)
        table = np.moveaxis(np.tensordot(band, table, (1, axis)), 0, axis)
    return table.real


def _lift(values: Table, axis: int, rank: int) -> Table:
    """A vector as an array of ``rank`` axes, along ``axis``."""
    return values.reshape([-1 if a == axis else 1 for a in range(rank)])


def _low_pass(lag: NDArray[Any], stride: float) -> Table:
    """The ideal low-pass ``sin(pi lag / s) / (pi lag)``; upsampling (s < 1) keeps every frequency."""
    step = max(float(stride), 1.0)
    return np.asarray(np.sinc(lag / step) / step, np.float64)


def _share(inside: float, total: float) -> float | None:
    """The share of ``total`` that is not ``inside``; rounding may carry it past 0 or 1."""
    if not (0 < total < math.inf and math.isfinite(inside)):
        return None
    return min(max(1 - inside / total, 0.0), 1.0)


def _shares(kernel: NDArray[Any], inside: Table, total: Table) -> AliasShare | None:
    """The shares of the quadratic forms of two tables over lags ``(2 K_1 - 1, ..., 2 K_d - 1)``."""
    if not 0 < math.prod(kernel.shape[1:]) <= MAX_WEIGHTS or not kernel.shape[0]:
        return None
    # Weights that are not finite need no check of their own: neither is the power that they make.
    with np.errstate(all="ignore"):
        inner, outer = np.concatenate([_powers(block, (inside, total)) for block in _blocks(kernel)], axis=1)
        share = _share(float(inner.sum()), float(outer.sum()))
    if share is None:
        return None
    alive = outer > _NEGLIGIBLE * outer.max()
    worst = float(np.max(1 - inner[alive] / outer[alive]))
    return AliasShare(share, min(max(worst, 0.0), 1.0), inner.size, kernel.shape[0])


def _blocks(kernel: NDArray[Any]) -> Iterator[Table]:
    """The output channels that are examined, some at a time, in float64."""
    sampled = kernel[:: -(-kernel.size // MAX_WEIGHTS)]
    step = max(_BLOCK // math.prod(kernel.shape[1:]), 1)
    for start in range(0, len(sampled), step):
        yield np.asarray(sampled[start : start + step], np.float64)


def _powers(block: Table, tables: Sequence[Table]) -> Table:
    """``sum_i sum_jk w_oij w_oik T[j - k]`` for each table and output channel: float64 ``(tables, O)``."""
    shape = block.shape[2:]
    taps = math.prod(shape)
    if taps <= min(block.shape[1], _FEW_TAPS):
        flat = block.reshape(*block.shape[:2], taps)
        products = np.matmul(flat.transpose(0, 2, 1), flat).reshape(len(block), -1)
        return np.stack([products @ _toeplitz(table, shape) for table in tables])
    # Many taps: autocorrelations are products in the frequency domain, on a grid that is wide enough not to wrap.
    size = [2 * extent for extent in shape]
    axes = tuple(range(2, block.ndim))
    responses = np.stack([_response(table, size).ravel() for table in tables])
    powers = np.zeros((len(tables), len(block)))
    inputs = max(_BLOCK // (len(block) * math.prod(size)), 1)
    for start in range(0, block.shape[1], inputs):
        transform = np.fft.rfftn(block[:, start : start + inputs], size, axes)
        powers += responses @ (np.abs(transform) ** 2).sum(axis=1).reshape(len(block), -1).T
    return powers


def _toeplitz(table: Table, shape: Sequence[int]) -> Table:
    """``T[j - k]`` for all pairs of taps of a kernel, flattened."""
    places = np.indices(shape).reshape(len(shape), -1)
    lags = places[:, :, None] - places[:, None, :] + np.array(shape)[:, None, None] - 1
    return np.asarray(table[tuple(lags)].ravel(), np.float64)


def _response(table: Table, size: Sequence[int]) -> Table:
    """The weight of each bin of a real transform on a grid of ``size`` that makes its power the table's form."""
    wide = np.zeros(size)
    wide[tuple(slice(0, lags) for lags in table.shape)] = table
    centred = np.roll(wide, [-(lags // 2) for lags in table.shape], tuple(range(table.ndim)))
    response: Table = np.fft.rfftn(centred).real / math.prod(size)
    # A real transform stores half of the last axis; all but its first and last bin stand for two.
    response[..., 1:-1] *= 2
    return response
