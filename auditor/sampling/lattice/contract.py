"""Contractions: what happens to the lattice when an operator sums over axes (Conv channels, MatMul, Einsum, Reduce).

A contraction over *fine* atoms whose coarse partners stay is a subsampling: ``[(h, 2, 112)], [c, (h, 1, 2)] -> [(h,
2, 112)]``
is what patch merging and pixel-unshuffle + convolution do. A contraction over all atoms of a source axis ends its grid.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from auditor.sampling.lattice.state import ANONYMOUS, Atom, Axis, AxisTrack, State, finest, lcm


class Contraction(NamedTuple):
    """The windows after a contraction; ``decimated`` maps a source axis to the factor by which its grid got coarser."""

    windows: dict[int, AxisTrack]
    decimated: dict[int, Fraction]
    ended: frozenset[int]


def contract(state: State, removed: Collection[int], kept: Sequence[Axis] | None = None) -> Contraction:
    """Sums ``state`` over the axes ``removed``; ``kept`` are the result's axes when other operands add some.

    Atoms of one source add up to a position, ``x = S i + j``. Summing over ``j`` moves the centre to the middle of what
    ``j`` ran over and widens the receptive field. Where another operand brings atoms of the source into the result (the
    queries of attention), its positions are the result's, and this operand's only mix: all of them, or those of one
    window, whose size is then the smallest shift that keeps together what was together.
    """
    assert state.axes is not None
    gone = [atom for index in sorted(removed) for atom in state.axes[index].atoms if atom.source != ANONYMOUS]
    windows = dict(state.windows)
    if not gone:
        return Contraction(windows, {}, frozenset())
    own = [axis for index, axis in enumerate(state.axes) if index not in removed]
    left = own if kept is None else list(kept)
    decimated: dict[int, Fraction] = {}
    ended: set[int] = set()
    for source in dict.fromkeys(atom.source for atom in gone):
        stride = finest(left, source)
        if stride is None:
            ended.add(source)
            continue
        window = windows[source]
        inside = finest(own, source)
        if _of(own, source) != _of(left, source):
            if inside is not None:
                windows[source] = window._replace(period=lcm(window.period, inside))
            continue
        offset, field = window.offset, window.field
        for atom in gone:
            if atom.source == source:
                offset += atom.stride * (atom.extent - 1) / 2
                field += abs(atom.stride) * (atom.extent - 1)
        windows[source] = window._replace(offset=offset, field=field)
        if stride > window.grid and source >= 0:
            decimated[source] = stride / window.grid
            windows[source] = coarser(windows[source], stride)
    return Contraction(windows, decimated, frozenset(ended))


def _of(axes: Iterable[Axis], source: int) -> list[Atom]:
    return sorted(atom for axis in axes for atom in axis.atoms if atom.source == source)


def coarser(window: AxisTrack, stride: Fraction) -> AxisTrack:
    """The window after its grid changed to ``stride``, with the history of its factors brought up to date."""
    return window._replace(grid=stride, peak=max(window.peak, stride), period=lcm(window.period, stride))
