"""What a file of this folder gives for one task, and the row that every image leaves.

A run goes in three steps: a pilot decides what holds for all images, every image gives one row, and all numbers are
functions of the rows in the order of their images. So no number depends on which image was run first, or where.

A new task is one file with a table of its measures and one class, a member of
:class:`~auditor.verify.result.Task`, and one line in :data:`auditor.verify.measures.TASKS`:

    BRIGHTNESS = MeasureFacts("brightness-change", "ratio", False, "change of the mean output", gate=Gate.CHANGE)

    @dataclass(frozen=True, slots=True)
    class Brightness(TaskMeasures[FloatArray, ImageMeasures]):
        MEASURES = (BRIGHTNESS,)

        @classmethod
        def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Brightness:
            return cls(subject.target.outputs)

        def read(self, rows: WindowOutputs) -> FloatArray:
            return stacked(rows[self.outputs[0]]).mean(axis=1)

        def row(self, unit: Unit, answers: FloatArray, reference: FloatArray | None) -> ImageMeasures:
            pairs = unit.plan.pairs
            change = np.abs(answers[pairs.reference] - answers[pairs.moved])
            return ImageMeasures({"brightness-change": float(change.mean())}, {}, 0.0)

        def total(self, rows: Sequence[Row[ImageMeasures]], confidence: float) -> OutputResult:
            return output_result(self.outputs[0], Task.BRIGHTNESS, self.MEASURES, rows, confidence)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from auditor.text import ModelText
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.example import ClassChange, MovingBox, MovingJoints
from auditor.verify.measures.facts import MeasureFacts
from auditor.verify.measures.reference import Beside
from auditor.verify.measures.target import Target
from auditor.verify.measures.variance import Spread
from auditor.verify.result import OutputResult, Track
from auditor.verify.shifts.alignment import Grid
from auditor.verify.shifts.plan import Unit
from auditor.verify.views import Mapped

Outputs = Mapping[str, AnyArray]
"""The outputs of one window by name, without the batch axis."""
WindowOutputs = Mapping[str, Sequence[AnyArray]]
"""The outputs of every window of an image's plan by name."""

OTHER_SHAPE = "the reference model's output has another shape"
NOT_FINITE = "the model's output holds NaN or infinity"


class UnusableOutputError(ValueError):
    """The outputs for one image cannot be measured; the message is the reason for the report."""


class DistanceMean(NamedTuple):
    """A measure of one image at one shift distance in pixels: the mean ``value`` of so many ``pairs``."""

    distance: float
    value: float
    pairs: int


@dataclass(frozen=True, slots=True)
class ImageMeasures:
    """What was measured on one image; a task adds what its totals need. Plain numbers: a row outlives its arrays.

    ``values`` and ``curves`` are by the name of the measure; NaN says that one is not defined for the image. ``flips``
    is the share of shifts with another answer. ``tracks`` are the answers along the path of shifts, and ``beside`` the
    counts of this and a reference model. ``class_change``, ``moving_box`` and ``moving_joints`` are examples to look
    at. ``spreads`` are by the name of the measure that is a ratio of variances.
    """

    values: Mapping[str, float]
    curves: Mapping[str, tuple[DistanceMean, ...]]
    flips: float
    tracks: tuple[Track, ...] = field(default=(), kw_only=True)
    beside: Beside | None = field(default=None, kw_only=True)
    class_change: ClassChange | None = field(default=None, kw_only=True)
    moving_box: MovingBox | None = field(default=None, kw_only=True)
    moving_joints: MovingJoints | None = field(default=None, kw_only=True)
    spreads: Mapping[str, Spread] = field(default_factory=dict, kw_only=True)


RowT = TypeVar("RowT", bound=ImageMeasures)
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Repeated:
    """The unshifted input given twice: whether the answer was the same, and the largest difference of any element."""

    same: bool
    difference: float


@dataclass(frozen=True, slots=True)
class Row(Generic[RowT]):
    """One image (or sequence) of a run.

    ``index`` is its place among all pictures of the source, unusable ones included. ``rejected`` says why nothing was
    measured. ``pixels`` is the SHA-256 of its pixels. ``runs`` counts inputs that were executed, ``naive_runs`` those
    of a loop without reuse of equal inputs. ``enlarged`` is the factor by which its picture was enlarged,
    and ``factor`` (y, x) how many pixels of it are one of the model, None where that is not known. ``notes``
    say what libraries read otherwise in a file like its own. ``reference`` is what was measured on the reference model
    by itself, where that was asked for. ``perturbed`` has one for each perturbation, of which ``runs_beside`` of the
    ``naive_runs`` are.
    """

    index: int
    name: ModelText
    measured: RowT | None = None
    rejected: str = ""
    label: int | None = None
    pixels: bytes = b""
    runs: int = 0
    naive_runs: int = 0
    enlarged: float = 1.0
    factor: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    repeated: Repeated | None = None
    reference: RowT | None = None
    perturbed: tuple[RowT, ...] = ()
    reference_perturbed: tuple[RowT, ...] = ()
    runs_beside: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """What the pilot knows of a run when a task learns how to read the model.

    ``window`` is the input's (H, W). ``grid`` says where the positions of a dense output lie in the input. Boxes count
    from ``box_score`` on. ``period`` is the shift in pixels after which a network gives exactly the same answer, its
    cumulative subsampling factor; None where it is not known.
    """

    target: Target
    window: tuple[int, int]
    grid: Grid
    box_score: float
    period: int | None = None

    @property
    def circular(self) -> bool:
        """Whether shifts are circular."""
        return self.grid.circular


