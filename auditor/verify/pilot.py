"""The pilot of a run: it decides what holds for all images, so that each of them can be measured alone.

Input, task, output, batch and shifts, and what the numbers of the output are (logits or probabilities, boxes as corners
or centres) are told from the first usable images, once. The plan is a frozen value: sent to another process, it gives
the same rows there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from auditor.sampling.result import Analysis
from auditor.verify.errors import DataError
from auditor.verify.images.source import ImageSource
from auditor.verify.measures import TASKS
from auditor.verify.measures.target import Clues
from auditor.verify.measures.task import Outputs, Subject, TaskMeasures
from auditor.verify.perturbation import Perturbation, PerturbationKind
from auditor.verify.reference import can_be_native, open_reference, reading_remarks, require_windows, sees_the_same
from auditor.verify.result import ProtocolKind, Task
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup, first_usable, prepare, tried_images
from auditor.verify.shifts.alignment import Grid
from auditor.verify.shifts.feeder import Load, Numbered, WindowMaker
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import SessionSpec

_CIRCULAR = (ProtocolKind.ROLL, ProtocolKind.SUBPIXEL)
# Their windows do not lie whole pixels apart, so that grids cannot be laid over each other.
_UNALIGNED = (ProtocolKind.SUBPIXEL, ProtocolKind.ZOOM)
# Of all first images together: enough to tell logits from shares, few beside the windows of one image.
_LEARNT_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """A model that is ready to run, and how its answers are read and measured."""

    setup: Setup
    measures: TaskMeasures[Any, Any]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What holds for every image of a run. ``repeated`` are the places whose unshifted input is given twice.

    ``remarks`` are what a reader should know of the reference.
    """

    settings: VerifySettings
    model: MeasuredModel
    reference: MeasuredModel | None
    repeated: Collection[int]
    remarks: tuple[str, ...] = ()

    @property
    def model_file(self) -> Path:
        """The file of the model."""
        return self.model.setup.batching.spec.model

    def units(self, source: ImageSource, wanted: Collection[int] | None = None) -> Iterator[Numbered]:
        """The units of a source for both models; of the ``wanted`` places only where they are given."""
        beside = None if self.reference is None else _front_beside(self.model.setup, self.reference.setup)
        return self.model.setup.units(source, wanted, beside)

    def reopened(self, worker: Worker) -> RunPlan:
        """The same on another worker, which has sessions of its own.

        Raises:
            VerifyError: the models cannot be opened there, or would run on another device.
        """
        model = replace(self.model, setup=self.model.setup.reopened(worker))
        other = self.reference
        return replace(self, model=model, reference=other and replace(other, setup=other.setup.reopened(worker)))


def pilot(
    worker: Worker,
    spec: SessionSpec,
    source: ImageSource,
    settings: VerifySettings,
    clues: Clues,
    analysis: Analysis | None,
) -> tuple[RunPlan, Iterator[Numbered]]:
    """Make the plan of a run.

    Returns:
        The plan, and all units of the source with their places, those that were looked at included.

    Raises:
        DataError: no image can be used, the model and the settings do not fit, or the reference is of another kind.
        ModelRefusedError: the reference model cannot be read, or may not be run.
        ModelRejectedError: onnxruntime refuses a model or an image.
    """
    settings = replace(settings, period=settings.period or whole_factor(analysis))
    setup, units = prepare(worker, spec, source, settings, clues)
    other = None if settings.reference is None else open_reference(worker, setup, source, settings)
    switched = False
    if other is not None:
        needed = not sees_the_same(setup, other)
        if needed and not setup.protocol.native and settings.native_if_needed and can_be_native(setup):
            settings, switched = replace(settings, native=True), True
            setup, units = prepare(worker, spec, source, settings, clues)
            other = open_reference(worker, setup, source, settings)
        require_windows(setup, other)
        beside = _front_beside(setup, other)
        units = units if beside is None else setup.units(source, beside=beside)
    task, protocol = TASKS[setup.target.task], setup.protocol.kind
    if task.WHOLE_PIXELS and protocol in _UNALIGNED:
        raise DataError(f"the protocol {protocol.value} measures classifiers and embeddings only")
    for perturbation in settings.perturbations:
        _require_comparable(perturbation, task, setup.target.task)
    if setup.protocol.native and not task.NATIVE:
        kind = setup.target.task.value
        raise DataError(
            f"{kind} outputs are laid over each other pixel by pixel of the model, and a pixel of the picture is a "
            "fraction of one, which would have to be interpolated and count as a change: use --shift-at model"
        )
    seen, units = first_usable(units, tried_images(settings))
    loads = [(index, unit) for index, unit in seen if isinstance(unit, Load)]
    first = loads[0][0]
    images = [load for _, load in loads]
    model = _learnt(worker, setup, images, settings, analysis)
    reference, remarks = None, tuple[str, ...]()
    if other is not None:
        reference = _learnt(worker, other, [load.beside or load for load in images], settings, None)
        remarks = reading_remarks(setup, other, settings, switched)
    plan = RunPlan(settings, model, reference, range(first, first + settings.self_test_images), remarks)
    return plan, chain(seen, units)


