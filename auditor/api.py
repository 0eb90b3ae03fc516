"""The public functions, as :mod:`auditor` exports them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.acceptance import settle
from auditor.audit import Measure, ModelFile, audit, examine, load_rules
from auditor.comparison.run import compare as compare_examined
from auditor.policy.baseline import load
from auditor.policy.settings import Settings
from auditor.report.model import ModelReport
from auditor.verify.errors import VerifyError

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Model
    from auditor.sampling.result import Analysis
    from auditor.verify.result import Verification


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


def compare(
    base: str | os.PathLike[str],
    new: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    verify: Mapping[str, object] | None = None,
) -> ModelReport:
    """Compare a model with the one that it is to replace.

    The report is that of ``new``: ``findings`` are what got worse, ``accepted`` what the base has too, ``comparison``
    what changed. Only ``settings`` count; nothing is printed.

    Args:
        base: The model that is there.
        new: The model to replace it.
        settings: As for :func:`check`; its ``compare`` holds the thresholds of a measured difference.
        verify: The options of a measurement by name (``{"images": "photos", "device": "cpu"}``, or ``{}``) to also run
            both models on the same images and shifts; None runs neither.

    Raises:
        ModelFileError: A file cannot be read, is no ONNX model, or exceeds the limits.
        SettingsError: As for :func:`check`.
        ValueError: An option of the measurement is not valid.
        VerifyError: A model could not be measured, or the two measurements cannot be compared.
    """
    settings = settings or Settings()
    rules = load_rules(settings)
    baseline = load(settings.baseline) if settings.baseline is not None else None
    file = ModelFile(Path(new), Path(new).as_posix())
    measure = None if verify is None else _measure(verify)
    after = examine(file, settings, measure)
    before = examine(ModelFile(Path(base), Path(base).as_posix(), after.place), settings, measure)
    (outcome,) = settle([compare_examined(before, after, rules, settings)], rules, settings, baseline)
    if outcome.problems:
        raise VerifyError("; ".join(problem.message for problem in outcome.problems))
    assert outcome.report is not None  # a fault of a rule is raised here, not collected
    return outcome.report


def _measure(options: Mapping[str, object]) -> Measure:
    from auditor.verify.options import read_request

    request = read_request(options)

    def measure(file: ModelFile, model: Model, analysis: Analysis) -> Verification:  # noqa: ARG001 - as a Measure is
        from auditor.verify.runner import verify

        return verify(model, request.source(), request.settings, analysis)

    return measure
