"""Running one model behind several resize kernels, one picture at a time."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from auditor.onnxfile.graph import Model
from auditor.pipeline.native import shifted
from auditor.pipeline.placement import Placement
from auditor.pipeline.preset import presets
from auditor.pipeline.response import low_pass
from auditor.resizing.answers import AnswerReader, Decoding, Likeness, find_reader
from auditor.resizing.compare import KernelTally
from auditor.resizing.front import NOT_SHRUNK, Front, bordered
from auditor.resizing.kernels import chosen_kernels, reference_of
from auditor.resizing.pictures import Gallery
from auditor.resizing.result import ResizeComparison
from auditor.sampling.result import Analysis
from auditor.text import ModelText
from auditor.verify.admission import admitted
from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError
from auditor.verify.images.inputs import ImageInput, image_input, other_feeds
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.measures.target import Clues, unknown_output
from auditor.verify.measures.task import UnusableOutputError
from auditor.verify.observer import Observer, Silent
from auditor.verify.options import Request
from auditor.verify.result import Rejected
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import no_usable_image
from auditor.verify.shifts.batching import Batching, choose_batching
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import DEPTH, Worker
from auditor.verify.worker.job import Answer, Job, Opened, SessionSpec, Windows

# The four moves of a picture by one of its own pixels, (down, right).
MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0))
_TRIED = 4  # the numbers of one picture decide no task safely
_SELF_TESTED = 8


@dataclass(frozen=True, slots=True)
class ResizeRequest:
    """What to compare. ``deployed`` is the user's own kernel, where it is named.

    ``kernels`` are the ones to compare, the usual ones where there are none. Of ``settings`` the shifts are not read; a
    preset that is a whole pipeline names the deployed kernel, too. ``asked`` is what the settings and the source were
    made from, None where the settings hold whatever the file of a model says.
    """

    source: ImageSource
    settings: VerifySettings
    kernels: tuple[str, ...] = ()
    deployed: str = ""
    asked: Request | None = None

    def for_file(self, metadata: Mapping[str, str]) -> ResizeRequest:
        """The same as the file of a model says that its pictures are prepared, where nobody said otherwise."""
        told = None if self.asked is None else self.asked.for_file(metadata)
        if told is None or told is self.asked:
            return self
        return replace(self, source=told.source(), settings=told.settings, asked=told)

    @property
    def kernel(self) -> str:
        """The deployed kernel: the one named, else that of the preset, else empty."""
        preprocessing = self.settings.preprocessing
        whole = preprocessing.name in presets()
        return self.deployed or (preprocessing.geometry.kernel if whole else "")


def compare_kernels(
    model: Model,
    request: ResizeRequest,
    name: str,
    analysis: Analysis | None = None,
    observer: Observer | None = None,
) -> ResizeComparison:
    """Run a model behind each kernel, on every picture and on the picture moved by one of its own pixels.

    An interrupt (``KeyboardInterrupt``) after the first picture ends the run early; the result says so.

    Raises:
        ValueError: there is no such kernel or fit.
        VerifyError: the model may not or cannot be run, no picture can be used or is shrunk, or the answers cannot be
            told or measured.
    """
    start = time.perf_counter()
    request = request.for_file(model.metadata)
    settings = request.settings
    kernels = chosen_kernels(request.kernels, request.kernel)
    reference = reference_of(kernels)
    # The reference first: the other answers are held against its answer at once.
    kernels = (reference, *(kernel for kernel in kernels if kernel != reference))
    observer = observer or Silent()
    spec = admitted(model, settings)
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        bench = _open(worker, spec, request, model, analysis, reference)
        tally = KernelTally(bench.reader, kernels, settings.confidence)
        shown = request.kernel or next((kernel for kernel in kernels if not low_pass(kernel)), kernels[-1])
        gallery = Gallery((reference, shown)) if shown != reference else None
        observer.begin("pictures", request.source.count)
        try:
            _measure(bench, request, kernels, tally, gallery, observer)
        except KeyboardInterrupt:
            if not tally.used:
                raise
            tally.interrupted = True
    tally.require_measured(request.source.count)
    return tally.finish(
        name=name,
        source=request.source,
        front=bench.front,
        deployed=request.kernel,
        preset=settings.preprocessing.name,
        changed=() if gallery is None else gallery.changed(),
        provider=bench.batching.opened.provider,
        notes=(*bench.notes, *bench.batching.opened.remarks),
        seconds=time.perf_counter() - start,
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    """A model that is ready, and how pictures become its inputs and outputs its answers."""

    worker: Worker
    image: ImageInput
    front: Front
    reader: AnswerReader
    batching: Batching
    feeds: Mapping[str, float]
    notes: tuple[str, ...]

    def job(self, tensors: list[AnyArray], extra: Mapping[str, Array]) -> Job:
        """The calls for these inputs."""
        batch = self.batching
        feeds = other_feeds(batch.opened.inputs, self.image, self.feeds, extra, batch.rows)
        return Job(
            batch.opened.key,
            _windows(self.image, tensors),
            self.reader.outputs,
            batch.rows,
            batch.exact or bool(feeds),
            feeds,
        )

    def answers(self, answer: Answer) -> list[object]:
        """What the model says to each input of a job."""
        return [self.reader.read(rows) for rows in _rows(answer, self.reader.outputs, self.reader.alone)]


def _rows(answer: Answer, outputs: tuple[str, ...], batched: bool) -> Iterator[dict[str, Array]]:
    """The outputs for each input, with a batch axis of one where ``batched``."""
    for call in answer.calls:
        for index in range(call.rows):
            rows = {}
            for name in outputs:
                value = call.outputs[name]
                own = value.ndim > 0 and value.shape[0] == call.batch
                rows[name] = value if not own else value[index : index + 1] if batched else value[index]
            yield rows


def _windows(image: ImageInput, tensors: list[AnyArray]) -> Windows:
    places = np.array([(index, 0, 0) for index in range(len(tensors))], np.int64)
    return image.windows(np.stack(tensors), places)


def _open(
    worker: Worker,
    spec: SessionSpec,
    request: ResizeRequest,
    model: Model,
    analysis: Analysis | None,
    reference: str,
) -> _Bench:
    """Open the model, and try it on the first pictures that can be used."""
    settings = request.settings
    opened = worker.open(spec)
    outputs = tuple(port.name for port in opened.outputs if port.dtype)
    if not outputs:
        raise DataError("the model has no output that is a numeric tensor")
    if settings.output is not None and settings.output not in outputs:
        raise unknown_output(settings.output, outputs)
    image = image_input(opened.inputs, settings.image_input, settings.size, settings.layout, settings.channels)
    image = image.sized(settings.open_size)
    front = Front(image.size, image.fit(settings.preprocessing))
    samples, tensors, extra = _samples(worker, opened, request, image, front, outputs, reference)
    clues = Clues.of(model, analysis)
    decoding = Decoding(image.size, model.metadata, clues.operators, settings.box_score)
    reader, remarks = find_reader(samples, image, clues, decoding, settings.task, settings.output, settings.decoding)
    batching = Batching(spec, opened, image.batch or 1, image.batch is not None)
    feeds = other_feeds(opened.inputs, image, settings.feeds, extra, batching.rows)
    if not reader.alone and not feeds and len(tensors) > 1:
        probe = Job(opened.key, _windows(image, tensors), reader.outputs, batching.rows, batching.exact)
        batching = choose_batching(worker, opened, spec, image, probe)
    notes = [*request.source.notes, *remarks, *filter(None, [settings.told])]
    if image.assumed_size:
        notes.append(f"the model leaves its input size open: {image.size[0]} x {image.size[1]} was used (--size)")
    if settings.preset_assumed:
        notes.append("the preprocessing was assumed to be that of imagenet: choose it with --preset")
    return _Bench(worker, image, front, reader, batching, settings.feeds, tuple(notes))


def _samples(
    worker: Worker,
    opened: Opened,
    request: ResizeRequest,
    image: ImageInput,
    front: Front,
    outputs: tuple[str, ...],
    reference: str,
) -> tuple[list[dict[str, Array]], list[AnyArray], Mapping[str, Array]]:
    """Raw outputs for the first pictures, their inputs, and the further inputs of the first."""
    samples: list[dict[str, Array]] = []
    tensors: list[AnyArray] = []
    extra: Mapping[str, Array] = {}
    refused: list[str] = []
    for item in request.source:
        prepared = item if isinstance(item, Rejected) else _prepared(item, front)
        if isinstance(prepared, Rejected):
            refused.append(prepared.reason)
            continue
        assert isinstance(item, Picture)
        tensor = front.tensor(front.canvas(prepared.pixels, reference))
        feeds = other_feeds(opened.inputs, image, request.settings.feeds, item.extra, image.batch or 1)
        job = Job(opened.key, _windows(image, [tensor]), outputs, image.batch or 1, image.batch is not None, feeds)
        (rows,) = _rows(worker.run(job), outputs, batched=True)
        named = {request.settings.output: rows[request.settings.output]} if request.settings.output else rows
        samples.append({name: value.copy() for name, value in named.items()})
        tensors.append(tensor)
        extra = extra or item.extra
        if len(samples) == _TRIED:
            break
    if not samples:
        raise no_usable_image(refused)
    return samples, tensors, extra


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A picture in the channels of the model, with its edge repeated once around it, and where it comes to lie."""

    name: ModelText
    pixels: AnyArray
    room: AnyArray
    placement: Placement
    extra: Mapping[str, Array]
    digest: bytes


