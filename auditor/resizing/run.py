"""Running one model behind several resize kernels, one picture at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from auditor.onnxfile.graph import Model
from auditor.pipeline.preset import presets
from auditor.pipeline.response import low_pass
from auditor.resizing.answers import Decoding, find_reader
from auditor.resizing.compare import KernelTally
from auditor.resizing.front import Front
from auditor.resizing.kernels import chosen_kernels, reference_of
from auditor.resizing.pictures import changed_pictures
from auditor.resizing.result import ResizeComparison
from auditor.resizing.rows import ResizePlan, ResizeRow, answer_rows, measured_pictures, prepared, windows_of
from auditor.sampling.result import Analysis
from auditor.verify import cluster, processes
from auditor.verify.admission import admitted
from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError
from auditor.verify.images.inputs import ImageInput, image_input, other_feeds
from auditor.verify.images.source import ImageSource
from auditor.verify.measures.target import Clues, unknown_output
from auditor.verify.observer import Observer, Silent
from auditor.verify.options import Request
from auditor.verify.pieces import Failure, Work, splittable_places
from auditor.verify.result import Rejected
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import no_usable_image
from auditor.verify.shifts.batching import Batching, choose_batching
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job, Opened, SessionSpec

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
    settings, source = request.settings, request.source
    kernels = chosen_kernels(request.kernels, request.kernel)
    reference = reference_of(kernels)
    # The reference first: the other answers are held against its answer at once.
    kernels = (reference, *(kernel for kernel in kernels if kernel != reference))
    places = splittable_places(source) if settings.shared else None
    observer, rows, interrupted = observer or Silent(), list[ResizeRow](), False
    spec = admitted(model, settings)
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan = _open(worker, spec, request, model, analysis, kernels)
        observer.begin("pictures", source.count)
        try:
            _measure(worker, plan, source, places, rows, observer)
        except KeyboardInterrupt:
            if not any(not row.rejected for row in rows):
                raise
            interrupted = True
    rows.sort(key=lambda row: row.index)
    tally = KernelTally(plan.reader, kernels, settings.confidence)
    tally.interrupted = interrupted
    for row in rows:
        tally.add(row)
    tally.require_measured(source.count)
    return tally.finish(
        name=name,
        source=source,
        front=plan.front,
        deployed=request.kernel,
        preset=settings.preprocessing.name,
        changed=changed_pictures(plan, source, rows),
        provider=plan.batching.opened.provider,
        notes=(*plan.notes, *plan.batching.opened.remarks),
        seconds=time.perf_counter() - start,
    )


def _measure(
    worker: Worker,
    plan: ResizePlan,
    source: ImageSource,
    places: range | None,
    rows: list[ResizeRow],
    observer: Observer,
) -> None:
    """Add the row of every picture, from this process or from those that share the places.

    Raises:
        VerifyError: that of the first picture that ends the run, whichever process was first.
    """
    if places is None:
        for row in measured_pictures(worker, plan, source, None):
            rows.append(row)
            observer.advance()
        return
    work, settings, failures = Work(plan, measured_pictures), plan.settings, list[Failure]()
    shared = (work, source, [places])
    pieces = processes.pieces(*shared, settings.jobs) if settings.ray is None else cluster.pieces(*shared, settings.ray)
    with closing(pieces):
        for piece in pieces:
            rows += piece.rows
            for _ in piece.rows:
                observer.advance()
            failures += [] if piece.failure is None else [piece.failure]
    if failures:
        raise min(failures, key=lambda failure: failure.index).error()


def _open(
    worker: Worker,
    spec: SessionSpec,
    request: ResizeRequest,
    model: Model,
    analysis: Analysis | None,
    kernels: tuple[str, ...],
) -> ResizePlan:
    """Open the model, and try it on the first pictures that can be used."""
    settings, reference = request.settings, kernels[0]
    opened = worker.open(spec)
    outputs = tuple(port.name for port in opened.outputs if port.dtype)
    if not outputs:
        raise DataError("the model has no output that is a numeric tensor")
    if settings.output is not None and settings.output not in outputs:
        raise unknown_output(settings.output, outputs)
    image = image_input(opened.inputs, settings.image_input, settings.size, settings.layout, settings.channels)
    image = image.sized(settings.open_size)
    front = Front(image.size, image.fit(settings.preprocessing))
    samples, tensors, extra, first = _samples(worker, opened, request, image, front, outputs, reference)
    clues = Clues.of(model, analysis)
    decoding = Decoding(image.size, model.metadata, clues.operators, settings.box_score)
    reader, remarks = find_reader(samples, image, clues, decoding, settings.task, settings.output, settings.decoding)
    batching = Batching(spec, opened, image.batch or 1, image.batch is not None)
    feeds = other_feeds(opened.inputs, image, settings.feeds, extra, batching.rows)
    if not reader.alone and not feeds and len(tensors) > 1:
        probe = Job(opened.key, windows_of(image, tensors), reader.outputs, batching.rows, batching.exact)
        batching = choose_batching(worker, opened, spec, image, probe)
    notes = [*request.source.notes, *remarks, *filter(None, [settings.told])]
    if image.assumed_size:
        notes.append(f"the model leaves its input size open: {image.size[0]} x {image.size[1]} was used (--size)")
    if settings.preset_assumed:
        notes.append("the preprocessing was assumed to be that of imagenet: choose it with --preset")
    shown = request.kernel or next((kernel for kernel in kernels if not low_pass(kernel)), kernels[-1])
    return ResizePlan(
        settings=settings,
        kernels=kernels,
        shown=(reference, shown) if shown != reference else (),
        image=image,
        front=front,
        reader=reader,
        batching=batching,
        repeated=range(first, first + _SELF_TESTED),
        notes=tuple(notes),
    )


def _samples(
    worker: Worker,
    opened: Opened,
    request: ResizeRequest,
    image: ImageInput,
    front: Front,
    outputs: tuple[str, ...],
    reference: str,
) -> tuple[list[dict[str, Array]], list[AnyArray], Mapping[str, Array], int]:
    """Raw outputs for the first pictures, their inputs, and of the first the further inputs and the place."""
    samples: list[dict[str, Array]] = []
    tensors: list[AnyArray] = []
    extra: Mapping[str, Array] = {}
    refused: list[str] = []
    first = 0
    for index, item in enumerate(request.source):
        picture = prepared(item, front)
        if isinstance(picture, Rejected):
            refused.append(picture.reason)
            continue
        first = first if samples else index
        tensor = front.tensor(front.canvas(picture.pixels, reference))
        feeds = other_feeds(opened.inputs, image, request.settings.feeds, picture.extra, image.batch or 1)
        job = Job(opened.key, windows_of(image, [tensor]), outputs, image.batch or 1, image.batch is not None, feeds)
        (rows,) = answer_rows(worker.run(job), outputs, batched=True)
        named = {request.settings.output: rows[request.settings.output]} if request.settings.output else rows
        samples.append({name: value.copy() for name, value in named.items()})
        tensors.append(tensor)
        extra = extra or picture.extra
        if len(samples) == _TRIED:
            break
    if not samples:
        raise no_usable_image(refused)
    return samples, tensors, extra, first
