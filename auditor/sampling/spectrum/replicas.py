"""What folds where several phases of a sampling site are averaged.

Sampling ``y`` at every s-th position from phase ``a`` on gives ``sum_k Y(omega + 2 pi k / s) exp(2 pi i k.a / s)``: the
baseband, k = 0, and a replica for every other k in ``{0 .. s_1 - 1} x ... x {0 .. s_d - 1}``. The mean over the kept
phases weighs the power of a replica with ``|c_k|^2``, ``c_k = mean_a exp(2 pi i k.a / s)``. That is exact for the sum
over all positions, which is what a globally pooled head takes of a map: all s^d phases leave no replica, and the two
phases (0, 0) and (1, 1) of a stride of 2 (the quincunx grid) leave (pi, pi) alone. It is exact too for a map whose
phases are put back in their places before they are averaged.

Where position matters and the phases are averaged as they are, index by index, the mean is one more filter in front of
one sampling, with the phases as its taps; a box of all phases is no good low-pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias

import numpy as np

from auditor.sampling.result import AliasBasis, AliasEnergy
from auditor.sampling.spectrum import alias as spectra

Averaged: TypeAlias = "Callable[[Averaging], AliasEnergy | None]"


MOST_PHASES = 16
"""Of a site, up to which what folds is computed; above, it is known only where all of them are averaged."""

_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class Averaging:
    """The phases of a site that are averaged: one position below ``stride`` apart per axis for each.

    ``placed``: they are averaged behind a global pooling, where position no longer matters, or back in their places.
    """

    stride: tuple[int, ...]
    phases: tuple[tuple[int, ...], ...]
    placed: bool

    @property
    def possible(self) -> int:
        """How many phases the site has."""
        return prod(self.stride)

    @property
    def complete(self) -> bool:
        """Whether nothing folds: all phases are there, and in place."""
        return self.placed and len(self.phases) == self.possible

    @property
    def known(self) -> bool:
        """Whether what folds is affordable."""
        return self.complete or self.possible <= MOST_PHASES

    def replicas(self) -> Mapping[tuple[int, ...], float] | None:
        """The share of the power of each replica that is left; None where the mean is a filter instead."""
        if not self.placed:
            return None
        if self.complete:
            return {}
        places = np.array(self.phases) / np.array(self.stride)
        left = {
            k: float(np.abs(np.exp(2j * np.pi * (places @ np.array(k))).mean()) ** 2)
            for k in product(*(range(step) for step in self.stride))
            if any(k)
        }
        return {k: share for k, share in left.items() if share > _NEGLIGIBLE}

    def filtered(self, field: spectra.Autocorrelation | None) -> spectra.Autocorrelation | None:
        """The field (None: white) that is sampled once the mean is counted among the filters in front."""
        if self.placed:
            return field
        places = np.array(self.phases)
        places -= places.min(axis=0)
        taps = np.zeros(places.max(axis=0) + 1)
        taps[tuple(places.T)] = 1
        mean = spectra.of_kernel(taps, (1,) * len(self.stride))
        return mean if field is None or mean is None else spectra.then(field, mean)

    def folded(self, field: spectra.Autocorrelation | None, basis: AliasBasis) -> AliasEnergy | None:
        """What of the power of the field (None: white) still folds."""
        seen = self.filtered(spectra.white(len(self.stride)) if field is None else field)
        if seen is None:
            return None
        flat = spectra.folded_share(seen, self.stride, self.replicas())
        per_axis = spectra.folded_shares(seen, self.stride, self.replicas())
        return None if flat is None or per_axis is None else AliasEnergy(flat, flat, basis, per_axis)
