"""What the student learns from: pictures, and the answers of the original model averaged over shifts of each picture.

The original runs in the process that owns onnxruntime, once; its answers and the prepared pictures then lie in a
temporary folder and are read from there, so that memory does not grow with the number of pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from auditor.finetune.result import FinetuneError, Schedule
from auditor.finetune.views import HELD_OUT, views
from auditor.onnxfile.graph import Model
from auditor.unfinished import spare_folder
from auditor.verify.admission import admitted
from auditor.verify.arrays import AnyArray
from auditor.verify.images.preprocess import ImageLayout
from auditor.verify.observer import Observer
from auditor.verify.options import Request
from auditor.verify.probe import Run, probe
from auditor.verify.result import ProtocolKind, Task
from auditor.verify.setup import Setup
from auditor.verify.shifts.feeder import Load
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.worker.job import SessionSpec
from auditor.verify.worker.windows import cut

FEWEST_HELD_OUT = 2  # pictures
PROBES = 2  # pictures on which the converted model must answer as onnxruntime does
DENSE_WINDOWS = 4  # of one picture: a dense answer is large, and each one lies on the disk


class AnswerKind(Enum):
    """What an output is, and so how two of them are compared."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    EMBEDDING = "embedding"
    DENSE = "dense"


@dataclass(frozen=True, slots=True)
class Lessons:
    """Everything to learn from.

    ``canvases`` (picture, ...) are in the layout of the model's input and hold windows of ``size`` with corners (y, x)
    from (0, 0) to ``room``. ``targets`` (picture, window, ...) are the original's answers. A dense output has one per
    window, at the corners ``places`` (picture, window, 2); any other has one per picture, flat, averaged over windows
    all over the canvas. ``spread`` is the variance of the targets.

    ``probes`` are some windows (window, ...) and what the rewritten model answers to them in onnxruntime. ``marks``
    say of each picture whether it is held out.
    """

    answer: AnswerKind
    output: str
    canvases: AnyArray
    places: AnyArray
    targets: AnyArray
    spread: float
    size: tuple[int, int]
    room: tuple[int, int]
    channels_last: bool
    rejected: int
    probes: tuple[AnyArray, AnyArray]
    marks: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.canvases)

    def held_out(self) -> list[int]:
        """The pictures that tell which epoch is best."""
        return [picture for picture, held_out in enumerate(self.marks) if held_out]

    def trained(self) -> list[int]:
        """The pictures to train on, every view of one by itself."""
        return [picture for picture, held_out in enumerate(self.marks) if not held_out]

    def windows(self, chosen: Sequence[tuple[int, int, int]]) -> AnyArray:
        """The windows (window, ...) of these pictures with these corners, float32."""
        found = [
            cut(self.canvases[picture : picture + 1], np.array([[0, y, x]]), self.size, self.channels_last)
            for picture, y, x in chosen
        ]
        return np.concatenate(found).astype(np.float32)


