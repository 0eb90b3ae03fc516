"""What folds in a mean over phases, against sampled waves and against the definition on a grid of frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sampling.result import AliasBasis
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.replicas import Averaging
from tests.sampling.impulse import Array, quick

GRID = 96  # frequencies per axis: a multiple of the strides 1 to 4


@st.composite
def averagings(draw: Any, *, placed: bool = True) -> Averaging:
    stride = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)))
    phases = draw(st.lists(st.tuples(*(st.integers(0, step - 1) for step in stride)), min_size=1, unique=True))
    return Averaging(stride, tuple(phases), placed)


def flat(averaging: Averaging, field: spectra.Autocorrelation | None = None) -> float:
    left = averaging.folded(field, AliasBasis.RESPONSE)
    assert left is not None
    assert max(left.per_axis) <= left.flat + 1e-9
    return left.flat


@given(averagings())
@quick
def test_a_replica_keeps_the_power_that_a_wave_at_its_centre_has_in_the_pooled_mean_over_the_phases(
    averaging: Averaging,
) -> None:
    size = [3 * step for step in averaging.stride]
    left = averaging.replicas()
    assert left is not None
    for k in product(*(range(step) for step in averaging.stride)):
        if not any(k):
            continue
        cycles = [index / step for index, step in zip(k, averaging.stride, strict=True)]
        wave = np.exp(2j * np.pi * sum(c * x for c, x in zip(cycles, np.indices(size), strict=True)))
        means = [
            wave[tuple(slice(a, None, step) for a, step in zip(phase, averaging.stride, strict=True))].mean()
            for phase in averaging.phases
        ]
        assert left.get(k, 0.0) == pytest.approx(abs(np.mean(means)) ** 2, abs=1e-9)


def defined(averaging: Averaging, power: Array) -> float:
    """The folded share by its definition: the power in the band of each replica, times what is left of it."""
    left = averaging.replicas()
    assert left is not None
    folded = 0.0
    for place in np.ndindex(*power.shape):
        k = tuple(round((at + 0.5) / GRID * step) % step for at, step in zip(place, averaging.stride, strict=True))
        folded += left.get(k, 0.0) * power[place]
    return folded / float(power.sum())


def response(kernel: Array, dilation: Sequence[int]) -> Array:
    """The power of a kernel at frequencies half a bin off those of a DFT, so that none lies on the edge of a band."""
    for axis, (taps, step) in enumerate(zip(kernel.shape, dilation, strict=True)):
        omega = 2 * np.pi * (np.arange(GRID) + 0.5) / GRID
        basis = np.exp(-1j * np.outer(omega, step * np.arange(taps)))
        kernel = np.moveaxis(np.tensordot(basis, kernel, (1, axis)), 0, axis)
    return np.asarray(np.abs(kernel) ** 2)


@given(averagings(), st.integers(0, 2**16), st.integers(1, 2))
@quick
def test_what_folds_of_a_convolution_is_the_power_of_the_replicas_that_are_left(
    averaging: Averaging, seed: int, step: int
) -> None:
    random = np.random.default_rng(seed)
    rank = len(averaging.stride)
    taps = tuple(int(n) for n in random.integers(1, 4, rank))
    weights = random.standard_normal((3, 2, *taps))
    blur = random.uniform(0.1, 1.0, tuple(int(n) for n in random.integers(1, 4, rank)))
    dilation = [step] * rank
    field = spectra.of_kernel(blur, [1] * rank)
    share = spectra.alias_energy(weights, averaging.stride, dilation, field, averaging.replicas())
    power = sum(response(weights[o, i], dilation) for o in range(3) for i in range(2)) * response(blur, [1] * rank)
    assert share is not None
    assert share.total == pytest.approx(defined(averaging, np.asarray(power)), abs=2e-3)
    assert field is not None
    alone = spectra.folded_share(field, averaging.stride, averaging.replicas())
    assert alone == pytest.approx(defined(averaging, response(blur, [1] * rank)), abs=2e-3)


@given(averagings())
@quick
def test_a_single_phase_folds_what_plain_sampling_does_and_all_of_them_nothing(averaging: Averaging) -> None:
    field = spectra.of_kernel(np.ones((2,) * len(averaging.stride)), (1,) * len(averaging.stride))
    assert field is not None
    one = Averaging(averaging.stride, averaging.phases[:1], placed=True)
    everything = Averaging(averaging.stride, tuple(product(*(range(step) for step in averaging.stride))), placed=True)
    assert flat(one, field) == pytest.approx(spectra.folded_share(field, averaging.stride), abs=1e-9)
    assert everything.complete
    assert flat(everything, field) == 0.0
    white = flat(averaging)
    assert white == pytest.approx(1 / len(averaging.phases) - 1 / prod(averaging.stride), abs=1e-9)


@given(averagings(placed=False))
@quick
def test_a_mean_of_maps_is_a_filter_with_the_phases_as_taps(averaging: Averaging) -> None:
    taps = np.zeros(averaging.stride)
    for phase in averaging.phases:
        taps[phase] = 1
    alone = Averaging(averaging.stride, averaging.phases[:1], placed=True)
    power = response(taps, [1] * taps.ndim)
    assert flat(averaging) == pytest.approx(defined(alone, power), abs=2e-3)


def test_the_two_diagonal_phases_leave_the_corner_of_the_spectrum_alone() -> None:
    assert Averaging((2, 2), ((0, 0), (1, 1)), placed=True).replicas() == pytest.approx({(1, 1): 1.0})
