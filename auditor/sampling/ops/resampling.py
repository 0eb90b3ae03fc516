"""Constant weights that resample a grid axis: a Resize, written out as matrix products or as interleaved phases.

So exporters write what has no operator of its own, and `fix --portable` what deployment targets compute differently.
Two of them, one for each axis, are one site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from auditor.sampling.lattice.contract import coarser
from auditor.sampling.lattice.state import UNIT, Atom, Axis, State, finest
from auditor.sampling.ops.resize import MOST_OUTPUTS, resized_alias
from auditor.sampling.result import SiteKind, Upsampling
from auditor.sampling.spectrum.energies import grid_of, linear_only, map_of
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.resampled import Resampled
from auditor.sampling.walk.sites import Strided, record_site
from auditor.sampling.walk.taps import taps

if TYPE_CHECKING:
    from auditor.sampling.lattice.banded import Resampling

_DEEPEST = 4
FILTERED = "its weights filter before sampling"
UNFILTERED = "its weights interpolate only"


def matrix_of(call: Call, operand: int, rank: int, *, turned: bool) -> Resampling | None:
    """What a constant operand (outputs, inputs), or with ``turned`` (inputs, outputs), does along an axis."""
    inputs = call.node.inputs
    if operand >= len(inputs) or rank < 2 or not call.state(operand).constant:
        return None
    found = taps(call.scope, inputs[operand], rank, turned=turned)
    if found is None:
        return None
    from auditor.sampling.lattice.banded import resampling_of

    return resampling_of(found)


def resampled(
    call: Call, given: State, read: str, along: tuple[int, int, Resampling], members: tuple[int, ...] = ()
) -> State:
    """The state of the tensor ``read`` after an axis, a plain run of a grid, was resampled.

    ``along`` are the axis, its new size and what resamples it; ``members`` are sites that were parts of that.
    """
    index, size, matrix = along
    assert given.axes is not None
    atom = given.axes[index].single
    assert atom is not None
    call.record.spatial.add(atom.source)
    axes, windows = list(given.axes), dict(given.windows)
    axes[index] = Axis((Atom(atom.source, atom.stride * matrix.step, size),)) if size > 1 else UNIT
    old = windows[atom.source]
    windows[atom.source] = old._replace(
        offset=old.offset + atom.stride * matrix.start,
        field=old.field + abs(atom.stride) * (matrix.width - 1),
        resized=None,
    )
    down, up = abs(matrix.step) > 1, abs(matrix.step) < 1
    grid = finest(axes, atom.source)
    if down and grid is not None:
        windows[atom.source] = coarser(windows[atom.source], grid)
    elif up:
        windows[atom.source] = windows[atom.source]._replace(grid=grid or old.grid)
    plain = matrix.selects and not down and not up
    state = replace(
        given,
        axes=tuple(axes),
        windows=windows,
        response=given.response if plain else None,
        raw=given.raw and not down,
        decimations=(),
    )
    if not (down and grid is not None):
        call.record.remove_sites(members)
        members = ()
    _remember(call, (given, read), state, (atom.source, matrix), members, sampled=down and grid is not None)
    return state


def _remember(
    call: Call,
    operand: tuple[State, str],
    state: State,
    own: tuple[int, Resampling],
    members: tuple[int, ...],
    *,
    sampled: bool,
) -> None:
    """Record the site or the enlargement, as one with that of the other axis directly in front."""
    record = call.record
    before = _in_front(call, operand[1])
    if before is not None and any(source == own[0] for source, _ in before.axes):
        before = None
    first, read = operand if before is None else (before.given, before.read)
    pairs = (*(() if before is None else before.axes), own)
    site = None if before is None else before.site
    finer = None if before is None else before.finer
    if sampled:
        made = [(source, matrix) for source, matrix in pairs if abs(matrix.step) > 1]
        site = _site(call, (read, first), state, made, members if site is None else (site, *members))
    elif abs(own[1].step) < 1:
        order = _order(state)
        made = sorted((pair for pair in pairs if abs(pair[1].step) < 1), key=lambda pair: order.get(pair[0], 0))
        ref = record.ref(call.scope.path, call.node, call.order)
        whole = Upsampling(ref, tuple(1 / abs(matrix.step) for _, matrix in made), ())
        if finer is None:
            finer = len(record.upsamplings)
            record.upsamplings.append(whole)
        else:
            record.upsamplings[finer] = whole
    if call.node.outputs:
        record.resampled[call.scope.path, call.node.outputs[0]] = Resampled(read, first, pairs, site, finer, operand[1])


def _in_front(call: Call, name: str) -> Resampled | None:
    """The product that makes a tensor, also in another order of its axes."""
    scope = call.scope
    for _ in range(_DEEPEST):
        found = call.record.resampled.get((scope.path, name))
        if found is not None:
            return found
        made = scope.producer(name)
        if made is None or made[1].op != "Transpose" or not made[1].inputs:
            return None
        scope, name = made[0], made[1].inputs[0]
    return None


def _order(state: State) -> dict[int, int]:
    """The places of the source axes of a tensor."""
    atoms = [atom.source for axis in state.axes or () for atom in axis.atoms]
    return {source: place for place, source in reversed(list(enumerate(atoms)))}


def _site(
    call: Call,
    before: tuple[str, State],
    state: State,
    pairs: Sequence[tuple[int, Resampling]],
    members: tuple[int, ...],
) -> int:
    """Records the site of all matrices between ``before``, a tensor and its state, and ``state``."""
    name, first = before
    order = _order(first)
    pairs = sorted(pairs, key=lambda pair: order.get(pair[0], 0))
    sources = [source for source, _ in pairs]
    matrices = [matrix for _, matrix in pairs]
    factor = tuple(abs(matrix.step) for matrix in matrices)
    singles = [axis.single for axis in state.axes or ()]
    left = {atom.source: atom for atom in singles if atom is not None}
    read = map_of(first, grid_of(call, first, sources), [float(step) for step in factor])
    selects = all(matrix.selects for matrix in matrices)
    per_axis = [matrix.outputs[:MOST_OUTPUTS] for matrix in matrices]
    filters = any(matrix.width > 4 for matrix in matrices)
    words = FILTERED if filters else UNFILTERED
    alias, protected = resized_alias(first, per_axis, factor, read, words, taken=selects)
    plain = linear_only(first)
    own = alias if plain is first else resized_alias(plain, per_axis, factor, read, words, taken=selects)[0]
    skipped = Fraction(1)
    for matrix in matrices:
        skipped *= min(matrix.width / abs(matrix.step), Fraction(1))
    strided = Strided(
        kind=SiteKind.RESIZE_NEAREST if selects else SiteKind.RESIZE,
        factor=factor,
        atoms=tuple(left.get(source) for source in sources),
        alias=alias,
        filtered=protected,
        skipped=1 - skipped,
        members=members,
        own=own,
    )
    return record_site(call, strided, first, state.windows, name)
