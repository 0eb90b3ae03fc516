"""Two models on the same pictures, one of which reads more of them: a grid lock needs room around its window.

Its file says by how much; the windows of the other model then lie in the middle of its own, at the same scale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.graph import Model
from auditor.verify.settings import VerifySettings

_REWRITES = "aliasaudit.fix"
_MOST = 4096  # pixels: no rewrite asks for more room


def larger_by(metadata: Mapping[str, str]) -> int:
    """The pixels that a model reads on each side of what its network sees, as its rewrites recorded it."""
    total = 0
    for key, value in metadata.items():
        if not key.startswith(_REWRITES):
            continue
        try:
            entry = json.loads(value)
            fed, window = entry["fed"][0], entry["window"][0]
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            continue
        if isinstance(fed, int) and isinstance(window, int) and 0 <= fed - window <= 2 * _MOST:
            total += (fed - window) // 2
    return total


def beside(settings: VerifySettings, model: Model, other: Path | None) -> VerifySettings:
    """The settings for a model that is measured beside another one, which may read more of the same pictures."""
    return replace(settings, surround=max(_apart(model, other), 0))


def beside_reference(settings: VerifySettings, model: Model) -> VerifySettings:
    """The settings for a model and its reference, either of which may read more of the same pictures."""
    if settings.reference is None:
        return settings
    apart = _apart(model, settings.reference)
    reading = replace(settings.reference_reading, surround=max(-apart, 0))
    return replace(settings, surround=max(apart, settings.surround), reference_reading=reading)


def _apart(model: Model, other: Path | None) -> int:
    """The pixels per side that the other model reads more; a file that cannot be read is somebody else's to refuse."""
    if other is None:
        return 0
    try:
        theirs = read_model(other).metadata
    except ModelFileError:
        return 0
    return larger_by(theirs) - larger_by(model.metadata)
