"""Measuring one model: from a file and images to a :class:`~auditor.verify.result.Verification`."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

import numpy as np

from auditor.onnxfile import ModelFileError, read_model
from auditor.onnxfile.graph import Model
from auditor.sampling.result import Analysis
from auditor.text import ModelText
from auditor.verify.admission import check_domains, check_external
from auditor.verify.choice import make_tally
from auditor.verify.errors import DataError, ModelRefusedError, NothingMeasuredError
from auditor.verify.images.preprocess import DEFAULT_PRESET
from auditor.verify.images.source import ImageSource
from auditor.verify.layers.layer_runs import open_layers
from auditor.verify.measures.tally import REFERENCE, Tally, UnusableOutputError
from auditor.verify.measures.target import Clues
from auditor.verify.result import DataFacts, LayerResult, Rejected, SelfTest, ShiftAt, Shifts, Verification
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup, prepare
from auditor.verify.shifts.feeder import Load, loads
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import DEPTH, Worker
from auditor.verify.worker.job import SessionSpec


class Observer(Protocol):
    """Is told how far a run is. ``total`` is None where nobody knows."""

    def begin(self, what: str, total: int | None) -> None: ...

    def advance(self) -> None: ...


class Silent:
    """An observer that tells nobody."""

    def begin(self, what: str, total: int | None) -> None:
        """Ignore it."""

    def advance(self) -> None:
        """Ignore it."""


# Up to this factor an enlargement is no loss that anybody sees in a measurement.
ENLARGED = 1.05


@dataclass(slots=True)
class Progress:
    """What a run has found so far; it stays usable when the run is interrupted."""

    used: list[ModelText] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    labelled: int = 0
    runs: int = 0
    naive_runs: int = 0
    layer_runs: int = 0
    naive_layer_runs: int = 0
    tested: int = 0
    agreed: int = 0
    difference: float = 0.0
    interrupted: bool = False
    enlarged: list[float] = field(default_factory=list)
    factors: list[tuple[float, float]] = field(default_factory=list)
    noted: Counter[str] = field(default_factory=Counter)

    @property
    def self_test(self) -> SelfTest | None:
        """The self-test, or None where no input was run twice."""
        if not self.tested:
            return None
        return SelfTest(self.agreed == self.tested, self.agreed / self.tested, self.difference)


def verify(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis | None = None,
    observer: Observer | None = None,
    plain: tuple[Model, Analysis] | None = None,
) -> Verification:
    """Run a model on shifted images and measure how much its answer depends on position.

    ``analysis`` is the static audit of the model; with it layers are measured and dense outputs are laid over each
    other exactly; ``plain`` is the same model without functions, with the same sites, to measure the layers on. An
    interrupt (``KeyboardInterrupt``) after the first image ends the run early: the result holds what
    was measured so far and says that it is incomplete.

    Raises:
        ModelRefusedError: the model may not be run (domains, external files).
        ModelRejectedError: onnxruntime refuses the model or its input.
        WorkerCrashedError: the model killed onnxruntime, or exceeded the limits.
        DeviceUnavailableError: the device that was asked for does not run the model.
        DataError: no image can be used, none gave an output that can be measured, or the settings do not fit the model.
    """
    observer = observer or Silent()
    start = time.perf_counter()
    check_domains(model, settings.allow_domains)
    external = check_external(model)
    spec = SessionSpec(model.source, custom_ops=settings.custom_ops)
    progress = Progress()
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        setup, units = prepare(worker, spec, source, settings, Clues.of(model, analysis))
        other = _open_reference(worker, setup, source, settings)
        tally = make_tally(setup, settings, analysis, () if other is None else other.target.outputs)
        observer.begin("images", source.count)
        try:
            _measure(worker, setup, other, settings, units, tally, progress, observer)
        except KeyboardInterrupt:
            if not progress.used:
                raise
            progress.interrupted = True
        _require_measured(tally, progress, settings)
        layers, remarks = _measure_layers(
            worker, setup, settings, plain or (model, analysis), source, progress, observer
        )
        if plain is not None and analysis is not None:
            layers = tuple(_in_place(layer, analysis) for layer in layers)
    opened = setup.batching.opened
    return Verification(
        provider=opened.provider,
        data=DataFacts(
            source.kind, tuple(progress.used), tuple(progress.rejected), progress.labelled, progress.digest.hexdigest()
        ),
        shifts=_shifts(setup, progress, settings),
        outputs=(tally.finish(),),
        layers=layers,
        self_test=progress.self_test,
        incomplete=_incomplete(progress, source),
        preprocessing=setup.preprocessing.describe(),
        shared_batch=setup.batching.rows,
        runs=progress.runs + progress.layer_runs,
        naive_runs=progress.naive_runs + progress.naive_layer_runs,
        seconds=time.perf_counter() - start,
        external=external,
        notes=(
            *source.notes,
            *setup.guesses,
            *opened.remarks,
            *enlargement(progress.enlarged, len(progress.used)),
            *(f"{count} of {len(progress.used)} images: {note}" for note, count in sorted(progress.noted.items())),
            *remarks,
        ),
        preset_assumed=DEFAULT_PRESET if settings.preset_assumed else "",
    )


def enlargement(factors: Sequence[float], images: int) -> tuple[str, ...]:
    """What was measured on pictures with fewer pixels than the model reads, enlarged by these factors."""
    if not factors:
        return ()
    words = f"{len(factors)} of {images} images were enlarged, up to {max(factors):.2f} times"
    return (f"{words}: they have no detail at the scale of a pixel, so too little aliases in the first layers",)


def _require_measured(tally: Tally, progress: Progress, settings: VerifySettings) -> None:
    """See to it that some image has something to measure: numbers about nothing are never a pass.

    Raises:
        DataError: there is nothing in any image; the message says why, and what to check.
    """
    if not progress.used:
        reasons = sorted({one.reason for one in progress.rejected})
        raise DataError(f"none of the {len(progress.rejected)} images could be measured: {'; '.join(reasons[:3])}")
    why = tally.nothing()
    if why:
        assumed = f"the preset {DEFAULT_PRESET} was assumed, " if settings.preset_assumed else ""
        raise NothingMeasuredError(
            f"there is nothing to measure on {len(progress.used)} images: {why}; {assumed}check --preset, --channels, "
            "--task, --measured-output and the images"
        )


def _open_reference(worker: Worker, setup: Setup, source: ImageSource, settings: VerifySettings) -> Setup | None:
    """The reference model, on the same worker and for the same windows; None where there is none.

    Raises:
        DataError: it reads other images, or gives another kind of output.
        ModelRefusedError: it cannot be read, or may not be run.
    """
    if settings.reference is None:
        return None
    try:
        model = read_model(settings.reference)
    except ModelFileError as error:
        raise ModelRefusedError(f"the reference model {error.reason}") from error
    check_domains(model, settings.allow_domains)
    check_external(model)
    spec = SessionSpec(model.source, custom_ops=settings.custom_ops)
    # Names of tensors are those of the model under test; a reference without them has to be told by its shapes.
    names = {port.name for port in (*model.graph.inputs, *model.graph.outputs)}
    known = {name: name if name in names else None for name in (settings.image_input, settings.output)}
    theirs = replace(settings, image_input=known[settings.image_input], output=known[settings.output])
    # The reference is measured as the model under test is.
    other, _ = prepare(worker, spec, source, theirs, Clues.of(model, None))
    ours = setup.target
    if other.target.task is not ours.task:
        raise DataError(
            f"the reference model's output is taken for {other.target.task.value} and not for {ours.task.value}: "
            "give --task, or leave --reference out"
        )
    if (other.target.channel_axis, other.target.grid) != (ours.channel_axis, ours.grid):
        raise DataError("the reference model's output has another size or layout")
    if (other.image.size, other.preprocessing) != (setup.image.size, setup.preprocessing):
        raise DataError("the reference model reads images of another size, layout or type")
    return other


def _measure(
    worker: Worker,
    setup: Setup,
    other: Setup | None,
    settings: VerifySettings,
    units: Iterator[Load | Rejected],
    tally: Tally,
    progress: Progress,
    observer: Observer,
) -> None:
    """Run every unit. The worker computes one while the next is prepared and the last is measured."""
    waiting: deque[Load] = deque()

    def collect() -> None:
        load, answer = waiting.popleft(), worker.collect()
        rows = {name: answer.rows(name) for name in setup.target.outputs}
        if other is not None:
            # The reference runs next in the same memory.
            rows = {name: [row.copy() for row in found] for name, found in rows.items()}
            second = worker.run(other.job(load, settings, repeat=False))
            rows |= {REFERENCE + name: second.rows(name) for name in other.target.outputs}
        progress.runs += sum(call.rows for call in answer.calls)
        _account(load, rows, tally, progress)
        observer.advance()

    tested = 0
    for unit in units:
        if isinstance(unit, Rejected):
            progress.rejected.append(unit)
            observer.advance()
            continue
        if worker.pending == (DEPTH if other is None else 1):
            collect()
        repeat = tested < settings.self_test_images
        tested += repeat
        worker.submit(setup.job(unit, settings, repeat))
        waiting.append(unit)
    while waiting:
        collect()


def _measure_layers(
    worker: Worker,
    setup: Setup,
    settings: VerifySettings,
    graph: tuple[Model, Analysis | None],
    source: ImageSource,
    progress: Progress,
    observer: Observer,
) -> tuple[tuple[LayerResult, ...], tuple[str, ...]]:
    """The layers on the first images that could be used, and remarks about it."""
    model, analysis = graph
    if analysis is None or not settings.layer_images or progress.interrupted or not progress.used:
        return (), ()
    run = open_layers(worker, model, analysis, setup, settings)
    if isinstance(run, str):
        return (), (run,)
    observer.begin("images for layers", min(settings.layer_images, len(progress.used)))
    usable = (
        load
        for load in loads(source, replace(setup.protocol, native=False), setup.preprocessing, setup.shifts)
        if isinstance(load, Load) and load.unit.name in progress.used
    )
    try:
        for load in islice(usable, settings.layer_images):
            run.add(worker, load, settings)
            observer.advance()
    except KeyboardInterrupt:
        progress.interrupted = True
    progress.layer_runs, progress.naive_layer_runs = run.runs, run.naive
    return run.results(), (f"layers were measured on {min(settings.layer_images, len(progress.used))} images",)


def _in_place(layer: LayerResult, analysis: Analysis) -> LayerResult:
    """A layer of the model without functions, at the node that its site has in the model itself."""
    return layer if layer.site is None else replace(layer, node=analysis.sites[layer.site].node)


def _account(load: Load, rows: Mapping[str, list[Array]], tally: Tally, progress: Progress) -> None:
    count = len(load.places)
    progress.naive_runs += load.unit.plan.requested
    if any(len(found) < count for found in rows.values()):
        progress.rejected.append(Rejected(load.unit.name, "the model gives no output of its own for every input"))
        return
    repeated = {name: found[count:] for name, found in rows.items() if not name.startswith(REFERENCE)}
    try:
        tally.add(load.unit, {name: found[:count] for name, found in rows.items()})
    except UnusableOutputError as error:
        progress.rejected.append(Rejected(load.unit.name, str(error)))
        return
    progress.used.append(load.unit.name)
    if load.enlarged > ENLARGED:
        progress.enlarged.append(load.enlarged)
    progress.noted.update(load.notes)
    if load.unit.placements:
        vertical, horizontal = load.unit.placements[0].scale
        progress.factors.append((1 / vertical, 1 / horizontal))
    progress.digest.update(load.digest)
    progress.labelled += load.unit.label is not None
    if all(repeated.values()):
        first = {name: rows[name][0] for name in repeated}
        second = {name: found[0] for name, found in repeated.items()}
        progress.tested += 1
        progress.agreed += tally.same(first, second)
        progress.difference = max(progress.difference, _difference(first, second))


def _difference(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    """The largest absolute difference of any element; infinite where shapes differ."""
    worst = 0.0
    for name, one in first.items():
        other = second[name]
        if one.shape != other.shape:
            return float("inf")
        # Equal infinities differ by nothing; their subtraction would be no number.
        differing = one != other
        gap = np.abs(one[differing].astype(np.float64) - other[differing].astype(np.float64))
        worst = max(worst, float(gap.max(initial=0.0)))
    return worst


def _shifts(setup: Setup, progress: Progress, settings: VerifySettings) -> Shifts:
    protocol, images = setup.protocol, max(len(progress.used), 1)
    return Shifts(
        protocol=protocol.kind,
        source=protocol.picture,
        window=setup.image.size,
        radius=setup.shifts.radius,
        per_image=round(progress.naive_runs / images) - 1,
        distinct=round(progress.runs / images),
        exhaustive=setup.shifts.exhaustive > 0,
        seed=settings.shifts.seed,
        at=ShiftAt.NATIVE if protocol.native else ShiftAt.MODEL,
        factor=None if not progress.factors else float(np.median(progress.factors)),
    )


def _incomplete(progress: Progress, source: ImageSource) -> str:
    test = progress.self_test
    if test is not None and not test.passed:
        return (
            f"the self-test failed, so the measurement is void: the same input twice gave another answer for "
            f"{progress.tested - progress.agreed} of {progress.tested} images; the model draws random numbers, or its "
            "device is not deterministic"
        )
    if not progress.interrupted:
        return ""
    done = len(progress.used) + len(progress.rejected)
    if done == source.count:
        return "interrupted while layers were measured"
    total = f" of {source.count}" if source.count is not None else ""
    return f"interrupted after {done}{total} images"
