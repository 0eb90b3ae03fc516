"""The table over lags that an isotropic power law 1 / |omega|^a makes of a box of frequencies, by quadrature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Table: TypeAlias = NDArray[np.float64]

_BLOCK = 1 << 18


def power_law_table(lags: Sequence[NDArray[Any]], limits: Sequence[float], lowest: float, slope: float) -> Table:
    """The integral of ``cos(omega . tau) / |omega|^slope`` over ``|omega_a| <= limits_a``, outside of ``lowest``.

    ``lags`` are the non-negative lags per axis; the table has both signs. One orthant of the box is split into pyramids
    with their tips in the origin, one for each face: there ``omega = rho v`` with v on the face, and in ``log rho`` the
    spectrum has neither a peak nor a corner. By symmetry the cosine becomes a product over the axes.
    """
    d = len(limits)
    table = np.zeros([len(offset) for offset in lags])
    phases = [float(limit * offset[-1]) for limit, offset in zip(limits, lags, strict=True)]
    deepest = max(math.log(math.hypot(*limits) / lowest), 0.0)
    node, node_weight = _radial(sum(phases), deepest)
    for base in range(d):
        face = [np.ones(1) if axis == base else _gauss(phases[axis])[0] for axis in range(d)]
        weights = [np.ones(1) if axis == base else _gauss(phases[axis])[1] for axis in range(d)]
        v = [limit * part.ravel() for limit, part in zip(limits, np.meshgrid(*face, indexing="ij"), strict=True)]
        area = math.prod(limits) * np.prod(np.meshgrid(*weights, indexing="ij"), axis=0).ravel()
        square = sum(part**2 for part in v)
        depth = np.maximum(np.log(np.sqrt(square) / lowest), 0.0)
        rho = np.exp(-depth * node[:, None])
        # d omega = rho^(d - 1) d rho d v and d rho = rho d(log rho); the spectrum is 1 / (rho |v|)^slope.
        amount = (rho ** (d - slope) * (area * depth / square ** (slope / 2)) * node_weight[:, None]).ravel()
        table += _cosine_sum(amount, [(rho * part).ravel() for part in v], lags)
    return table[np.ix_(*(np.abs(np.arange(1 - len(offset), len(offset))) for offset in lags))]


def _cosine_sum(amount: Table, omega: Sequence[Table], lags: Sequence[NDArray[Any]]) -> Table:
    """``sum_n amount_n prod_a cos(omega_an tau_a)`` for all combinations of lags."""
    shape = [len(offset) for offset in lags]
    result = np.zeros((math.prod(shape[:-1]), shape[-1]))
    step = max(_BLOCK // math.prod(shape[:-1]), 1)
    for start in range(0, len(amount), step):
        part = slice(start, start + step)
        waves = [np.cos(np.outer(phase[part], offset)) for phase, offset in zip(omega, lags, strict=True)]
        product = amount[part, None]
        for wave in waves[:-1]:
            product = (product[:, :, None] * wave[:, None, :]).reshape(len(wave), -1)
        result += product.T @ waves[-1]
    return result.reshape(shape)


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[Table, Table]:
    """Gauss-Legendre nodes and weights on (-1, 1): a table takes the same few again and again."""
    node, weight = np.polynomial.legendre.leggauss(count)
    return node, weight


def _gauss(phase: float) -> tuple[Table, Table]:
    """Nodes and weights on (0, 1) that integrate a cosine of ``phase`` radians."""
    node, weight = _legendre(12 + int(phase / 2))
    return (node + 1) / 2, weight / 2


def _radial(phase: float, depth: float) -> tuple[Table, Table]:
    """Nodes and weights on (0, 1) for ``log(1 / rho) / depth``, with a cosine of ``phase`` radians over ``rho``.

    Panels of 16 nodes each span at most 12 radians, and at most a factor of 3 in rho.
    """
    edges = [1.0]
    while edges[-1] > math.exp(-depth):
        edges.append(max(edges[-1] - 12 / max(phase, 12.0), edges[-1] / 3, math.exp(-depth) * (1 - 1e-12)))
    bounds = -np.log(np.array(edges)) / max(depth, 1e-12)
    node, weight = _legendre(16)
    width = np.diff(bounds)[:, None]
    return (bounds[:-1, None] + width * (node + 1) / 2).ravel(), (width * weight / 2).ravel()
