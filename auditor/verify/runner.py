"""Measuring one model: from a file and images to a :class:`~auditor.verify.result.Verification`.

A pilot decides what holds for all images, every image gives a row, and the result is a function of the rows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from msgspec import structs

from auditor.onnxfile.graph import Model
from auditor.options.thresholds import Thresholds
from auditor.sampling.result import Analysis
from auditor.verify.errors import RuntimeMissingError
from auditor.verify.images.source import ImageSource, spread
from auditor.verify.intake import Intake
from auditor.verify.looking import measure_until_certain, random_places
from auditor.verify.merge import MeasuredLayers, RowTable, merge, of_reference, require_measured
from auditor.verify.minimum import with_required
from auditor.verify.observer import Observer, Silent
from auditor.verify.open_run import open_run
from auditor.verify.pieces import splittable_places
from auditor.verify.pilot import RunPlan
from auditor.verify.processes import Spares
from auditor.verify.result import Verification
from auditor.verify.runtimes import agreement_words, beside_onnxruntime, runs_beside_onnxruntime, with_notes
from auditor.verify.settings import VerifySettings
from auditor.verify.shown import shown_images
from auditor.verify.time.run import measure_time
from auditor.verify.worker.runtime import Runtime

SHIFTED_FRAMES = 16  # of a clip: neighbours say nearly the same


def verify(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis | None = None,
    observer: Observer | None = None,
    plain: tuple[Model, Analysis] | None = None,
    held: Thresholds | None = None,
    spares: Spares | None = None,
) -> Verification:
    """Run a model on shifted images and measure how much its answer depends on position.

    ``analysis`` is the static audit of the model; with it layers are measured and dense outputs are laid over each
    other exactly; ``plain`` is the same model without functions, with the same sites, to measure the layers on. An
    interrupt (``KeyboardInterrupt``) after the first image ends the run early: the result holds what
    was measured so far and says that it is incomplete. Where ``held`` has a minimum, images come in a random order, and
    the run ends once it is certain whether the model holds it. Further processes are taken from ``spares`` and
    kept there, where there are some.

    Raises:
        ModelRefusedError: the model may not be run (domains, external files).
        RuntimeMissingError: the runtime that is to run a model is not installed.
        ModelRejectedError: the runtime refuses the model or its input.
        WorkerCrashedError: the model killed the runtime, or exceeded the limits.
        DeviceUnavailableError: the device that was asked for does not run the model.
        DataError: no image can be used, none gave an output that can be measured, or the settings do not fit the model.
    """
    return _measured(model, source, settings, analysis, observer or Silent(), plain, held, spares).found


def verify_pair(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis | None = None,
    observer: Observer | None = None,
) -> tuple[Verification, Verification]:
    """As :func:`verify`, for the reference of the settings and the model, in this order, in one run.

    Both saw the same windows of the same pictures. The result of the model also holds how the two agree.
    """
    reading = replace(settings.reference_reading, measured=True)
    settings = replace(settings, reference_reading=reading, layer_images=0)
    run = _measured(model, source, settings, analysis, observer or Silent(), None)
    plan, table = of_reference(run.plan, run.table)
    require_measured(plan, table)
    reference = merge(plan, source, table, MeasuredLayers(), interrupted=run.interrupted)
    if run.found.incomplete and not reference.incomplete:
        reference = structs.replace(reference, incomplete="the model beside it failed the self-test of their run")
    return reference, run.found


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run and what came of it; ``interrupted`` says that images or layers are missing."""

    found: Verification
    plan: RunPlan
    table: RowTable
    interrupted: bool


def _measured(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis | None,
    observer: Observer,
    plain: tuple[Model, Analysis] | None,
    held: Thresholds | None = None,
    spares: Spares | None = None,
) -> _Measured:
    start = time.perf_counter()
    if runs_beside_onnxruntime(model, settings):
        try:
            both = _run(
                model, source, beside_onnxruntime(model, settings), analysis, observer, plain, held, start, spares
            )
        except RuntimeMissingError as error:
            if error.runtime != Runtime.ONNXRUNTIME.value:
                raise
            settings = replace(settings, reference=None)
            alone = _run(model, source, settings, analysis, observer, plain, held, start, spares)
            return replace(
                alone, found=with_notes(alone.found, f"answers were not held against onnxruntime's: {error}")
            )
        return replace(both, found=with_notes(both.found, *agreement_words(both.plan, both.table)))
    return _run(model, source, settings, analysis, observer, plain, held, start, spares)


def _run(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis | None,
    observer: Observer,
    plain: tuple[Model, Analysis] | None,
    held: Thresholds | None,
    start: float,
    spares: Spares | None,
) -> _Measured:
    interrupted, looks = False, None
    places = None if held is None or held.minimum is None or held.all_images else random_places(source, settings)
    with open_run(model, source, settings, analysis, plain) as (run, units):
        run.spares = spares
        over_time, count = None, source.count
        if source.is_clip:
            # Each frame is looked at once; shifts are run on some of them.
            over_time = measure_time(run.worker, run.plan, source, _grid_of(analysis), observer)
            chosen = spread(over_time.frames, SHIFTED_FRAMES)
            units, count = run.plan.units(source, frozenset(chosen)), len(chosen)
        try:
            if held is not None and places is not None:
                looks, interrupted = measure_until_certain(run, places, held, observer)
            elif settings.shared:
                observer.begin("images", count)
                with Intake.whole(run, splittable_places(source)) as intake:
                    intake.take(observer)
            else:
                observer.begin("images", count)
                run.add(units, observer)
        except KeyboardInterrupt:
            if not run.rows.any_used:
                raise
            interrupted = True
        plan, table = run.plan, run.table
        require_measured(plan, table)
        layers = MeasuredLayers()
        if not interrupted:
            layers, interrupted = run.layers(observer)
    # Of a clip only some frames are shifted: the others are not missing.
    asked = replace(source, count=count)
    found = merge(plan, asked, table, layers, run.external, interrupted, time.perf_counter() - start)
    if not found.incomplete:
        found = with_required(found, held, looks)
    if over_time is not None:
        found = structs.replace(found, time=over_time)
    if settings.thumbnails and not interrupted:
        found = structs.replace(found, shown=shown_images(plan, source, table, found.outputs[0]))
    return _Measured(found, plan, table, interrupted)


def _grid_of(analysis: Analysis | None) -> float | None:
    """The pitch of the model's grid in pixels, None where it is not known."""
    total = None if analysis is None else analysis.subsampling
    return None if total is None else float(total)
