"""The training itself: a student that learns, on random windows, what the original says on the average over windows.

Label-free: the target of a picture is the original's own answer, averaged over shifts, so a student that reaches it
gives one answer for all shifts, and that of the original. Batch norms keep their statistics. The epoch that is best on
the held-out pictures is kept, and doing nothing is epoch 0.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.finetune.convert import Student
from auditor.finetune.lessons import AnswerKind, Lessons
from auditor.finetune.losses import loss
from auditor.finetune.result import FinetuneError, Schedule

if TYPE_CHECKING:
    from auditor.verify.arrays import AnyArray

_VIEWS = 3  # windows of each held-out picture
_FIRST_SHARE = 0.05  # of the training, in which the rate rises
_SMALLEST_SIZE = 1e-3  # of a weight, for biases of zero
_TOO_MUCH = 2.0  # times the loss before training: the rate is too high, and waiting would not help

Sample = tuple[int, int, int, int]
"""A picture, the corner (y, x) of a window, and which of the picture's targets belongs to it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights of the best epoch by name (None where no epoch beat doing nothing), and the loss of every epoch."""

    weights: Mapping[str, AnyArray] | None
    losses: tuple[float, ...]
    best: int


def train(student: Student, lessons: Lessons, schedule: Schedule, device: str, advance: Callable[[], None]) -> Trained:
    """Train the student; ``advance`` is called after every epoch, and after the look at the held-out pictures before.

    The same seed gives the same weights on the same machine and device, where ``schedule`` has no limit of time.

    Raises:
        FinetuneError: the converted model does not answer as the rewritten one does, or has no gradients.
    """
    import torch

    student.module.to(device)
    # Convolutions that give the same numbers each time, and those of onnxruntime, which does without TensorFloat-32.
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        run = _StudentRun(student, lessons, device, _rows_per_run(student, lessons, schedule, device))
        held_out = _held_out(lessons, np.random.default_rng([schedule.seed, 1]))
        losses, best, kept = [run.mean(held_out)], 0, None
        advance()
        clock = _Clock(schedule, schedule.epochs * math.ceil(len(lessons.trained()) / schedule.batch))
        groups = [{"params": [one], "size": _size(one)} for one in student.parameters.values()]
        optimizer = torch.optim.Adam(groups)
        random = np.random.default_rng(schedule.seed)
        for epoch in range(1, schedule.epochs + 1):
            for batch in _batches(lessons, schedule.batch, random):
                factor = _factor(clock.tick())
                for group in optimizer.param_groups:
                    group["lr"] = schedule.rate * factor * group["size"]
                optimizer.zero_grad()
                run.gradients(batch)
                optimizer.step()
            losses.append(run.mean(held_out))
            if losses[-1] < losses[best]:
                best, kept = epoch, student.values()
            advance()
            if clock.over or not losses[-1] < _TOO_MUCH * losses[0]:
                break
    return Trained(kept, tuple(losses), best)


def _size(parameter: Any) -> float:
    """The root mean square of a weight, above 0.

    Adam's steps are equally large in all tensors, and networks without batch norms have weights of all scales.
    """
    return max(float(parameter.detach().square().mean().sqrt()), _SMALLEST_SIZE)


def _factor(share: float) -> float:
    """The learning rate as a share of the highest: it rises, while Adam knows little, and falls along half a cosine."""
    return min(1.0, (share + _FIRST_SHARE / 10) / _FIRST_SHARE) * (1 + math.cos(math.pi * share)) / 2


class _Clock:
    """How much of the training is over, by steps or by time."""

    def __init__(self, schedule: Schedule, steps: int) -> None:
        self._steps, self._step = steps, 0
        self._seconds = None if schedule.minutes is None else schedule.minutes * 60
        self._start = time.monotonic()

    def tick(self) -> float:
        """The share that is over, 0 before the first step and at most 1; a step begins."""
        share = max(self._step / self._steps, self._spent)
        self._step += 1
        return min(share, 1.0)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self._spent >= 1

    @property
    def _spent(self) -> float:
        return 0.0 if self._seconds is None else (time.monotonic() - self._start) / self._seconds


