from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.layers.presampling import convolve
from auditor.verify.layers.spectrum import alias_share, radial_power


def wave(size: int, fy: float, fx: float, phase: float = 0.3) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.asarray(np.cos(2 * np.pi * (fy * y + fx * x) + phase))[None, None]


@pytest.mark.parametrize("size", [56, 57, 224])
def test_white_noise_folds_what_lies_outside_the_box(size: int) -> None:
    noise = np.random.default_rng(0).normal(size=(8, 4, size, size))
    for factor in ((2, 2), (4, 4), (2, 1), (3, 2)):
        assert alias_share(noise, factor).varying == pytest.approx(1 - 1 / np.prod(factor), abs=0.015)


@pytest.mark.parametrize("size", [7, 8, 14])
def test_small_maps_are_measured_too(size: int) -> None:
    noise = np.random.default_rng(0).normal(size=(64, 32, size, size))
    # an odd or tiny grid has no frequency on the edge of the box, so its share is a step off
    assert alias_share(noise, (2, 2)).varying == pytest.approx(0.75, abs=0.08)


@settings(max_examples=40, deadline=None)
@given(fy=st.floats(0.0, 0.2), fx=st.floats(0.03, 0.2), phase=st.floats(0, 6.3))
def test_a_wave_below_the_new_nyquist_does_not_fold_at_any_frequency_and_phase(
    fy: float, fx: float, phase: float
) -> None:
    assert alias_share(wave(56, fy, fx, phase), (2, 2)).varying < 0.003


@settings(max_examples=40, deadline=None)
@given(fy=st.floats(0.0, 0.5), fx=st.floats(0.3, 0.45), phase=st.floats(0, 6.3))
def test_a_wave_above_the_new_nyquist_folds_wholly(fy: float, fx: float, phase: float) -> None:
    assert alias_share(wave(56, fy, fx, phase), (2, 2)).varying > 0.997


def test_a_brightness_ramp_is_not_mistaken_for_high_frequencies() -> None:
    ramp = np.tile(np.arange(56.0), (56, 1))[None, None]
    assert alias_share(ramp, (2, 2)).varying < 1e-4
    small = np.tile(np.arange(14.0), (14, 1))[None, None]
    assert alias_share(small, (2, 2)).varying < 2e-3
    raw = np.abs(np.fft.fft(np.arange(56.0) - 27.5)) ** 2
    assert raw[14:43].sum() / raw.sum() > 0.01, "without care it would be"


@pytest.mark.parametrize(("taps", "expected"), [((1, 1), 0.182), ((1, 2, 1), 0.076), ((1, 4, 6, 4, 1), 0.015)])
def test_blurred_white_noise_folds_what_theory_predicts_for_the_kernel(taps: tuple[int, ...], expected: float) -> None:
    # alias energy of binomial kernels under a white input, one axis, subsampling by 2
    kernel = np.array(taps, dtype=float)[None, None]
    noise = np.random.default_rng(1).normal(size=(800, 1, 513))
    assert alias_share(convolve(noise, kernel), (2,)).varying == pytest.approx(expected, rel=0.05, abs=5e-4)


def test_a_constant_counts_in_the_total_but_cannot_move() -> None:
    noise = np.random.default_rng(0).normal(size=(4, 4, 64, 64))
    share = alias_share(noise + 3.0, (2, 2))
    assert share.varying == pytest.approx(0.75, abs=0.02)
    assert share.total == pytest.approx(0.75 / 10, abs=0.01)
    assert share.power == pytest.approx(10, rel=0.05)


def test_the_worst_channel_is_named_by_its_share() -> None:
    features = np.concatenate([wave(32, 0.05, 0.05), wave(32, 0.4, 0.4), np.zeros((1, 1, 32, 32))], axis=1)
    share = alias_share(features, (2, 2))
    assert share.worst_channel > 0.99
    assert share.varying == pytest.approx(0.5, abs=0.02)


def test_no_signal_folds_nothing_and_no_subsampling_folds_nothing() -> None:
    assert alias_share(np.zeros((1, 2, 8, 8)), (2, 2)).total == 0
    assert alias_share(np.ones((1, 2, 8, 8)), (2, 2)).varying == pytest.approx(0)
    assert alias_share(np.random.default_rng(0).normal(size=(1, 2, 20, 20)), (1, 1)).varying == pytest.approx(0)


def test_the_powers_add_up_to_the_variance_of_the_map() -> None:
    features = np.random.default_rng(0).normal(2.0, 3.0, size=(1, 1, 12, 13))
    share = alias_share(features, (2, 2))
    assert share.power == pytest.approx(np.mean(features**2))


def test_one_axis_agrees_with_scipys_windowed_periodogram() -> None:
    signal = np.random.default_rng(0).normal(size=4096).cumsum()
    signal -= signal.mean()
    window = np.sin(np.pi * (np.arange(4096) + 0.5) / 4096) ** 2
    centred = signal - (signal * window).sum() / window.sum()
    frequencies, power = scipy.signal.periodogram(centred, window=window, detrend=False)
    expected = power[frequencies > 0.25].sum() / power.sum()
    assert alias_share(signal[None, None], (2,)).varying == pytest.approx(expected, rel=1e-3)


def test_the_radial_spectrum_is_flat_for_noise_and_peaks_at_a_waves_frequency() -> None:
    noise = radial_power(np.random.default_rng(0).normal(size=(16, 4, 64, 64)))
    np.testing.assert_allclose(noise.power[3:], 1.0, atol=0.12)
    assert noise.frequencies[-1] < np.sqrt(0.5)
    peak = radial_power(wave(64, 0.18, 0.24))
    assert peak.frequencies[int(np.argmax(peak.power))] == pytest.approx(0.3, abs=0.02)


def test_activations_of_another_shape_are_refused() -> None:
    for wrong in (np.zeros((4, 4)), np.zeros((0, 1, 4, 4))):
        with pytest.raises(ValueError, match="shape"):
            alias_share(wrong, (2, 2))
    with pytest.raises(ValueError, match="factors"):
        alias_share(np.zeros((1, 1, 4, 4)), (0.5, 2))
    with pytest.raises(ValueError, match="finite"):
        radial_power(np.full((1, 1, 4, 4), np.nan))
