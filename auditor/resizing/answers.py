"""How alike two answers of one model are, by task.

* classification: the same top-1 class; change of the probability of the first answer's top-1 class.
* embedding: a cosine of 0.95 or more (Shifman and Weiss, ECCV 2024); one minus the cosine.
* dense: share of positions with the same class; the relative error of maps that hold no classes.
* detection: share of the boxes of both answers that have a partner (equal class, intersection over union of 0.5 or
  more), each pair counted once; change of score of matched boxes. Boxes of the moved picture are moved back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from auditor.pipeline.decoding import Detections, LayoutError, Regions, candidates, decode
from auditor.pipeline.decoding.layout import Signature
from auditor.verify.errors import DataError
from auditor.verify.images.inputs import ImageInput
from auditor.verify.measures.boxes import Boxes, match
from auditor.verify.measures.classification import OutputScale, output_scale, probabilities
from auditor.verify.measures.dense import class_scores, position_agreement, relative_error
from auditor.verify.measures.embedding import CHANGED_BELOW, cosine
from auditor.verify.measures.layouts import boxes_around
from auditor.verify.measures.target import Clues, Target, find_target
from auditor.verify.measures.task import UnusableOutputError
from auditor.verify.result import Task
from auditor.verify.worker.arena import Array

NOT_FINITE = "the model's output holds NaN or infinity"
_ASK = "give --task (classification, embedding, dense or detection) or, for boxes, --layout"


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two answers side by side. ``same`` lies in 0..1, ``change`` from 0 to the bound of the task; NaN where neither
    answer has anything. ``lost`` and ``gained`` are boxes, ``reference`` those of the first answer.
    """

    same: float
    change: float
    reference: int = 0
    lost: int = 0
    gained: int = 0


class AnswerReader(Protocol):
    """Reads the outputs of one window and compares two answers. ``bound`` is the largest possible change."""

    task: Task
    layout: str
    outputs: tuple[str, ...]
    bound: float
    alone: bool  # whether every window has to be a call of its own

    def read(self, rows: Mapping[str, Array]) -> Any:
        """The answer, in memory of its own.

        Raises:
            UnusableOutputError: it holds nothing that can be measured.
        """
        ...

    def likeness(self, first: Any, second: Any, shift: tuple[float, float] = (0.0, 0.0)) -> Likeness:
        """Two answers; the second is to a picture whose window moved by ``shift`` (y, x) pixels of the input."""
        ...

    def words(self, answer: Any) -> tuple[str, float | None]:
        """What the answer is, and its score."""
        ...


class ClassReader:
    """Class scores."""

    task = Task.CLASSIFICATION
    layout = ""
    bound = 1.0
    alone = False

    def __init__(self, output: str, scale: OutputScale) -> None:
        self.outputs: tuple[str, ...] = (output,)
        self._scale = scale

    def read(self, rows: Mapping[str, Array]) -> Array:
        try:
            return np.array(probabilities(rows[self.outputs[0]].reshape(1, -1), self._scale)[0])
        except ValueError:
            raise UnusableOutputError(NOT_FINITE) from None

    def likeness(self, first: Array, second: Array, shift: tuple[float, float] = (0.0, 0.0)) -> Likeness:  # noqa: ARG002
        best = int(first.argmax())
        return Likeness(float(best == int(second.argmax())), abs(float(first[best] - second[best])))

    def words(self, answer: Array) -> tuple[str, float | None]:
        best = int(answer.argmax())
        return f"class {best}", float(answer[best])


class EmbeddingReader:
    """One vector."""

    task = Task.EMBEDDING
    layout = ""
    bound = 2.0
    alone = False

    def __init__(self, output: str) -> None:
        self.outputs: tuple[str, ...] = (output,)

    def read(self, rows: Mapping[str, Array]) -> Array:
        return _finite(np.array(rows[self.outputs[0]], np.float64).reshape(1, -1))

    def likeness(self, first: Array, second: Array, shift: tuple[float, float] = (0.0, 0.0)) -> Likeness:  # noqa: ARG002
        alike = float(cosine(first, second)[0])
        return Likeness(float(alike >= CHANGED_BELOW), 1 - alike)

    def words(self, answer: Array) -> tuple[str, float | None]:
        return f"a vector of {answer.size} numbers", None


class DenseReader:
    """A map (C, H, W)."""

    task = Task.DENSE
    layout = ""
    bound = 2.0
    alone = False

    def __init__(self, output: str, channel_axis: int | None) -> None:
        self.outputs: tuple[str, ...] = (output,)
        self._axis = channel_axis

    def read(self, rows: Mapping[str, Array]) -> Array:
        row = np.array(rows[self.outputs[0]])
        return _finite(row[None] if self._axis is None else np.moveaxis(row, self._axis, 0))

    def likeness(self, first: Array, second: Array, shift: tuple[float, float] = (0.0, 0.0)) -> Likeness:  # noqa: ARG002
        one, two = class_scores(first[None]), class_scores(second[None])
        error = relative_error(first, second)
        if one is None or two is None:
            return Likeness(1 - min(error, 1.0), min(error, self.bound))
        same = float(position_agreement(one, two)[0])
        return Likeness(same, 1 - same)

    def words(self, answer: Array) -> tuple[str, float | None]:
        return f"a map of {answer.shape[1]} x {answer.shape[2]}", None


