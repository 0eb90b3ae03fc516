"""Which part of its input a node reads for a part of its output, along one axis of the picture.

Parts are intervals of coordinates that count input pixels from index 0 of the tensor at hand: ``x = stride * index``.
All maps are monotonous, so the ends of an interval are enough.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple, Protocol

from auditor.sampling.lattice.interpolation import Sampled, nearest_index

if TYPE_CHECKING:
    from auditor.sampling.lattice.banded import Resampling

ZERO = Fraction(0)
ONE = Fraction(1)
BOTH_SIDES = {"linear": 1, "cubic": 2}


class Part(NamedTuple):
    """A part of an axis, both ends included."""

    low: Fraction
    high: Fraction

    def hull(self, other: Part) -> Part:
        """The smallest interval with both."""
        return Part(min(self.low, other.low), max(self.high, other.high))


class ReadMap(Protocol):
    """What a node reads of one operand; None where it reads nothing."""

    def read(self, part: Part) -> Part | None: ...


class Moved(NamedTuple):
    """A window whose place does not depend on the index: from ``low`` to ``high`` around the same coordinate.

    ``ratio`` is the stride of the operand as a multiple of that of the result where operands meet index by index.
    """

    low: Fraction = ZERO
    high: Fraction = ZERO
    ratio: Fraction = ONE

    def read(self, part: Part) -> Part:
        if self.ratio == 1:
            return Part(part.low + self.low, part.high + self.high)
        return Part(part.low * self.ratio + self.low, part.high * self.ratio + self.high)


SAME = Moved()


class Transposed(NamedTuple):
    """A transposed convolution: ``steps`` outputs per sample, ``begin`` cut in front, ``reach`` a kernel less one."""

    inside: Fraction
    outside: Fraction
    steps: int
    begin: Fraction
    reach: int

    def read(self, part: Part) -> Part | None:
        first = ceil((part.low / self.outside + self.begin - self.reach) / self.steps)
        last = floor((part.high / self.outside + self.begin) / self.steps)
        return Part(first * self.inside, last * self.inside) if first <= last else None


class Stretched(NamedTuple):
    """A Resize: the taps of its kernel in the coordinates of ``place``."""

    inside: Fraction
    outside: Fraction
    place: Sampled
    mode: str
    nearest: str
    antialias: bool

    def read(self, part: Part) -> Part:
        first, _ = self._taps(self.place.start + self.place.step * (part.low / self.outside))
        _, last = self._taps(self.place.start + self.place.step * (part.high / self.outside))
        return Part(first * self.inside, last * self.inside)

    def _taps(self, position: Fraction) -> tuple[int, int]:
        if self.mode == "nearest":
            index = nearest_index(position, self.nearest)
            return index, index
        if self.antialias and self.place.stretch > 1:
            support = self.place.stretch * BOTH_SIDES[self.mode]
            return floor(position - support) + 1, ceil(position + support) - 1
        base = floor(position)
        if position == base:
            return base, base
        return base + 1 - BOTH_SIDES[self.mode], base + BOTH_SIDES[self.mode]


class Banded(NamedTuple):
    """A constant matrix that resamples the axis, by the taps of one period of its rows."""

    inside: Fraction
    outside: Fraction
    matrix: Resampling

    def read(self, part: Part) -> Part:
        first, _ = self.matrix.reads(ceil(part.low / self.outside))
        _, last = self.matrix.reads(floor(part.high / self.outside))
        return Part(first * self.inside, last * self.inside)


class Unfolded(NamedTuple):
    """DepthToSpace: ``block`` outputs per sample; ``inner`` is how far phases on the channels reach behind it."""

    inside: Fraction
    outside: Fraction
    block: int
    inner: Fraction = ZERO

    def read(self, part: Part) -> Part:
        first, last = (floor(end / self.outside / self.block) for end in part)
        return Part(first * self.inside, last * self.inside + self.inner)


class Snapped(NamedTuple):
    """Phases side by side on the channels: each is read at the sample that its block begins with."""

    stride: Fraction

    def read(self, part: Part) -> Part:
        return Part(*(floor(end / self.stride) * self.stride for end in part))


class Blocked(NamedTuple):
    """No part of the operand is enough, for this reason."""

    reason: str
