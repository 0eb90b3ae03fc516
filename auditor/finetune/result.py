"""What a fine-tuning is asked for, and what it did: the values that the command line and tests read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auditor.text import ModelText


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train.

    ``rate`` is the highest learning rate of Adam, as a share of the size of each weight; it falls to zero. ``shifts``
    is over how many random windows of a picture the original's answer is averaged. ``views`` is how often a picture is
    learnt from in every epoch: itself, and random parts of it. ``minutes`` ends the training with
    the epoch in which they are over, None does not; with it the result depends on the speed of the machine.
    """

    epochs: int = 10
    rate: float = 1e-4
    batch: int = 8
    shifts: int = 8
    views: int = 4
    seed: int = 0
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (
            min(self.epochs, self.batch, self.shifts, self.views) < 1
            or self.seed < 0
            or not 0 < self.rate < float("inf")
        ):
            raise ValueError(
                "epochs, batch, shifts and views must be at least 1, the seed at least 0, the rate above 0"
            )


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What was done.

    ``path`` is None where nothing was written. ``measure`` names the loss in our own words, and ``losses`` are its
    values on the held-out pictures, the first before any training. ``best`` is the epoch that was kept, 0 for none.
    ``seen`` counts the views that were learnt from, ``rejected`` pictures that could not be used. ``trained`` and
    ``frozen`` count the weight tensors that were and were not trained.
    """

    path: Path | None
    measure: str
    losses: tuple[float, ...]
    best: int
    seen: int
    held_out: int
    rejected: int
    trained: int
    frozen: int
    device: str


class FinetuneError(Exception):
    """A model that cannot be fine-tuned. The message is one line in our own words.

    ``detail`` is what the converter said; it may hold names of the model.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = ModelText(detail)
