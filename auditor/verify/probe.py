"""A model on pictures outside of a verification: one worker, one set-up, and the units of the source one by one.

What runs a model to look at it (calibration, fine-tuning, alias energies, timing) shares this loop; what it does with
the answers is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from auditor.verify.images.inputs import other_feeds
from auditor.verify.images.source import ImageSource
from auditor.verify.measures.target import Clues
from auditor.verify.observer import Observer, Silent
from auditor.verify.result import Rejected
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup, prepare
from auditor.verify.shifts.feeder import Load, Numbered
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job, Opened, SessionSpec
from auditor.verify.worker.windows import cut


@dataclass(frozen=True, slots=True)
class Run:
    """A worker with a model that is ready, and the pictures that it is to see. ``rejected`` fills while they pass."""

    worker: Worker
    setup: Setup
    settings: VerifySettings
    units: Iterator[Numbered]
    observer: Observer
    rejected: list[Rejected] = field(default_factory=list)

    def open(self, spec: SessionSpec) -> Opened:
        """A further session on the same worker. Raises ModelRejectedError."""
        return self.worker.open(spec)

    def loads(self) -> Iterator[Load]:
        """The pictures that can be used, once; progress counts the others, too."""
        for _, unit in self.units:
            if isinstance(unit, Load):
                yield unit
            else:
                self.rejected.append(unit)
            self.observer.advance()

    def job(self, session: int, load: Load, places: Array, outputs: Sequence[str]) -> Job:
        """The calls for these windows of one picture, as many to a call as the model asks for."""
        image = self.setup.image
        rows = image.batch or 1
        feeds = other_feeds(self.setup.opened.inputs, image, self.settings.feeds, load.extra, rows)
        windows = self.setup.image.windows(load.canvases, places)
        return Job(session, windows, tuple(outputs), rows, image.batch is not None, feeds)

    def tensors(self, session: int, load: Load, names: Sequence[str], count: int = 1) -> dict[str, list[Array]]:
        """Tensors by name, one row for each of the first ``count`` windows of a picture, copied out of the worker."""
        job = self.job(session, load, load.places[:count], tuple(dict.fromkeys(names)))
        answer = self.worker.run(job)
        return {name: [row.copy() for row in answer.rows(name)] for name in job.outputs}

    def window(self, load: Load) -> Array:
        """The unshifted window of a picture as the model reads it, (1, ...)."""
        windows = self.setup.image.windows(load.canvases, load.places[:1])
        return cut(windows.canvases, windows.places, windows.size, windows.channels_last)


@contextmanager
def probe(
    spec: SessionSpec,
    source: ImageSource,
    settings: VerifySettings,
    observer: Observer | None = None,
    *,
    clues: Clues | None = None,
    any_task: bool = True,
) -> Iterator[Run]:
    """Open a model in a worker of its own, which ends with the context.

    With ``any_task`` a task that cannot be told is no error: all outputs are given.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
    """
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        # Who looks at a few windows of a picture cuts them from one canvas: native shifts are for measuring.
        on_canvas = replace(settings, native=False)
        setup, units = prepare(worker, spec, source, on_canvas, clues, any_task=any_task)
        yield Run(worker, setup, settings, units, observer or Silent())
