"""How many windows one call of the model may take.

A batch that the file declares open can still be fixed inside (a constant Reshape), and one that it fixes can often be
opened. So a batch is tried: it must give for every row what a single run gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from auditor.verify.errors import DeviceUnavailableError, ModelRejectedError
from auditor.verify.images.inputs import ImageInput
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Answer, Job, Opened, SessionSpec
from auditor.verify.worker.providers import CUDA, TENSORRT

# On a CPU the gain of a batch is used up at four; a GPU needs many rows to be busy.
CPU_BATCH, GPU_BATCH = 4, 64
# Runs of another batch size may choose another kernel, so rows agree to rounding only.
RELATIVE_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Batching:
    """The session to use, what it was made from, and the rows per call.

    ``exact`` says that every call needs exactly ``rows`` rows.
    """

    spec: SessionSpec
    opened: Opened
    rows: int
    exact: bool

    def reopened(self, worker: Worker) -> Batching:
        """The same on another worker, which has the session of its own.

        Raises:
            DeviceUnavailableError: the model would run elsewhere there.
        """
        opened = worker.open(self.spec)
        if opened.provider.used != self.opened.provider.used:
            raise DeviceUnavailableError(
                f"a further process would run the model on {opened.provider.used} and not on "
                f"{self.opened.provider.used}: choose one with --device"
            )
        return replace(self, opened=opened)


def choose_batching(worker: Worker, opened: Opened, spec: SessionSpec, image: ImageInput, probe: Job) -> Batching:
    """Find the largest useful batch that changes no answer.

    Args:
        worker: where the session is open.
        opened: the session as the file declares it.
        spec: what that session was made from.
        image: the input with the images.
        probe: at least two different windows, with all outputs that will be read; its batch is ignored.

    Returns:
        A batch above one only where trying it gave the rows of single runs.
    """
    wanted = GPU_BATCH if opened.provider.used in (CUDA, TENSORRT) else CPU_BATCH
    if image.batch is not None and image.batch > 1:
        return Batching(spec, opened, image.batch, exact=True)
    single = _copied(worker.run(replace(probe, session=opened.key, batch=1)), probe.outputs)
    candidate, opened_from = opened, spec
    try:
        if image.batch is not None:
            opened_from = replace(spec, free_batch=(image.name,))
            candidate = worker.open(opened_from)
        together = worker.run(replace(probe, session=candidate.key, batch=len(probe.windows.places)))
    except ModelRejectedError:
        return Batching(spec, opened, 1, exact=False)
    if same_rows(single, _copied(together, probe.outputs)):
        return Batching(opened_from, candidate, wanted, exact=False)
    return Batching(spec, opened, 1, exact=False)


def same_rows(first: list[list[Array]], second: list[list[Array]]) -> bool:
    """Whether two lists of rows per output agree: equal shapes, and values equal up to rounding."""
    for left, right in zip(first, second, strict=True):
        if [value.shape for value in left] != [value.shape for value in right]:
            return False
        for one, other in zip(left, right, strict=True):
            finite = np.abs(one[np.isfinite(one)])
            scale = float(finite.max(initial=0.0))
            close = np.isclose(one, other, rtol=RELATIVE_TOLERANCE, atol=RELATIVE_TOLERANCE * scale, equal_nan=True)
            if not close.all():
                return False
    return True


def _copied(answer: Answer, outputs: tuple[str, ...]) -> list[list[Array]]:
    return [[row.copy() for row in answer.rows(name)] for name in outputs]
