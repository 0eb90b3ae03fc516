"""Gaffke's bound against its closed forms, against scipy, and against the random weights that define it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.gaffke import Sample, lower_bound, probability_below, upper_bound

DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.5, -1 / 16, 0.0, 1 / 16, 0.3, 1.0]), min_size=2, max_size=60)


def bounds(values: list[float] | np.ndarray, alpha: float) -> tuple[float, float]:
    sample = Sample.of(np.asarray(values))
    return lower_bound(sample, -1.0, alpha), upper_bound(sample, 1.0, alpha)


@pytest.mark.parametrize("images", [8, 64, 256, 100_000])
@pytest.mark.parametrize("alpha", [0.05, 0.0031])
def test_where_no_image_changes_it_is_the_rule_of_three(images: int, alpha: float) -> None:
    low, high = bounds(np.zeros(images), alpha)
    assert high == pytest.approx(1 - alpha ** (1 / images), rel=1e-9)
    assert low == -high


@pytest.mark.parametrize(("lost", "images"), [(1, 8), (3, 16), (1, 64), (20, 64), (255, 256), (7, 10_000)])
@pytest.mark.parametrize("alpha", [0.05, 0.0015])
def test_where_images_lose_all_or_nothing_it_is_clopper_and_pearson(lost: int, images: int, alpha: float) -> None:
    values = np.array([-1.0] * lost + [0.0] * (images - lost))
    expected = scipy.stats.beta.ppf(1 - alpha, lost + 1, images - lost)
    assert lower_bound(Sample.of(values), -1.0, alpha) == pytest.approx(-expected, rel=1e-7)
    assert upper_bound(Sample.of(-values), 1.0, alpha) == pytest.approx(expected, rel=1e-7)


def drawn(values: np.ndarray, alpha: float, draws: int = 200_000) -> float:
    """The quantile by its definition: exponential weights for every image and for the imagined one."""
    weights = np.random.default_rng(0).standard_exponential((len(values) + 1, draws))
    means = np.append(values, -1.0) @ weights / weights.sum(axis=0)
    return float(np.quantile(means, alpha))


@pytest.mark.parametrize("name", ["lattice", "normal", "skewed", "rare loss", "rare gain"])
@pytest.mark.parametrize("images", [8, 50])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_it_is_the_quantile_of_the_randomly_weighted_mean(name: str, images: int, alpha: float) -> None:
    draw = np.random.default_rng(images)
    values = {
        "lattice": draw.integers(-3, 4, images) / 16,
        "normal": draw.normal(0.01, 0.05, images),
        "skewed": -draw.beta(0.1, 2, images),
        "rare loss": np.append(draw.integers(0, 2, images - 1) / 16, -1.0),
        "rare gain": np.append(np.zeros(images - 1), 1.0),
    }[name]
    expected = drawn(values, alpha)
    low, _ = bounds(values, alpha)
    assert low == pytest.approx(expected, abs=0.02 * (values.mean() - expected))


def test_many_images_that_change_a_little_have_the_bound_of_the_normal_law() -> None:
    values = np.random.default_rng(1).normal(0.0, 0.2, 50_000)
    low, high = bounds(values, 0.05)
    reach = 1.645 * values.std() / np.sqrt(len(values))
    np.testing.assert_allclose((low, high), (values.mean() - reach, values.mean() + reach), atol=0.05 * reach)


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES, st.sampled_from([0.2, 0.05, 0.0015]))
def test_it_holds_the_mean_mirrors_and_widens_with_confidence(values: list[float], alpha: float) -> None:
    low, high = bounds(values, alpha)
    assert -1 <= low <= high <= 1
    wider = bounds(values, alpha / 2)
    assert wider[0] < low or low == -1
    assert wider[1] > high or high == 1
    mirrored = bounds([-one for one in values], alpha)
    np.testing.assert_allclose(mirrored, (-high, -low), atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES, st.floats(-0.9, 0.9))
def test_a_limit_is_held_exactly_where_the_probability_below_it_is_small(values: list[float], limit: float) -> None:
    sample = Sample.of(np.array(values))
    probability = probability_below(sample, -1.0, limit)
    low = lower_bound(sample, -1.0, 0.05)
    if abs(low - limit) > 1e-6:
        assert (probability <= 0.05) == (low >= limit)


@settings(max_examples=40, deadline=None)
@given(DIFFERENCES, st.sampled_from([0.1, 0.3]))
def test_a_smaller_largest_change_narrows_it_and_more_of_the_same_images_too(values: list[float], less: float) -> None:
    sample = Sample.of(np.array(values))
    assert lower_bound(sample, -1 + less, 0.05) >= lower_bound(sample, -1.0, 0.05) - 1e-9
    if len(set(values)) == 1:
        assert lower_bound(sample.repeated(4), -1.0, 0.05) >= lower_bound(sample, -1.0, 0.05)


def test_thousands_of_distinct_values_have_the_bound_that_fewer_would_have() -> None:
    values = np.sort(np.random.default_rng(2).normal(0.0, 0.05, 4000))
    pairs = np.repeat(values.reshape(-1, 2).mean(axis=1), 2)  # as good as the same, and few enough to be kept apart
    assert lower_bound(Sample.of(values), -1.0, 0.05) == pytest.approx(
        lower_bound(Sample.of(pairs), -1.0, 0.05), abs=1e-5
    )


def test_equal_values_count_once_with_their_number() -> None:
    sample = Sample.of(np.array([0.5, 0.0, 0.5, -1.0]))
    assert sample.values.tolist() == [-1.0, 0.0, 0.5]
    assert sample.counts.tolist() == [1.0, 1.0, 2.0]
    assert (sample.images, sample.mean) == (4, 0.0)
    assert sample.standard_error == pytest.approx(np.std([0.5, 0.0, 0.5, -1.0], ddof=1) / 2)
