"""The way through: a rewritten model, its original and pictures in; the model with trained weights out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from auditor._version import __version__
from auditor.finetune.convert import require_installed, student
from auditor.finetune.copy import refuse_untrainable, weights
from auditor.finetune.lessons import lessons
from auditor.finetune.losses import MEASURES
from auditor.finetune.result import Finetuned, FinetuneError, Schedule
from auditor.finetune.train import train
from auditor.finetune.write import write
from auditor.onnxfile.graph import Model
from auditor.rewrite.graph.save import Admit, anything, check_target

if TYPE_CHECKING:
    from auditor.verify.observer import Observer
    from auditor.verify.options import Request
    from auditor.verify.settings import VerifySettings


def finetune(
    model: Model,
    original: Model,
    request: Request,
    target: Path,
    schedule: Schedule,
    observer: Observer,
    admit: Admit = anything,
) -> Finetuned:
    """Train a rewritten model to answer as its original does on the average over shifts, and write it to ``target``.

    No labels are used. Nothing is written where no epoch was better than doing nothing on the held-out pictures, or
    where ``admit`` does not take the finished file.

    Raises:
        FinetuneError: an optional library is missing, or the model, the original or the pictures do not do.
        RewriteError: the target cannot be written, or is the model itself.
        VerifyError: as :func:`auditor.verify.runner.verify`.
        ModelFileError: a file changed meanwhile.
    """
    require_installed()
    refuse_untrainable(model)
    check_target(model, target)
    if target.exists() and target.samefile(original.source):
        raise FinetuneError("the output is the original: choose another name")
    with lessons(original, model, request, schedule, observer) as taught:
        found, left = weights(model)
        taking = student(model, found, taught.output)
        device = _device(request.settings)
        observer.begin("epochs", schedule.epochs + 1)
        with _threads(request.settings.threads):
            done = train(taking, taught, schedule, device, observer.advance)
        held_out, seen, rejected, answer = len(taught.held_out()), len(taught.trained()), taught.rejected, taught.answer
    path = None
    if done.weights is not None:
        provenance = {
            "tool": f"aliasaudit {__version__}",
            **asdict(schedule),
            "learnt_from": seen,
            "epoch": done.best,
            "loss": [round(done.losses[0], 6), round(done.losses[done.best], 6)],
        }
        write(model, done.weights, target, provenance, admit)
        path = target
    return Finetuned(
        path=path,
        measure=MEASURES[answer],
        losses=done.losses,
        best=done.best,
        seen=seen,
        held_out=held_out,
        rejected=rejected,
        trained=len(taking.parameters),
        frozen=left + len(found) - len(taking.parameters),
        device=device,
    )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for PyTorch, which is one setting for the whole process."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _device(settings: VerifySettings) -> str:
    """The device of PyTorch for the device that the user chose.

    Raises:
        FinetuneError: CUDA was asked for, and PyTorch has none.
    """
    import torch

    from auditor.verify.worker.device import DeviceKind

    wanted = settings.device
    if wanted.kind is DeviceKind.CPU or (wanted.kind is DeviceKind.AUTO and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise FinetuneError("a GPU was asked for, and PyTorch finds none: install a build of PyTorch for CUDA")
    return f"cuda:{wanted.index}"
