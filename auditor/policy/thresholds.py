"""The thresholds of a comparison, from the table ``compare`` of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.options.thresholds import Thresholds

# At a drop of two points allowed, the least number with which a model that changed no answer surely passes is 149.
COMPARED_IMAGES = 256


def thresholds(values: Mapping[str, Any]) -> Thresholds:
    """The thresholds that checked values by key make. A relative drop alone replaces the default absolute one."""
    held = Thresholds.from_keys(values)
    if "max_relative_drop" in held.given and "max_absolute_drop" not in held.given:
        return held.but(max_absolute_drop=None)
    return held
