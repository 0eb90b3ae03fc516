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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pytest

if TYPE_CHECKING:
    from auditor.facts.finding import Finding
    from auditor.facts.report import ModelReport
    from auditor.policy.settings import Settings
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
        verify``, with underscores (``images="photos"``, ``image_input="x"``, ``device="cpu"``). Relative paths are
        those from the rootdir of pytest.

        Raises:
            AssertionError: The model does not hold the limit, or gave two answers to one input.
            ValueError: An option, the limit or the measure is not valid, or no output has the measure.
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
        ignore: str | Iterable[str] = (),
        settings: Settings | None = None,
    ) -> ModelReport:
        """Audit the model without running it, and hold it to what was known before.

        Fails for every finding of at least ``severity`` that ``base``, a model from before, does not have as heavily at
        the same place of the network; without ``base`` for every one. A place is known by its fingerprint, which
        survives new names and weights, or by the name of its node. ``ignore`` are codes, prefixes or names of rules:
        a list, or a text with commas. ``max_subsampling`` is the largest allowed cumulative factor. ``settings``
        replaces the defaults; no settings file is read. Relative paths are those from the rootdir of pytest.

        Raises:
            AssertionError: There is such a finding, or the cumulative factor is too large or not known.
            SettingsError: A rule to ignore does not exist.
            ModelFileError: A file cannot be read.
        """


@pytest.fixture(scope="session")
def assert_shift_consistent(pytestconfig: pytest.Config) -> ShiftConsistent:
    """A function that runs a model on shifted images and fails where its answers depend too much on position:
    assert_shift_consistent("net.onnx", limit=0.9, measure="consistency", inconclusive="warn", images="photos", ...).
    Paths are relative to the rootdir of pytest. Further options are those of `aliasaudit verify`, with underscores.
    """
    return partial(_assert_shift_consistent, pytestconfig.rootpath)


@pytest.fixture(scope="session")
def assert_no_new_aliasing(pytestconfig: pytest.Config) -> NoNewAliasing:
    """A function that audits a model and fails where it aliases more than allowed:
    assert_no_new_aliasing("net.onnx", base="released.onnx", max_subsampling=32, severity="error", ignore=["AA301"]).
    Paths are relative to the rootdir of pytest.
    """
    return partial(_assert_no_new_aliasing, pytestconfig.rootpath)


def _under(root: Path, path: str | os.PathLike[str]) -> Path:
    """Where a relative path leads: from the rootdir, or from the working folder where only that has it."""
    return Path(path) if not (root / path).exists() and Path(path).exists() else root / path


def _assert_shift_consistent(
    root: Path,
    model: str | os.PathLike[str],
    *,
    limit: float = 0.9,
    measure: str = "consistency",
    inconclusive: Literal["fail", "warn", "pass"] = "warn",
    **options: object,
) -> Verification:
    __tracebackhide__ = True
    from auditor.api import measure as measured
    from auditor.choices import unknown
    from auditor.options.measuring import Measuring
    from auditor.options.thresholds import Thresholds

    _check_limit(measure, limit)
    known = Thresholds.options["inconclusive"].kind.words
    if inconclusive not in known:
        raise ValueError(unknown("inconclusive", inconclusive, known))
    for option in {name for name, declared in Measuring.options.items() if declared.kind.path} & options.keys():
        path = options[option]
        if isinstance(path, str | os.PathLike) and _under(root, path).exists():  # not a module:function
            options[option] = str(_under(root, path))
    # Maps of the layers say nothing about the limit and cost time.
    found = measured(_under(root, model), **{"layers": 0, **options})  # type: ignore[arg-type]
    name = Path(model).as_posix()
    if found.self_test is not None and not found.self_test.passed:
        raise AssertionError(f"{name}: the same input gave two answers, so shifts cannot be judged")
    measures = [one for output in found.outputs if (one := output.measure(measure)) is not None]
    if not measures:
        names = sorted({one.name for output in found.outputs for one in output.measures if not one.protocol})
        raise ValueError(f"{name}: no output has the measure {measure}; there is {', '.join(names) or 'none'}")
    for one in measures:
        _hold(name, one, limit, inconclusive)
    return found


def _check_limit(measure: str, limit: float) -> None:
    """Refuse what no measurement could answer, before there is one. Raises ValueError."""
    from auditor.choices import unknown
    from auditor.verify.measures import MEASURES

    if measure not in MEASURES:
        raise ValueError(unknown("measure", measure, MEASURES))
    facts = MEASURES[measure]
    largest = float("inf") if facts.bounds is None else facts.bounds[1]
    if not 0 <= limit <= largest:
        hint = f"; {limit:g} % is {limit / 100:g}" if largest < limit <= 100 else ""
        span = "0 or more" if facts.bounds is None else f"between 0 and {largest:g}"
        raise ValueError(f"limit must be {span} for {measure}, not {limit:g}{hint}")


