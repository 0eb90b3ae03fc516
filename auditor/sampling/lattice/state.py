"""The state of one tensor in the forward trace: axis atoms and the exact lattice of every source axis.

Each tensor axis is an ordered list of *atoms* ``(source axis, stride, extent)``, outermost first; a plain image axis is
``[(h, 1, 224)]``. Reshape splits and merges atoms, Transpose permutes axes, strided operators scale strides, and
contractions remove axes, so NHWC, pixel-unshuffle, patch merging and channel shuffle need no special case.

Beside the atoms a state keeps one :class:`AxisTrack` per source axis it has ever depended on:
``x_in(o) = stride * o + offset`` with receptive field ``field`` (Araujo et al., "Computing Receptive Fields of
Convolutional Neural Networks", Distill 2019, section 2, with exact rationals).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, prod
from typing import TYPE_CHECKING, NamedTuple

from auditor.sampling.result import HeadKind

if TYPE_CHECKING:
    from auditor.sampling.spectrum.alias import Autocorrelation

ANONYMOUS = -1
PLACES = -2
"""From here on downwards: axes that list places of several grids, such as the levels of a detector side by side."""
ONE = Fraction(1)
ZERO = Fraction(0)


class Atom(NamedTuple):
    """A run of ``extent`` samples ``stride`` apart on ``source`` (:data:`ANONYMOUS`: channels, features, weights)."""

    source: int
    stride: Fraction
    extent: int


class Axis(NamedTuple):
    """Atoms, outermost first, between ``before`` and ``after`` foreign entries (class tokens, padding of merged
    axes).
    """

    atoms: tuple[Atom, ...]
    before: int = 0
    after: int = 0

    @property
    def size(self) -> int:
        atoms = self.atoms
        if len(atoms) == 1:
            return self.before + atoms[0].extent + self.after
        return self.before + prod([atom.extent for atom in atoms]) + self.after

    @property
    def single(self) -> Atom | None:
        """The axis' only atom, when it is a plain run of one source axis and nothing else."""
        if len(self.atoms) == 1 and not self.before and not self.after and self.atoms[0].source != ANONYMOUS:
            return self.atoms[0]
        return None

    @property
    def has_source(self) -> bool:
        for atom in self.atoms:  # noqa: SIM110 - asked for every axis of every tensor, where a generator is slow
            if atom.source != ANONYMOUS:
                return True
        return False


UNIT = Axis(())


class Resized(NamedTuple):
    """What a Resize did to the centre of index 0, in input pixels: ``taken`` by its coordinates, and ``centred``, by
    which half-pixel coordinates would move it (asymmetric ones move nothing). ``node`` is its order.
    """

    node: int
    taken: Fraction
    centred: Fraction


class Ending(NamedTuple):
    """What ended a grid, and the order of the node that did (None: not known)."""

    kind: HeadKind
    cause: int | None


class AxisTrack(NamedTuple):
    """What a tensor knows of one source axis: centre ``offset``, receptive ``field``, and the history of its sampling.

    ``grid`` is the stride that sampling sites have already accounted for, ``peak`` the largest stride on any path here,
    ``period`` the smallest shift with exact equivariance (None: no such shift), ``size_dependent`` whether the offset
    depends on the size of an input whose size is open. ``pictures`` are the distances of the centres of the pictures on
    the batch axis from ``offset``, in input pixels, where they differ (phases that are worked on as pictures).

    ``resized`` is the last Resize on the way here. ``ending`` is what ended the grid of this axis; None while the grid
    goes on, and where nothing proves how it ended. ``deepest`` is the distance from ``offset`` of the centre of the
    branch with the largest receptive field among those that met on the way, ``aside`` that of the middle of ``field``,
    which is the union of theirs.
    """

    offset: Fraction = ZERO
    field: Fraction = ONE
    grid: Fraction = ONE
    peak: Fraction = ONE
    period: Fraction | None = ONE
    size_dependent: bool = False
    pictures: tuple[Fraction, ...] = ()
    resized: Resized | None = None
    ending: Ending | None = None
    deepest: Fraction = ZERO
    aside: Fraction = ZERO

    def of_pictures(self, first: int, count: int) -> AxisTrack:
        """The window of ``count`` of the pictures on the batch axis."""
        if not self.pictures:
            return self
        centres = [self.offset + distance for distance in self.pictures[first : first + count]]
        return self.beside(centres)

    def beside(self, centres: Sequence[Fraction]) -> AxisTrack:
        """This window for pictures on the batch axis with these centres."""
        start = centres[0] if centres else self.offset
        distances = tuple(centre - start for centre in centres)
        return self._replace(offset=start, pictures=distances if any(distances) else ())


