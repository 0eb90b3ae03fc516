"""Making a model ready to be measured: session, image input, protocol, output and batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from auditor.pipeline.decoding import Reading
from auditor.verify.errors import DataError, ModelRejectedError
from auditor.verify.images.inputs import LINE_SIZES, ImageInput, image_input, other_feeds
from auditor.verify.images.preprocess import Preprocessing
from auditor.verify.images.source import ImageSource
from auditor.verify.measures import TASKS
from auditor.verify.measures.layouts import DECODED, weak_score
from auditor.verify.measures.target import Clues, Target, find_target
from auditor.verify.result import ProtocolKind, Rejected, Task
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.batching import Batching, choose_batching
from auditor.verify.shifts.feeder import Load, Numbered, WindowMaker, numbered
from auditor.verify.shifts.plan import DEFAULT_RADIUS, ShiftSettings
from auditor.verify.shifts.protocols import SPLIT_PAIRS, Protocol
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job, Opened, SessionSpec

# Zhang's windows are 224 of 256 px: shifts reach one seventh of the window.
_WINDOW_SHARE = 7
_MAX_REASONS = 3
# The numbers of one image decide no task safely.
_TRIED_IMAGES = 4
# All outputs of one image are in memory at once; two images are under way.
_OUTPUT_BYTES = 256 << 20
_FEWEST_WINDOWS = 8
_PATH_BYTES = 1 << 30
# Of the 256 of a byte; a preset for floating numbers leaves an integer input a handful.
_FEWEST_LEVELS = 64


@dataclass(frozen=True, slots=True)
class Setup:
    """A model ready to be measured on images prepared one way.

    ``guesses`` say in our own words what was assumed because nobody said it.
    """

    opened: Opened
    image: ImageInput
    protocol: Protocol
    shifts: ShiftSettings
    preprocessing: Preprocessing
    target: Target
    batching: Batching
    guesses: tuple[str, ...]

    def job(self, load: Load, settings: VerifySettings, repeat: bool) -> Job:
        """The calls for one unit; ``repeat`` runs the unshifted window once more at the end."""
        places = np.concatenate([load.places, load.places[:1]]) if repeat else load.places
        batch = self.batching
        feeds = other_feeds(batch.opened.inputs, self.image, settings.feeds, load.extra, batch.rows)
        return Job(
            batch.opened.key,
            self.image.windows(load.canvases, places),
            self.target.outputs,
            batch.rows,
            # Inputs beside the image are made for a whole batch.
            batch.exact or bool(feeds),
            feeds,
        )

    @property
    def front(self) -> WindowMaker:
        """How its windows are made."""
        return WindowMaker(self.protocol, self.preprocessing)

    def units(
        self, source: ImageSource, wanted: Collection[int] | None = None, beside: WindowMaker | None = None
    ) -> Iterator[Numbered]:
        """The units of a source, prepared for this model; of the ``wanted`` places only where they are given.

        ``beside`` is how a reference model reads them.
        """
        whole = wanted is None or self.protocol.kind is ProtocolKind.FRAMES
        pictures = enumerate(source) if whole else source.places(wanted or ())
        return numbered(pictures, self.protocol, self.preprocessing, self.shifts, wanted, beside)

    def reopened(self, worker: Worker) -> Setup:
        """The same on another worker, which has the session of its own.

        Raises:
            DeviceUnavailableError: the model would run elsewhere there.
        """
        return replace(self, batching=self.batching.reopened(worker))


def prepare(
    worker: Worker,
    spec: SessionSpec,
    source: ImageSource,
    settings: VerifySettings,
    clues: Clues | None = None,
    any_task: bool = False,
    open_size: tuple[int, int] | None = None,
) -> tuple[Setup, Iterator[Numbered]]:
    """Open the model and try it on the first usable images.

    ``clues`` help to tell the task. With ``any_task`` a task that cannot be told is no error: all outputs are given.
    ``open_size`` is taken for sides that the model leaves open and the settings do not say.

    Returns:
        The setup, and all units of the source with their places, the tried ones included.

    Raises:
        DataError: no image can be used, the image input or the output cannot be told, or the shifts do not fit.
        ModelRejectedError: onnxruntime refuses the model or the image.
    """
    opened = worker.open(spec)
    names = tuple(port.name for port in opened.outputs if port.dtype)
    if not names:
        raise DataError("the model has no output that is a numeric tensor")
    clues = clues or Clues()
    trial = _first_that_runs(worker, opened, names, source, settings, clues, open_size)
    image, protocol, shifts, preprocessing = trial.image, trial.protocol, trial.shifts, trial.preprocessing
    seen, units, probe, feeds = trial.seen, trial.units, trial.probe, trial.probe.feeds
    rows = trial.samples[0]
    clues = replace(
        clues,
        labelled=any(isinstance(unit, Load) and unit.unit.label is not None for _, unit in seen),
        ranks={port.name: len(port.shape) for port in opened.outputs if port.shape},
    )
    try:
        reading = Reading(score=weak_score(settings.box_score))
        target = find_target(
            trial.samples, settings.task, settings.output, image.size, clues, settings.decoding, reading
        )
    except DataError:
        if not any_task:
            raise
        target = Target(names, Task.CLASSIFICATION)
    probe = replace(probe, outputs=target.outputs)
    batching = Batching(spec, opened, image.batch or 1, image.batch is not None)
    if not feeds:
        batching = choose_batching(worker, opened, spec, image, probe)
    bytes_of_window = sum(rows[name].nbytes for name in target.outputs)
    if protocol.native:  # every window is an input of its own, and all of one image are in memory at once
        bytes_of_window = max(bytes_of_window, probe.windows.canvases[0].nbytes)
    canvases = sum(one.canvases for one in settings.perturbations)
    split = 3 * SPLIT_PAIRS if protocol.splits else 0
    task_shifts = shifts_for(target.task, shifts, bytes_of_window, canvases, split)
    if task_shifts != shifts:
        seen, units = [], numbered(enumerate(source), protocol, preprocessing, task_shifts)
    guesses = [*target.remarks, *filter(None, [settings.told])]
    if target.guessed:
        guesses.append(f"the task was taken to be {target.task.value} from the outputs (--task)")
    if image.assumed_size:
        guesses.append(f"the model leaves its input size open: {image.size[0]} x {image.size[1]} was used (--size)")
    setup = Setup(opened, image, protocol, task_shifts, preprocessing, target, batching, tuple(guesses))
    return setup, chain(seen, units)


@dataclass(frozen=True, slots=True)
class _BatchTrial:
    """The model on its first images: what was run, the outputs for each, and all units of the source."""

    image: ImageInput
    protocol: Protocol
    shifts: ShiftSettings
    preprocessing: Preprocessing
    seen: list[Numbered]
    units: Iterator[Numbered]
    probe: Job
    samples: list[dict[str, Array]]


def _first_that_runs(
    worker: Worker,
    opened: Opened,
    names: tuple[str, ...],
    source: ImageSource,
    settings: VerifySettings,
    clues: Clues,
    open_size: tuple[int, int] | None,
) -> _BatchTrial:
    """Try the sizes that an input of open size may be made for, the likeliest first."""
    image = image_input(opened.inputs, settings.image_input, settings.size, settings.layout, settings.channels)
    open_size = open_size or settings.open_size
    image = image.sized(open_size)
    sizes: list[tuple[int, int]] = [image.size]
    if image.assumed_size:
        lines = [size for line in LINE_SIZES if (size := image.possible(line)) not in sizes]
        sizes = list(dict.fromkeys([*lines, image.size] if clues.reads_lines else [image.size, *lines]))
    refused: ModelRejectedError | None = None
    for size in sizes:
        try:
            return _tried(worker, opened, names, replace(image, size=size), source, settings)
        except ModelRejectedError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _tried(
    worker: Worker,
    opened: Opened,
    names: tuple[str, ...],
    image: ImageInput,
    source: ImageSource,
    settings: VerifySettings,
) -> _BatchTrial:
    try:
        protocol, shifts = plan_protocol(image.size, settings)
        protocol.plan(0, shifts)
    except ValueError as error:
        raise DataError(f"the shifts do not fit an input of {image.size[0]} x {image.size[1]}: {error}") from error
    preprocessing = image.fit(settings.preprocessing)
    if settings.reference is not None:
        _require_levels(preprocessing)
    seen, units = first_usable(numbered(enumerate(source), protocol, preprocessing, shifts), tried_images(settings))
    samples: list[dict[str, Array]] = []
    probe: Job | None = None
    for load in (unit for _, unit in seen if isinstance(unit, Load)):
        feeds = other_feeds(opened.inputs, image, settings.feeds, load.extra, image.batch or 1)
        windows = image.windows(load.canvases, load.places[:2])
        job = Job(opened.key, windows, names, image.batch or 1, image.batch is not None, feeds)
        probe = probe or job
        answer = worker.run(job)
        samples.append({name: answer.rows(name)[0].copy() for name in names})
    assert probe is not None
    return _BatchTrial(image, protocol, shifts, preprocessing, seen, units, probe, samples)


def _require_levels(preprocessing: Preprocessing) -> None:
    """An input of whole numbers behind a preset for floating ones would be a picture of a few grey levels."""
    levels = 255 * preprocessing.scale / max(preprocessing.std)
    if np.dtype(preprocessing.dtype).kind in "ui" and levels < _FEWEST_LEVELS:
        raise DataError(
            f"its input is {preprocessing.dtype}, and the preset makes only {int(levels) + 1} levels of 256: give "
            "--preset (raw where the model normalises by itself)"
        )


def plan_protocol(size: tuple[int, int], settings: VerifySettings) -> tuple[Protocol, ShiftSettings]:
    """The protocol and the shifts for an input of ``size`` (H, W).

    Raises:
        ValueError: the radius does not fit the size.
    """
    outer = min(size) + 2 * settings.surround
    radius = settings.radius or max(2, min(DEFAULT_RADIUS, outer // _WINDOW_SHARE))
    wanted = settings.shifts
    shifts = replace(
        wanted,
        radius=radius,
        distances=tuple(distance for distance in wanted.distances if distance < radius) or (1,),
    )
    margin = max(radius, 2 * shifts.exhaustive, shifts.path)
    if settings.protocol is ProtocolKind.FRAMES:
        margin = 0
    protocol = Protocol(
        settings.protocol,
        size,
        margin,
        settings.embedded,
        settings.fractions,
        settings.zooms,
        settings.native,
        settings.perturbations,
        shifts.seed,
        settings.surround,
        settings.period,
    )
    return protocol, shifts


def shifts_for(task: Task, shifts: ShiftSettings, row_bytes: int, beside: int = 0, further: int = 0) -> ShiftSettings:
    """The shifts that the task's measures use, few enough that all outputs of one image fit in memory.

    ``beside`` is how many perturbed windows there are for each random pair, ``further`` how many others for an image.

    Raises:
        DataError: the outputs of the path alone do not fit.
    """
    if TASKS[task].SINGLE_STEPS:
        return shifts
    path = shifts.path if TASKS[task].TRACKS else 0
    shifts = replace(shifts, neighbours=0, path=path, exhaustive=0)
    if path * row_bytes > _PATH_BYTES:
        steps = _PATH_BYTES // row_bytes
        raise DataError(f"the outputs of a path of {path} steps do not fit in memory: give --path {steps} or less")
    windows = max(_FEWEST_WINDOWS, _OUTPUT_BYTES // max(row_bytes, 1) - path - further)
    curve = 2 * len(shifts.distances) * shifts.per_distance
    each = 2 + beside
    if each * shifts.pairs + curve <= windows:
        return shifts
    per_distance = min(shifts.per_distance, 1 if windows >= 4 * len(shifts.distances) else 0)
    left = windows - 2 * len(shifts.distances) * per_distance
    return replace(shifts, per_distance=per_distance, pairs=max(1, min(shifts.pairs, left // each)))


def tried_images(settings: VerifySettings) -> int:
    """How many images are looked at before a run: one where the user said what the model answers, and how."""
    return _TRIED_IMAGES if settings.task is None or settings.task in DECODED else 1


def first_usable(units: Iterator[Numbered], count: int) -> tuple[list[Numbered], Iterator[Numbered]]:
    """The units up to and with the first ``count`` that can be run, or all where there are fewer, and the rest."""
    seen: list[Numbered] = []
    usable = 0
    for index, unit in units:
        seen.append((index, unit))
        usable += isinstance(unit, Load)
        if usable == count:
            return seen, units
    if usable:
        return seen, units
    raise no_usable_image([unit.reason for _, unit in seen if isinstance(unit, Rejected)])


def no_usable_image(reasons: Collection[str]) -> DataError:
    """The error of a source without a usable image; one reason per image."""
    if not reasons:
        return DataError("there are no images: give a folder, an array file or module:function with --images")
    listed = "; ".join(sorted(set(reasons))[:_MAX_REASONS])
    return DataError(f"none of the {len(reasons)} images can be used: {listed}")