def _hold(name: str, measure: Measure, limit: float, inconclusive: str) -> None:
    __tracebackhide__ = True
    from auditor.verify.statistics import judge
    from auditor.verify.verdict import Verdict, needed_words

    images = measure.images
    interval = measure.interval
    verdict = judge(interval, limit, measure.higher_is_better)
    if verdict is Verdict.PASS:
        return
    reach = "no interval" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
    side = "below" if measure.higher_is_better else "above"
    said = f"{name}: {measure.name} is {measure.value:.3f} ({reach}, {images} images)"
    if verdict is Verdict.FAIL:
        raise AssertionError(f"{said}, {side} the limit {limit:g}")
    said += f": undecided whether it is {side} the limit {limit:g}; {needed_words(*_needed(measure, limit))}"
    if inconclusive == "fail":
        raise AssertionError(said)
    if inconclusive == "warn":
        warnings.warn(InconclusiveWarning(said), stacklevel=3)


def _needed(measure: Measure, limit: float) -> tuple[int | None, int | None]:
    """About how many images would decide whether a measure holds its limit."""
    import numpy as np

    from auditor.verify.measures import facts_of
    from auditor.verify.statistics import MIN_IMAGES, images_needed, images_needed_unbounded

    interval = measure.interval
    if interval is None:
        return MIN_IMAGES, None
    values = np.asarray(measure.per_image)
    bounds = facts_of(measure).interval_bounds
    if bounds is not None:
        needed = images_needed(values, limit, (1 - interval.confidence) / 2, bounds)
    else:
        needed = images_needed_unbounded(values, limit, interval)
    return (None, None) if needed is None else (needed.low, needed.high)


def _assert_no_new_aliasing(
    root: Path,
    model: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    max_subsampling: float | None = None,
    severity: Literal["error", "warning", "note"] = "error",
    ignore: str | Iterable[str] = (),
    settings: Settings | None = None,
) -> ModelReport:
    __tracebackhide__ = True
    from dataclasses import replace

    from auditor.api import check
    from auditor.choices import chosen
    from auditor.facts.finding import Severity
    from auditor.policy.settings import Selector, Source, ValueOrigin
    from auditor.policy.settings import Settings as Defaults

    least = chosen("severity", Severity, severity).rank
    if max_subsampling is not None and not max_subsampling >= 1:
        raise ValueError(f"max_subsampling must be 1 or more, not {max_subsampling:g}")
    words = ignore.replace(",", " ").split() if isinstance(ignore, str) else ignore
    origin = ValueOrigin(Source.COMMAND_LINE, "ignore")
    settings = settings or Defaults()
    settings = replace(settings, ignore=(*settings.ignore, *(Selector(word, origin) for word in words)))
    path = _under(root, model)
    report = check(path, settings=settings)
    known: dict[str, int] = {}
    if base is not None:
        before = _under(root, base)
        for keys, finding in _keyed(before, check(before, settings=settings), settings):
            known |= {key: max(known.get(key, 0), finding.severity.rank) for key in keys}
    new = [
        _line(finding)
        for keys, finding in _keyed(path, report, settings)
        if finding.severity.rank >= max(least, *(known.get(key, -1) + 1 for key in keys))
    ]
    counted = "1 finding" if len(new) == 1 else f"{len(new)} findings"
    since = f"{counted} that {Path(base).as_posix()} does not have as heavily" if base is not None else counted
    faults: list[str] = []
    if max_subsampling is not None:
        overall = report.analysis.subsampling
        if overall is None:
            faults.append(f"the cumulative subsampling factor is not known, the limit is {max_subsampling:g}")
        elif overall > max_subsampling:
            faults.append(f"the cumulative subsampling factor is {float(overall):g}, the limit is {max_subsampling:g}")
    if new:
        faults.append("\n".join([since, *new]))
    if faults:
        raise AssertionError("\n".join(f"{Path(model).as_posix()}: {fault}" for fault in faults))
    return report


def _keyed(path: Path, report: ModelReport, settings: Settings) -> Iterator[tuple[tuple[str, ...], Finding]]:
    """The findings of a report, each with the keys of its place: the same wherever the file lies."""
    from auditor.audit.fingerprints import fill
    from auditor.onnxfile import read_model

    for finding in fill(read_model(path, settings.limits), "", report.findings, settings.limits):
        name = finding.node.name.raw if finding.node is not None else ""
        yield (finding.fingerprint, f"{finding.rule} {name}") if name else (finding.fingerprint,), finding


def _line(finding: Finding) -> str:
    from auditor.text import plain

    place = f" at {plain(finding.node.name or finding.node.output)}" if finding.node is not None else ""
    return f"{finding.severity.value} {finding.rule} {finding.name}{place}: {finding.message}"
