"""What constant indices leave of an axis: runs, steps, and steps that are no whole number."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from auditor.sampling.lattice.state import UNIT, Atom, Axis, AxisTrack, OpaqueError, anonymous

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def take(axis: Axis, start: int, count: int, step: int, windows: dict[int, AxisTrack]) -> Axis:
    """An axis after keeping ``count`` entries from ``start`` on, ``step`` apart; moves the source's offset along.

    Raises :class:`OpaqueError` where a merged axis is cut inside one of its atoms.
    """
    size = axis.size
    if start == 0 and count == size and step == 1:
        return axis
    if count == 0:
        return anonymous(0)
    atom = axis.single
    if atom is not None:
        old = windows[atom.source]
        if start:
            windows[atom.source] = old._replace(offset=old.offset + atom.stride * start)
        return Axis((Atom(atom.source, atom.stride * step, count),)) if count > 1 else UNIT
    if not axis.has_source:
        return anonymous(count)
    inner = size - axis.before - axis.after
    if count == 1 or step != 1:
        if count == 1:
            return UNIT
        raise OpaqueError("a strided slice cuts an axis that holds several grid axes")
    skip, stop = start - axis.before, start + count - axis.before
    if skip <= 0 and stop >= inner:
        return Axis(axis.atoms, -skip, stop - inner)
    if stop <= 0 or skip >= inner:
        return anonymous(count)
    outer, rest = axis.atoms[0], prod(atom.extent for atom in axis.atoms[1:])
    if skip < 0 or stop > inner or skip % rest or stop % rest or outer.source not in windows:
        raise OpaqueError("a slice cuts an axis that holds several grid axes")
    old = windows[outer.source]
    windows[outer.source] = old._replace(offset=old.offset + outer.stride * (skip // rest))
    left = Atom(outer.source, outer.stride, (stop - skip) // rest)
    return Axis((left, *axis.atoms[1:]) if left.extent > 1 else axis.atoms[1:])


def indexed(axis: Axis, indices: NDArray[np.generic], windows: dict[int, AxisTrack]) -> list[Axis]:
    """The axes that an index array makes of one axis: one per array dimension, in steps ``a + b*i + c*j``.

    A step may be no whole number where it is the size over the count, rounded: adaptive pools that do not divide, and
    nearest neighbours.
    """
    import numpy as np

    if indices.dtype.kind not in "iu" or indices.size == 0:
        raise OpaqueError("the indices of Gather are not integers")
    table = indices.astype(np.int64)
    size = axis.size
    table = np.where(table < 0, table + size, table)
    if int(table.min()) < 0 or int(table.max()) >= size:
        raise OpaqueError("an index of Gather is out of range")
    start = int(table[(0,) * table.ndim])
    rank = table.ndim
    lines = [table[tuple(slice(None) if d == place else 0 for d in range(rank))] - start for place in range(rank)]
    grids = np.meshgrid(*lines, indexing="ij", sparse=True)
    if not np.array_equal(np.broadcast_to(sum(grids, np.int64(start)), table.shape), table):
        raise OpaqueError("constant indices that are no arithmetic progression leave no lattice")
    moving = [place for place, extent in enumerate(table.shape) if extent > 1]
    steps = [_step(line, size) if line.size > 1 else (Fraction(0), Fraction(0)) for line in lines]
    if len(moving) <= 1 and all(step.denominator == 1 and step for step, _ in (steps[place] for place in moving)):
        count = table.shape[moving[0]] if moving else 1
        taken = take(axis, start, count, int(steps[moving[0]][0]) if moving else 1, windows)
        return [taken if extent > 1 else UNIT for extent in table.shape] if rank else []
    atom = axis.single
    if atom is None:
        raise OpaqueError("an index matrix cuts an axis that holds several grid axes")
    old = windows[atom.source]
    centre = start + sum((shift for _, shift in steps), Fraction(0))
    made = [
        Axis((Atom(atom.source, atom.stride * step, extent),)) if extent > 1 else UNIT
        for (step, _), extent in zip(steps, table.shape, strict=True)
    ]
    smallest = min(abs(atom.stride * steps[place][0]) for place in moving)
    windows[atom.source] = old._replace(offset=old.offset + atom.stride * centre, grid=min(old.grid, smallest))
    return made


def _step(line: NDArray[np.int64], size: int) -> tuple[Fraction, Fraction]:
    """The step of a line of indices from 0 on, and how far its mean lies from where that step would lead."""
    import numpy as np

    first = int(line[1])
    if first and np.array_equal(line, first * np.arange(line.size)):
        return Fraction(first), Fraction(0)
    step = Fraction(size, line.size)
    rests = [int(entry) - step * place for place, entry in enumerate(line)]
    if max(rests) - min(rests) >= 1:
        raise OpaqueError("constant indices that are no arithmetic progression leave no lattice")
    return step, sum(rests, Fraction(0)) / line.size
