from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.interval import Interval
from auditor.verify.statistics import (
    MIN_IMAGES,
    Needed,
    difference_interval,
    images_needed,
    images_needed_unbounded,
    judge,
    judge_mean,
    mean_interval,
    ratio_interval,
    student_quantile,
    twice_the_largest,
    unseen_share,
)
from auditor.verify.verdict import Verdict


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
    for _ in range(repeats):
        interval = mean_interval(shares(draw, images))
        assert interval is not None
        held += interval.low <= 0.92 <= interval.high
    return held / repeats


def false_alarms(images: int, alike: float, repeats: int) -> float:
    draw = np.random.default_rng(images)
    alarms = 0
    for _ in range(repeats):
        _, interval = difference_interval(*like_models(draw, images, alike))
        assert interval is not None
        alarms += not interval.low <= 0 <= interval.high
    return alarms / repeats


def test_the_interval_covers_the_truth_at_least_as_often_as_it_says() -> None:
    assert coverage(64, 200) >= 0.904  # three standard errors of 200 repeats: 4.6 points


def test_two_equally_good_models_are_rarely_told_apart() -> None:
    assert false_alarms(100, 0.7, 200) <= 0.096


@pytest.mark.slow
@pytest.mark.parametrize("images", [32, 64, 128, 256])
def test_the_interval_covers_at_least_95_per_cent(images: int) -> None:
    assert coverage(images, 2000) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.slow
@pytest.mark.parametrize(("images", "alike"), [(64, 0.7), (256, 0.7), (256, 0.9), (1000, 0.9)])
def test_the_paired_test_alarms_falsely_in_at_most_5_per_cent(images: int, alike: float) -> None:
    assert false_alarms(images, alike, 2000) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_pairing_narrows_the_difference_several_times() -> None:
    base, new = like_models(np.random.default_rng(0), 1024, alike=0.7)
    _, paired = difference_interval(base, new)
    one, two = mean_interval(base), mean_interval(new)
    assert paired is not None
    assert one is not None
    assert two is not None
    unpaired = math.hypot(one.high - one.low, two.high - two.low)
    assert unpaired / (paired.high - paired.low) > 2.5


def test_a_real_drop_of_five_points_is_seen_with_128_images() -> None:
    draw = np.random.default_rng(5)
    seen = 0
    for _ in range(50):
        _, interval = difference_interval(*like_models(draw, 128, alike=0.9, drop=0.05))
        assert interval is not None
        seen += interval.high < 0
    assert seen > 45


def test_many_alike_values_give_the_interval_of_the_t_test() -> None:
    values = np.random.default_rng(2).normal(0.3, 0.05, 400)
    interval = mean_interval(values, bounds=None)
    assert interval is not None
    expected = scipy.stats.t.interval(0.95, 399, values.mean(), values.std(ddof=1) / 20)
    np.testing.assert_allclose((interval.low, interval.high), expected, rtol=2e-3)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("images", [8, 20])
def test_without_bounds_it_is_the_bootstrap_t_with_one_image_of_the_whole_sample_in_every_variance(
    images: int, seed: int
) -> None:
    values = np.random.default_rng(images).lognormal(0, 1, images)
    picks = np.random.default_rng(seed).integers(images, size=(2000, images))
    ratios = []
    for pick in picks:
        resample = values[pick]
        degrees = [resample.var(ddof=1)] * (images - 1) + [values.var(ddof=1)]
        ratios.append((resample.mean() - values.mean()) / math.sqrt(sum(degrees) / images))
    lower, upper = np.quantile(ratios, [0.05, 0.95])
    spread = values.std(ddof=1)
    interval = mean_interval(values, 0.9, bounds=None, seed=seed)
    assert interval is not None
    expected = values.mean() - upper * spread, values.mean() - lower * spread
    np.testing.assert_allclose((interval.low, interval.high), expected, rtol=1e-9)
    assert mean_interval(np.full(images, 3.5), 0.9, bounds=None) == Interval(3.5, 3.5, 0.9)


