"""Which layout a model's outputs have, told from the outputs of several pictures, and answers read by it.

The layouts themselves, their signatures and their formulas are those of :mod:`auditor.pipeline.decoding`. One picture
decides nothing: a layout that fits some pictures and not the others is ruled out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from auditor.choices import suggestion
from auditor.pipeline.decoding import (
    Answer,
    Detections,
    Evidence,
    Keypoints,
    Layout,
    LayoutError,
    Numbers,
    Reading,
    Regions,
    Signature,
    Text,
    layouts,
)
from auditor.pipeline.decoding.choice import evidence_of, parts_of
from auditor.verify.errors import DataError
from auditor.verify.result import Task
from auditor.verify.worker.arena import Array

AUTO = "auto"
# Below this score a box is noise; from here on to the threshold it tells a crossing from a loss.
_WEAK_SCORE = 0.25

_TOLD_BY = {
    Evidence.SHAPE: "the shapes of its outputs",
    Evidence.VALUES: "the shapes and values of its outputs",
    Evidence.NAMES: "names or shapes of its outputs that no other family has",
    Evidence.METADATA: "the file's metadata",
}
# What a task is read by where no layout has a signature of its own.
_PLAIN = {Task.TEXT: "ctc", Task.REGRESSION: "numbers"}
DECODED = {Task.DETECTION, Task.KEYPOINTS, Task.TEXT, Task.REGRESSION}
_MOST_NAMES = 6
_FIRST_LETTER = 0x100000  # of the second private plane, which holds 65,534 characters that are nobody's


def weak_score(threshold: float) -> float:
    """The least score at which boxes are looked for where they count from ``threshold`` on."""
    return min(_WEAK_SCORE, threshold / 2)


@dataclass(frozen=True, slots=True)
class Decoder:
    """How to read the outputs of one run; plain values only, so that it goes to other processes.

    ``ranks`` are the numbers of axes that the file declares for each output, the batch axis among them; ``outputs``
    those that the layout reads, all where it is empty.
    """

    layout: str
    size: tuple[int, int]
    reading: Reading
    metadata: Mapping[str, str] = field(default_factory=dict)
    operators: frozenset[str] = frozenset()
    ranks: Mapping[str, int] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def read(self, rows: Mapping[str, Array]) -> Answer:
        """The answer in the outputs of one input, without their batch axis.

        Raises:
            LayoutError: they do not have the layout.
        """
        own = {name: rows[name] for name in self.outputs} if self.outputs else rows
        signature = _signature(own, self.size, self.metadata, self.operators, self.ranks)
        try:
            with np.errstate(all="ignore"):  # what is not finite is left out by the readers
                answer = layouts()[self.layout].read(signature, self.reading)
        except (ArithmeticError, IndexError, ValueError) as error:
            why = f": {error}" if isinstance(error, LayoutError) else ""
            raise LayoutError(f"the model's outputs do not have the layout {self.layout}{why}") from error
        return boxes_around(answer) if isinstance(answer, Regions) else answer

    def highest_score(self, rows: Mapping[str, Array]) -> float | None:
        """The highest score of any object of one input, however weak; None where it has none."""
        # Nothing that overlaps a surer object is kept, so that thousands of candidates cost little.
        try:
            everything = replace(self, reading=replace(self.reading, score=-1.0, iou=0.0)).read(rows)
        except LayoutError:  # among what is no object some may be no box either
            return None
        scores = everything.scores if isinstance(everything, Detections) else np.zeros(0)
        return float(scores.max()) if len(scores) else None


@dataclass(frozen=True, slots=True)
class LayoutChoice:
    """The layout that was taken, the task that it answers, and what a reader of the report should know of it."""

    decoder: Decoder
    task: Task
    guessed: bool
    remarks: tuple[str, ...]


def choose_layout(
    samples: Sequence[Mapping[str, Array]],
    size: tuple[int, int],
    *,
    metadata: Mapping[str, str] | None = None,
    operators: frozenset[str] = frozenset(),
    ranks: Mapping[str, int] | None = None,
    name: str | None = None,
    task: Task | None = None,
    reading: Reading | None = None,
) -> LayoutChoice | None:
    """The layout of outputs: the one that was named, or the only one whose signature fits.

    Args:
        samples: one row of every numeric output, without the batch axis, for each of a few pictures.
        size: the input's (H, W).
        metadata: the file's own.
        operators: the operator types of the graph.
        ranks: the declared numbers of axes of the outputs.
        name: what the user said with --layout; None asks as AUTO does, but no layout at all is no error.
        task: what the user said with --task.
        reading: thresholds, and what no file tells.

    Returns:
        None where nobody asked for a layout and none fits.

    Raises:
        DataError: no layout has the name, none fits or several do, or the task is not what the layout answers.
    """
    if task is not None and task not in DECODED and name is None:
        return None
    signatures = [_signature(rows, size, metadata or {}, operators, ranks or {}) for rows in samples]
    signatures, beside = _without_others(signatures, name)
    evidence, partly = _evidence(signatures)
    if name is not None and name != AUTO:
        layout, guessed = _named(name), False
        remarks = [f"layout {layout.name} ({layout.family}), as --layout says"]
        remarks += _also(evidence, layout, ())
    else:
        fitting = _fitting(evidence, task)
        if len(fitting) > 1:
            names = " or ".join(f"{layout.name} ({layout.family})" for layout in fitting)
            raise DataError(f"the outputs fit the layouts {names}: say which with --layout", _shapes(samples[0]))
        if fitting:
            layout, guessed = fitting[0], True
            remarks = [f"layout {layout.name} ({layout.family}), told by {_TOLD_BY[evidence[layout.name]]} (--layout)"]
            remarks += _also(evidence, layout, partly)
        elif task in _PLAIN:
            _not_another(_fitting(evidence, None), evidence, task)
            layout, guessed = layouts()[_PLAIN[task]], True
            remarks = [f"layout {layout.name} ({layout.family}), the plainest one of the task (--layout)"]
        elif name is None and task is None:
            return None
        else:
            raise _none_fits(samples, partly, task)
    return _checked(layout, signatures, task, reading or Reading(), guessed, [*remarks, *beside], ranks or {})


def _without_others(signatures: list[Signature], name: str | None) -> tuple[list[Signature], tuple[str, ...]]:
    """The signatures of the only outputs that a layout of objects fits, where none fits all; and a remark on the rest.

    Exports have outputs beside the answer: raw heads, features, a second head of the training.

    Raises:
        DataError: several outputs fit.
    """
    known = [
        layout for layout in layouts().values() if layout.answer is Detections and name in (None, AUTO, layout.name)
    ]
    whole, _ = _evidence(signatures)
    if len(signatures[0].arrays) < 2 or any(whole[layout] for layout in whole if name in (None, AUTO, layout)):
        return signatures, ()
    strengths: dict[tuple[str, ...], Evidence] = {}
    for part in parts_of(signatures[0]):
        narrowed = [replace(each, outputs={key: each.outputs[key] for key in part.outputs}) for each in signatures]
        evidence, _ = _evidence(narrowed)
        strengths[tuple(part.outputs)] = max((evidence[layout.name] for layout in known), default=Evidence.NONE)
    best = max(strengths.values())
    fitting = [names for names, strength in strengths.items() if strength is best]
    if best < Evidence.VALUES:
        return signatures, ()
    if len(fitting) > 1:
        several = " and ".join(" with ".join(names) for names in fitting)
        raise DataError(f"the outputs {several} fit a layout each: say which with --measured-output")
    left = [key for key in signatures[0].outputs if key not in fitting[0]]
    return (
        [replace(each, outputs={key: each.outputs[key] for key in fitting[0]}) for each in signatures],
        (f"left out of the layout: {', '.join(left)} (--measured-output)",),
    )


def _not_another(fitting: Sequence[Layout], evidence: Mapping[str, Evidence], task: Task) -> None:
    """See to it that outputs are not read by the plainest layout of a task where more than shapes tell another one.

    Raises:
        DataError: they have the layout of another task.
    """
    if fitting and evidence[fitting[0].name] >= Evidence.VALUES:
        kinds = f"{fitting[0].name} ({_answers(fitting[0])[0].value})"
        raise DataError(f"the outputs have the layout {kinds} and not one of {task.value}: leave --task out")


def _named(name: str) -> Layout:
    if name not in layouts():
        known = f": --layout takes {', '.join([AUTO, *sorted(layouts())])}"
        raise DataError(f"there is no layout {name!r}{suggestion(name, layouts()) or known}")
    return layouts()[name]


def _evidence(signatures: Sequence[Signature]) -> tuple[dict[str, Evidence], tuple[str, ...]]:
    """The strength of each layout over all pictures, and the layouts that fit some of them only.

    Pictures without any object say nothing where others have some.
    """
    telling = [signature for signature in signatures if any(np.any(array) for array in signature.arrays)] or signatures
    strengths: dict[str, Evidence] = {}
    partly = []
    for name, layout in layouts().items():
        each = [evidence_of(layout, signature) for signature in telling]
        whole = all(strength is not Evidence.NONE for strength in each)
        strengths[name] = max(each, default=Evidence.NONE) if whole else Evidence.NONE
        if not whole and any(each):
            partly.append(f"{name} (fits {sum(map(bool, each))} of {len(each)} pictures)")
    return strengths, tuple(partly)


def _fitting(evidence: Mapping[str, Evidence], task: Task | None) -> list[Layout]:
    """The layouts with the strongest evidence, of those that answer the task."""
    known = {name: layout for name, layout in layouts().items() if task is None or task in _answers(layout)}
    best = max((evidence[name] for name in known), default=Evidence.NONE)
    return [layout for name, layout in known.items() if best is not Evidence.NONE and evidence[name] is best]


def _answers(layout: Layout) -> tuple[Task, ...]:
    """The tasks that a layout's answer can be measured as, the likeliest first."""
    if layout.answer in (Detections, Regions):
        return (Task.KEYPOINTS, Task.DETECTION) if layout.people else (Task.DETECTION, Task.KEYPOINTS)
    return ({Keypoints: Task.KEYPOINTS, Text: Task.TEXT, Numbers: Task.REGRESSION}[layout.answer],)