@dataclass(frozen=True, slots=True)
class State:
    """One tensor. ``axes`` is None where the analysis does not know the tensor's grid.

    ``constant``: does not depend on the network input. ``raw``: the input itself up to per-pixel maps and padding.
    ``response``: autocorrelation of the linear filters passed since the last non-linear operator (None: flat).
    ``mixing``: every position has seen every other (attention, global context). ``lost``: index of the untracked region
    that this tensor lies behind.
    ``decimations``: indices of the sites of the strided slices directly in front (they may turn out to be a
    phase-to-channel).
    """

    axes: tuple[Axis, ...] | None
    windows: Mapping[int, AxisTrack]
    constant: bool = False
    raw: bool = False
    response: Autocorrelation | None = None
    mixing: bool = False
    lost: int | None = None
    decimations: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...] | None:
        return None if self.axes is None else tuple(axis.size for axis in self.axes)

    def axis(self, index: int) -> Axis:
        assert self.axes is not None
        return self.axes[index]

    def sources(self) -> frozenset[int]:
        """The source axes that still have atoms here."""
        if self.axes is None:
            return frozenset()
        return frozenset(atom.source for axis in self.axes for atom in axis.atoms if atom.source != ANONYMOUS)


NO_WINDOWS: Mapping[int, AxisTrack] = {}
UNKNOWN = State(None, NO_WINDOWS, constant=True)


def anonymous(size: int) -> Axis:
    """An axis without a grid: channels, features, weights."""
    return UNIT if size == 1 else Axis((Atom(ANONYMOUS, ONE, size),))


def constant(shape: Iterable[int]) -> State:
    """The state of a tensor that does not depend on the input."""
    return State(tuple(anonymous(size) for size in shape), NO_WINDOWS, constant=True)


def finest(axes: Iterable[Axis], source: int) -> Fraction | None:
    """The smallest |stride| of any atom of ``source``, or None when the source has no atoms left."""
    best: Fraction | None = None
    for axis in axes:
        for atom in axis.atoms:
            if atom.source == source:
                stride = atom.stride if atom.stride.numerator > 0 else -atom.stride
                if best is None or stride < best:
                    best = stride
    return best


def lcm(a: Fraction | None, b: Fraction | None) -> Fraction | None:
    """The least common multiple of two positive rationals; None is absorbing ("no exact period")."""
    if a is None or b is None:
        return None
    if a == b:
        return a
    numerator = a.numerator * b.numerator // gcd(a.numerator, b.numerator)
    return Fraction(numerator, gcd(a.denominator, b.denominator))


def merge_window(trunk: AxisTrack, other: AxisTrack, *, gridded: bool = False) -> AxisTrack:
    """Both histories, on the trunk's lattice. The receptive field is the larger one, or where both still have a grid
    (``gridded``) the union.
    """
    if trunk is other:
        return trunk
    same_history = trunk.peak is other.peak and trunk.period is other.period
    field, aside = _union(trunk, other) if gridded else (max(trunk.field, other.field), trunk.aside)
    return AxisTrack(
        trunk.offset,
        field,
        trunk.grid,
        trunk.peak if same_history else max(trunk.peak, other.peak),
        trunk.period if same_history else lcm(trunk.period, other.period),
        trunk.size_dependent or other.size_dependent,
        trunk.pictures,
        trunk.resized,
        trunk.ending,
        trunk.deepest,
        aside,
    )


def _union(trunk: AxisTrack, other: AxisTrack) -> tuple[Fraction, Fraction]:
    """The extent of what either reads at one index, and the distance of its middle from the trunk's centre."""
    if trunk.offset == other.offset and trunk.aside == other.aside:
        return max(trunk.field, other.field), trunk.aside
    middles = [track.offset + track.aside for track in (trunk, other)]
    halves = [(track.field - 1) / 2 for track in (trunk, other)]
    low = min(middle - half for middle, half in zip(middles, halves, strict=True))
    high = max(middle + half for middle, half in zip(middles, halves, strict=True))
    return high - low + 1, (low + high) / 2 - trunk.offset


class OpaqueError(Exception):
    """Raised by a transfer function where the grid is lost; the message says why in our own words."""