def test_a_perfect_score_on_few_images_is_no_proof_of_perfection() -> None:
    interval = mean_interval(np.ones(50))
    assert interval is not None
    assert interval.high == 1.0
    # the share of imperfect images that stays unseen in 50 draws with probability 2.5 %
    assert interval.low == pytest.approx(0.025 ** (1 / 50))
    assert (1 - (1 - interval.low)) ** 50 == pytest.approx(0.025)


@pytest.mark.parametrize(("images", "points"), [(8, 31.2), (16, 17.1), (32, 8.9), (64, 4.6), (128, 2.3), (256, 1.2)])
def test_models_that_never_differ_may_still_differ_where_nobody_looked(images: int, points: float) -> None:
    values = np.random.default_rng(0).random(images)
    difference, interval = difference_interval(values, values, 0.9)
    assert difference == 0
    assert interval is not None
    assert 100 * interval.high == pytest.approx(points, abs=0.05)
    assert interval.low == -interval.high
    assert unseen_share(images, 0.05) == pytest.approx(interval.high)


def test_a_stated_largest_change_narrows_the_interval_and_the_largest_one_seen_may_take_its_place() -> None:
    base = np.full(64, 0.5)
    new = base + np.tile([0.0, 0.0, 0.1, -0.1], 16)
    spans = [difference_interval(base, new, 0.9, largest)[1] for largest in (1.0, 0.5, None)]
    widths = [span.high - span.low for span in spans if span is not None]
    assert widths == sorted(widths, reverse=True)
    seen = difference_interval(base, new, 0.9, 0.2)[1]
    assert spans[2] is not None
    assert seen is not None
    assert (spans[2].low, spans[2].high) == pytest.approx((seen.low, seen.high), abs=1e-12)
    assert difference_interval(base, base, 0.9, None) == difference_interval(base, base, 0.9, 1.0)
    assert twice_the_largest(np.array([0.0, -0.7])) == 1.0
    assert twice_the_largest(np.array([1.5])) == 1.5


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
    assert judge(Interval(low, high), limit, better) is verdict
    assert judge(None, limit, better) is Verdict.INCONCLUSIVE


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.sampled_from([-1.0, -0.1, 0.0, 0.1, 1.0]), min_size=MIN_IMAGES, max_size=60),
    limit=st.floats(-0.9, 0.9),
)
def test_the_verdict_on_a_mean_is_that_of_its_interval(values: list[float], limit: float) -> None:
    _, interval = difference_interval(np.zeros(len(values)), np.array(values), 0.9)
    assert interval is not None
    if min(abs(interval.low - limit), abs(interval.high - limit)) > 1e-6:
        assert judge_mean(np.array(values), limit, 0.05, (-1.0, 1.0)) is judge(interval, limit)


@pytest.mark.parametrize(("allowed", "images"), [(0.005, 598), (0.01, 299), (0.02, 149), (0.05, 59)])
def test_where_no_image_changes_the_number_for_a_pass_is_exact(allowed: float, images: int) -> None:
    assert images_needed(np.zeros(16), -allowed, 0.05, (-1.0, 1.0)) == Needed(images, images)
    assert judge_mean(np.zeros(images), -allowed, 0.05, (-1.0, 1.0)) is Verdict.PASS
    assert judge_mean(np.zeros(images - 1), -allowed, 0.05, (-1.0, 1.0)) is Verdict.INCONCLUSIVE


def test_where_nothing_may_be_lost_no_number_of_images_passes_what_never_changed() -> None:
    assert images_needed(np.zeros(64), 0.0, 0.05, (-1.0, 1.0)) is None
    assert images_needed(np.zeros(64), -1e-6, 0.05, (-1.0, 1.0)) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sample_that_often_decides_and_one_time_fewer_does_not(sign: int) -> None:
    values = sign * np.tile([0.0, 0.0, 0.0, 0.0, 0.0, 0.1, -0.1, 0.0], 4)
    limit = -0.02 * sign
    needed = images_needed(values, limit, 0.05, (-1.0, 1.0))
    assert needed is not None
    assert needed.high == 2 * needed.low
    times = needed.low // len(values)
    assert judge_mean(np.tile(values, times), limit, 0.05, (-1.0, 1.0)) is (Verdict.PASS if sign > 0 else Verdict.FAIL)
    assert judge_mean(np.tile(values, times - 1), limit, 0.05, (-1.0, 1.0)) is Verdict.INCONCLUSIVE


