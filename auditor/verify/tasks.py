"""What a model's outputs are, from the shapes and numbers of one run, where the user does not say.

Only what a shape can tell is guessed, and the report says that it was guessed: a vector is a class score or an
embedding, a grid is dense, boxes are a list of rows with four coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from auditor.verify.errors import DataError
from auditor.verify.result import Task
from auditor.verify.worker.arena import Array

# The widths of the features under a classifier's last layer; no common data set has so many classes.
_EMBEDDING_WIDTHS = frozenset([128, 160, 192, 256, 320, 384, 512, 640, 768, 960, 1024, 1152, 1280, 1536, 2048, 4096])

_BOX_WIDTHS = (4, 5, 6, 7)
_MANY_BOXES = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """One output to measure, or several that belong together (boxes and scores).

    ``channel_axis`` is the axis of the classes in one row of a dense output, None for a map without one, and ``grid``
    its height and width ((1, 1) for another task).
    ``guessed`` says that the task was read from the shapes.
    """

    outputs: tuple[str, ...]
    task: Task
    channel_axis: int | None = None
    grid: tuple[int, int] = (1, 1)
    guessed: bool = True


def find_target(rows: Mapping[str, Array], task: Task | None, output: str | None, window: tuple[int, int]) -> Target:
    """Choose the output to measure.

    Args:
        rows: one row of every numeric output, without the batch axis.
        task: what the user said, or None.
        output: the output that the user named, or None.
        window: the size (H, W) of the model's input.

    Raises:
        DataError: no output fits, or none has the name.
    """
    if output is not None:
        if output not in rows:
            raise DataError("the model has no numeric output of the name given with --measured-output", output)
        rows = {output: rows[output]}
    guesses = {name: _guess(row, window) for name, row in rows.items()}
    chosen = task or _overall(rows, guesses)
    if chosen is Task.DETECTION:
        return Target(tuple(rows), Task.DETECTION, guessed=task is None)
    fitting = [name for name, guess in guesses.items() if guess is chosen]
    if not fitting and task is not None:
        fitting = [name for name, row in rows.items() if row.ndim >= 1] or list(rows)
    if chosen is None or not fitting:
        raise DataError("the task cannot be told from the shapes of the outputs: give --task and --measured-output")
    name = fitting[0]
    if chosen is not Task.DENSE:
        return Target((name,), chosen, guessed=task is None)
    axis = _channel_axis(rows[name], window)
    high, wide = (size for position, size in enumerate(rows[name].shape) if position != axis)
    return Target((name,), chosen, axis, (high, wide), guessed=task is None)


def _overall(rows: Mapping[str, Array], guesses: Mapping[str, Task | None]) -> Task | None:
    found = [guess for guess in guesses.values() if guess is not None]
    if Task.DETECTION in found:
        return Task.DETECTION
    for task in (Task.CLASSIFICATION, Task.EMBEDDING, Task.DENSE):
        if guesses[next(iter(rows))] is task:
            return task
    return found[0] if found else None


def _guess(row: Array, window: tuple[int, int]) -> Task | None:
    shape = tuple(size for size in row.shape if size != 1)
    if len(shape) <= 1:
        return _vector_task(row.ravel())
    if len(shape) == 2 and not _like_window(shape, window):
        # Boxes: rows of four coordinates with little beside them, or thousands of rows (no token sequence is so long).
        narrow, long = sorted(shape)
        return Task.DETECTION if shape[1] in _BOX_WIDTHS or (narrow > 4 and long >= _MANY_BOXES) else None
    return Task.DENSE if len(shape) in (2, 3) else None


def _vector_task(row: Array) -> Task | None:
    if row.size == 0 or row.dtype.kind not in "fiu":
        return None
    values = row.astype(np.float64)
    sums_to_one = bool(values.min() >= 0 and abs(values.sum() - 1) < 1e-2)
    unit_length = abs(float(np.linalg.norm(values)) - 1) < 1e-3
    if not sums_to_one and ((unit_length and row.size >= 32) or row.size in _EMBEDDING_WIDTHS):
        return Task.EMBEDDING
    return Task.CLASSIFICATION


def _like_window(shape: tuple[int, ...], window: tuple[int, int]) -> bool:
    """Whether a map has the proportions of the input, to within one cell of rounding."""
    return abs(shape[0] * window[1] - shape[1] * window[0]) <= max(window)


def _channel_axis(row: Array, window: tuple[int, int]) -> int | None:
    """The axis of the classes of a dense row; the other two must look like the input."""
    if row.ndim == 2:
        return None
    if row.ndim != 3:
        raise DataError(
            f"a dense output with {row.ndim} axes per image is not supported: name another with --measured-output"
        )
    first, last = _like_window(row.shape[1:], window), _like_window(row.shape[:2], window)
    if first and last:
        return 0 if row.shape[0] <= row.shape[2] else 2
    return 2 if last else 0