def _checked(
    layout: Layout,
    signatures: Sequence[Signature],
    task: Task | None,
    reading: Reading,
    guessed: bool,
    remarks: list[str],
    ranks: Mapping[str, int],
) -> LayoutChoice:
    """The choice, once the layout reads the first pictures and answers the task."""
    if layout.answer is Text:
        reading, remark = _with_alphabet(layout, reading, signatures)
        remarks += remark
    missing = [need for need in layout.needs if getattr(reading, need) is None]
    if missing:
        raise DataError(f"layout {layout.name} needs {' and '.join(missing)}, which no file tells and no option says")
    try:
        answers = [layout.read(signature, reading) for signature in signatures]
    except (ArithmeticError, IndexError, ValueError) as error:
        why = str(error) if isinstance(error, LayoutError) else ""
        raise DataError(f"the outputs do not have the layout {layout.name}: name another with --layout", why) from error
    if layout.name == "superpoint":
        raise DataError("the points of the layout superpoint are not the same ones in every picture: no task fits")
    tasks = _answers(layout)
    if task is not None and task not in tasks:
        raise DataError(f"the layout {layout.name} answers {tasks[0].value} and not {task.value}: leave --task out")
    chosen = task or tasks[0]
    if chosen is Task.KEYPOINTS and isinstance(answers[0], Detections) and answers[0].keypoints is None:
        raise DataError(f"the layout {layout.name} has no keypoints: give --task detection")
    first = signatures[0]
    own = tuple(first.outputs)
    decoder = Decoder(layout.name, first.size, reading, first.metadata, first.operators, ranks, own)
    return LayoutChoice(decoder, chosen, guessed and task is None, tuple(remarks))