@contextmanager
def lessons(
    original: Model,
    rewritten: Model,
    request: Request,
    schedule: Schedule,
    observer: Observer,
) -> Iterator[Lessons]:
    """Ask the original about every picture; what it said is gone when the context ends.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
        FinetuneError: the two models do not read and answer alike, the answer is none that can be taught, or there are
            too few pictures.
    """
    request = request.for_file(original.metadata)
    settings = replace(
        request.settings,
        protocol=ProtocolKind.CROP,
        shifts=ShiftSettings(pairs=(schedule.shifts + 1) // 2, neighbours=0, per_distance=0, seed=schedule.seed),
        reference=None,
    )
    teacher, student = (admitted(model, settings) for model in (original, rewritten))
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(spare_folder())
        except OSError as error:
            raise FinetuneError(f"no temporary folder can be made: {error.strerror or error}") from error
        pictures = views(request.source(), schedule.views, schedule.seed)
        observer.begin("original", pictures.count)
        with probe(teacher, pictures, settings, observer, any_task=False) as run:
            taught = _collected(run, student, folder)
        yield taught


def _collected(run: Run, rewritten: SessionSpec, folder: Path) -> Lessons:
    probes: list[tuple[AnyArray, AnyArray]] = []
    store, spread = _Store(folder), _Spread()
    marks: list[bool] = []
    answer = None
    setup = run.setup
    output = _taught(setup)
    student = run.open(rewritten)
    inputs, outputs = ([port.name for port in ports] for ports in (student.inputs, student.outputs))
    if inputs != [setup.image.name] or output not in outputs:
        raise FinetuneError("the two models have other inputs or outputs: give the model that was rewritten")
    for load in run.loads():
        if setup.target.task is Task.DENSE:
            load = _few(load)
        rows = _rows(run.worker.run(setup.job(load, run.settings, repeat=False)).rows(output))
        answer = answer or _answer(setup.target.task, rows)
        if len(marks) < PROBES:
            shown = _rows(run.tensors(student.key, load, [output])[output])
            probes.append((run.window(load).astype(np.float32), shown))
        target = rows if answer is AnswerKind.DENSE else _averaged(rows, answer)[None]
        spread.add(target)
        store.add(canvases=load.canvases[0], places=load.places[: len(target), 1:], targets=target)
        marks.append(load.unit.label == 1)
    if sum(marks) < FEWEST_HELD_OUT or answer is None:
        raise FinetuneError(f"fine-tuning needs at least {FEWEST_HELD_OUT * HELD_OUT} pictures that can be used")
    return Lessons(
        answer=answer,
        output=output,
        canvases=store.read("canvases"),
        places=store.read("places"),
        targets=store.read("targets"),
        spread=spread.variance,
        size=setup.image.size,
        room=(setup.protocol.positions.height, setup.protocol.positions.width),
        channels_last=_channels_last(setup),
        rejected=len(run.rejected),
        marks=tuple(marks),
        probes=(np.concatenate([one for one, _ in probes]), np.concatenate([one for _, one in probes])),
    )


def _few(load: Load) -> Load:
    """The same number of windows for every picture; two draws may have given the same one."""
    return replace(load, places=load.places[np.arange(DENSE_WINDOWS) % len(load.places)])


def _taught(setup: Setup) -> str:
    """The name of the output that is learnt. Raises FinetuneError where there is nothing that can be."""
    if len(setup.opened.inputs) > 1:
        raise FinetuneError("the model has inputs beside the image")
    if (setup.image.batch or 1) > 1:
        raise FinetuneError("the model is fixed to a batch of several images: export it with a batch of one")
    if setup.target.task is Task.DETECTION:
        raise FinetuneError("detections cannot be averaged over shifts: fine-tune in training code (`fix --recipe`)")
    name = setup.target.outputs[0]
    if not next(port.dtype for port in setup.opened.outputs if port.name == name).startswith("float"):
        raise FinetuneError("the output is not of floating point, so that nothing can be learnt from it")
    return name


def _channels_last(setup: Setup) -> bool:
    return setup.image.layout is not ImageLayout.NCHW


def _rows(rows: list[AnyArray]) -> AnyArray:
    found = np.stack([row.astype(np.float32) for row in rows])
    if not np.isfinite(found).all():
        raise FinetuneError("the model answers with numbers that are not finite: is the preprocessing right?")
    return found


def _answer(task: Task, rows: AnyArray) -> AnswerKind:
    if task is Task.DENSE:
        return AnswerKind.DENSE
    if task is Task.EMBEDDING:
        return AnswerKind.EMBEDDING
    flat = rows.reshape(len(rows), -1)
    sums_to_one = np.abs(flat.sum(axis=1) - 1).max() < 1e-2
    return AnswerKind.PROBABILITIES if flat.min() >= 0 and sums_to_one else AnswerKind.LOGITS


def _averaged(rows: AnyArray, answer: AnswerKind) -> AnyArray:
    """The mean over windows (window, ...) of probabilities, or of directions of embeddings; flat."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    if answer is AnswerKind.LOGITS:
        flat = np.exp(flat - flat.max(axis=1, keepdims=True))
    if answer is AnswerKind.EMBEDDING:
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    else:
        flat /= flat.sum(axis=1, keepdims=True)
    mean: AnyArray = flat.mean(axis=0).astype(np.float32)
    return mean


class _Spread:
    """The variance of numbers that come in pieces."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, values: AnyArray) -> None:
        wide = values.astype(np.float64)
        self._count += wide.size
        self._sum += float(wide.sum())
        self._squares += float((wide**2).sum())

    @property
    def variance(self) -> float:
        count = max(self._count, 1)
        return max(self._squares / count - (self._sum / count) ** 2, 1e-12)


class _Store:
    """Arrays of equal shapes, appended to a file each and read back without being loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
        self._count = 0

    def add(self, **arrays: AnyArray) -> None:
        """Append one picture's arrays, always of the same names."""
        for name, values in arrays.items():
            if self._kinds.setdefault(name, (values.dtype, values.shape)) != (values.dtype, values.shape):
                raise FinetuneError("the original's answers have different shapes for different pictures")
            try:
                with (self._folder / name).open("ab") as file:
                    file.write(np.ascontiguousarray(values).tobytes())
            except OSError as error:
                raise FinetuneError(f"the pictures do not fit in the temporary folder: {error.strerror}") from error
        self._count += 1

    def read(self, name: str) -> AnyArray:
        """All pictures' arrays of that name (picture, ...)."""
        dtype, shape = self._kinds[name]
        return np.memmap(self._folder / name, dtype, "r", shape=(self._count, *shape))
