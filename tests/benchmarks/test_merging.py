"""What corrections at a merge are fitted as, against a regression written by others, and the claim of the page."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.merging import missed, per_channel, ridge


def draws(count: int, channels: int, seed: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(size=(count, channels)))


def test_a_gain_and_a_bias_are_those_of_a_regression() -> None:
    given = draws(200, 3, 0) + 1
    target = given * [2, 0.5, 1] + [1, 0, -1] + draws(200, 3, 1) / 10
    gain, bias = per_channel(given, target)
    for channel in range(3):
        assert (gain[channel], bias[channel]) == pytest.approx(np.polyfit(given[:, channel], target[:, channel], 1))


def test_a_ridge_finds_a_mixture_of_channels() -> None:
    given, mixture = draws(4000, 4, 0), draws(4, 4, 1)
    target = given @ mixture + 3
    matrix, offset = ridge(given, target)
    assert missed(given @ matrix + offset, target) < 1e-3 < missed(given, target)


def test_the_mean_of_two_like_phases_needs_no_linear_correction() -> None:
    common, mixture = draws(100_000, 3, 0), draws(3, 3, 1)
    first, second = ((common + draws(100_000, 3, seed)) @ mixture for seed in (2, 3))
    mean = (first + second) / 2
    gain, _ = per_channel(mean, first)
    assert gain == pytest.approx(np.ones(3), abs=0.01)
    matrix, _ = ridge(mean, first)
    assert matrix == pytest.approx(np.eye(3), abs=0.05)