@dataclass(frozen=True, slots=True)
class Sides:
    """One image as the model under test and the reference model see it.

    ``first_class`` is the reference's class that is class 0 of the model under test.
    """

    here: Unit
    there: Unit
    first_class: int = 0

    @property
    def alike(self) -> bool:
        """Whether both have one and the same pixels in one place."""
        return self.here is self.there or self.here.placements == self.there.placements


@dataclass(frozen=True, slots=True)
class TaskMeasures(ABC, Generic[AnswerT, RowT]):
    """How one model is read and measured: made once by the pilot, then the same for every image and in every process.

    ``MEASURES`` are the measures that the file of the task declares, best known first. ``SINGLE_STEPS`` says that some
    are about one-pixel neighbours, paths, or all shifts of a square. ``WHOLE_PIXELS`` says that answers are laid over
    each other, which protocols with fractions of a pixel do not allow; without ``NATIVE`` that is done pixel by pixel
    of the model, which shifts of the picture do not allow either. With ``TRACKS`` the answer is followed along a path.
    """

    MEASURES: ClassVar[tuple[MeasureFacts, ...]] = ()
    SINGLE_STEPS: ClassVar[bool] = False
    WHOLE_PIXELS: ClassVar[bool] = False
    NATIVE: ClassVar[bool] = True
    TRACKS: ClassVar[bool] = False

    outputs: tuple[str, ...]

    @classmethod
    @abstractmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> TaskMeasures[AnswerT, RowT]:
        """What the numbers of the outputs are, from windows of the first images.

        What they do not tell is left open, and read from each image alone.
        """

    @abstractmethod
    def read(self, rows: WindowOutputs) -> AnswerT:
        """The answers to the windows of one image, in the order of its plan.

        Raises:
            UnusableOutputError: the image is to be listed as rejected.
        """

    @abstractmethod
    def row(self, unit: Unit, answers: AnswerT, reference: AnswerT | None) -> RowT:
        """Measure one image: a function of these arguments alone.

        Args:
            unit: the image and its plan.
            answers: what :meth:`read` made of the model's outputs.
            reference: what the reference model's :meth:`read` made of its outputs for the same windows.

        Raises:
            UnusableOutputError: the image is to be listed as rejected.
        """

    @abstractmethod
    def total(self, rows: Sequence[Row[RowT]], confidence: float) -> OutputResult:
        """The result over all images that were measured, in the order of their index."""

    def brought(self, answers: AnswerT, sides: Sides) -> AnswerT:  # noqa: ARG002 - for answers with places or classes
        """The answers of a reference model as this one would give them: its classes, in pixels of its own windows.

        Raises:
            UnusableOutputError: the two cannot be compared.
        """
        return answers

    def same(self, first: Outputs, second: Outputs) -> bool:
        """Whether two outputs for the same input give the same answer."""
        return all(nearly_equal(first[name], second[name]) for name in self.outputs)

    def nothing(self, rows: Sequence[Row[RowT]]) -> str:  # noqa: ARG002 - for the tasks that can tell
        """Why none of the images has anything to measure; empty where some have."""
        return ""

    def remarks(self, rows: Sequence[Row[RowT]]) -> tuple[str, ...]:  # noqa: ARG002 - for the tasks that have some
        """What a reader should know of the numbers: on what they rest, in which unit, of which joint."""
        return ()


def measured_of(rows: Sequence[Row[RowT]]) -> Sequence[RowT]:
    """What was measured on each image; the rows are of images that were not rejected."""
    return Mapped(rows, measured_on)


def measured_on(row: Row[RowT]) -> RowT:
    """What was measured on an image that was not rejected."""
    assert row.measured is not None
    return row.measured


def stacked(rows: Sequence[AnyArray]) -> AnyArray:
    """The outputs (W, N) of all windows, each flat.

    Raises:
        UnusableOutputError: a number is not finite; an argmax over NaN would look like a perfect answer.
    """
    outputs = np.stack([row.reshape(-1) for row in rows])
    if not np.isfinite(outputs).all():
        raise UnusableOutputError(NOT_FINITE)
    return outputs


def by_distance(along: Mapping[str, FloatArray], distances: FloatArray) -> dict[str, tuple[DistanceMean, ...]]:
    """The curves of an image from measures (P,) and distances (P,) in pixels of its pairs; NaN counts nowhere."""
    curves: dict[str, tuple[DistanceMean, ...]] = {}
    for name, values in along.items():
        known = ~np.isnan(values)
        points = []
        for distance in np.unique(distances):
            chosen = values[(distances == distance) & known]
            if len(chosen):
                points.append(DistanceMean(float(distance), float(chosen.mean()), len(chosen)))
        curves[name] = tuple(points)
    return curves


def nearly_equal(first: AnyArray, second: AnyArray) -> bool:
    """Equal up to what another place in a batch does to the last bits."""
    if first.shape != second.shape:
        return False
    scale = float(np.abs(first).max(initial=0.0)) if first.dtype.kind == "f" else 0.0
    return bool(np.allclose(first, second, rtol=1e-4, atol=1e-5 * scale))
