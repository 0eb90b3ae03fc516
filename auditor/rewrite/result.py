"""What a rewrite plans, does and refuses: the values that the command line, reports and the search read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, EnumMeta
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.rewrite.strategies import NAMES
from auditor.sampling.result import Site
from auditor.text import ModelText, plain


class _ReadOffFolder(EnumMeta):
    if TYPE_CHECKING:

        def __getattr__(cls, name: str) -> Strategy: ...


class Strategy(str, Enum, metaclass=_ReadOffFolder):
    """The rewrites, by the name of the ``--strategy`` option: ``Strategy.BLUR`` is the one that blur.py declares.

    None of them keeps the function bit by bit.
    """

    _ignore_ = ["word"]  # noqa: RUF012 - as the enumeration reads it
    for word in NAMES:
        vars()[word.upper().replace("-", "_")] = word


class Kernel(str, Enum):
    """Low-pass kernels by their length at stride 2 (Zhang 2019); ``identity`` filters nothing and exists for tests."""

    IDENTITY = "identity"
    RECT2 = "rect2"
    TRI3 = "tri3"
    BIN4 = "bin4"
    BIN5 = "bin5"
    BIN6 = "bin6"
    BIN7 = "bin7"


class Where(str, Enum):
    """Behind the activation and at the site's stride (Zhang), or in front of the strided operator at stride 1."""

    POST = "post"
    PRE = "pre"


class Padding(str, Enum):
    """How a blur continues the map at its border. ``auto``: reflect where the map is large enough, else edge."""

    AUTO = "auto"
    REFLECT = "reflect"
    EDGE = "edge"
    ZERO = "zero"


class Phases(str, Enum):
    """Which phases of a site are averaged: all of them, two on the diagonal, or all that are half a stride apart."""

    ALL = "all"
    DIAGONAL = "diagonal"
    HALVES = "halves"


class Lowering(str, Enum):
    """Where the phases of a site stand: on the batch axis, or between each other (dilation, for all phases only).

    ``branch``: in copies of the nodes behind, with the same weights. ``auto``: on the batch axis where it is free, else
    in branches up to a merge, or between each other.
    """

    AUTO = "auto"
    BATCH = "batch"
    BRANCH = "branch"
    DILATION = "dilation"


