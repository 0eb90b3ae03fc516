"""The gate is as often wrong as it says: verdicts over many sets of images with a known true difference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from auditor.policy.thresholds import Thresholds
from tests.comparison.gate import SIZES, rows, simulate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate.md"


def test_without_a_change_few_runs_fail_and_a_drop_of_two_points_is_mostly_seen() -> None:
    strict = Thresholds(max_absolute_drop=0.0)
    null = simulate(64, 16, 0.0, strict, 400)
    assert 0.02 <= null.failed <= 0.08  # 5 % stated; 400 runs know it to about two points
    drop = simulate(64, 16, 0.02, strict, 200)
    assert drop.failed >= 0.75
    assert drop.passed <= 0.02


def test_a_drop_of_exactly_what_is_allowed_is_as_seldom_passed_as_failed() -> None:
    found = simulate(64, 16, 0.02, Thresholds(max_absolute_drop=0.02), 400)
    assert found.passed <= 0.09
    assert found.failed <= 0.09
    assert found.open >= 0.82


def test_more_confidence_is_fewer_false_alarms() -> None:
    sure = simulate(64, 16, 0.0, Thresholds(max_absolute_drop=0.0, confidence=0.99), 400)
    assert sure.failed <= 0.03


@pytest.mark.slow
@pytest.mark.parametrize(("images", "shifts"), [*SIZES, (64, 64), (256, 4)])
def test_false_alarms_stay_between_three_and_seven_in_a_hundred(images: int, shifts: int) -> None:
    found = simulate(images, shifts, 0.0, Thresholds(max_absolute_drop=0.0), 2000, seed=1)
    assert 0.03 <= found.failed <= 0.07


@pytest.mark.slow
def test_the_power_in_the_documentation_is_that_of_the_gate() -> None:
    stated = re.findall(r"^\| \d+ \|.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert stated == [*rows(2000)][2:]
