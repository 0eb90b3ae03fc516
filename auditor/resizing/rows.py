"""One row for each picture: the answers behind every kernel, held against each other. No picture depends on another."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from auditor.pipeline.native import shifted
from auditor.pipeline.placement import Placement
from auditor.resizing.answers import AnswerReader, Likeness
from auditor.resizing.front import NOT_SHRUNK, Front, bordered
from auditor.text import ModelText
from auditor.verify.arrays import AnyArray
from auditor.verify.images.inputs import ImageInput, other_feeds
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.measures.task import UnusableOutputError
from auditor.verify.result import Rejected
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.batching import Batching
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import DEPTH, Worker
from auditor.verify.worker.job import Answer, Job, Windows

# The four moves of a picture by one of its own pixels, (down, right).
MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True, slots=True)
class ResizePlan:
    """What holds for every picture: a model that is open, and how pictures become its inputs and outputs its answers.

    ``kernels`` begin with the reference. ``repeated`` are the places whose input is given twice. ``shown`` are two
    kernels whose inputs are shown side by side, empty where there is only one.
    """

    settings: VerifySettings
    kernels: tuple[str, ...]
    shown: tuple[str, ...]
    image: ImageInput
    front: Front
    reader: AnswerReader
    batching: Batching
    repeated: Collection[int]
    notes: tuple[str, ...]

    @property
    def model_file(self) -> Path:
        """The file of the model."""
        return self.batching.spec.model

    def reopened(self, worker: Worker) -> ResizePlan:
        """The same on another worker.

        Raises:
            DeviceUnavailableError: the model would run elsewhere there.
        """
        return replace(self, batching=self.batching.reopened(worker))

    def job(self, tensors: list[AnyArray], extra: Mapping[str, Array]) -> Job:
        """The calls for these inputs."""
        batch = self.batching
        feeds = other_feeds(batch.opened.inputs, self.image, self.settings.feeds, extra, batch.rows)
        return Job(
            batch.opened.key,
            windows_of(self.image, tensors),
            self.reader.outputs,
            batch.rows,
            batch.exact or bool(feeds),
            feeds,
        )

    def answers(self, answer: Answer) -> list[object]:
        """What the model says to each input of a job."""
        return [self.reader.read(rows) for rows in answer_rows(answer, self.reader.outputs, self.reader.alone)]


@dataclass(frozen=True, slots=True)
class ResizeRow:
    """One picture, or why it is left out.

    ``numbers`` hold the answer behind each kernel against that behind the reference, ``moved`` those to the moved
    picture against it. ``words`` are what the model says behind the reference and the ``shown`` kernels.
    """

    index: int
    name: ModelText
    rejected: str = ""
    placement: Placement | None = None
    digest: bytes = b""
    numbers: Mapping[str, Likeness] = field(default_factory=dict)
    moved: Mapping[str, tuple[Likeness, ...]] = field(default_factory=dict)
    costs: Mapping[str, float | None] = field(default_factory=dict)
    words: Mapping[str, tuple[str, float | None]] = field(default_factory=dict)
    tested: Likeness | None = None


def answer_rows(answer: Answer, outputs: tuple[str, ...], batched: bool) -> Iterator[dict[str, Array]]:
    """The outputs for each input, with a batch axis of one where ``batched``."""
    for call in answer.calls:
        for index in range(call.rows):
            rows = {}
            for name in outputs:
                value = call.outputs[name]
                own = value.ndim > 0 and value.shape[0] == call.batch
                rows[name] = value if not own else value[index : index + 1] if batched else value[index]
            yield rows


def windows_of(image: ImageInput, tensors: list[AnyArray]) -> Windows:
    """These inputs as they are, without a shift."""
    places = np.array([(index, 0, 0) for index in range(len(tensors))], np.int64)
    return image.windows(np.stack(tensors), places)


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A picture in the channels of the model, with its edge repeated once around it, and where it comes to lie."""

    name: ModelText
    pixels: AnyArray
    room: AnyArray
    placement: Placement
    extra: Mapping[str, Array]
    digest: bytes