class Refit(str, Enum):
    """Which convolutions behind calibrated blurs are fitted again: none, the last one, or all that help."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class Lock(str, Enum):
    """How finely a grid lock places its window: at whole pixels, or at steps of a 32nd pixel."""

    SUB_PIXEL = "sub-pixel"
    WHOLE_PIXEL = "whole-pixel"


class Room(str, Enum):
    """Where a locked window moves: in a picture that is fed larger, or in one that the graph pads.

    ``auto``: padded where outputs say where something is, else larger.
    """

    AUTO = "auto"
    LARGER = "larger"
    PAD = "pad"


class Camera(str, Enum):
    """Whether the camera moves: before a fixed one, what moves is things, which a grid lock would follow."""

    UNKNOWN = "unknown"
    MOVING = "moving"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Options:
    """How to rewrite. ``blend`` is the share of the kernel against no filter at all (partial blur, 0 < blend <= 1).

    ``mix`` puts a 1x1 convolution behind every blur, for calibration, and ``refit`` goes on behind it. ``margin`` is
    how many pixels there are beside a window that the content places, on each side; None for a choice by the network
    and its input. ``lock``, ``room``, ``period``, ``align`` (both in pixels, None: by the network), ``camera`` and
    ``places`` are those of a grid lock; ``places`` is the layout of outputs that say where something is, "auto" or
    "none".
    ``merges`` are the nodes where averaged phases end, one for each site that is named; without any, the outputs.
    """

    kernel: Kernel = Kernel.TRI3
    where: Where = Where.POST
    padding: Padding = Padding.AUTO
    blend: float = 1.0
    phases: Phases = Phases.DIAGONAL
    mix: bool = False
    refit: Refit = Refit.ALL
    margin: int | None = None
    lowering: Lowering = Lowering.AUTO
    merges: tuple[str, ...] = ()
    lock: Lock = Lock.SUB_PIXEL
    room: Room = Room.AUTO
    period: int | None = None
    align: int | None = None
    camera: Camera = Camera.UNKNOWN
    places: str = "auto"

    @property
    def merge(self) -> str | None:
        """The one merge of a single site, None for the outputs."""
        return self.merges[0] if self.merges else None

    def described(self) -> dict[str, object]:
        """The options by the names of their flags, as reports and the metadata of a model hold them."""
        return {
            "kernel": self.kernel.value,
            "where": self.where.value,
            "padding": self.padding.value,
            "lambda": self.blend,
            "phases": self.phases.value,
            "lowering": self.lowering.value,
            "margin": self.margin,
            "merges": list(self.merges),
            "lock": self.lock.value,
            "room": self.room.value,
            "period": self.period,
            "align": self.align,
            "camera": self.camera.value,
            "places": self.places,
        }

    def words(self, names: Iterable[str]) -> str:
        """These options for a line of a report, each behind a comma; ``margin`` is the name of a field."""
        words = {
            "kernel": f"kernel {self.kernel.value}",
            "where": self.where.value,
            "padding": f"padding {self.padding.value}",
            "blend": "" if self.blend == 1.0 else f"lambda {self.blend:g}",
            "phases": f"phases {self.phases.value}",
            "merges": f"merged at {', '.join(map(plain, self.merges))}" if self.merges else "",
            "margin": f"margin {'auto' if self.margin is None else self.margin}",
            "lock": self.lock.value,
            "room": f"room {self.room.value}",
            "period": f"period {'auto' if self.period is None else self.period}",
            "align": "" if self.align is None else f"align {self.align}",
            "places": "" if self.places == "auto" else f"places {self.places}",
            "camera": "" if self.camera is Camera.UNKNOWN else f"camera {self.camera.value}",
        }
        return "".join(f", {words[name]}" for name in names if words.get(name))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a strategy does not apply: one reason in our own words, which hold no text of the model."""

    strategy: Strategy
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A strategy that applies. ``flops`` is the predicted ratio of multiply-adds of the whole network, after / before;
    None where too little of the network is tracked. ``memory`` is that of the largest tensor, in elements. ``note``
    says how it is done, where there are several ways.
    """

    strategy: Strategy
    flops: float | None
    memory: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """A node where a window of averaging may end. ``flops`` is the ratio of multiply-adds, as in :class:`Offer`."""

    node: ModelText
    flops: float | None


@dataclass(frozen=True, slots=True)
class WindowStart:
    """Where windows that begin at a site may end, the nearest merge first; ``site`` is None for the input."""

    site: Site | None
    merges: tuple[Merge, ...]


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What can be done at one site."""

    site: Site
    offers: tuple[Offer, ...]
    refusals: tuple[Refusal, ...]
    merges: tuple[Merge, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be done to a model: at each site in graph order, and to the network input."""

    sites: tuple[SitePlan, ...]
    input: tuple[Offer, ...]
    input_refusals: tuple[Refusal, ...]
    input_merges: tuple[Merge, ...] = ()


class ChangeKind(Enum):
    """What happened to a node."""

    ADDED = "added"
    EDITED = "edited"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the node-level difference. ``detail`` is in our own words, ``node`` and ``op`` are the model's."""

    kind: ChangeKind
    node: ModelText
    op: ModelText
    detail: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A site that was asked for and left as it was. ``site`` is None where the refusal concerns the whole model."""

    site: Site | None
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibration did at a site: shares of the original's variance that are missed, on held-out pictures.

    ``folded`` says that the convolution behind was fitted itself, which costs nothing; the shares are then those of
    what it computes.
    """

    site: Site
    before: float
    after: float
    strength: float
    pictures: int
    folded: bool


@dataclass(frozen=True, slots=True)
class Refitted:
    """A convolution behind the blurred sites that was fitted: shares of the variance of what it computes that are
    missed, on held-out pictures, and the same of the model's ``outputs`` with it and all before it. Where later ones
    only moved the outputs away they are not ``kept``.
    """

    node: ModelText
    before: float
    after: float
    outputs: float
    kept: bool


@dataclass(frozen=True, slots=True)
class RefitCurve:
    """How the outputs came nearer to the original's: ``start`` is their distance with the sites alone calibrated."""

    start: float
    refits: tuple[Refitted, ...]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was done. ``path`` is None when nothing was written; ``sites`` are those that were rewritten.

    ``how`` says how it was done, where there are several ways; ``backup`` is what the model is called that ``path``
    replaced. ``feeding`` says what pictures the new model takes, where these are others than the old one's.
    """

    path: Path | None
    strategy: Strategy
    sites: tuple[Site, ...]
    changes: tuple[Change, ...]
    skipped: tuple[Skipped, ...]
    flops: float | None
    memory: float | None
    calibrated: tuple[Calibrated, ...]
    curve: RefitCurve | None = None
    how: str = ""
    backup: Path | None = None
    feeding: str = ""


class RewriteError(Exception):
    """A model that cannot be rewritten or written. The message is one line in our own words."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rewrite. ``sites`` are names of nodes as ``rewrite`` takes them; without any, the strategy chooses."""

    strategy: Strategy
    options: Options = field(default_factory=Options)
    sites: tuple[str, ...] = ()
    calibrated: bool = False
