"""When a measurement is looked at, and the level of a verdict there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from auditor.verify.looks import levels, planned_looks, random_order


def test_the_levels_are_the_published_ones_of_spending_in_proportion_to_the_images() -> None:
    # Lan and DeMets 1983 with alpha * t, one-sided 5 %, five looks at doubling numbers, from another program.
    assert levels((16, 32, 64, 128, 256), 0.05) == pytest.approx((0.0031, 0.0038, 0.0077, 0.0159, 0.0334), abs=1e-4)
    assert levels((1, 2), 0.05) == pytest.approx((0.025, 0.0353), abs=1e-4)
    assert levels((1, 2, 4), 0.05) == pytest.approx((0.0125, 0.0167, 0.0339), abs=1e-4)


@pytest.mark.parametrize("sizes", [(16, 32, 64, 128, 256), (100, 300, 310), (1, 2)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_sums_of_normal_draws_cross_the_levels_in_the_share_of_runs_that_was_asked_for(
    sizes: tuple[int, ...], alpha: float
) -> None:
    draw = np.random.default_rng(5)
    parts = np.diff([0, *sizes])
    sums = np.cumsum(draw.normal(size=(400_000, len(sizes))) * np.sqrt(parts), axis=1)
    scores = sums / np.sqrt(sizes)
    bounds = [_quantile(level) for level in levels(sizes, alpha)]
    crossed = float((scores > bounds).any(axis=1).mean())
    assert crossed == pytest.approx(alpha, abs=4 * math.sqrt(alpha / 400_000))


def _quantile(level: float) -> float:
    low, high = 0.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(middle / math.sqrt(2)) / 2 > level else (low, middle)
    return low


@pytest.mark.parametrize(
    ("most", "least", "sizes"),
    [
        (256, 16, [16, 32, 64, 128, 256]),
        (256, 64, [64, 128, 256]),
        (100, 16, [25, 50, 100]),
        (31, 16, [16, 31]),
        (30, 16, [30]),
        (5, 1, [5]),
        (10_000, 16, [313, 625, 1250, 2500, 5000, 10_000]),
    ],
)
def test_looks_double_up_to_the_most_and_none_is_at_too_few_images(most: int, least: int, sizes: list[int]) -> None:
    looks = planned_looks(most, 0.05, least)
    assert [look.images for look in looks] == sizes
    assert all(look.level <= 0.05 for look in looks)
    assert len(sizes) > 1 or looks[0].level == 0.05


def test_the_order_is_random_the_same_for_a_seed_and_another_for_the_next() -> None:
    order = random_order(256, 0)
    assert sorted(order) == list(range(256))
    assert order == random_order(256, 0)
    assert order != random_order(256, 1)
    assert len(set(order[:16]) & set(range(16))) < 8
