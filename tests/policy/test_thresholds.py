from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from auditor.options.thresholds import Thresholds
from auditor.policy.keys import KEYS
from auditor.policy.thresholds import thresholds

READ = KEYS["compare"].read

EVERYTHING: dict[str, Any] = {
    "min": 0.9,
    "max-absolute-drop": 0.01,
    "max-relative-drop": 0.02,
    "max-jitter-rise": 0.3,
    "largest-change": 0.4,
    "confidence": 0.9,
    "min-images": 100,
    "all-images": True,
    "inconclusive": "fail",
    "require-verify": True,
}


def test_every_threshold_is_read_from_numbers_and_from_text_as_typed() -> None:
    assert set(EVERYTHING) == set(Thresholds.by_key())
    wanted = Thresholds(
        minimum=0.9,
        max_absolute_drop=0.01,
        max_relative_drop=0.02,
        max_jitter_rise=0.3,
        largest_change=0.4,
        confidence=0.9,
        min_images=100,
        all_images=True,
        inconclusive="fail",
        require_verify=True,
    )
    assert thresholds(READ(EVERYTHING)) == wanted
    typed = {key: value if isinstance(value, bool) else str(value) for key, value in EVERYTHING.items()}
    assert thresholds(READ(typed)) == wanted
    jsonschema.validate(EVERYTHING, KEYS["compare"].schema)


def test_two_points_may_be_lost_and_an_image_may_change_wholly_unless_something_else_is_said() -> None:
    assert thresholds({}) == Thresholds(max_absolute_drop=0.02, max_jitter_rise=0.1, largest_change=1.0)
    assert thresholds(READ({"max-relative-drop": 0.01})).max_absolute_drop is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"max-drop": 0.1},
        {"min": "high"},
        {"min": True},
        {"max-absolute-drop": -0.1},
        {"max-absolute-drop": "nan"},
        {"max-relative-drop": 1},
        {"max-jitter-rise": -0.1},
        {"largest-change": 0},
        {"largest-change": 3},
        {"confidence": 1},
        {"confidence": 0.5},
        {"min-images": 0},
        {"min-images": 1.5},
        {"inconclusive": "ignore"},
        {"require-verify": "yes"},
    ],
)
def test_a_threshold_that_makes_no_sense_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|has no key"):
        READ(wrong)
