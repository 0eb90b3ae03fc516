"""The public functions, as :mod:`auditor` exports them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import structs

from auditor.audit.facts import run_facts
from auditor.audit.given import file_at as _file
from auditor.audit.given import named as _named
from auditor.audit.given import settings_of as _settings
from auditor.audit.input_shapes import check_input_shapes
from auditor.audit.run import Measure, MeasureAlias, ModelFile, Outcome, RuleSet, audit, examine, load_rules
from auditor.audit.settle import settle
from auditor.choices import options_table
from auditor.comparison.run import MeasurePair, compared
from auditor.facts.report import ModelReport
from auditor.facts.rule import Need
from auditor.onnxfile import read_model, read_runnable
from auditor.options.flatten import Only
from auditor.options.keywords import keywords
from auditor.options.thresholds import OF_ONE_MODEL, Thresholds
from auditor.policy.baseline import load
from auditor.policy.settings import Settings
from auditor.policy.thresholds import COMPARED_IMAGES, thresholds
from auditor.rewrite.options import AUTO, FOR_LOCKS, Rewriting, SearchBudget
from auditor.sampling import analyse
from auditor.verify.errors import VerifyError

if TYPE_CHECKING:
    from auditor.audit.run import Examined
    from auditor.comparison.looks import MeasuredPair
    from auditor.onnxfile.graph import Model
    from auditor.repair.result import Repaired
    from auditor.resizing.result import ResizeComparison
    from auditor.rewrite.calibration.calibrate import Pictures
    from auditor.sampling.result import Analysis
    from auditor.verify.layers.alias import AliasMeasurement
    from auditor.verify.result import Verification


def check(
    path: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    measure_alias: bool | Mapping[str, object] = False,
) -> ModelReport:
    """Audit one ONNX file, without running it unless ``measure_alias`` asks for it.

    Only ``settings`` count: no settings file and no environment variable is read. Nothing is printed. Findings stand
    worst first; a model is clean when there are none, and what could not be followed is in ``analysis.untracked``.
    Findings that a waiver or the baseline of the settings accepts are in ``accepted``.

    Args:
        path: The model file. Weights in other files are not read.
        settings: Rules, options, input shapes, limits and policy; the defaults run every stable built-in rule.
        measure_alias: Also run the model on pictures and measure which share folds at each site, in ``alias`` of the
            report: True for 8 built-in pictures, or the options of a measurement by name (``{"images": "photos"}``).

    Raises:
        ModelFileError: The file cannot be read, is no ONNX model, or exceeds the limits.
        SettingsError: The settings name rules or options that do not exist, an input or a shape that the model does not
            have, a rule pack or a baseline that cannot be used, or waivers that may have expired without the day to
            judge that.
        ValueError: An option of the measurement is not valid.
        VerifyError: The alias energies could not be measured.

    Examples:
        >>> from auditor import check
        >>> from auditor.demo import demo_model
        >>> report = check(demo_model())
        >>> [(finding.rule, finding.severity.value) for finding in report.findings][:3]
        [('AA102', 'error'), ('AA102', 'error'), ('AA101', 'warning')]
        >>> report.analysis.subsampling  # input pixels per cell of the coarsest map, along an axis
        Fraction(8, 1)
        >>> len(report.to_dict()["models"][0]["analysis"]["sites"])
        5
    """
    settings = _settings(settings)
    rules = load_rules(settings)
    baseline = load(settings.baseline) if settings.baseline is not None else None
    file = _file(path)
    check_input_shapes([file], settings)
    with _named(file.name):
        run = None if measure_alias is False else _measure_alias({} if measure_alias is True else measure_alias)
        (outcome,) = settle([audit(file, rules, settings, measure_alias=run)], rules, settings, baseline)
    if outcome.problems:
        raise VerifyError("; ".join(f"{problem.path}: {problem.message}" for problem in outcome.problems))
    return _report(outcome, rules, settings, {Need.POLICY})


def measure(path: str | os.PathLike[str], /, *, settings: Settings | None = None, **options: object) -> Verification:
    """Run a model on shifted images and measure how much its answers change.

    (``auditor.verify`` is the package.) Nothing is printed. The model runs in a process of its own, with limits.

    Args:
        path: The model.
        settings: Input shapes and limits.
        options: Those of ``aliasaudit verify`` by name, with underscores: ``images="photos"``, ``images_limit=200``,
            ``preset="imagenet"``, ``device="cpu"``; ``path`` is that option, and not the model. Without images the
            built-in ones are used. With ``fail_under=0.9`` the run ends once it is certain whether the model holds that
            value: ``required`` of the result says so.

    Raises:
        ModelFileError: The model cannot be read, or exceeds the limits.
        ValueError: An option is not valid.
        VerifyError: The pictures cannot be used, or the model could not be measured.

    Examples:
        >>> from auditor import measure
        >>> from auditor.demo import demo_model
        >>> verification = measure(demo_model(), preset="unit", images_limit=4, shifts=1, layers=0, device="cpu")
        >>> consistency = verification.measure("consistency")
        >>> consistency.unit, consistency.images
        ('share', 4)
        >>> 0 <= consistency.value <= 1
        True
    """
    settings = _settings(settings)
    run = _measure(options, settings)
    file = _file(path)
    check_input_shapes([file], settings)
    model = read_runnable(file.path, settings.limits)
    with _named(file.name):
        return run(file, model, analyse(model, settings.input_shapes, settings.limits))


def resize(
    path: str | os.PathLike[str], /, *, images: str, settings: Settings | None = None, **options: object
) -> ResizeComparison:
    """Run a model behind several resize kernels, and measure how much the deployed one harms.

    Nothing is printed. The model runs in a process of its own, with limits.

    Args:
        path: The model.
        images: Your own pictures as they come to the resize, larger than the model's input: a folder, an array file or
            ``module:function``.
        settings: Input shapes and limits.
        options: Those of ``aliasaudit resize`` by name, with underscores: ``resize="cv2-linear"`` is the kernel that
            you deploy, ``preset="yolox"`` a whole pipeline, ``kernels=("cv2-area", "cv2-linear")`` what to compare.

    Raises:
        ModelFileError: The model cannot be read, or exceeds the limits.
        ValueError: An option is not valid.
        VerifyError: No picture can be used or is shrunk, or the model could not be measured.

    Examples:
        >>> import numpy as np, tempfile, pathlib
        >>> from auditor import resize
        >>> from auditor.demo import demo_model
        >>> photos = pathlib.Path(tempfile.mkdtemp(), "photos.npy")
        >>> np.save(photos, np.random.default_rng(0).integers(0, 256, (8, 96, 96, 1), np.uint8))
        >>> found = resize(demo_model(), images=str(photos), resize="cv2-nearest", preset="unit", device="cpu")
        >>> found.reference, found.row("cv2-nearest").low_pass
        ('cv2-area', False)
    """
    from auditor.resizing.options import read_resize
    from auditor.resizing.run import compare_kernels

    settings = _settings(settings)
    request = read_resize({"images": images, **options})
    file = _file(path)
    check_input_shapes([file], settings)
    with _named(file.name):
        model = read_model(file.path, settings.limits)
        return compare_kernels(model, request, file.name, analyse(model, settings.input_shapes, settings.limits))


def compare(
    base: str | os.PathLike[str],
    new: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    verify: Mapping[str, object] | None = None,
    pair: bool = False,
) -> ModelReport:
    """Compare a model with the one that it is to replace.

    The report is that of ``new``: ``findings`` are what got worse, ``accepted`` what the base has too, ``comparison``
    what changed. Only ``settings`` count; nothing is printed.

    Args:
        base: The model that is there.
        new: The model to replace it.
        settings: As for :func:`check`; its ``compare`` holds the thresholds of a measured difference.
        verify: The options of a measurement by name (``{"images": "photos", "device": "cpu"}``, or ``{}``) to also run
            both models on the same images and shifts, at most 256 images unless they say otherwise, fewer where the
            verdict is certain before; None runs neither.
        pair: Run both on the same windows and hold the answers against those of the base, too, for models that are not
            alike or of other formats than ONNX; ``verify`` may be left out. Its options ``reference_preset``,
            ``reference_layout``, ``reference_size`` and ``reference_runtime`` say how the base is read.

    Raises:
        ModelFileError: A file cannot be read, is no ONNX model, or exceeds the limits.
        SettingsError: As for :func:`check`.
        ValueError: An option of the measurement is not valid.
        VerifyError: A model could not be measured, or the two measurements cannot be compared.

    Examples:
        >>> from auditor import compare
        >>> from auditor.demo import demo_model
        >>> report = compare(demo_model(), demo_model())
        >>> report.findings, len(report.accepted)  # nothing is worse, and what there is was there before
        ((), 7)
        >>> report.comparison.kept_sites, report.comparison.new_sites
        (5, ())
    """
    settings = _settings(settings)
    rules = load_rules(settings)
    baseline = load(settings.baseline) if settings.baseline is not None else None
    measured = pair or verify is not None
    measure = _measure_pair(options_table("verify", verify or {}), settings, pair) if measured else None
    check_input_shapes([_file(base), _file(new)], settings)
    with _named(_file(new).name):
        after = examine(replace(_file(new), only_run=pair), settings)
    with _named(_file(base).name):
        before = examine(replace(_file(base), place=after.place, only_run=pair), settings)
    (outcome,) = settle([compared(before, after, measure, rules, settings)], rules, settings, baseline)
    if outcome.problems:
        raise VerifyError("; ".join(f"{problem.path}: {problem.message}" for problem in outcome.problems))
    given = {Need.POLICY, Need.COMPARISON, *([Need.MEASUREMENT] if measure is not None else [])}
    return _report(outcome, rules, settings, given)


@keywords
def fix(  # noqa: D417 - callers give the options, and not their groups
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None,
    *,
    rewriting: Annotated[Rewriting, Only(without=("calibrate", "calibrate_images", "unsafe_fixes"))],
    search: Annotated[SearchBudget, Only("max_cost", "max_drop")],
    calibrate: Mapping[str, object] | None = None,
    verify: Mapping[str, object] | None = None,
    settings: Settings | None = None,
) -> Repaired:
    """Rewrite a model so that it samples properly. The model itself is never overwritten; nothing is printed.

    A rewrite changes what the network computes: measure it with ``verify`` before use. Where nothing could be done, or
    nothing helps, nothing is written, ``path`` is None, and ``skipped`` or ``search`` says why.

    Args:
        path: The model.
        output: Where to write, whole or not at all; None for a dry run.
        strategy: blur, phase-average, window-average, input-average, phase-select, grid-lock or crop-select
            (or a :class:`~auditor.rewrite.result.Strategy`); auto for the best of several, by measuring.
        kernel: The low-pass of a blur: rect2, tri3, bin4, bin5, bin6, bin7 or identity.
        where: Blur behind the activation (post), or in front of the operator (pre).
        padding: How a blur continues a map at its border: auto, reflect, edge or zero.
        blend: The share of the low-pass in a partial blur, above 0 up to 1.
        phases: The phases or shifts to average: diagonal, halves or all.
        lowering: Where averaged phases stand: batch, branch, dilation (of all phases), or auto for what applies.
        merges: The nodes where averaged phases end, one for each of ``sites``; none: the outputs; auto: by measuring.
        margin: Pixels on each side of a window that the content places; None for a choice by the network.
        lock: The steps of a grid lock, sub-pixel or whole-pixel.
        room: Where its window moves: in a picture that is fed larger, in one that the graph pads (pad), or auto.
        period: The period of its grid in pixels; None for a choice by the network.
        align: How many pixels the window begins behind the content's phase; None for 3/8 of the period.
        places: The layout of outputs that say where something is, such as yolox; none, or auto.
        camera: Whether the camera is moving or fixed, or unknown.
        sites: The names of the nodes to rewrite; the strategy chooses without any.
        calibrate: Options of a measurement by name (``{"images": "photos"}``) to fit blurred maps to the original's.
        refit: Which convolutions behind are fitted too: none, last or all; without it all, and in a search the last.
        verify: Options of a measurement (or ``{}``) to run both models before the file appears; a search needs it.
        portable: Write what the ``targets`` of the settings (or all known) compute differently as all compute it.
        require_gain: Keep nothing unless a leading measure surely got better; needs ``verify``.
        max_cost: The largest factor in time of what a search chooses, and of a portable form (1.5 unless given).
        max_drop: The largest loss of what a search chooses, and of a grid lock where labels tell it, in points.
        inline: Put local functions in the place of their calls first; the result is one graph.
        settings: Input shapes, limits and targets.

    Raises:
        ModelFileError: The model cannot be read, or exceeds the limits.
        RewriteError: A name is no site, the output is the model itself, or the result cannot be written.
        ValueError: A word or a number is not valid, or options do not go together.
        VerifyError: Pictures cannot be used, or a model could not be measured.

    Examples:
        >>> from auditor import fix
        >>> from auditor.demo import demo_model
        >>> repaired = fix(demo_model(), None, strategy="blur")
        >>> repaired
        <Repaired: nothing written; blur, 5 sites rewritten>
        >>> [site.kind.value for site in repaired.sites][:2]
        ['max-pool', 'strided-conv']
    """
    from auditor.repair.job import RepairJob
    from auditor.repair.original import opened
    from auditor.repair.portable import portability
    from auditor.repair.run import run
    from auditor.repair.search.candidates import restriction
    from auditor.repair.search.search import Budget
    from auditor.rewrite.options import rewrite_options, used
    from auditor.rewrite.result import Options, Step, Strategy
    from auditor.rewrite.table import declared
    from auditor.verify.options import read_keywords

    settings = _settings(settings)
    if rewriting.strategy is None and not rewriting.portable:
        raise TypeError("fix() needs a strategy, such as strategy='blur', or portable=True")
    only, options = restriction(rewriting), rewrite_options(used(rewriting))
    auto = rewriting.strategy == AUTO or only is not None
    method = None if auto or rewriting.strategy is None else Strategy(rewriting.strategy)
    if method is None and not auto and (verify, calibrate) != (None, None):
        raise ValueError("portable alone keeps what the network computes: name a strategy to measure")
    if calibrate is not None and method is not None and not declared(method).calibrates:
        raise ValueError("calibrate fits blurred maps, so it goes with the strategy blur or auto")
    if verify is None and (auto or rewriting.require_gain):
        raise ValueError("a search and require_gain measure: say with what by verify, which may be {}")
    searched = Options(refit=options.refit, merges=options.merges if only else ())
    if only is None:
        searched = replace(searched, **{name: getattr(options, name) for name in FOR_LOCKS})
    if auto and (options != searched or (rewriting.sites and only is None)):
        raise ValueError("the strategy auto chooses sites and options itself: leave them out")
    request = None if verify is None else read_keywords(options_table("verify", verify))
    with _named("calibrate"):
        pictures = None if calibrate is None else _pictures(options_table("calibrate", calibrate))
    target = None if output is None else Path(output)
    check_input_shapes([_file(path)], settings)
    with _named(_file(path).name), opened(Path(path), settings, target, inline=rewriting.inline) as original:
        step = None if method is None else Step(method, options, rewriting.sites, calibrated=pictures is not None)
        budget = Budget(search.max_cost, search.max_drop / 100)
        job = RepairJob(step, request, rewriting.require_gain, budget, pictures, options.refit, only=only)
        job = replace(job, lock=rewriting.lock_options())
        return run(original, replace(job, portable=portability(rewriting, search, settings, searches=auto)))


def _report(outcome: Outcome, rules: RuleSet, settings: Settings, given: Collection[Need]) -> ModelReport:
    """The report of a run on one model. ``given`` is what rules had beside the analysis."""
    assert outcome.report is not None  # a fault of a rule is raised here, not collected
    baseline = None if settings.baseline is None else settings.baseline.as_posix()
    return structs.replace(outcome.report, run=run_facts(rules, rules.ready(given), settings, baseline))


def _pictures(options: Mapping[str, object]) -> Pictures:
    """The pictures that a calibration sees. Raises ValueError and VerifyError as :func:`fix`."""
    from auditor.repair.pictures import WorkerPictures
    from auditor.verify.options import read_keywords

    request = read_keywords(options)
    request.source()  # what cannot be opened is said before work is done
    return WorkerPictures(request)


def _measure_pair(options: Mapping[str, object], settings: Settings, together: bool) -> MeasurePair:
    """A measurement of a base and the model that is to replace it, ``together`` on the same windows."""
    from auditor.repair.paired import measure_both
    from auditor.verify.options import read_keywords

    request = read_keywords(options)
    request = replace(request, limit=request.limit or COMPARED_IMAGES)
    held = thresholds(settings.compare)

    def measure_pair(base: Examined, new: Examined) -> MeasuredPair:
        asked = request.for_file(new.model.metadata, base.model.metadata)
        return measure_both(base, new, asked.source(), asked.settings, held, together=together)

    return MeasurePair(measure_pair, together)


def _measure(options: Mapping[str, object], settings: Settings) -> Measure:
    """A measurement with these options, those on what the model must hold among them."""
    from auditor.verify.options import read_keywords

    of_one = {name for name, declared in Thresholds.by_keyword().items() if declared.name in OF_ONE_MODEL}
    asked = Thresholds.from_keywords({name: value for name, value in options.items() if name in of_one})
    request = read_keywords({name: value for name, value in options.items() if name not in of_one})
    held = thresholds({**settings.compare, **asked.layer().get("compare", {})})

    def measure(file: ModelFile, model: Model, analysis: Analysis) -> Verification:  # noqa: ARG001 - as a Measure is
        from auditor.repair.layered import measure_layered
        from auditor.verify.budget import within_budget

        sized = within_budget(request.for_file(model.metadata), model, analysis)
        return measure_layered(model, sized.source(), sized.settings, analysis, held=held)

    return measure


def _measure_alias(options: Mapping[str, object]) -> MeasureAlias:
    """A measurement of alias energies with these options."""
    from auditor.verify.layers.alias_runs import MEASURED_IMAGES
    from auditor.verify.options import read_keywords

    request = read_keywords(options_table("measure_alias", options))
    request = replace(request, limit=request.limit or MEASURED_IMAGES)

    def measure_alias(file: ModelFile, model: Model, analysis: Analysis) -> AliasMeasurement:  # noqa: ARG001 - as above
        from auditor.repair.layered import measure_alias_layered

        asked = request.for_file(model.metadata)
        return measure_alias_layered(model, asked.source(), asked.settings, analysis)

    return measure_alias
