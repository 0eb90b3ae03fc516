"""How much worse a measured value may get: the table ``compare`` of the settings, in the words of MLflow.

    [tool.aliasaudit.compare]
    min = 0.9
    max-absolute-drop = 0.02
    confidence = 0.95
    inconclusive = "warn"
    require-verify = true

A drop is a change for the worse: of a measure that should be low, it is a rise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from auditor.choices import suggestion


class Inconclusive(str, Enum):
    """What a verdict means that more images would decide."""

    FAIL = "fail"
    WARN = "warn"
    PASS = "pass"


# At a drop of two points allowed, the least number with which a model that changed no answer surely passes is 149.
COMPARED_IMAGES = 256


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a model that replaces another must hold.

    ``minimum`` is the least value of a measure that should be high, or the largest of one that should be low.
    ``max_absolute_drop`` is in the measure's unit, ``max_relative_drop`` a share of the base's value,
    ``max_jitter_rise`` a share of the typical jitter in pixels, which has no largest value; None: not asked.
    ``largest_change`` states how much one image's value can change; None takes twice the largest change seen, which is
    no proof and not for a gate. ``confidence`` is that of a verdict: at a true change of exactly the allowed drop,
    at most one in twenty runs fails (or passes) at 0.95. Fewer than ``min_images`` decide nothing. ``require_verify``:
    without a measurement the comparison is incomplete.
    """

    minimum: float | None = None
    max_absolute_drop: float | None = 0.02
    max_relative_drop: float | None = None
    max_jitter_rise: float | None = 0.1
    largest_change: float | None = 1.0
    confidence: float = 0.95
    min_images: int = 32
    inconclusive: Inconclusive = Inconclusive.WARN
    require_verify: bool = False


def thresholds(values: Mapping[str, Any]) -> Thresholds:
    """The thresholds that checked values by key make. A relative drop alone replaces the default absolute one."""
    given = {_FIELDS[key]: value for key, value in values.items()}
    if "max_relative_drop" in given and "max_absolute_drop" not in given:
        given["max_absolute_drop"] = None
    return Thresholds(**given)


def read_thresholds(value: object) -> dict[str, Any]:
    """Checked values by key; numbers may be text, as on a command line.

    Raises:
        ValueError: A key is unknown or a value is not what its key takes.
    """
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return {key: _value(key, one) for key, one in value.items()}


def _value(key: str, value: object) -> Any:
    if key not in THRESHOLDS:
        raise ValueError(f'has no key "{key}"{suggestion(key, THRESHOLDS)}')
    if key == "require-verify":
        if not isinstance(value, bool):
            raise ValueError(f"needs true or false for {key}")
        return value
    if key == "inconclusive":
        known = [one.value for one in Inconclusive]
        if value not in known:
            raise ValueError(f"needs one of {', '.join(known)} for {key}")
        return Inconclusive(value)
    if key == "min-images":
        number = _number(value)
        if number is None or number < 1 or number != int(number):
            raise ValueError(f"needs a whole number of 1 or more for {key}")
        return int(number)
    low, high, words = _RANGES[key]
    number = _number(value)
    if number is None or not low <= number < high:
        raise ValueError(f"needs {words} for {key}")
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


_INFINITY = float("inf")
_RANGES: Mapping[str, tuple[float, float, str]] = {
    "min": (-_INFINITY, _INFINITY, "a number"),
    "max-absolute-drop": (0.0, _INFINITY, "a number of 0 or more, such as 0.02 for two points"),
    "max-relative-drop": (0.0, 1.0, "a share such as 0.01"),
    "max-jitter-rise": (0.0, _INFINITY, "a share of 0 or more, such as 0.1"),
    "largest-change": (1e-6, 2.000001, "a number above 0, at most 2"),
    "confidence": (0.75, 1.0, "a number from 0.75 to below 1"),
}
_FIELDS: Mapping[str, str] = {
    "min": "minimum",
    "max-absolute-drop": "max_absolute_drop",
    "max-relative-drop": "max_relative_drop",
    "max-jitter-rise": "max_jitter_rise",
    "largest-change": "largest_change",
    "confidence": "confidence",
    "min-images": "min_images",
    "inconclusive": "inconclusive",
    "require-verify": "require_verify",
}
THRESHOLDS: Mapping[str, str] = {
    "min": "Least value of the new model. The largest for a measure that should be low.",
    "max-absolute-drop": "Allowed drop in its unit. Against the base. [default: 0.02]",
    "max-relative-drop": "The same as a share of the base. It replaces the default absolute drop.",
    "max-jitter-rise": "Allowed rise of box jitter. A share of the base's typical one. [default: 0.1]",
    "largest-change": "Most that one image can change. As far as you know. [default: 1]",
    "confidence": "Confidence level of the verdict. [default: 0.95]",
    "min-images": "Fewer images decide nothing. [default: 32]",
    "inconclusive": "What an undecided comparison is. `fail` requires a verdict. [default: warn]",
    "require-verify": "Exit with 3 without a measurement.",
}


def thresholds_schema() -> dict[str, Any]:
    """The JSON Schema of the table."""
    kinds: dict[str, Any] = {key: {"type": "number"} for key in _RANGES}
    kinds["min-images"] = {"type": "integer", "minimum": 1}
    kinds["inconclusive"] = {"enum": [one.value for one in Inconclusive]}
    kinds["require-verify"] = {"type": "boolean"}
    return {
        "type": "object",
        "properties": {name: {"description": meaning, **kinds[name]} for name, meaning in THRESHOLDS.items()},
        "additionalProperties": False,
    }
