from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.result import Interval
from auditor.verify.statistics import (
    MIN_IMAGES,
    Verdict,
    difference_interval,
    judge,
    mean_interval,
    student_quantile,
)


def shares(draw: np.random.Generator, images: int, mean: float = 0.92, shifts: int = 16) -> np.ndarray:
    """Agreement per image of a model with strongly differing images (Beta with concentration 2)."""
    return draw.binomial(shifts, draw.beta(2 * mean, 2 * (1 - mean), images)) / shifts


def like_models(
    draw: np.random.Generator, images: int, alike: float, drop: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Two equally good models on the same images and shifts; a share ``alike`` of the shifts has the same answer."""
    steady = draw.beta(2 * 0.92, 2 * 0.08, images)[:, None]
    one, two = draw.random((images, 16)), draw.random((images, 16))
    two = np.where(draw.random((images, 16)) < alike, one, two)
    return (one < steady).mean(axis=1), (two < steady - drop).mean(axis=1)


def coverage(images: int, repeats: int) -> float:
    draw = np.random.default_rng(images)
    held = 0
    for seed in range(repeats):
        interval = mean_interval(shares(draw, images), seed=seed)
        assert interval is not None
        held += interval.low <= 0.92 <= interval.high
    return held / repeats


def false_alarms(images: int, alike: float, repeats: int) -> float:
    draw = np.random.default_rng(images)
    alarms = 0
    for seed in range(repeats):
        _, interval = difference_interval(*like_models(draw, images, alike), seed=seed)
        assert interval is not None
        alarms += not interval.low <= 0 <= interval.high
    return alarms / repeats


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # three standard errors of 200 repeats: 4.6 points
    assert 0.904 <= coverage(64, 200) <= 0.996


def test_two_equally_good_models_are_rarely_told_apart() -> None:
    assert 0.004 <= false_alarms(100, 0.7, 200) <= 0.096


@pytest.mark.slow
@pytest.mark.parametrize("images", [32, 64, 128, 256])
def test_the_interval_covers_93_to_97_per_cent(images: int) -> None:
    assert 0.93 <= coverage(images, 2000) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("images", "alike"), [(64, 0.7), (256, 0.7), (256, 0.9), (1000, 0.9)])
def test_the_paired_test_alarms_falsely_in_3_to_7_per_cent(images: int, alike: float) -> None:
    assert 0.03 <= false_alarms(images, alike, 2000) <= 0.07


def test_pairing_narrows_the_difference_several_times() -> None:
    base, new = like_models(np.random.default_rng(0), 256, alike=0.7)
    _, paired = difference_interval(base, new)
    one, two = mean_interval(base), mean_interval(new)
    assert paired is not None
    assert one is not None
    assert two is not None
    unpaired = math.hypot(one.high - one.low, two.high - two.low)
    assert unpaired / (paired.high - paired.low) > 4


def test_a_real_drop_of_two_points_is_seen_with_64_images() -> None:
    draw = np.random.default_rng(5)
    found = 0
    for seed in range(50):
        _, interval = difference_interval(*like_models(draw, 64, alike=0.9, drop=0.02), seed=seed)
        assert interval is not None
        found += interval.high < 0
    assert found > 35


def test_many_alike_values_give_the_interval_of_the_t_test() -> None:
    values = np.random.default_rng(2).normal(0.3, 0.05, 400)
    interval = mean_interval(values)
    assert interval is not None
    expected = scipy.stats.t.interval(0.95, 399, values.mean(), values.std(ddof=1) / 20)
    np.testing.assert_allclose((interval.low, interval.high), expected, rtol=2e-3)
    mean, paired = difference_interval(np.zeros(400), values)
    assert paired is not None
    assert mean == pytest.approx(values.mean())
    np.testing.assert_allclose((paired.low, paired.high), expected, rtol=2e-3)


def test_a_perfect_score_on_few_images_is_no_proof_of_perfection() -> None:
    interval = mean_interval(np.ones(50))
    assert interval is not None
    assert interval.high == 1.0
    # the share of imperfect images that stays unseen in 50 draws with probability 2.5 %
    assert interval.low == pytest.approx(0.025 ** (1 / 50))
    assert (1 - (1 - interval.low)) ** 50 == pytest.approx(0.025)


def test_models_that_never_differ_have_a_difference_of_exactly_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    assert difference_interval(values, values) == (0.0, Interval(0.0, 0.0))


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(0, 1), min_size=MIN_IMAGES, max_size=40),
    confidence=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_the_interval_holds_the_mean_and_stays_possible(values: list[float], confidence: float) -> None:
    interval = mean_interval(np.array(values), confidence)
    assert interval is not None
    assert -1e-12 <= interval.low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= interval.high <= 1 + 1e-12
    assert interval.confidence == confidence


def test_more_confidence_is_wider_and_the_same_seed_is_the_same_interval() -> None:
    values = shares(np.random.default_rng(1), 80)
    wide, narrow = mean_interval(values, 0.99), mean_interval(values, 0.8)
    assert wide is not None
    assert narrow is not None
    assert wide.low < narrow.low < narrow.high < wide.high
    assert mean_interval(values) == mean_interval(values)


def test_images_without_a_value_do_not_count() -> None:
    values = shares(np.random.default_rng(1), 40)
    gaps = np.insert(values, [0, 17], np.nan)
    assert mean_interval(gaps) == mean_interval(values)
    assert mean_interval(np.array([np.nan] * 50)) is None
    assert mean_interval(np.ones(MIN_IMAGES - 1)) is None
    mean, interval = difference_interval(np.array([1.0]), np.array([0.5]))
    assert (mean, interval) == (-0.5, None)


def test_values_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="same images"):
        difference_interval(np.ones(9), np.ones(8))
    with pytest.raises(ValueError, match="infinite"):
        mean_interval(np.array([np.inf] * 9))
    with pytest.raises(ValueError, match="confidence"):
        mean_interval(np.ones(9), confidence=1.0)


@pytest.mark.parametrize(
    ("low", "high", "limit", "better", "verdict"),
    [
        (0.90, 0.94, 0.90, True, Verdict.PASS),
        (0.85, 0.89, 0.90, True, Verdict.FAIL),
        (0.88, 0.93, 0.90, True, Verdict.INCONCLUSIVE),
        (0.02, 0.05, 0.05, False, Verdict.PASS),
        (0.06, 0.09, 0.05, False, Verdict.FAIL),
        (0.04, 0.07, 0.05, False, Verdict.INCONCLUSIVE),
    ],
)
def test_an_interval_passes_fails_or_does_not_decide(
    low: float, high: float, limit: float, better: bool, verdict: Verdict
) -> None:
    assert judge((low + high) / 2, Interval(low, high), limit, 100, better).verdict is verdict


def test_a_draw_says_how_many_images_would_decide_it() -> None:
    # 0.01 above the limit, reaching 0.04 down: the interval must shrink fourfold, so sixteen times the images
    assert judge(0.91, Interval(0.87, 0.93), 0.90, 100).images_needed == pytest.approx(1600, abs=1)
    assert judge(0.09, Interval(0.05, 0.12), 0.10, 100, higher_is_better=False).images_needed == pytest.approx(
        900, abs=1
    )
    assert judge(0.90, Interval(0.87, 0.93), 0.90, 100).images_needed is None
    assert judge(0.90, None, 0.80, 3).verdict is Verdict.INCONCLUSIVE


def test_the_number_of_images_that_would_decide_does() -> None:
    draw = np.random.default_rng(11)
    values = shares(draw, 60, mean=0.9)
    interval = mean_interval(values)
    assert interval is not None
    limit = float(values.mean()) - 0.02
    judgement = judge(float(values.mean()), interval, limit, 60)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.images_needed is not None
    more = np.resize(values, int(1.3 * judgement.images_needed))
    assert judge(float(more.mean()), mean_interval(more), limit, len(more)).verdict is Verdict.PASS


@pytest.mark.parametrize("degrees", [7, 15, 63, 999])
@pytest.mark.parametrize("probability", [0.005, 0.025, 0.1, 0.9])
def test_students_quantile_is_scipys(degrees: int, probability: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(scipy.stats.t.ppf(probability, degrees), rel=1e-3)


def test_many_images_go_over_into_the_t_interval_without_a_step() -> None:
    values = shares(np.random.default_rng(0), 5000)
    few, many = mean_interval(values[:-1]), mean_interval(values)
    assert few is not None
    assert many is not None
    np.testing.assert_allclose((few.low, few.high), (many.low, many.high), atol=5e-4)
    _, short = difference_interval(values[:-1], values[:-1] ** 2)
    _, long = difference_interval(values, values**2)
    assert short is not None
    assert long is not None
    np.testing.assert_allclose((short.low, short.high), (long.low, long.high), atol=5e-4)