class _StudentRun:
    """The student on a device, ``rows`` windows at a time."""

    def __init__(self, student: Student, lessons: Lessons, device: str, rows: int) -> None:
        self._student, self._lessons, self._device, self._rows = student, lessons, device, rows

    def gradients(self, samples: Sequence[Sample]) -> None:
        """Add the gradients of the mean loss over the samples.

        Raises:
            FinetuneError: an operator has none, or they do not fit in memory.
        """
        try:
            for piece in self._pieces(samples):
                (self._loss(piece) * (len(piece) / len(samples))).backward()
        except RuntimeError as error:
            raise FinetuneError("PyTorch cannot train this graph; try --batch 1", str(error)[:200]) from error

    def mean(self, samples: Sequence[Sample]) -> float:
        """The mean loss over the samples."""
        import torch

        with torch.no_grad():
            return sum(float(self._loss(piece)) * len(piece) for piece in self._pieces(samples)) / len(samples)

    def _pieces(self, samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
        return (samples[at : at + self._rows] for at in range(0, len(samples), self._rows))

    def _loss(self, samples: Sequence[Sample]) -> Any:
        import torch

        lessons = self._lessons
        windows = lessons.windows([(picture, y, x) for picture, y, x, _ in samples])
        targets = np.stack([lessons.targets[picture, place] for picture, _, _, place in samples])
        given = self._student.module(torch.from_numpy(windows).to(self._device))
        return loss(lessons.answer, given, torch.from_numpy(targets).to(self._device), lessons.spread)


def _held_out(lessons: Lessons, random: np.random.Generator) -> list[Sample]:
    return [sample for picture in lessons.held_out() for sample in _samples(lessons, picture, _VIEWS, random)]


def _batches(lessons: Lessons, size: int, random: np.random.Generator) -> Iterator[list[Sample]]:
    """One window of every picture to train on, in a new order."""
    order = random.permutation(lessons.trained())
    for at in range(0, len(order), size):
        yield [_samples(lessons, int(picture), 1, random)[0] for picture in order[at : at + size]]


def _samples(lessons: Lessons, picture: int, count: int, random: np.random.Generator) -> list[Sample]:
    """Random windows of a picture: anywhere, but of a dense answer those whose target is known."""
    if lessons.answer is AnswerKind.DENSE:
        chosen = random.permutation(lessons.places.shape[1])[:count]
        known = lessons.places[picture]
        return [(picture, int(known[place, 0]), int(known[place, 1]), int(place)) for place in chosen]
    corners = random.integers(0, np.array(lessons.room) + 1, size=(count, 2))
    return [(picture, int(y), int(x), 0) for y, x in corners]


def _rows_per_run(student: Student, lessons: Lessons, schedule: Schedule, device: str) -> int:
    """How many windows the student takes at once: a batch, or one where the graph holds a batch of one.

    Raises:
        FinetuneError: it answers otherwise than the ONNX file does, even to one window.
    """
    windows, wanted = lessons.probes
    if _agrees(student, windows, wanted, device):
        return schedule.batch
    if all(_agrees(student, windows[k : k + 1], wanted[k : k + 1], device) for k in range(len(windows))):
        return 1
    raise FinetuneError("the converted model answers otherwise than the ONNX file: the converter misreads an operator")


def _agrees(student: Student, windows: AnyArray, wanted: AnyArray, device: str) -> bool:
    import torch

    try:
        with torch.no_grad():
            given = student.module(torch.from_numpy(windows).to(device)).cpu().numpy()
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
        return False
    if given.size != wanted.size:
        return False
    scale = float(np.abs(wanted).max(initial=0.0))
    return bool(np.allclose(given.reshape(wanted.shape), wanted, rtol=0, atol=student.tolerance * max(scale, 1e-6)))