class BoxReader:
    """Boxes, decoded by a layout of :mod:`auditor.pipeline.decoding`."""

    task = Task.DETECTION
    bound = 1.0
    alone = True  # a decoder takes the outputs of one picture, with their batch axis of one

    def __init__(self, outputs: tuple[str, ...], layout: str, decoding: Decoding) -> None:
        self.outputs = outputs
        self.layout = layout
        self._decoding = decoding

    def read(self, rows: Mapping[str, Array]) -> Boxes:
        for value in rows.values():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise UnusableOutputError(NOT_FINITE)
        answer = self._decoding.read(rows, self.layout)
        if not isinstance(answer, Detections):
            raise UnusableOutputError(f"layout {self.layout} gives no boxes")
        return Boxes(np.array(answer.boxes, float), np.array(answer.scores, float), np.array(answer.labels, np.int64))

    def likeness(self, first: Boxes, second: Boxes, shift: tuple[float, float] = (0.0, 0.0)) -> Likeness:
        back = Boxes(second.corners + np.array([shift[1], shift[0]] * 2), second.scores, second.labels)
        one, two = match(first, back)
        lost, gained = len(first) - len(one), len(second) - len(two)
        total = len(one) + lost + gained
        if not total:
            return Likeness(float("nan"), float("nan"))
        change = float(np.abs(first.scores[one] - second.scores[two]).mean()) if len(one) else float("nan")
        return Likeness(len(one) / total, change, len(first), lost, gained)

    def words(self, answer: Boxes) -> tuple[str, float | None]:
        count = len(answer)
        return f"{count} box{'' if count == 1 else 'es'}", float(answer.scores.max()) if count else None


@dataclass(frozen=True, slots=True)
class Decoding:
    """What a decoder is told beside the outputs. ``score`` is the least score of a box."""

    size: tuple[int, int]
    metadata: Mapping[str, str]
    operators: frozenset[str]
    score: float

    def read(self, outputs: Mapping[str, Array], layout: str) -> Any:
        """The answer in the outputs of one picture, with their batch axis."""
        answer = decode(
            outputs,
            layout,
            input_size=self.size,
            metadata=self.metadata,
            operators=self.operators,
            score=self.score,
        )
        return boxes_around(answer) if isinstance(answer, Regions) else answer

    def layouts(self, outputs: Mapping[str, Array]) -> list[str]:
        """The layouts that fit equally well."""
        try:
            fitting = candidates(Signature(dict(outputs), self.size, self.metadata, self.operators))
        except LayoutError:
            return []
        return [layout.name for layout in fitting]


def find_reader(
    samples: Sequence[Mapping[str, Array]],
    image: ImageInput,
    clues: Clues,
    decoding: Decoding,
    task: Task | None,
    output: str | None,
    layout: str | None,
) -> tuple[AnswerReader, tuple[str, ...]]:
    """What reads the model's answers, and what a user should know of the choice.

    ``samples`` are the raw outputs of single runs on a few pictures, with their batch axis.

    Raises:
        DataError: no reading fits, or several do; the message says what to give.
    """
    if layout is not None or task is Task.DETECTION:
        return _boxes(samples, decoding, layout or "auto"), ()
    rows = [{name: _row(value) for name, value in sample.items()} for sample in samples]
    try:
        target = find_target(rows, task, output, image.size, clues)
    except DataError as error:
        if task is not None:
            raise
        return _decoded(samples, decoding, error), ()
    if target.decoder is not None:
        return _boxes(samples, decoding, target.decoder.layout), _guessed(target)
    return _plain_reader(target, rows), _guessed(target)


def _plain_reader(target: Target, rows: Sequence[Mapping[str, Array]]) -> AnswerReader:
    name = target.outputs[0]
    if target.task is Task.CLASSIFICATION:
        known = [row[name].reshape(-1) for row in rows if np.isfinite(row[name]).all()]
        if not known:
            raise DataError(f"{NOT_FINITE}: check --preset and the model")
        return ClassReader(name, output_scale(np.stack(known)))
    if target.task is Task.EMBEDDING:
        return EmbeddingReader(name)
    if target.task is Task.DENSE:
        return DenseReader(name, target.channel_axis)
    raise DataError(f"answers of the task {target.task.value} are not compared here: {_ASK}")


def _guessed(target: Target) -> tuple[str, ...]:
    guess = (f"the task was taken to be {target.task.value} from the outputs (--task)",) if target.guessed else ()
    return (*target.remarks, *guess)


def _boxes(samples: Sequence[Mapping[str, Array]], decoding: Decoding, layout: str) -> BoxReader:
    try:
        if layout == "auto":
            fitting = sorted({name for sample in samples for name in decoding.layouts(sample)})
            if len(fitting) != 1:
                words = f"fit {' and '.join(fitting)}" if fitting else "fit no known layout of boxes"
                raise DataError(f"the outputs {words}: say which with --layout", _shapes(samples[0]))
            layout = fitting[0]
        answer = decoding.read(samples[0], layout)
    except LayoutError as error:
        raise DataError(str(error)) from error
    if not isinstance(answer, Detections):
        raise DataError(f"layout {layout} gives no boxes, and only boxes are compared among decoded answers: {_ASK}")
    return BoxReader(tuple(samples[0]), layout, decoding)


def _decoded(samples: Sequence[Mapping[str, Array]], decoding: Decoding, doubt: DataError) -> BoxReader:
    """Boxes, where the only layout that fits every sample has them; else the doubt about the task."""
    try:
        return _boxes(samples, decoding, "auto")
    except DataError:
        raise DataError(f"the answers cannot be told from the outputs: {_ASK}", doubt.detail.raw) from doubt


def _row(value: Array) -> Array:
    return value[0] if value.ndim and value.shape[0] == 1 else value


def _shapes(outputs: Mapping[str, Array]) -> str:
    return "; ".join(f"{name} {list(value.shape)}" for name, value in outputs.items())


def _finite(values: Array) -> Array:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UnusableOutputError(NOT_FINITE)
    return values
