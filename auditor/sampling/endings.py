"""How the grid of a source axis ends on the way to a tensor, and what of several endings decides.

Each :class:`Window` keeps the ending of its own axis, so that a tensor counts as pooled only where every path from the
axis leads through a mean, a sum or a maximum over all of it. An ending that nothing proves stays unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from auditor.sampling.lattice.state import ANONYMOUS, Axis, State, Window
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


class Ending(NamedTuple):
    """What ended a grid, and the order of the node that did (None: not known)."""

    kind: HeadKind
    cause: int | None


def finish(call: Call, windows: dict[int, Window], sources: Collection[int], kind: HeadKind) -> None:
    """Marks the grids of ``sources`` as ended by this node, unless something ended them before."""
    open_ends = [source for source in sources if windows[source].end is None]
    if not open_ends:
        return
    cause = call.record.ref(call.scope.path, call.node, call.order).order
    for source in open_ends:
        windows[source] = windows[source]._replace(end=kind, cause=cause)


def gone(given: State, axes: Iterable[Axis]) -> set[int]:
    """The source axes that ``given`` has samples of, and a result with ``axes`` has not."""
    left = {atom.source for axis in axes for atom in axis.atoms}
    return {source for source in given.sources() if source not in left and source in given.windows}


def merged_end(window: Window, others: Sequence[Window], *, gridded: bool) -> Window:
    """``window`` with the ending of an axis on all branches that meet.

    While one of them still has the grid nothing has ended, but weights per position on a branch (the token mixing of an
    MLP mixer) stay with what they are added to: a pooling behind them no longer makes the head invariant.
    """
    if gridded:
        sticky = [one for one in others if one.end is HeadKind.POSITION_DEPENDENT]
        return sticky_end(window, sticky[0] if sticky else None)
    worst = min(others, key=_rank)
    return window if worst.end is window.end else window._replace(end=worst.end, cause=worst.cause)


def sticky_end(window: Window, other: Window | None) -> Window:
    """``window``, which has a grid, with the ending of weights per position if there is one."""
    if other is None:
        return window if window.end is None else window._replace(end=None, cause=None)
    return window if other.end is window.end else window._replace(end=other.end, cause=other.cause)


def _rank(window: Window) -> int:
    return WORST_FIRST.index(HeadKind.UNTRACKED if window.end is None else window.end)


def ending(windows: Mapping[int, Window], sources: Collection[int]) -> Ending | None:
    """What decides among the endings of ``sources``; None without any."""
    mine = [windows[source] for source in sorted(sources) if source in windows]
    if not mine:
        return None
    worst = min(mine, key=_rank)
    return Ending(HeadKind.UNTRACKED if worst.end is None else worst.end, worst.cause)


def has_grid(axes: Iterable[Axis], source: int) -> bool:
    """Whether any axis still has samples of a source axis."""
    return source != ANONYMOUS and any(atom.source == source for axis in axes for atom in axis.atoms)
