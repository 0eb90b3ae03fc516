"""What a model's outputs are, from the shapes and numbers of a few runs, where the user does not say.

Only what fits one reading is taken, and the report says that it was taken. Where two readings fit, the error says what
was considered and asks: a wrong guess would be a wrong number in a merge gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from auditor.choices import suggestion
from auditor.onnxfile.graph import Model
from auditor.pipeline.decoding import Reading
from auditor.sampling.result import Analysis, HeadKind
from auditor.text import plain
from auditor.verify.errors import DataError
from auditor.verify.measures.layouts import Decoder, choose_layout
from auditor.verify.measures.readings import OutputReading, channel_axis, is_vector, read_map, read_vector
from auditor.verify.result import Task
from auditor.verify.worker.arena import Array

_TASKS: Mapping[OutputReading, Task] = {
    OutputReading.CLASSES: Task.CLASSIFICATION,
    OutputReading.EMBEDDING: Task.EMBEDDING,
    OutputReading.MAP: Task.DENSE,
}
_VECTORS = frozenset([HeadKind.POOLED, HeadKind.CLASS_TOKEN])
_HEADS: Mapping[Task, frozenset[HeadKind]] = {
    Task.CLASSIFICATION: frozenset([HeadKind.DENSE]),
    Task.EMBEDDING: frozenset([HeadKind.DENSE]),
    Task.DENSE: _VECTORS,
}
# Beside one of these an output that reads as class scores may be the rest of it.
_DOUBTING = frozenset([OutputReading.LANDMARKS, OutputReading.SEQUENCE])


@dataclass(frozen=True, slots=True)
class Clues:
    """What tells a task beside the numbers: the operators and metadata of the file, the declared numbers of axes of its
    outputs, and what the analysis calls them.
    """

    operators: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    heads: Mapping[str, HeadKind] = field(default_factory=dict)
    labelled: bool = False

    @property
    def reads_lines(self) -> bool:
        """Whether the model has what readers of text lines have: a recurrent layer or a head over a sequence."""
        return bool(self.operators & {"LSTM", "GRU", "RNN"}) or HeadKind.SEQUENCE in self.heads.values()

    @classmethod
    def of(cls, model: Model, analysis: Analysis | None) -> Clues:
        """The clues of a model."""
        heads = {head.output.raw: head.kind for head in analysis.heads} if analysis is not None else {}
        operators = frozenset(node.op for node in model.graph.nodes)
        return cls(operators, model.metadata, heads=heads)


@dataclass(frozen=True, slots=True)
class Target:
    """One output to measure, or several that belong together (boxes and scores).

    ``channel_axis`` is the axis of the classes in one row of a dense output, None for a map without one, and ``grid``
    its height and width ((1, 1) for another task).
    ``decoder`` reads answers that are no grid and no vector of scores.
    ``guessed`` says that the task was read from the outputs; ``remarks`` is what a reader should know of the choice.
    """

    outputs: tuple[str, ...]
    task: Task
    channel_axis: int | None = None
    grid: tuple[int, int] = (1, 1)
    guessed: bool = True
    remarks: tuple[str, ...] = ()
    decoder: Decoder | None = None


def find_target(
    samples: Sequence[Mapping[str, Array]],
    task: Task | None,
    output: str | None,
    window: tuple[int, int],
    clues: Clues | None = None,
    layout: str | None = None,
    reading: Reading | None = None,
) -> Target:
    """Choose the output to measure, or the layout to read all of them by.

    Args:
        samples: one row of every numeric output, without the batch axis, for each of a few images and shifts.
        task: what the user said, or None.
        output: the output that the user named, or None.
        window: the size (H, W) of the model's input.
        clues: what else tells the task.
        layout: the layout of the outputs that the user named, or "auto".
        reading: how decoders read.

    Raises:
        DataError: no output fits, several readings fit, or no output has the name.
    """
    clues = clues or Clues()
    if output is not None:
        if output not in samples[0]:
            raise unknown_output(output, samples[0])
        samples = [{output: rows[output]} for rows in samples]
    choice = choose_layout(
        [rows for rows in samples if all(map(_finite, rows.values()))] or samples,
        window,
        metadata=clues.metadata,
        operators=clues.operators,
        ranks=clues.ranks,
        name=layout,
        task=task,
        reading=reading,
    )
    if choice is not None:
        return Target(
            choice.decoder.outputs, choice.task, guessed=choice.guessed, remarks=choice.remarks, decoder=choice.decoder
        )
    readings = {name: _readings(name, samples, window, clues) for name in samples[0]}
    if task is None:
        task, name = _told_apart(samples, readings, window)
        guessed = True
    else:
        name, guessed = _fitting(samples[0], readings, task), False
    remarks = (*_one_of_several(name, samples[0]), *_contradictions(name, task, clues))
    if task is not Task.DENSE:
        return Target((name,), task, guessed=guessed, remarks=remarks)
    axis, grid = _layout(samples[0][name], window)
    return Target((name,), task, axis, grid, guessed, remarks)


def _readings(
    name: str, samples: Sequence[Mapping[str, Array]], window: tuple[int, int], clues: Clues
) -> frozenset[OutputReading]:
    rows = [sample[name] for sample in samples if _finite(sample[name])]
    if not rows or rows[0].dtype.kind not in "fiub" or any(row.shape != rows[0].shape for row in rows):
        return frozenset([OutputReading.UNKNOWN])
    return read_vector(name, rows, clues.labelled) if is_vector(rows[0]) else read_map(rows, window)


def _finite(row: Array) -> bool:
    return row.dtype.kind != "f" or bool(np.isfinite(row).all())


def _told_apart(
    samples: Sequence[Mapping[str, Array]],
    readings: Mapping[str, frozenset[OutputReading]],
    window: tuple[int, int],
) -> tuple[Task, str]:
    if not any(_finite(row) for rows in samples for row in rows.values()):
        raise DataError(
            f"none of the first {len(samples)} images could be measured: the model's output holds NaN or infinity; "
            "check --preset and the model"
        )
    first = next(iter(readings))
    single = {name: next(iter(fits)) for name, fits in readings.items() if len(fits) == 1}
    # Scores that sum to one or are called so are not put in doubt by what stands beside them.
    scores = [name for name, reading in single.items() if reading is OutputReading.CLASSES]
    if scores and all(reading is not OutputReading.MAP for fits in readings.values() for reading in fits):
        others = [fits for name, fits in readings.items() if name != scores[0]]
        if not any(fits & _DOUBTING or fits == {OutputReading.NUMBERS} for fits in others):
            return Task.CLASSIFICATION, scores[0]
    kinds = {reading for fits in readings.values() for reading in fits}
    if len(kinds) != 1 or next(iter(kinds)) not in _TASKS:
        raise _doubt(samples[0], readings)
    kind = next(iter(kinds))
    if kind is OutputReading.MAP and len({_channels(samples[0][name], window) for name in readings}) > 1:
        raise _doubt(samples[0], {name: fits | {OutputReading.HEATMAPS} for name, fits in readings.items()})
    return _TASKS[kind], first


def _channels(row: Array, window: tuple[int, int]) -> int:
    axis, _ = _layout(row, window)
    return 1 if axis is None else row.shape[axis]


def _fitting(rows: Mapping[str, Array], readings: Mapping[str, frozenset[OutputReading]], task: Task) -> str:
    """The output that suits a task which the user named: one that reads so, else the first of the right form."""
    wanted = {kind for kind, one in _TASKS.items() if one is task}
    for fits in ([n for n, f in readings.items() if f == wanted], [n for n, f in readings.items() if f & wanted]):
        if fits:
            return fits[0]
    vector = task in (Task.CLASSIFICATION, Task.EMBEDDING)
    names = [name for name, row in rows.items() if row.ndim >= 1 and is_vector(row) == vector]
    return (names or [name for name, row in rows.items() if row.ndim >= 1] or list(rows))[0]


def _layout(row: Array, window: tuple[int, int]) -> tuple[int | None, tuple[int, int]]:
    """The axis of the channels of a dense row, and its height and width."""
    if row.ndim == 2:
        return None, (row.shape[0], row.shape[1])
    if row.ndim != 3:
        raise DataError(
            f"a dense output with {row.ndim} axes per image is not supported: name another with --measured-output"
        )
    axis = channel_axis(row.shape, window) or 0
    high, wide = (size for position, size in enumerate(row.shape) if position != axis)
    return axis, (high, wide)


def _one_of_several(name: str, rows: Mapping[str, Array]) -> tuple[str, ...]:
    if len(rows) < 2:
        return ()
    return (f"of {len(rows)} outputs only {plain(name)} is measured: choose another with --measured-output",)


def _contradictions(name: str, task: Task, clues: Clues) -> tuple[str, ...]:
    head = clues.heads.get(name)
    if head is None or head not in _HEADS.get(task, ()):
        return ()
    return (f"measured as {task.value}, while the static analysis calls this output {head.value}: check --task",)


def _doubt(rows: Mapping[str, Array], readings: Mapping[str, frozenset[OutputReading]]) -> DataError:
    listed = "; ".join(
        f"{name} {list(rows[name].shape)}: {' or '.join(sorted(one.value for one in fits))}"
        for name, fits in readings.items()
    )
    return DataError(
        "the task cannot be told from the outputs: give --task (classification, dense, embedding, detection, "
        "keypoints, text or regression), --layout where they have to be decoded, and --measured-output where there are "
        "several",
        listed,
    )


def unknown_output(name: str, outputs: Iterable[str]) -> DataError:
    """The error for a name given with --measured-output that is none of the numeric outputs."""
    known = [plain(output) for output in outputs]
    hint = suggestion(name, known)
    reason = f"the model has no numeric output of the name given with --measured-output{hint}"
    return DataError(reason, ", ".join(known))
