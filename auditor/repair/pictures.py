"""Calibration pictures through the process that owns onnxruntime: models are untrusted there as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.onnxfile import read_model
from auditor.verify.admission import admitted
from auditor.verify.observer import Observer, Silent
from auditor.verify.options import Request
from auditor.verify.probe import probe

if TYPE_CHECKING:
    from auditor.rewrite.calibration.ridge import Array

WINDOWS = 1  # of one picture: another window of the same picture says little that is new


@dataclass(frozen=True, slots=True)
class WorkerPictures:
    """Pictures as ``verify`` prepares them. Methods raise VerifyError as :func:`auditor.verify.runner.verify` does.

    ``watched`` is entered for the time of every pass over them, and gives who is told of its progress.
    """

    request: Request
    watched: Callable[[], AbstractContextManager[Observer | None]] = nullcontext

    def features(
        self, original: Path, wanted: Sequence[str], rewritten: Path, given: Sequence[str], what: str
    ) -> Iterator[tuple[list[Array], list[Array]]]:
        model = read_model(original)
        request = self.request.for_file(model.metadata)
        source, settings = request.source(), request.settings
        theirs = admitted(model, settings, wanted)
        ours = admitted(read_model(rewritten), settings, given)
        with self.watched() as watching:
            observer = watching or Silent()
            observer.begin(what, source.count)
            with probe(theirs, source, settings, observer) as run:
                sessions = run.open(ours).key, run.setup.opened.key
                for load in run.loads():
                    first, second = (
                        _stacked(run.tensors(key, load, names, WINDOWS), names)
                        for key, names in zip(sessions, (given, wanted), strict=True)
                    )
                    yield first, second


def _stacked(tensors: Mapping[str, list[Array]], names: Sequence[str]) -> list[Array]:
    """The features of all windows as (N, C, ...)."""
    import numpy as np

    return [np.stack(tensors[name]) for name in names]