def _prepared(picture: Picture, front: Front) -> _Prepared | Rejected:
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
    return _Prepared(picture.name, pixels, bordered(pixels), placement, picture.extra, digest.digest())


@dataclass(slots=True)
class _Pending:
    """A picture whose kernels are on their way."""

    picture: _Prepared
    left: int
    reference: object = None
    numbers: dict[str, Likeness] = field(default_factory=dict)
    moved: dict[str, list[Likeness]] = field(default_factory=dict)
    costs: dict[str, float | None] = field(default_factory=dict)
    answers: dict[str, object] = field(default_factory=dict)
    canvases: dict[str, AnyArray] = field(default_factory=dict)
    tested: Likeness | None = None
    refused: str = ""


def _measure(
    bench: _Bench,
    request: ResizeRequest,
    kernels: tuple[str, ...],
    tally: KernelTally,
    gallery: Gallery | None,
    observer: Observer,
) -> None:
    """Run every picture. The worker computes one kernel's inputs while the next ones are resized."""
    waiting: deque[tuple[_Pending, str]] = deque()
    tested = 0

    def collect() -> None:
        pending, kernel = waiting.popleft()
        answer = bench.worker.collect()
        try:
            if not pending.refused:
                _read(bench, pending, kernel, answer)
        except UnusableOutputError as error:
            pending.refused = str(error)
        pending.left -= 1
        if not pending.left:
            _finished(bench, pending, tally, gallery)
            observer.advance()

    for item in request.source:
        prepared = item if isinstance(item, Rejected) else _prepared(item, bench.front)
        if isinstance(prepared, Rejected):
            tally.rejected.append(prepared)
            observer.advance()
            continue
        pending = _Pending(prepared, len(kernels))
        for kernel in kernels:
            repeat = kernel == kernels[0] and tested < _SELF_TESTED
            tested += repeat
            tensors = _inputs(bench.front, pending, kernel, () if gallery is None else gallery.kernels)
            if bench.worker.pending == DEPTH:
                collect()
            bench.worker.submit(bench.job([*tensors, *tensors[:1]] if repeat else tensors, prepared.extra))
            waiting.append((pending, kernel))
    while waiting:
        collect()


