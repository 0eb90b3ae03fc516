"""Collecting the outputs of one image after the other into the result of a run: one file per task.

A tally keeps a few numbers per image and nothing else, so memory does not grow with the size of outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from auditor.verify.result import OutputResult
from auditor.verify.shifts.plan import Unit
from auditor.verify.worker.arena import Array

# Stands in front of the names of a reference model's outputs among the rows; no tensor of a model begins with it.
REFERENCE = "\0reference/"
OTHER_SHAPE = "the reference model's output has another shape"


class UnusableOutputError(ValueError):
    """The outputs of one unit cannot be measured; the message is the reason for the report."""


class Tally(Protocol):
    """What every task's tally does."""

    def add(self, unit: Unit, rows: Mapping[str, list[Array]]) -> None:
        """Measure one unit: one row per window of its plan, per output, without the batch axis.

        Raises:
            UnusableOutputError: the unit is to be listed as rejected.
        """
        ...

    def same(self, first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
        """Whether two outputs for the same input give the same answer."""
        ...

    def nothing(self) -> str:
        """Why none of the units so far had anything to measure; empty where some had."""
        ...

    def finish(self) -> OutputResult:
        """The result over all units so far."""
        ...


class Constancy:
    """Whether outputs were the same for all units: an answer that no picture changes is steady and says nothing."""

    def __init__(self) -> None:
        self._first: Array | None = None
        self._digest = b""
        self._other_pixels = False
        self._varied = False

    def add(self, unit: Unit, rows: Array) -> None:
        """Add the outputs (W, ...) of the windows of one unit."""
        if self._first is None:
            self._first, self._digest = rows[0].copy(), unit.digest
        self._other_pixels = self._other_pixels or unit.digest != self._digest
        self._varied = self._varied or self._first.shape != rows.shape[1:] or bool((rows != self._first).any())

    @property
    def constant(self) -> bool:
        """Whether two units of different pixels or more had one and the same output in every window."""
        return self._other_pixels and not self._varied


def nearly_equal(first: Array, second: Array) -> bool:
    """Equal up to what another place in a batch does to the last bits."""
    if first.shape != second.shape:
        return False
    scale = float(np.abs(first).max(initial=0.0)) if first.dtype.kind == "f" else 0.0
    return bool(np.allclose(first, second, rtol=1e-4, atol=1e-5 * scale))
