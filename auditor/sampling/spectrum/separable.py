"""Fields behind filters that work along one axis each, as the taps of a resize do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from auditor.sampling.spectrum.alias import MAX_LAGS, Autocorrelation

Taps: TypeAlias = Sequence[tuple[Sequence[int], Sequence[float]]]
"""The taps of several outputs of a resize along one axis: ``(positions, weights)`` of each."""

_MOST_TAPS = 2048  # of one output of a resize


def of_taps(outputs: Taps) -> Autocorrelation | None:
    """White noise on one axis after a resize, averaged over outputs on different phases of the input grid."""
    if any(len(positions) != len(weights) or not weights for positions, weights in outputs):
        return None
    reach = max((max(positions) - min(positions) for positions, _ in outputs), default=0)
    if reach > _MOST_TAPS:
        return None
    lags = np.zeros(2 * reach + 1)
    for positions, weights in outputs:
        line = np.zeros(reach + 1)
        # Taps may name one position twice, where a border is repeated.
        np.add.at(line, np.asarray(positions) - min(positions), np.asarray(weights, np.float64))
        lags += np.correlate(line, line, "full")
    return Autocorrelation(lags) if lags[reach] > 0 else None


def separable(per_axis: Sequence[Autocorrelation]) -> Autocorrelation | None:
    """The field of filters that work along one axis each; None where its lags would be too many."""
    if math.prod(field.lags.size for field in per_axis) > MAX_LAGS:
        return None
    lags = np.ones(())
    for field in per_axis:
        lags = np.multiply.outer(lags, field.lags)
    return Autocorrelation(lags)