def _inputs(front: Front, pending: _Pending, kernel: str, kept: tuple[str, ...]) -> list[AnyArray]:
    """The model's input for the picture and for its four moves."""
    picture = pending.picture
    tensors = []
    for move in ((0, 0), *MOVES):
        pixels = np.ascontiguousarray(shifted(picture.room, move, 1)) if any(move) else picture.pixels
        begun = time.thread_time()
        canvas = front.canvas(pixels, kernel)
        if not any(move):
            pending.costs[kernel] = front.cost(kernel, pixels, picture.placement, time.thread_time() - begun)
        if kernel in kept and not any(move):
            pending.canvases[kernel] = front.shown(canvas)
        tensors.append(front.tensor(canvas))
    return tensors


def _read(bench: _Bench, pending: _Pending, kernel: str, answer: Answer) -> None:
    """Hold the answers behind a kernel against that behind the reference, and against each other."""
    answers = bench.answers(answer)
    reader, base = bench.reader, answers[0]
    if not pending.numbers:
        pending.reference = base
    pending.numbers[kernel] = reader.likeness(pending.reference, base)
    vertical, horizontal = pending.picture.placement.scale
    pending.moved[kernel] = [
        reader.likeness(base, other, (move[0] * vertical, move[1] * horizontal))
        for move, other in zip(MOVES, answers[1:], strict=False)
    ]
    pending.answers[kernel] = base if kernel in pending.canvases else None
    if len(answers) > 1 + len(MOVES):
        pending.tested = reader.likeness(base, answers[-1])


def _finished(bench: _Bench, pending: _Pending, tally: KernelTally, gallery: Gallery | None) -> None:
    picture = pending.picture
    if pending.refused:
        tally.rejected.append(Rejected(picture.name, pending.refused))
        return
    words = bench.reader.words(pending.reference)[0]
    tally.add(picture.name, picture.placement, picture.digest, pending.numbers, pending.moved, pending.costs, words)
    if pending.tested is not None:
        tally.test(pending.tested)
    if gallery is not None:
        seen = {kernel: bench.reader.words(pending.answers[kernel]) for kernel in gallery.kernels}
        likeness = pending.numbers[gallery.kernels[1]]
        gallery.add(picture.name, picture.placement, likeness, seen, pending.canvases)