def test_a_difference_about_as_large_as_what_is_allowed_has_no_number() -> None:
    values = np.tile([0.1, -0.1], 32)
    error = values.std(ddof=1) / 8
    assert images_needed(values, -0.99 * error, 0.05, (-1.0, 1.0)) is None
    assert images_needed(values, 0.99 * error, 0.05, (-1.0, 1.0)) is None
    assert images_needed(values, -1.01 * error, 0.05, (-1.0, 1.0)) is not None


def test_more_than_a_hundred_thousand_images_is_no_practical_number() -> None:
    values = np.append(np.zeros(9999), 1e-9)
    assert images_needed(values, -2e-5, 0.05, (-1.0, 1.0)) is None
    assert images_needed(values, -1e-4, 0.05, (-1.0, 1.0)) is not None


def test_without_bounds_the_interval_shrinks_with_the_root_of_the_number_of_images() -> None:
    values = np.tile([0.05, -0.05], 50) + 0.02
    reach = 0.04
    interval = Interval(0.02 - reach, 0.02 + reach)
    # the margin is half of the reach: four times the images
    below = images_needed_unbounded(values, 0.0, interval)
    assert below is not None
    assert abs(below.low - 400) <= 1
    assert below.high == 2 * below.low
    above = images_needed_unbounded(values, 0.04, interval)
    assert above is not None
    assert abs(above.low - 400) <= 1  # where the limit lies above
    assert images_needed_unbounded(values, 0.019, interval) is None  # within one standard error


def test_the_ratio_of_jitter_is_students_interval_of_the_logarithms() -> None:
    draw = np.random.default_rng(4)
    base = draw.lognormal(0, 1, 40)
    new = base * draw.lognormal(math.log(1.2), 0.3, 40)
    base[:3] = new[:2] = 0.0
    ratio, interval = ratio_interval(base, new, 0.9)
    logs = np.log((new + 0.01) / (base + 0.01))
    assert interval is not None
    assert ratio == pytest.approx(scipy.stats.gmean((new + 0.01) / (base + 0.01)))
    expected = np.exp(scipy.stats.t.interval(0.9, 39, logs.mean(), scipy.stats.sem(logs)))
    np.testing.assert_allclose((interval.low, interval.high), expected, rtol=1e-4)
    turned, backwards = ratio_interval(new, base, 0.9)
    assert backwards is not None
    np.testing.assert_allclose(
        (turned, backwards.low, backwards.high), (1 / ratio, 1 / interval.high, 1 / interval.low)
    )


def test_a_ratio_of_few_images_has_no_interval_and_one_of_none_no_value() -> None:
    assert ratio_interval(np.ones(MIN_IMAGES - 1), np.ones(MIN_IMAGES - 1)) == (1.0, None)
    value, interval = ratio_interval(np.array([np.nan]), np.array([1.0]))
    assert math.isnan(value)
    assert interval is None


@pytest.mark.parametrize("degrees", [7, 15, 63, 999])
@pytest.mark.parametrize("probability", [0.005, 0.025, 0.1, 0.9])
def test_students_quantile_is_scipys(degrees: int, probability: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(scipy.stats.t.ppf(probability, degrees), rel=1e-3)


@pytest.mark.parametrize("probability", [0.1, 0.9, 0.975])
def test_students_quantile_is_scipys_to_six_digits_from_fifteen_degrees_on(probability: float) -> None:
    assert student_quantile(probability, 15) == pytest.approx(scipy.stats.t.ppf(probability, 15), rel=1e-6)


def test_many_images_go_over_into_the_t_interval_without_a_step() -> None:
    values = shares(np.random.default_rng(0), 5000)
    few, many = mean_interval(values[:-1], bounds=None), mean_interval(values, bounds=None)
    assert few is not None
    assert many is not None
    np.testing.assert_allclose((few.low, few.high), (many.low, many.high), atol=5e-4)
