from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from auditor.verify.measures.period import periodic_share

S = 32


def periodic(draw: np.random.Generator, period: int = S, periods: int = 2) -> np.ndarray:
    """A series of any form that has the period, of variance one."""
    shape = draw.normal(size=period)
    return np.asarray(np.tile((shape - shape.mean()) / shape.std(), periods))


def mean_share(make: Callable[[np.random.Generator], np.ndarray], period: int = S, runs: int = 300) -> float:
    draw = np.random.default_rng(3)
    return float(np.mean([periodic_share(make(draw), period) for _ in range(runs)]))


@pytest.mark.parametrize("periods", [2, 3, 4])
def test_what_has_the_period_is_wholly_periodic_with_and_without_a_trend(periods: int) -> None:
    series = periodic(np.random.default_rng(0), periods=periods)
    assert periodic_share(series, S) == pytest.approx(1)
    assert periodic_share(series + 0.4 * np.arange(len(series)) + 7, S) == pytest.approx(1)


@pytest.mark.parametrize("harmonic", [2, 4, 8, 16])
def test_harmonics_of_the_grid_count(harmonic: int) -> None:
    steps = np.arange(2 * S)
    assert periodic_share(np.cos(2 * np.pi * harmonic * steps / S), S) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("length", [64, 64 / 3, 64 / 5, 64 / 7])
def test_another_period_does_not_count(length: float) -> None:
    assert periodic_share(np.sin(2 * np.pi * np.arange(2 * S) / length + 0.3), S) < 0.05


@pytest.mark.parametrize("periods", [2, 4])
def test_noise_has_no_period_but_for_chance(periods: int) -> None:
    # The share is never below 0, so that noise is above it by chance.
    assert mean_share(lambda draw: draw.normal(size=periods * S)) < 0.1


def test_a_drift_has_no_period() -> None:
    assert mean_share(lambda draw: np.cumsum(draw.normal(size=2 * S))) < 0.15
    assert periodic_share(np.linspace(0, 1, 2 * S) ** 2, S) < 0.05


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("periods", [2, 4])
def test_of_a_mixture_it_is_the_periodic_part(share: float, periods: int) -> None:
    def mixture(draw: np.random.Generator) -> np.ndarray:
        signal = periodic(draw, periods=periods) * np.sqrt(share)
        return np.asarray(signal + draw.normal(size=periods * S) * np.sqrt(1 - share) + 0.1 * np.arange(periods * S))

    assert mean_share(mixture) == pytest.approx(share, abs=0.04)


def test_what_cannot_be_told_is_not_a_number() -> None:
    steps = np.arange(2.0 * S)
    assert np.isnan(periodic_share(steps[:S], S))  # one period
    assert np.isnan(periodic_share(np.full(2 * S, 0.7), S))  # nothing moves
    assert np.isnan(periodic_share(np.where(steps == 5, np.nan, steps % S), S))  # a gap
    assert np.isnan(periodic_share(steps, 1))  # no grid


def test_steps_beyond_whole_periods_are_left_out() -> None:
    series = periodic(np.random.default_rng(0))
    assert periodic_share(np.append(series, 99.0), S) == pytest.approx(1)
