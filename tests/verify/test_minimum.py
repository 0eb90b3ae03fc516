"""Whether a model holds a minimum, looked at while it is measured: how often that verdict is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from auditor.options.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.errors import DataError
from auditor.verify.looks import planned_looks
from auditor.verify.minimum import minimum, required
from auditor.verify.result import Measure
from auditor.verify.verdict import Looks, Verdict
from tests.rules.test_measured_rules import measure, measurement

CONSISTENCY = Measure("consistency", 0.0, None, "share", True, ())
MAC = Measure("mac", 0.0, None, "probability", False, ())

Draw = Callable[[np.random.Generator], FloatArray]


def pairs(mean: float, pairs_of_image: int = 8) -> Draw:
    """The share of eight pairs of each image, whose own rates differ from image to image."""

    def draw(generator: np.random.Generator) -> FloatArray:
        rates = generator.beta(2 * mean, 2 * (1 - mean), 128)
        return generator.binomial(pairs_of_image, rates) / pairs_of_image

    return draw


def rare(share: float) -> Draw:
    """Few images lose everything and the others nothing: what a small sample does not show."""
    return lambda generator: (generator.random(128) >= share).astype(np.float64)


def verdict(values: FloatArray, shown: Measure, limit: float) -> tuple[Verdict, int]:
    """The verdict at the first look that has one, of six at most, and its images."""
    held = Thresholds(minimum=limit)
    for look in planned_looks(len(values), 0.05):
        (condition,) = minimum(values[: look.images], shown, held, look.level)
        if condition.verdict is not Verdict.INCONCLUSIVE:
            return condition.verdict, look.images
    return Verdict.INCONCLUSIVE, len(values)


@pytest.mark.slow  # twenty seconds: 500 runs of each truth
@pytest.mark.parametrize(
    ("draw", "truth", "shown"),
    [
        (pairs(0.9), 0.9, CONSISTENCY),
        (pairs(0.6), 0.6, CONSISTENCY),
        (rare(0.04), 0.96, CONSISTENCY),
        (rare(0.5), 0.5, CONSISTENCY),
        (pairs(0.1), 0.1, MAC),
    ],
)
def test_over_all_looks_at_most_one_run_in_twenty_is_a_false_alarm_or_a_false_pass(
    draw: Draw, truth: float, shown: Measure
) -> None:
    generator, runs = np.random.default_rng(11), 500
    found = [verdict(draw(generator), shown, truth)[0] for _ in range(runs)]
    # The model is exactly as good as was asked, which is where each of the two errors is most frequent.
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found.count(Verdict.FAIL) / runs <= most
    assert found.count(Verdict.PASS) / runs <= most


def test_a_model_far_from_the_limit_is_judged_on_a_few_images_from_either_side() -> None:
    generator = np.random.default_rng(3)
    good, bad = pairs(0.97)(generator), pairs(0.4)(generator)
    assert verdict(bad, CONSISTENCY, 0.9)[0] is Verdict.FAIL
    assert verdict(bad, CONSISTENCY, 0.9)[1] <= 32
    assert verdict(good, CONSISTENCY, 0.8)[0] is Verdict.PASS
    assert verdict(good, CONSISTENCY, 0.8)[1] <= 64
    assert verdict(good, CONSISTENCY, 0.97)[0] is Verdict.INCONCLUSIVE


def test_of_a_measure_that_should_be_low_the_limit_is_the_most() -> None:
    generator = np.random.default_rng(4)
    values = pairs(0.1)(generator)
    assert verdict(values, MAC, 0.4)[0] is Verdict.PASS
    assert verdict(values, MAC, 0.01)[0] is Verdict.FAIL


def test_what_was_asked_is_read_at_the_level_of_the_look() -> None:
    found = measurement(_shares([0.875] * 40 + [1.0] * 24))
    plain = required(found, Thresholds(minimum=0.86))
    assert plain is not None
    assert (plain.measure, plain.images, plain.condition.verdict) == ("consistency", 64, Verdict.PASS)
    looks = Looks((64, 128), 1, 0.001, 0.05)
    strict = required(found, Thresholds(minimum=0.86), looks)
    assert strict is not None
    assert strict.condition.verdict is Verdict.INCONCLUSIVE
    assert strict.looks == looks


def test_without_a_minimum_nothing_is_asked_and_without_a_measure_nothing_is_held() -> None:
    assert required(measurement(measure("consistency", 0.9)), Thresholds()) is None
    with pytest.raises(DataError, match="--fail-under"):
        required(measurement(measure("mac", 0.1)), Thresholds(minimum=0.9))


def _shares(values: list[float]) -> Measure:
    return Measure("consistency", float(np.mean(values)), None, "share", True, tuple(values))
