"""The public functions, as :mod:`auditor` exports them."""

from __future__ import annotations

import os
from pathlib import Path

from auditor.audit import ModelFile, audit, load_rules
from auditor.policy.settings import Settings
from auditor.report.model import ModelReport


def check(path: str | os.PathLike[str], *, settings: Settings | None = None) -> ModelReport:
    """Audit one ONNX file without running it.

    Only ``settings`` count: no settings file and no environment variable is read. Nothing is printed. Findings stand
    worst first; a model is clean when there are none, and what could not be followed is in ``analysis.untracked``.

    Args:
        path: The model file. Weights in other files are not read.
        settings: Rules, options, input shapes and limits; the defaults run every stable built-in rule.

    Raises:
        ModelFileError: The file cannot be read, is no ONNX model, or exceeds the limits.
        SettingsError: The settings name rules or options that do not exist, or a rule pack that cannot be used.
    """
    settings = settings or Settings()
    file = ModelFile(Path(path), Path(path).as_posix())
    report = audit(file, load_rules(settings), settings).report
    assert report is not None  # a fault of a rule is raised here, not collected
    return report
