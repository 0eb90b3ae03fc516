"""What a comparison of resize kernels measured. Everything is plain and frozen; None stands for what was not measured.

The picture is the statistical unit: what several shifts of one picture give is averaged first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from auditor.document import Shown
from auditor.text import ModelText, count_text, plain
from auditor.verify.example import Jpeg
from auditor.verify.interval import Interval
from auditor.verify.result import DataKind, Provider, Rejected, Task
from auditor.verify.statistics import Needed


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over ``pictures``; ``interval`` is None where they are too few for one."""

    value: float
    interval: Interval | None
    pictures: int

    def is_surely_above(self, limit: float) -> bool:
        """Whether the whole interval lies above a limit; never without an interval."""
        return self.interval is not None and self.interval.low > limit


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """Boxes over all pictures: in the answers behind the reference kernel, and those that this kernel loses and
    gains.
    """

    reference: int
    lost: int
    gained: int


@dataclass(frozen=True, slots=True)
class ResizeCost:
    """Median time of one resize in microseconds per million pixels of the picture, with the interval of the median."""

    value: float
    interval: Interval | None
    pictures: int


@dataclass(frozen=True, slots=True)
class KernelRow:
    """One kernel in front of the model.

    ``low_pass``: it filters before it samples. ``agreement`` is the share of answers as behind the reference kernel and
    ``change`` the mean change of the score (None for the reference itself); ``stability`` the share of answers that
    stay after the picture moved by one of its own pixels, ``change_1px`` the mean change of the score then. ``alias``
    is the share of a photograph's power that is expected to fold at these factors. ``cost`` is None where another
    implementation ran than the library's own. ``stability_loss`` and ``change_rise`` are the paired differences to the
    reference kernel, positive where this one is worse, and ``excess`` that of the changed answers to ``peer``, another
    kernel that filters.
    """

    kernel: str
    low_pass: bool
    alias: float
    agreement: Estimate | None
    change: Estimate | None
    stability: Estimate | None
    change_1px: Estimate | None
    stability_loss: Estimate | None
    change_rise: Estimate | None
    excess: Estimate | None = None
    peer: str = ""
    boxes: BoxCounts | None = None
    cost: ResizeCost | None = None

    def surely_changes(self, allowed: float) -> bool:
        """Whether surely more than ``allowed`` of the answers change, whatever another filter does."""
        span = None if self.agreement is None else self.agreement.interval
        return span is not None and 1 - span.high > allowed

    def changes_answers(self, allowed: float) -> bool:
        """Whether surely more than ``allowed`` of the answers change, and more than another filter changes."""
        return self.surely_changes(allowed) and (self.excess is None or self.excess.is_surely_above(0.0))

    def is_less_stable(self, allowed: float) -> bool:
        """Whether surely more than ``allowed`` of the answers that stay after one pixel are lost."""
        return self.stability_loss is not None and self.stability_loss.is_surely_above(allowed)


@dataclass(frozen=True, slots=True)
class SeenInput:
    """What the model sees behind one kernel, and what it answers; ``score`` is None where the answer has none.

    ``thumbnail`` is a part of the input, and ``detail`` a smaller one as PNG.
    """

    unwritten: ClassVar[tuple[str, ...]] = ("thumbnail", "detail")

    kernel: str
    answer: str
    score: float | None
    thumbnail: Jpeg | None = None
    detail: bytes = b""


@dataclass(frozen=True, slots=True)
class ChangedPicture:
    """A picture whose answer the deployed kernel changes, or the worst kernel where none is named."""

    name: ModelText
    size: tuple[int, int]
    factor: tuple[float, float]
    agreement: float
    change: float
    inputs: tuple[SeenInput, ...]


class ResizeVerdict(Enum):
    """What the numbers allow to say about the deployed kernel."""

    ALIASES = "aliases"
    NO_DIFFERENCE = "no-difference"
    UNDECIDED = "undecided"
    FILTERS = "filters"  # it filters before it samples
    NOT_NAMED = "not-named"  # nobody said which kernel is deployed


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, with the reasons that hold. ``allowed`` is the share of changed answers below which none is found."""

    verdict: ResizeVerdict
    allowed: float
    changes_answers: bool = False
    less_stable: bool = False
    needed: Needed | None = None


@dataclass(frozen=True, slots=True)
class CodeLine:
    """The line that shrinks a picture with a low-pass in one library; ``kernel`` is the name of what it computes."""

    library: str
    kernel: str
    code: str
    deployed: bool


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """The pictures that were used. ``factors`` are the least and the largest shrink factor of an axis, ``sides`` the
    shortest and the longest side in pixels, ``digest`` that of all pictures together.
    """

    kind: DataKind
    used: tuple[ModelText, ...]
    rejected: tuple[Rejected, ...]
    sides: tuple[int, int]
    factors: tuple[float, float]
    digest: str


@dataclass(frozen=True, slots=True, repr=False)
class ResizeComparison(Shown):
    """Resize kernels in front of one model, the reference first. ``deployed`` is the user's own, empty where not named.

    ``input_size`` is the model's (height, width); ``fit`` how a picture is placed in it, ``how`` the preprocessing in
    words, ``preset`` the name that brought it (empty where none did). ``changed`` are the pictures that change most,
    behind the deployed kernel. ``incomplete`` is empty, or says in our own words why pictures are missing.
    """

    model: str
    task: Task
    layout: str
    pictures: PictureFacts
    input_size: tuple[int, int]
    fit: str
    preset: str
    how: str
    reference: str
    deployed: str
    confidence: float
    rows: tuple[KernelRow, ...]
    judgement: Judgement
    code: tuple[CodeLine, ...]
    changed: tuple[ChangedPicture, ...]
    provider: Provider
    libraries: tuple[tuple[str, str], ...]
    seconds: float
    incomplete: str = ""
    notes: tuple[str, ...] = ()

    def row(self, kernel: str) -> KernelRow | None:
        """The row of this kernel, or None where it was not compared."""
        return next((row for row in self.rows if row.kernel == kernel), None)

    def __repr__(self) -> str:
        facts = [count_text(len(self.pictures.used), "picture"), count_text(len(self.rows), "kernel")]
        facts += [f"{plain(self.deployed, 40)}: {self.judgement.verdict.value}"] * bool(self.deployed)
        facts += ["incomplete"] * bool(self.incomplete)
        return f"<ResizeComparison {plain(self.model, 120)}: {', '.join(facts)}>"
