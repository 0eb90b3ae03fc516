"""Calibration pictures through the process that owns onnxruntime: models are untrusted there as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.onnxfile import read_model
from auditor.verify.admission import check_domains, check_external
from auditor.verify.images.inputs import other_feeds
from auditor.verify.images.source import ImageSource
from auditor.verify.runner import Observer, Silent
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import prepare
from auditor.verify.shifts.feeder import Load
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job, SessionSpec

if TYPE_CHECKING:
    from auditor.rewrite.calibration.ridge import Array

WINDOWS = 1  # of one picture: another window of the same picture says little that is new


@dataclass(frozen=True, slots=True)
class WorkerPictures:
    """Pictures as ``verify`` prepares them. Methods raise VerifyError as :func:`auditor.verify.runner.verify` does.

    ``watched`` is entered for the time of every pass over them, and gives who is told of its progress.
    """

    source: ImageSource
    settings: VerifySettings
    watched: Callable[[], AbstractContextManager[Observer | None]] = nullcontext

    def features(
        self, original: Path, wanted: Sequence[str], rewritten: Path, given: Sequence[str], what: str
    ) -> Iterator[tuple[list[Array], list[Array]]]:
        with self.watched() as found:
            observer = found or Silent()
            observer.begin(what, self.source.count)
            yield from self._features(original, wanted, rewritten, given, observer)

    def _features(
        self, original: Path, wanted: Sequence[str], rewritten: Path, given: Sequence[str], observer: Observer
    ) -> Iterator[tuple[list[Array], list[Array]]]:
        specs = []
        for path, names in ((original, wanted), (rewritten, given)):
            model = read_model(path)
            check_domains(model, self.settings.allow_domains)
            check_external(model)
            outputs = {value.name for value in model.graph.outputs}
            extra = tuple(name for name in names if name not in outputs)
            specs.append(SessionSpec(path, extra, custom_ops=self.settings.custom_ops))
        first, second = specs
        with Worker(self.settings.device, self.settings.limits, self.settings.threads) as worker:
            setup, units = prepare(worker, first, self.source, self.settings, any_task=True)
            keys = [worker.open(spec).key for spec in (second, first)]
            rows = setup.image.batch or 1
            for load in units:
                observer.advance()
                if not isinstance(load, Load):
                    continue
                windows = setup.windows(load.canvases, load.places[:WINDOWS])
                feeds = other_feeds(setup.opened.inputs, setup.image, self.settings.feeds, load.extra, rows)
                exact = setup.image.batch is not None
                pair = []
                for key, names in zip(keys, (given, wanted), strict=True):
                    answer = worker.run(Job(key, windows, tuple(dict.fromkeys(names)), rows, exact, feeds))
                    pair.append([_joined([row.copy() for row in answer.rows(name)]) for name in names])
                yield pair[0], pair[1]


def _joined(rows: list[Array]) -> Array:
    """The features of all windows as (N, C, ...)."""
    import numpy as np

    return np.stack(rows)
