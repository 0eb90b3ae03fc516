"""What the sampling analysis finds: the values that rules, reports, rewrites and the verifier read.

Factors, strides and offsets are exact :class:`fractions.Fraction` in input pixels (samples on a 1-D axis) of the
network input that the axis comes from. ``None`` stands for a value that is not known, never for one that is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from fractions import Fraction
from typing import ClassVar, NamedTuple

from msgspec import Struct, field

from auditor.document import Documented
from auditor.onnxfile.noderef import NodeRef
from auditor.text import ModelText, count_text


class SourceAxis(Struct, frozen=True):
    """One axis of one network input. ``assumed``: the file leaves the size open and ``size`` was chosen here."""

    input: ModelText
    axis: int
    size: int
    assumed: bool


class Lattice(Struct, frozen=True):
    """The exact sampling lattice of one tensor axis: ``x_in(o) = stride * o + offset``, and the receptive field.

    ``stride`` is the cumulative subsampling factor S (negative for a flipped axis), ``offset`` O the input coordinate
    of the centre of output index 0, ``receptive_field`` R the width in input pixels along the local (convolutional)
    path. ``size_dependent``: O depends on the input size (SAME padding of an axis of open size, align_corners).
    ``deepest`` is the distance from O of the centre of the branch with the largest receptive field among those that met
    on the way, of which O is that of the most direct one.
    """

    source: int
    stride: Fraction
    offset: Fraction
    receptive_field: Fraction
    size: int
    size_dependent: bool
    deepest: Fraction = field(default_factory=Fraction)

    def centre(self, index: int | Fraction) -> Fraction:
        """The input coordinate of the centre at an index."""
        return self.stride * index + self.offset


class SiteKind(Enum):
    """How a site makes the grid coarser."""

    CONV = "strided-conv"
    PATCH_EMBEDDING = "patch-embedding"  # convolution with kernel = stride >= 4, or a linear layer over input patches
    MAX_POOL = "max-pool"
    AVERAGE_POOL = "average-pool"
    LP_POOL = "lp-pool"
    SLICE = "slice"
    GATHER = "gather"
    RESIZE_NEAREST = "resize-nearest"
    RESIZE = "resize"  # linear or cubic
    PHASE_TO_CHANNEL = "phase-to-channel"  # space-to-depth, Focus, patch merging
    FRAMES = "frames"  # STFT hop


class SiteVerdict(Enum):
    """What a site does to the frequencies above its new Nyquist limit."""

    ALIASED = "aliased"
    WEAK_FILTER = "weak filter"
    ANTI_ALIASED = "anti-aliased"
    MIXED_PHASES = "mixed phases"  # space-to-depth loses nothing, but the channels mean another phase each
    LABELS = "labels"  # a mask or a map of labels, which a filter would spoil
    UNKNOWN = "unknown"  # the weights were not there to judge by


# Of what folds along an axis without any filter; from here on, no filter worth the name stands there.
ALIASED_FROM = 0.6


class AliasBasis(Enum):
    """What an alias energy was computed from."""

    WEIGHTS = "weights"
    RESPONSE = "response"  # the known response of the operator
    DECIMATION = "decimation"  # no filter at all


class AliasEnergy(Struct, frozen=True):
    """Share of the pre-sampling signal power above the new Nyquist frequency, 0 to 1, predicted without a run.

    ``flat`` assumes a flat (white) input spectrum: a property of the filter alone, ``per_axis`` of what folds along
    each axis, in the order of the site's. ``worst_channel`` is the largest share of any output channel, flat spectrum.
    ``expected`` assumes the spectrum that activations have on photographs (:mod:`auditor.sampling.spectrum.expected`);
    None where that is not known, for the reason ``missing``. ``picture``: the site reads the picture itself.
    """

    flat: float
    worst_channel: float
    basis: AliasBasis
    per_axis: tuple[float, ...] = ()
    expected: float | None = None
    missing: str = ""
    picture: bool = False


class WorstAlias(NamedTuple):
    """The largest alias energy of several sites; ``expected`` says that it is the expected number, not the flat one."""

    value: float
    expected: bool


def worst_alias(sites: Iterable[Site]) -> WorstAlias | None:
    """The largest expected alias energy of the sites without anti-aliasing; the flat one where none has another."""
    known = [site.alias for site in sites if site.alias is not None and site.unprotected]
    expected = [alias.expected for alias in known if alias.expected is not None]
    if expected:
        return WorstAlias(max(expected), True)
    return WorstAlias(max(alias.flat for alias in known), False) if known else None


class Site(Struct, frozen=True):
    """A sampling site: a node, or a pattern of nodes named by its last one, where a spatial or temporal grid coarsens.

    All per-axis tuples list the site's spatial axes in the tensor's order (H, W). ``cumulative``, ``offset`` and
    ``receptive_field`` hold at the output; they are None per axis where the input's lattice is not known.
    ``skipped`` is the share of input positions that no output ever reads (kernel smaller than stride), 0 to 1.
    ``antialiased`` with ``reason`` says why a site is passed. ``members`` are the other nodes of the pattern.
    ``averaged`` says how many of its phases are kept on the batch axis and averaged, and how many there are: phase
    averaging, which makes ``alias`` what is left of the folding in the mean. ``labels``: it picks from a mask or from a
    map of labels, which no filter may mix. ``size`` is that of the grid which it makes, empty where it is not known.
    ``verdict`` sums its filter up. ``sources`` are indices into the sources of the analysis.
    """

    computed: ClassVar[tuple[str, ...]] = ("verdict",)

    node: NodeRef
    kind: SiteKind
    input: ModelText
    output: ModelText
    sources: tuple[int | None, ...]
    factor: tuple[Fraction, ...]
    cumulative: tuple[Fraction | None, ...]
    offset: tuple[Fraction | None, ...]
    receptive_field: tuple[Fraction | None, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    alias: AliasEnergy | None
    antialiased: bool
    reason: str
    skipped: Fraction
    reads_input: bool
    members: tuple[NodeRef, ...] = ()
    averaged: tuple[int, int] | None = None
    labels: bool = False
    size: tuple[int, ...] = ()

    @property
    def verdict(self) -> SiteVerdict:
        """The verdict on its filter, from what the analysis recognised and what of a flat spectrum folds per axis."""
        if self.labels:
            return SiteVerdict.LABELS
        if self.antialiased:
            return SiteVerdict.ANTI_ALIASED
        if self.kind is SiteKind.PHASE_TO_CHANNEL:
            return SiteVerdict.MIXED_PHASES
        if self.alias is None:
            return SiteVerdict.UNKNOWN
        bare = [float(1 - 1 / max(abs(step), Fraction(1))) for step in self.factor]
        shares = zip(self.alias.per_axis, bare, strict=False)
        aliased = any(share >= ALIASED_FROM * most > 0 for share, most in shares)
        return SiteVerdict.ALIASED if aliased else SiteVerdict.WEAK_FILTER

    @property
    def unprotected(self) -> bool:
        """Whether it lacks a low-pass that it needs."""
        return not self.antialiased and not self.labels


class Upsampling(Struct, frozen=True):
    """A node where a grid gets finer. ``taps``: kernel taps that reach each output phase, per axis (ConvTranspose)."""

    node: NodeRef
    factor: tuple[Fraction, ...]
    taps: tuple[tuple[int, ...], ...]


class MisalignedJoin(Struct, frozen=True):
    """Branches that meet with different lattices. ``delta`` is the largest difference of the centres in input pixels.

    ``strides`` and ``offsets`` list what each branch brings along the axis of ``source``. ``resize`` is the node whose
    coordinates keep them apart, where others, ``coordinates`` (half_pixel or asymmetric), would bring them together.
    """

    node: NodeRef
    source: int
    strides: tuple[Fraction, ...]
    offsets: tuple[Fraction, ...]
    delta: Fraction
    branches: tuple[ModelText, ...]
    resize: NodeRef | None = None
    coordinates: str = ""


class HeadKind(Enum):
    """What a graph output does with position, which decides what a repair can reach."""

    POOLED = "pooled"  # mean, sum or maximum over the whole grid on every path: shift-invariant
    POSITION_DEPENDENT = "position-dependent"  # Flatten + Gemm: weights per position
    CLASS_TOKEN = "class-token"  # one token that attention filled from all positions
    ATTENTION = "attention"  # several learned queries, each of which reads all positions by attention
    DENSE = "dense"  # still a grid: equivariance is wanted
    SEQUENCE = "sequence"  # the spatial axis was fed to a recurrent layer
    DATA_DEPENDENT = "data-dependent"  # boxes, selected rows
    UNTRACKED = "untracked"  # the analysis lost it
    NO_GRID = "no-grid"  # never had a spatial axis


class Head(Struct, frozen=True):
    """One graph output. ``subsampling`` is the largest cumulative factor over all paths to it (None: unknown, no grid).

    ``period`` is the smallest shift per source axis for which equivariance is exact (least common multiple of the
    cumulative factors on the paths; None where no such shift is known, as after align_corners at an open size).
    ``lattice`` describes the output's own remaining grid axes (dense heads). ``cause`` is the node that set the kind.
    ``global_context``: every place of it has seen the whole input (attention over all positions, squeeze-excitation),
    so that what happens anywhere, at a border too, may change it everywhere.
    """

    output: ModelText
    kind: HeadKind
    subsampling: Fraction | None
    period: Mapping[int, Fraction | None]
    lattice: tuple[Lattice, ...]
    cause: NodeRef | None
    global_context: bool = False


class Untracked(Struct, frozen=True):
    """A place where the analysis lost the grid. ``hidden_nodes`` counts the nodes downstream that depend on it."""

    node: NodeRef
    tensor: ModelText
    reason: str
    hidden_nodes: int
    hidden_strided: int


class DataDependentSampling(Struct, frozen=True):
    """A node whose sampling positions depend on the data (GridSample, RoiAlign, NonMaxSuppression, DeformConv)."""

    node: NodeRef
    reason: str


class SizeDependentPadding(Struct, frozen=True):
    """A strided node whose padding, and so its phase, depends on the input size. ``offsets``: the possible phases c."""

    node: NodeRef
    axis: int
    source: int | None
    offsets: tuple[Fraction, ...]
    reason: str


class PositionEncoding(Struct, frozen=True):
    """A constant that varies along a grid axis and is added or multiplied in: a position embedding."""

    node: NodeRef
    sources: tuple[int, ...]


class Analysis(Documented, Struct, frozen=True):
    """Everything the static pass over one model found. All tuples are in graph order.

    ``tensors`` maps a main-graph tensor to its lattices, one per tensor axis (None: not a grid axis); a tensor that the
    analysis lost is absent. ``spatial`` are the indices into ``sources`` that were recognised as spatial or temporal.
    ``nodes`` counts the nodes walked over all scopes. ``shapes`` are the sizes of the tensors in ``tensors``, and
    ``folded`` the source axes whose samples share tensor axes with others there, as in flattened tokens.
    ``live`` is the branch, ``then`` or ``else``, of every If that always takes the same at these sizes, by its scope
    and its index there. ``subsampling`` is the largest cumulative factor of any output.
    """

    # Of every tensor of the network, for the rooms that go on with the model.
    unwritten: ClassVar[frozenset[str]] = frozenset({"tensors", "shapes", "live", "folded"})
    computed: ClassVar[tuple[str, ...]] = ("subsampling",)

    sources: tuple[SourceAxis, ...]
    spatial: frozenset[int]
    sites: tuple[Site, ...]
    upsamplings: tuple[Upsampling, ...]
    joins: tuple[MisalignedJoin, ...]
    heads: tuple[Head, ...]
    untracked: tuple[Untracked, ...]
    data_dependent: tuple[DataDependentSampling, ...]
    paddings: tuple[SizeDependentPadding, ...]
    encodings: tuple[PositionEncoding, ...]
    tensors: Mapping[str, tuple[Lattice | None, ...]] = {}
    nodes: int = 0
    tracked_nodes: int = 0
    shapes: Mapping[str, tuple[int, ...]] = {}
    live: Mapping[tuple[str, int], str] = {}
    folded: Mapping[str, frozenset[int]] = {}

    def __repr__(self) -> str:
        total = self.subsampling
        facts = [count_text(len(self.sites), "site"), count_text(len(self.heads), "output")]
        facts += [f"cumulative factor {total}"] * (total is not None)
        facts += [f"{count_text(len(self.untracked), 'place')} lost"] * bool(self.untracked)
        return f"<Analysis of {count_text(self.nodes, 'node')}: {', '.join(facts)}>"

    @property
    def subsampling(self) -> Fraction | None:
        """The largest cumulative factor of any output, or of any site where no output knows one."""
        known = [head.subsampling for head in self.heads if head.subsampling is not None]
        known += [abs(factor) for site in self.sites for factor in site.cumulative if factor is not None]
        return max(known, default=None)
