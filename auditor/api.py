"""The public functions, as :mod:`auditor` exports them."""

from __future__ import annotations

import os
from pathlib import Path

from auditor.acceptance import settle
from auditor.audit import ModelFile, audit, load_rules
from auditor.policy.baseline import load
from auditor.policy.settings import Settings
from auditor.report.model import ModelReport


def check(path: str | os.PathLike[str], *, settings: Settings | None = None) -> ModelReport:
    """Audit one ONNX file without running it.

    Only ``settings`` count: no settings file and no environment variable is read. Nothing is printed. Findings stand
    worst first; a model is clean when there are none, and what could not be followed is in ``analysis.untracked``.
    Findings that a waiver or the baseline of the settings accepts are in ``accepted``.

    Args:
        path: The model file. Weights in other files are not read.
        settings: Rules, options, input shapes, limits and policy; the defaults run every stable built-in rule.

    Raises:
        ModelFileError: The file cannot be read, is no ONNX model, or exceeds the limits.
        SettingsError: The settings name rules or options that do not exist, a rule pack or a baseline that cannot be
            used, or waivers that may have expired without the day to judge that.
    """
    settings = settings or Settings()
    rules = load_rules(settings)
    baseline = load(settings.baseline) if settings.baseline is not None else None
    file = ModelFile(Path(path), Path(path).as_posix())
    (outcome,) = settle([audit(file, rules, settings)], rules, settings, baseline)
    assert outcome.report is not None  # a fault of a rule is raised here, not collected
    return outcome.report
