"""Alias energy against brute force: a fine frequency grid, numeric integration, and noise that is really sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.alias import (
    AliasShare,
    Autocorrelation,
    alias_energy,
    decimation,
    folded_share,
    of_average_pool,
    of_kernel,
    of_max_pool,
    of_max_pool_behind,
    of_weights,
    then,
    white,
)
from auditor.sampling.spectrum.separable import Taps, of_taps, separable

quick = settings(max_examples=30, deadline=None, derandomize=True)


def binomial(taps: int) -> np.ndarray[Any, Any]:
    return np.array([math.comb(taps - 1, tap) for tap in range(taps)], np.float64)


def known(share: AliasShare | None) -> AliasShare:
    assert share is not None
    return share


def correlation(field: Autocorrelation | None) -> Autocorrelation:
    assert field is not None
    return field


def on_a_grid(
    kernel: np.ndarray[Any, Any], stride: Sequence[int], dilation: Sequence[int], points: int
) -> np.ndarray[Any, Any]:
    """Power per output channel (inside of the new Nyquist box, in total), summed over a frequency grid of midpoints."""
    omega = (np.arange(points) + 0.5) * 2 * math.pi / points - math.pi
    response = kernel.astype(complex)
    inside = np.ones((1,) * len(stride), bool)
    for axis, (step, gap) in enumerate(zip(stride, dilation, strict=True)):
        wave = np.exp(-1j * gap * np.outer(np.arange(kernel.shape[axis + 2]), omega))
        response = np.moveaxis(np.tensordot(response, wave, (axis + 2, 0)), -1, axis + 2)
        inside = inside & (np.abs(omega) <= math.pi / step).reshape(
            [-1 if a == axis else 1 for a in range(len(stride))]
        )
    power = (np.abs(response) ** 2).sum(axis=1)
    axes = tuple(range(1, power.ndim))
    return np.stack([(power * inside).sum(axis=axes), power.sum(axis=axes)])


@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    taps=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    channels=st.tuples(st.integers(1, 2), st.integers(1, 10)),
    data=st.data(),
)
def test_alias_energy_is_the_power_above_the_new_nyquist_frequency(
    seed: int, taps: list[int], channels: tuple[int, int], data: st.DataObject
) -> None:
    kernel = np.random.default_rng(seed).standard_normal((*channels, *taps))
    stride = data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 8]), min_size=len(taps), max_size=len(taps)))
    dilation = data.draw(st.lists(st.integers(1, 2), min_size=len(taps), max_size=len(taps)))
    # A multiple of every stride twice over, so that the midpoints meet the edges of every box.
    inside, total = on_a_grid(kernel, stride, dilation, 12288 if len(taps) == 1 else 288)
    share = known(alias_energy(kernel, stride, dilation))
    tolerance = 1e-5 if len(taps) == 1 else 2e-3
    assert share.total == pytest.approx(1 - inside.sum() / total.sum(), abs=tolerance)
    assert share.worst == pytest.approx(float((1 - inside / total).max()), abs=tolerance)
    assert share.channels == share.out_of == channels[0]


def test_alias_energy_of_three_axes_is_that_of_its_factors() -> None:
    rng = np.random.default_rng(3)
    parts = [rng.standard_normal(taps) for taps in (3, 4, 2)]
    kernel = np.einsum("i,j,k->ijk", *parts)[None, None]
    kept = math.prod(
        1 - known(alias_energy(part[None, None], [s], [d])).total
        for part, s, d in zip(parts, (2, 1, 3), (1, 2, 1), strict=True)
    )
    assert known(alias_energy(kernel, (2, 1, 3), (1, 2, 1))).total == pytest.approx(1 - kept, abs=1e-12)


@pytest.mark.parametrize(
    ("taps", "by_two", "by_four"), [(2, 18.2, 52), (3, 7.6, 40), (4, 3.3, 31), (5, 1.5, 25), (7, 0.3, 16)]
)
def test_binomial_filters_fold_what_the_literature_says(taps: int, by_two: float, by_four: float) -> None:
    kernel = binomial(taps)[None, None]
    assert 100 * known(alias_energy(kernel, [2], [1])).total == pytest.approx(by_two, abs=0.05)
    assert 100 * known(alias_energy(kernel, [4], [1])).total == pytest.approx(by_four, abs=0.6)


def test_decimation_folds_all_but_the_baseband() -> None:
    assert decimation((2, 2)) == 0.75
    assert known(alias_energy(np.ones((1, 1, 1, 1)), (2, 2), (1, 1))).total == pytest.approx(0.75)


def test_a_site_that_keeps_its_grid_folds_nothing() -> None:
    kernel = np.random.default_rng(0).standard_normal((4, 70, 3, 3))
    assert known(alias_energy(kernel, (1, 1), (2, 2))).total == pytest.approx(0, abs=1e-12)


def test_many_and_few_input_channels_give_the_same_share() -> None:
    kernel = np.random.default_rng(1).standard_normal((3, 80, 3, 5)).astype(np.float32)
    together = known(alias_energy(kernel, (2, 3), (1, 2)))
    apart = known(alias_energy(kernel.reshape(240, 1, 3, 5), (2, 3), (1, 2)))
    assert together.total == pytest.approx(apart.total, abs=1e-12)


def test_a_white_field_is_the_same_as_no_field() -> None:
    kernel = np.random.default_rng(1).standard_normal((3, 2, 3, 5))
    bare = known(alias_energy(kernel, (2, 3), (1, 2)))
    assert known(alias_energy(kernel, (2, 3), (1, 2), white(2))).total == pytest.approx(bare.total, abs=1e-12)


@quick
@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 2))
def test_a_filter_after_a_filter_is_one_longer_filter(seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.standard_normal(rng.integers(1, 5, d)) for _ in range(2))
    gap = [int(g) for g in rng.integers(1, 3, d)]
    stride = [int(s) for s in rng.integers(1, 4, d)]
    spread = np.zeros([(taps - 1) * g + 1 for taps, g in zip(second.shape, gap, strict=True)])
    spread[tuple(slice(None, None, g) for g in gap)] = second
    joint = np.zeros([a + b - 1 for a, b in zip(first.shape, spread.shape, strict=True)])
    for tap in np.ndindex(*spread.shape):
        joint[tuple(slice(t, t + n) for t, n in zip(tap, first.shape, strict=True))] += spread[tap] * first
    expected = known(alias_energy(joint[None, None], stride, (1,) * d)).total
    before = correlation(of_kernel(first, (1,) * d))
    assert known(alias_energy(second[None, None], stride, gap, before)).total == pytest.approx(expected, abs=1e-9)
    both = correlation(then(before, correlation(of_kernel(second, gap))))
    assert folded_share(both, stride) == pytest.approx(expected, abs=1e-9)


def test_an_average_pool_is_a_box_filter() -> None:
    box = known(alias_energy(np.ones((1, 1, 3, 2)), (2, 2), (1, 1))).total
    assert folded_share(correlation(of_average_pool((3, 2))), (2, 2)) == pytest.approx(box, abs=1e-12)


def test_max_pool_two_by_two_folds_44_percent() -> None:
    assert folded_share(correlation(of_max_pool((2, 2))), (2, 2)) == pytest.approx(0.444, abs=5e-4)


@pytest.mark.parametrize(("kernel", "gap"), [((2, 2), (1, 1)), ((3, 3), (1, 1)), ((3, 2), (1, 2))])
def test_max_pooled_noise_has_the_predicted_autocorrelation(kernel: tuple[int, int], gap: tuple[int, int]) -> None:
    noise = np.random.default_rng(5).random((1200, 1200))
    # Circular, so that every position counts.
    pooled = np.max([np.roll(noise, (-i * gap[0], -j * gap[1]), (0, 1)) for i, j in np.ndindex(*kernel)], axis=0)
    power = np.abs(np.fft.fft2(pooled - pooled.mean())) ** 2
    measured = np.fft.ifft2(power).real / pooled.size
    expected = correlation(of_max_pool(kernel, gap)).lags
    half = [size // 2 for size in expected.shape]
    around = np.ix_(*(np.arange(-h, h + 1) for h in half))
    np.testing.assert_allclose(measured[around], expected, atol=3e-4)
    frequency = np.abs(np.fft.fftfreq(1200))
    folded = 1 - power[np.ix_(frequency <= 0.25, frequency <= 0.25)].sum() / power.sum()
    assert folded_share(correlation(of_max_pool(kernel, gap)), (2, 2)) == pytest.approx(folded, abs=5e-3)


def test_the_worst_channel_ignores_dead_ones() -> None:
    kernel = np.zeros((3, 1, 3))
    kernel[0, 0] = binomial(3)
    kernel[1, 0] = 1e-9 * np.array([1, -2, 1])
    share = known(alias_energy(kernel, [2], [1]))
    assert share.worst == pytest.approx(share.total)
    kernel[1, 0] = 0.5 * np.array([1, -2, 1])
    assert known(alias_energy(kernel, [2], [1])).worst == pytest.approx(1 - 0.076, abs=1e-3)


def test_half_precision_and_integer_kernels_are_read() -> None:
    for dtype in (np.float16, np.int8, np.float32):
        assert known(alias_energy(binomial(3).astype(dtype)[None, None], [2], [1])).total == pytest.approx(
            0.0756, abs=1e-4
        )


def test_a_very_large_kernel_is_judged_by_evenly_spaced_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "MAX_WEIGHTS", 1000)
    kernel = np.random.default_rng(4).standard_normal((100, 10, 5))
    share = known(alias_energy(kernel, [2], [1]))
    assert (share.channels, share.out_of) == (20, 100)
    assert share.total == pytest.approx(known(alias_energy(kernel[::5], [2], [1])).total)


@pytest.mark.parametrize(
    "kernel",
    [
        np.zeros((2, 1, 3, 3)),
        np.zeros((0, 1, 3, 3)),
        np.zeros((2, 0, 3, 3)),
        np.full((2, 1, 3, 3), np.nan),
        np.full((1, 1, 3, 3), np.inf),
        np.ones((1, 1, 3)),
        np.ones(3),
    ],
    ids=["zero", "no outputs", "no inputs", "nan", "infinite", "another rank", "no kernel"],
)
def test_a_kernel_without_a_meaning_has_no_alias_energy(kernel: np.ndarray[Any, Any]) -> None:
    assert alias_energy(kernel, (2, 2), (1, 1)) is None


def test_hostile_sizes_are_refused_before_anything_is_allocated() -> None:
    wide = np.broadcast_to(np.float32(1), (1, 1, 2**20, 2**20))
    assert alias_energy(wide, (2, 2), (1, 1)) is None
    assert of_kernel(wide[0, 0], (1, 1)) is None
    assert of_average_pool((2**20, 2**20)) is None
    assert of_max_pool((2**20, 2**20)) is None
    assert of_max_pool((2, 2), (10**30, 1)) is None
    assert of_max_pool((0, 2)) is None
    deep = np.broadcast_to(np.float32(1), (1, 2**40, 3, 3))
    assert alias_energy(deep, (2, 2), (1, 1)) is None
    small = np.ones((1, 1, 3, 3))
    assert alias_energy(small, (2, 2), (10**30, 1)) is None
    assert alias_energy(small, (0, 2), (1, 1)) is None
    assert alias_energy(np.ones((1, 1, 60000)), [2], [1], Autocorrelation(np.ones(100001))) is None
    assert then(Autocorrelation(np.ones((1, 150001))), Autocorrelation(np.ones((150001, 1)))) is None
    assert then(white(1), white(2)) is None


def of_resize(*per_axis: Taps, scale: Sequence[float]) -> float | None:
    fields = [of_taps(outputs) for outputs in per_axis]
    whole = separable([correlation(field) for field in fields])
    return folded_share(correlation(whole), scale)


def test_halving_by_the_mean_of_two_is_the_box_filter() -> None:
    halves = [([2 * o, 2 * o + 1], [0.5, 0.5]) for o in range(3)]
    assert of_resize(halves, scale=[2]) == pytest.approx(0.1817, abs=1e-4)
    assert of_resize(halves, halves, scale=[2, 2]) == pytest.approx(1 - (1 - 0.1817) ** 2, abs=2e-4)


def test_nearest_resize_folds_as_decimation_does() -> None:
    assert of_resize([([0], [1.0])], scale=[2.5]) == pytest.approx(decimation([2.5]))


def test_an_axis_that_grows_folds_nothing() -> None:
    outputs = [([0, 1], [0.75, 0.25]), ([0, 1], [0.25, 0.75])]
    assert of_resize(outputs, scale=[0.5]) == pytest.approx(0)
    assert of_resize([([0, 0], [0.5, 0.5])], scale=[1.0]) == pytest.approx(0)


def test_outputs_on_different_phases_are_averaged_by_their_power() -> None:
    """Linear interpolation at two thirds: one output in two lies on a sample, the other halfway between two."""
    outputs = [([0], [1.0]), ([1, 2], [0.5, 0.5])]
    inside = 1 / 1.5 + (0.5 / 1.5 + 0.5 * math.sin(math.pi / 1.5) / math.pi)
    assert of_resize(outputs, scale=[1.5]) == pytest.approx(1 - inside / 1.5)


def test_taps_without_weight_have_no_alias_energy() -> None:
    assert of_taps([([0], [0.0])]) is None
    assert of_taps([([0, 1], [1.0])]) is None
    assert of_taps([]) is None
    assert of_taps([([0, 2**40], [0.5, 0.5])]) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 80))
@quick
def test_the_filters_of_a_convolution_together_fold_what_each_of_them_does(seed: int, d: int, inputs: int) -> None:
    draw = np.random.default_rng(seed)
    shape = tuple(draw.integers(1, 10 if d < 3 else 6, d).tolist())
    stride, gap = tuple(draw.integers(1, 5, d).tolist()), tuple(draw.integers(1, 4, d).tolist())
    kernel = draw.standard_normal((3, inputs, *shape))
    field = correlation(of_weights(kernel, gap))
    assert folded_share(field, stride) == pytest.approx(known(alias_energy(kernel, stride, gap)).total, abs=1e-9)


@pytest.mark.parametrize("taps", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("uniform", [False, True], ids=["gaussian", "uniform"])
def test_a_maximum_behind_a_blur_folds_what_simulated_noise_does(taps: int, window: int, uniform: bool) -> None:
    draw = np.random.default_rng(taps)
    noise = draw.random((512, 512)) if uniform else draw.standard_normal((512, 512))
    blur = np.outer(binomial(taps), binomial(taps))
    wide = np.zeros_like(noise)
    wide[:taps, :taps] = blur
    maps = np.fft.irfft2(np.fft.rfft2(noise) * np.fft.rfft2(wide), s=noise.shape)
    shifts = [np.roll(maps, (-i, -j), (0, 1)) for i in range(window) for j in range(window)]
    maxima = np.maximum.reduce(shifts)
    power = np.abs(np.fft.fft2(maxima - maxima.mean())) ** 2
    kept = np.abs(np.fft.fftfreq(512)) <= 0.25
    share = 1 - power[np.ix_(kept, kept)].sum() / power.sum()
    field = correlation(of_max_pool_behind(correlation(of_kernel(blur, (1, 1))), (window, window)))
    assert folded_share(field, (2, 2)) == pytest.approx(share, rel=0.35, abs=0.01)


@given(st.integers(0, 2**32 - 1))
@quick
def test_along_one_axis_folds_what_a_filter_folds_that_works_along_it_alone(seed: int) -> None:
    draw = np.random.default_rng(seed)
    lines = [draw.random(int(taps)) + 0.01 for taps in draw.integers(1, 6, 3)]
    stride = draw.integers(1, 5, 3).tolist()
    whole = np.einsum("i,j,k->ijk", *lines)
    shares = spectra.folded_shares(correlation(of_kernel(whole, (1, 1, 1))), stride)
    alone = [folded_share(correlation(of_kernel(line, (1,))), [step]) for line, step in zip(lines, stride, strict=True)]
    assert shares == pytest.approx(alone, abs=1e-9)