def prepared(picture: Picture | Rejected, front: Front) -> PreparedPicture | Rejected:
    """A picture as the model is to see it, or why it is left out."""
    if isinstance(picture, Rejected):
        return picture
    try:
        pixels = front.pixels(picture)
        placement = front.place(pixels)
    except ValueError as error:
        return Rejected(picture.name, str(error))
    factors = tuple(have / want for have, want in zip(placement.picture, placement.resized, strict=True))
    if min(factors) < 1 or max(factors) == 1:
        height, width = placement.picture
        return Rejected(
            picture.name,
            f"{NOT_SHRUNK}: {width} x {height} pixels become {placement.resized[1]} x {placement.resized[0]}",
        )
    digest = hashlib.sha256()
    picture.digest_into(digest)
    return PreparedPicture(picture.name, pixels, bordered(pixels), placement, picture.extra, digest.digest())


@dataclass(slots=True)
class _Pending:
    """A picture whose kernels are on their way."""

    index: int
    picture: PreparedPicture
    left: int
    reference: object = None
    numbers: dict[str, Likeness] = field(default_factory=dict)
    moved: dict[str, tuple[Likeness, ...]] = field(default_factory=dict)
    costs: dict[str, float | None] = field(default_factory=dict)
    words: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    tested: Likeness | None = None
    refused: str = ""

    @property
    def row(self) -> ResizeRow:
        picture = self.picture
        if self.refused:
            return ResizeRow(self.index, picture.name, self.refused)
        facts = (self.numbers, self.moved, self.costs, self.words, self.tested)
        return ResizeRow(self.index, picture.name, "", picture.placement, picture.digest, *facts)


def measured_pictures(
    worker: Worker, plan: ResizePlan, source: ImageSource, places: Collection[int] | None
) -> Iterator[ResizeRow]:
    """The row of every picture, or of those at these places.

    The worker computes one kernel's inputs while the next ones are resized.
    """
    waiting: deque[tuple[_Pending, str]] = deque()

    def collect() -> _Pending | None:
        pending, kernel = waiting.popleft()
        answer = worker.collect()
        try:
            if not pending.refused:
                _read(plan, pending, kernel, answer)
        except UnusableOutputError as error:
            pending.refused = str(error)
        pending.left -= 1
        return None if pending.left else pending

    for index, item in enumerate(source) if places is None else source.places(places):
        picture = prepared(item, plan.front)
        if isinstance(picture, Rejected):
            yield ResizeRow(index, picture.name, picture.reason)
            continue
        pending = _Pending(index, picture, len(plan.kernels))
        for kernel in plan.kernels:
            repeat = kernel == plan.kernels[0] and index in plan.repeated
            tensors = _inputs(plan.front, pending, kernel)
            if worker.pending == DEPTH and (done := collect()) is not None:
                yield done.row
            worker.submit(plan.job([*tensors, *tensors[:1]] if repeat else tensors, picture.extra))
            waiting.append((pending, kernel))
    while waiting:
        if (done := collect()) is not None:
            yield done.row


def _inputs(front: Front, pending: _Pending, kernel: str) -> list[AnyArray]:
    """The model's input for the picture and for its four moves."""
    picture = pending.picture
    tensors = []
    for move in ((0, 0), *MOVES):
        pixels = np.ascontiguousarray(shifted(picture.room, move, 1)) if any(move) else picture.pixels
        begun = time.thread_time()
        canvas = front.canvas(pixels, kernel)
        if not any(move):
            pending.costs[kernel] = front.cost(kernel, pixels, picture.placement, time.thread_time() - begun)
        tensors.append(front.tensor(canvas))
    return tensors


def _read(plan: ResizePlan, pending: _Pending, kernel: str, answer: Answer) -> None:
    """Hold the answers behind a kernel against that behind the reference, and against each other."""
    answers = plan.answers(answer)
    reader, base = plan.reader, answers[0]
    if not pending.numbers:
        pending.reference = base
    pending.numbers[kernel] = reader.likeness(pending.reference, base)
    vertical, horizontal = pending.picture.placement.scale
    pending.moved[kernel] = tuple(
        reader.likeness(base, other, (move[0] * vertical, move[1] * horizontal))
        for move, other in zip(MOVES, answers[1:], strict=False)
    )
    if kernel == plan.kernels[0] or kernel in plan.shown:
        pending.words[kernel] = reader.words(base)
    if len(answers) > 1 + len(MOVES):
        pending.tested = reader.likeness(base, answers[-1])
