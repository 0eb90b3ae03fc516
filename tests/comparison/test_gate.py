"""The gate is as seldom wrong as it says: verdicts over many sets of images with a known true difference."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from auditor.options.thresholds import Thresholds
from auditor.verify.statistics import images_needed, judge_mean
from auditor.verify.verdict import Verdict
from tests.comparison.gate import (
    ALPHA,
    NOTHING_CHANGES,
    SIZES,
    TRUTHS,
    Truth,
    error_rows,
    errors,
    jitter,
    power_rows,
    rare,
    rates,
    sequence,
    sequence_error_row,
    sequence_rows,
    stand_in,
    through_the_gate,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate.md"


def at_most(rate: float, runs: int) -> float:
    """What the share of the runs may reach where the true one is at most ``rate``: three standard errors above."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / runs)


@pytest.mark.parametrize(
    ("truth", "images"),
    [
        (rare((0.02, -1.0)), 64),
        (rare((0.01, -1.0), (0.05, -0.1)), 64),
        (rare((0.02, 1.0)), 128),
        (stand_in(0.02), 64),
    ],
    ids=lambda value: value.name if isinstance(value, Truth) else str(value),
)
def test_at_a_drop_of_exactly_what_is_allowed_both_errors_are_rare(truth: Truth, images: int) -> None:
    found = errors(truth, images, 300)
    assert found.passed <= at_most(ALPHA, 300)
    assert found.failed <= at_most(ALPHA, 300)


def test_a_few_images_that_lose_all_are_not_passed_because_no_sampled_one_is_among_them() -> None:
    # Two points lost where half a point is allowed: every second sample of 32 images shows nothing of it.
    assert through_the_gate(32, 0.0, Thresholds(max_absolute_drop=0.005), 50).passed == 0
    assert rates(rare((0.02, -1.0)), 32, -0.005, 300).passed == 0


def test_alike_models_pass_and_a_large_loss_fails_with_the_images_that_a_comparison_takes() -> None:
    assert through_the_gate(256, 0.0, Thresholds(), 60).passed >= 0.85
    assert through_the_gate(256, 0.05, Thresholds(), 60).failed >= 0.9
    assert through_the_gate(64, 0.1, Thresholds(), 60).failed >= 0.85


@pytest.mark.parametrize(
    "truth", [rare((0.02, -1.0)), rare((0.01, -1.0), (0.05, -0.1)), stand_in(0.02)], ids=lambda truth: truth.name
)
def test_looking_while_a_run_goes_on_errs_no_more_often_than_the_gate_says(truth: Truth) -> None:
    found = sequence(truth, truth.mean, 300).rates
    assert found.passed <= at_most(ALPHA, 300)
    assert found.failed <= at_most(ALPHA, 300)


def test_a_large_loss_ends_a_run_early_and_what_is_surely_alike_passes_as_with_all_images() -> None:
    # The averages of an independent simulation of the same schedule.
    assert sequence(stand_in(0.1), -0.005, 100).images == pytest.approx(78, abs=8)
    assert sequence(stand_in(0.05), -0.005, 100).images == pytest.approx(144, abs=15)
    assert sequence(rare((0.2, -1.0)), -0.005, 100).images == pytest.approx(60, abs=8)
    unchanged = sequence(NOTHING_CHANGES, -0.05, 2)
    assert (unchanged.images, unchanged.rates.passed) == (128, 1)


def test_more_confidence_is_fewer_verdicts() -> None:
    usual, sure = (through_the_gate(256, 0.03, Thresholds(confidence=one), 60) for one in (0.9, 0.999))
    assert sure.open > usual.open


@pytest.mark.parametrize(("spread", "ratio"), [(1.0, 0.3), (1.5, 0.7)])
def test_jitter_at_exactly_the_allowed_rise_is_rarely_passed_or_failed(spread: float, ratio: float) -> None:
    found = jitter(64, spread, ratio, 0.1, 400)
    assert found.passed <= at_most(ALPHA, 400)
    assert found.failed <= at_most(ALPHA, 400)


@pytest.mark.slow
@pytest.mark.parametrize("images", [32, 64, 256])
@pytest.mark.parametrize(("spread", "ratio"), [(1.0, 0.3), (1.5, 0.7)])
def test_jitter_errs_in_about_one_run_of_twenty_each_way(images: int, spread: float, ratio: float) -> None:
    found = jitter(images, spread, ratio, 0.1, 2000, seed=1)
    for rate in (found.passed, found.failed):
        assert 0.03 <= rate <= at_most(ALPHA, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_no_truth_makes_a_run_that_is_looked_at_wrong_in_more_than_one_of_twenty(truth: Truth) -> None:
    found = sequence(truth, truth.mean, 2000, seed=1).rates
    assert found.passed <= at_most(ALPHA, 2000)
    assert found.failed <= at_most(ALPHA, 2000)


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "ratio"), [(1.0, 0.3), (1.5, 0.7)])
def test_jitter_that_is_looked_at_errs_in_at_most_one_run_of_twenty_each_way(spread: float, ratio: float) -> None:
    found = jitter(256, spread, ratio, 0.1, 2000, seed=1, looks=True)
    assert max(found.passed, found.failed) <= at_most(ALPHA, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("images", SIZES)
@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_no_truth_makes_the_gate_wrong_in_more_than_one_run_of_twenty(truth: Truth, images: int) -> None:
    found = errors(truth, images, 1000, seed=1)
    assert found.passed <= at_most(ALPHA, 1000)
    assert found.failed <= at_most(ALPHA, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("drop", [0.0, 0.05])
def test_twice_the_number_of_images_that_would_decide_mostly_does(drop: float) -> None:
    draw = np.random.default_rng(3)
    truth, bounds = stand_in(drop), (-1.0, 1.0)
    decided: list[bool] = []
    while len(decided) < 100:
        values = truth.draw(draw, 64)
        if judge_mean(values, -0.02, ALPHA, bounds) is not Verdict.INCONCLUSIVE:
            continue
        needed = images_needed(values, -0.02, ALPHA, bounds)
        if needed is not None and needed.high <= 20_000:
            again = truth.draw(draw, needed.high)
            decided.append(judge_mean(again, -0.02, ALPHA, bounds) is not Verdict.INCONCLUSIVE)
    assert sum(decided) >= 93


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows", [error_rows(2000), power_rows(500), sequence_rows(500)], ids=["errors", "power", "looks"]
)
def test_the_tables_in_the_documentation_are_those_of_the_gate(rows: Iterator[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for row in rows:
        assert re.search(f"^{re.escape(row)}$", page, re.MULTILINE), "run: python -m tests.comparison.gate"


@pytest.mark.slow
def test_the_errors_over_all_looks_in_the_documentation_are_those_of_the_gate() -> None:
    assert sequence_error_row(2000) in PAGE.read_text(encoding="utf-8"), "run: python -m tests.comparison.gate"
