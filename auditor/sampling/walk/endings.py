"""How the grid of a source axis ends on the way to a tensor, and what of several endings decides.

Each :class:`AxisTrack` keeps the ending of its own axis, so that a tensor counts as pooled only where every path from
the axis leads through a mean, a sum or a maximum over all of it. An ending that nothing proves stays unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.sampling.lattice.state import ANONYMOUS, Axis, AxisTrack, Ending, State
from auditor.sampling.result import HeadKind

if TYPE_CHECKING:
    from auditor.sampling.walk.call import Call

WORST_FIRST = (
    HeadKind.DATA_DEPENDENT,
    HeadKind.UNTRACKED,
    HeadKind.POSITION_DEPENDENT,
    HeadKind.ATTENTION,
    HeadKind.CLASS_TOKEN,
    HeadKind.SEQUENCE,
    HeadKind.POOLED,
)
"""From the ending that a repair can do least about; ``UNTRACKED`` stands for one that is not known."""


def finish(call: Call, windows: dict[int, AxisTrack], sources: Collection[int], kind: HeadKind) -> None:
    """Marks the grids of ``sources`` as ended by this node, unless something ended them before."""
    open_ends = [source for source in sources if windows[source].ending is None]
    if not open_ends:
        return
    ending = Ending(kind, call.record.ref(call.scope.path, call.node, call.order).order)
    for source in open_ends:
        windows[source] = windows[source]._replace(ending=ending)


def gone(given: State, axes: Iterable[Axis]) -> set[int]:
    """The source axes that ``given`` has samples of, and a result with ``axes`` has not."""
    left = {atom.source for axis in axes for atom in axis.atoms}
    return {source for source in given.sources() if source not in left and source in given.windows}


def merged_end(window: AxisTrack, others: Sequence[AxisTrack], *, gridded: bool) -> AxisTrack:
    """``window`` with the ending of an axis on all branches that meet.

    While one of them still has the grid nothing has ended, but weights per position on a branch (the token mixing of an
    MLP mixer) stay with what they are added to: a pooling behind them no longer makes the head invariant.
    """
    if gridded:
        endings = [track.ending for track in others if _kind(track) is HeadKind.POSITION_DEPENDENT]
        return _ending_as(window, endings[0] if endings else None)
    return _ending_as(window, min(others, key=_rank).ending)


def _ending_as(window: AxisTrack, ending: Ending | None) -> AxisTrack:
    """``window`` with this ending; its own stays where that is of the same kind."""
    same = ending is window.ending or (ending is not None and ending.kind is _kind(window))
    return window if same else window._replace(ending=ending)


def _kind(window: AxisTrack) -> HeadKind | None:
    return None if window.ending is None else window.ending.kind


def _rank(window: AxisTrack) -> int:
    return WORST_FIRST.index(_kind(window) or HeadKind.UNTRACKED)


def ending(windows: Mapping[int, AxisTrack], sources: Collection[int]) -> Ending | None:
    """What decides among the endings of ``sources``; None without any."""
    mine = [windows[source] for source in sorted(sources) if source in windows]
    if not mine:
        return None
    return min(mine, key=_rank).ending or Ending(HeadKind.UNTRACKED, None)


def has_grid(axes: Iterable[Axis], source: int) -> bool:
    """Whether any axis still has samples of a source axis."""
    return source != ANONYMOUS and any(atom.source == source for axis in axes for atom in axis.atoms)