def _require_comparable(perturbation: Perturbation, measures: type[TaskMeasures[Any, Any]], task: Task) -> None:
    """See to it that the task's answers to both pictures can be laid over each other."""
    name = perturbation.name
    if perturbation.kind is PerturbationKind.ROTATE and measures.WHOLE_PIXELS:
        raise DataError(f"{name} turns what {task.value} outputs place: it measures outputs without places only")
    if perturbation.moves_half and not measures.NATIVE:
        raise DataError(f"{task.value} outputs are laid over each other pixel by pixel: leave {name} out")


def _front_beside(setup: Setup, other: Setup) -> WindowMaker | None:
    """How the reference's windows are made; None where they are those of the model."""
    return None if other.front == setup.front else other.front


def _learnt(
    worker: Worker, setup: Setup, loads: Sequence[Load], settings: VerifySettings, analysis: Analysis | None
) -> MeasuredModel:
    """How the model is read, from a few windows of the first images."""
    samples: list[Outputs] = []
    count = max(1, _LEARNT_WINDOWS // len(loads))
    for load in loads:
        answer = worker.run(setup.job(replace(load, places=load.places[:count]), settings, repeat=False))
        rows = {name: [row.copy() for row in answer.rows(name)] for name in setup.target.outputs}
        samples += [dict(zip(rows, window, strict=True)) for window in zip(*rows.values(), strict=False)]
    subject = Subject(
        setup.target, setup.image.size, _grid(setup, analysis), settings.box_score, _period(setup, analysis)
    )
    return MeasuredModel(setup, TASKS[setup.target.task].learn(subject, samples))


def _period(setup: Setup, analysis: Analysis | None) -> int | None:
    """The largest cumulative factor on the way to an output, where it is whole and shifts count the model's pixels."""
    return None if setup.protocol.native else whole_factor(analysis)


def whole_factor(analysis: Analysis | None) -> int | None:
    """The largest cumulative factor on the way to an output, where it is whole."""
    largest = None if analysis is None else analysis.subsampling
    return None if largest is None or largest.denominator != 1 else int(largest)


def _grid(setup: Setup, analysis: Analysis | None) -> Grid:
    """The output's grid: the analysis's exact lattice, else centres spread evenly over the input."""
    circular = setup.protocol.kind in _CIRCULAR
    size = setup.image.size
    for head in analysis.heads if analysis is not None else ():
        if head.output.raw == setup.target.outputs[0] and len(head.lattice) == 2:
            strides = float(head.lattice[0].stride), float(head.lattice[1].stride)
            offsets = float(head.lattice[0].offset), float(head.lattice[1].offset)
            if min(strides) > 0:
                return Grid(strides, offsets, size, circular)
    high, wide = setup.target.grid
    even = size[0] / high, size[1] / wide
    return Grid(even, ((even[0] - 1) / 2, (even[1] - 1) / 2), size, circular)