def _with_alphabet(layout: Layout, reading: Reading, signatures: Sequence[Signature]) -> tuple[Reading, list[str]]:
    """A character for each class where the file has none, and where the blank is.

    How much a line changes does not depend on what its characters are called. The blank is the class that wins most
    steps, which is the first or the last one.
    """
    arrays = [signature.arrays[0] for signature in signatures if signature.arrays[0].ndim == 3]
    if not arrays or "character" in signatures[0].metadata:
        return reading, []
    classes = arrays[0].shape[2]
    remark = []
    if layout.name == "ctc" and reading.blank is None:
        best = np.concatenate([array.argmax(axis=2).ravel() for array in arrays])
        last = int(np.count_nonzero(best == classes - 1)) > int(np.count_nonzero(best == 0))
        reading = replace(reading, blank="last" if last else "first")
        remark.append(f"the blank was taken to be the {reading.blank} class, the one that wins more steps")
    if reading.alphabet is None and 1 < classes <= 65534:
        letters = "".join(chr(_FIRST_LETTER + index) for index in range(classes - 1))
        reading = replace(reading, alphabet=letters)
        remark.append("the file has no alphabet: characters are compared by their class")
    return reading, remark


def _also(evidence: Mapping[str, Evidence], taken: Layout, partly: Sequence[str]) -> list[str]:
    """What else fitted, and why it was not taken."""
    weaker = [f"{name} (by {_TOLD_BY[found]} only)" for name, found in evidence.items() if found and name != taken.name]
    others = [*weaker, *partly]
    return [f"ruled out: {', '.join(others[:_MOST_NAMES])}"] if others else []


def _none_fits(samples: Sequence[Mapping[str, Array]], partly: Sequence[str], task: Task | None) -> DataError:
    some = f"; {', '.join(partly[:_MOST_NAMES])}" if partly else ""
    what = f" of {task.value}" if task is not None else ""
    if not any(np.any(row) for rows in samples for row in rows.values()):
        some = f": those of the first {len(samples)} images have nothing in them"
    return DataError(f"no known layout{what} fits the outputs{some}; name one with --layout", _shapes(samples[0]))


def _shapes(rows: Mapping[str, Array]) -> str:
    return "; ".join(f"{name} {list(row.shape)}" for name, row in rows.items())


def _signature(
    rows: Mapping[str, Array],
    size: tuple[int, int],
    metadata: Mapping[str, str],
    operators: frozenset[str],
    ranks: Mapping[str, int],
) -> Signature:
    outputs = {name: _with_batch(row, ranks.get(name)) for name, row in rows.items()}
    return Signature(outputs, size, metadata, operators)


def _with_batch(row: Array, rank: int | None) -> Array:
    """The output of a run on one input; a row that has all declared axes never had its batch axis taken off."""
    values = row.astype(np.uint8) if row.dtype == np.bool_ else row
    return values if rank is not None and values.ndim >= rank else values[None]


def boxes_around(regions: Regions) -> Detections:
    """Regions as the boxes around them, of one class."""
    corners = np.asarray(regions.corners, np.float64).reshape(-1, 4, 2)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    order = np.argsort(-regions.scores, kind="stable")
    return Detections(boxes[order], regions.scores[order], np.zeros(len(order), np.int64))
