"""Fixtures for pytest, for the tests of a project that exports models.

    def test_the_export_is_stable(assert_shift_consistent):
        assert_shift_consistent("build/net.onnx", limit=0.9, images="tests/photos")

    def test_the_export_aliases_no_more_than_the_release(assert_no_new_aliasing):
        assert_no_new_aliasing("build/net.onnx", base="models/released.onnx", max_subsampling=32)

Installed by the entry point group ``pytest11``, so every run of pytest imports this module: it imports nothing but
pytest until a fixture is called.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pytest

if TYPE_CHECKING:
    from auditor.findings import Finding
    from auditor.policy.settings import Settings
    from auditor.report.model import ModelReport
    from auditor.verify.result import Measure, Verification


class InconclusiveWarning(UserWarning):
    """A measurement had too few images to say whether the model holds its limit."""


class ShiftConsistent(Protocol):
    """The type of the fixture ``assert_shift_consistent``."""

    def __call__(
        self,
        model: str | os.PathLike[str],
        *,
        limit: float = 0.9,
        measure: str = "consistency",
        inconclusive: Literal["fail", "warn", "pass"] = "warn",
        **options: object,
    ) -> Verification:
        """Run the model on shifted images and hold one measure of every output to a limit.

        ``limit`` is the least value of a measure that should be high, and the largest of one that should be low, such
        as ``mac``. The interval decides: the assertion fails where all of it lies on the wrong side, and
        ``inconclusive`` says what happens where the limit lies within it. ``options`` are those of ``aliasaudit
        verify``, with underscores (``images="photos"``, ``image_input="x"``, ``device="cpu"``).

        Raises:
            AssertionError: The model does not hold the limit, or gave two answers to one input.
            ValueError: An option is not valid, or no output has the measure.
            VerifyError: The model could not be measured.
            ModelFileError: The file cannot be read.
        """


class NoNewAliasing(Protocol):
    """The type of the fixture ``assert_no_new_aliasing``."""

    def __call__(
        self,
        model: str | os.PathLike[str],
        *,
        base: str | os.PathLike[str] | None = None,
        max_subsampling: float | None = None,
        severity: Literal["error", "warning", "note"] = "error",
        ignore: Iterable[str] = (),
        settings: Settings | None = None,
    ) -> ModelReport:
        """Audit the model without running it, and hold it to what was known before.

        Fails for every finding of at least ``severity`` that ``base``, a model from before, does not have as heavily at
        the same place of the network; without ``base`` for every one. A place is known by its fingerprint, which
        survives new names and weights, or by the name of its node. ``ignore`` are codes, prefixes or names of rules.
        ``max_subsampling`` is the largest allowed cumulative factor. ``settings`` replaces the defaults; no settings
        file is read.

        Raises:
            AssertionError: There is such a finding, or the cumulative factor is too large or not known.
            SettingsError: A rule to ignore does not exist.
            ModelFileError: A file cannot be read.
        """


@pytest.fixture(scope="session")
def assert_shift_consistent() -> ShiftConsistent:
    """A function that runs a model on shifted images and fails where its answers depend too much on position."""
    return _assert_shift_consistent


@pytest.fixture(scope="session")
def assert_no_new_aliasing() -> NoNewAliasing:
    """A function that audits a model and fails where it aliases more than allowed."""
    return _assert_no_new_aliasing


def _assert_shift_consistent(
    model: str | os.PathLike[str],
    *,
    limit: float = 0.9,
    measure: str = "consistency",
    inconclusive: Literal["fail", "warn", "pass"] = "warn",
    **options: object,
) -> Verification:
    __tracebackhide__ = True
    found = _verified(Path(model), options)
    name = Path(model).as_posix()
    if found.self_test is not None and not found.self_test.passed:
        raise AssertionError(f"{name}: the same input gave two answers, so shifts cannot be judged")
    measures = [one for output in found.outputs if (one := output.measure(measure)) is not None]
    if not measures:
        known = sorted({one.name for output in found.outputs for one in output.measures})
        raise ValueError(f"{name}: no output has the measure {measure}; there is {', '.join(known) or 'none'}")
    for one in measures:
        _hold(name, one, limit, inconclusive)
    return found


def _verified(path: Path, options: dict[str, object]) -> Verification:
    from auditor.onnxfile import read_model
    from auditor.sampling import analyse
    from auditor.verify.options import read_keywords
    from auditor.verify.runner import verify

    # Maps of the layers say nothing about the limit and cost time.
    request = read_keywords({"layers": 0, **options})
    model = read_model(path)
    return verify(model, request.source(), request.settings, analyse(model))


def _hold(name: str, measure: Measure, limit: float, inconclusive: str) -> None:
    __tracebackhide__ = True
    from auditor.verify.statistics import Verdict, judge

    images = sum(value == value for value in measure.per_image)  # NaN marks an image that does not count
    judgement = judge(measure.value, measure.interval, limit, images, measure.higher_is_better)
    if judgement.verdict is Verdict.PASS:
        return
    interval = measure.interval
    reach = "no interval" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
    side = "below" if measure.higher_is_better else "above"
    said = f"{name}: {measure.name} is {measure.value:.3f} ({reach}, {images} images)"
    if judgement.verdict is Verdict.FAIL:
        raise AssertionError(f"{said}, {side} the limit {limit:g}")
    needed = f"about {judgement.images_needed} images" if judgement.images_needed else "no number of images"
    said += f": too few to say whether it is {side} the limit {limit:g}; {needed} would decide"
    if inconclusive == "fail":
        raise AssertionError(said)
    if inconclusive == "warn":
        warnings.warn(InconclusiveWarning(said), stacklevel=4)


def _assert_no_new_aliasing(
    model: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    max_subsampling: float | None = None,
    severity: Literal["error", "warning", "note"] = "error",
    ignore: Iterable[str] = (),
    settings: Settings | None = None,
) -> ModelReport:
    __tracebackhide__ = True
    from dataclasses import replace

    from auditor.api import check
    from auditor.findings import Severity
    from auditor.policy.settings import DEFAULT, Selector
    from auditor.policy.settings import Settings as Defaults

    settings = settings or Defaults()
    settings = replace(settings, ignore=(*settings.ignore, *(Selector(word, DEFAULT) for word in ignore)))
    report = check(model, settings=settings)
    known: dict[str, int] = {}
    if base is not None:
        for keys, finding in _keyed(Path(base), check(base, settings=settings), settings):
            known |= {key: max(known.get(key, 0), finding.severity.rank) for key in keys}
    least = Severity(severity).rank
    faults = [
        _line(finding)
        for keys, finding in _keyed(Path(model), report, settings)
        if finding.severity.rank >= max(least, *(known.get(key, -1) + 1 for key in keys))
    ]
    if max_subsampling is not None:
        overall = report.analysis.subsampling
        if overall is None or overall > max_subsampling:
            shown = "not known" if overall is None else f"{float(overall):g}"
            faults.append(f"the cumulative subsampling factor is {shown}, the limit is {max_subsampling:g}")
    if faults:
        raise AssertionError("\n".join([f"{Path(model).as_posix()}: {len(faults)} new", *faults]))
    return report


def _keyed(path: Path, report: ModelReport, settings: Settings) -> Iterator[tuple[tuple[str, ...], Finding]]:
    """The findings of a report, each with the keys of its place: the same wherever the file lies."""
    from auditor.fingerprints import fill
    from auditor.onnxfile import read_model

    for finding in fill(read_model(path, settings.limits), "", report.findings, settings.limits):
        name = finding.node.name.raw if finding.node is not None else ""
        yield (finding.fingerprint, f"{finding.rule} {name}") if name else (finding.fingerprint,), finding


def _line(finding: Finding) -> str:
    from auditor.text import plain

    place = f" at {plain(finding.node.name or finding.node.output)}" if finding.node is not None else ""
    return f"{finding.severity.value} {finding.rule} {finding.name}{place}: {finding.message}"
