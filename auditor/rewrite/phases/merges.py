"""Where a window of averaging may end: behind nodes that few other tensors pass by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import itemgetter

from auditor.rewrite.graph.cost import Cost, multiply_adds
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.phases.branch import OF_SIZES

MOST_LIVE = 3
"""How many tensors are merged at most where no merge is named: the scales of a detector."""
MOST_MERGES = 12
"""How many places are looked at for each site, at costs as far apart as possible."""
_MOST_TRIED = 4


def merges_behind(
    editor: GraphEditor,
    starts: Sequence[str],
    offered: Callable[[str], Cost | None],
    nearest: int | None = None,
) -> Iterator[tuple[str, Cost]]:
    """The names of nodes behind ``starts`` to merge at, the nearest first, and what that adds.

    ``offered`` says what a merge at a node costs, None where it is refused. ``nearest`` bounds how many layers behind
    the start are looked at, so that a plan of all sites takes time in proportion to their number.
    """
    groups = list(islice(_narrow(editor, starts), nearest))
    if len(groups) > MOST_MERGES:
        groups = [groups[round(step * (len(groups) - 1) / (MOST_MERGES - 1))] for step in range(MOST_MERGES)]
    names = Counter(part.name for part in editor.parts())
    for nodes in groups:
        for part in nodes:
            # Without a name of its own a node is told by what it writes, which no rewrite in front of it changes.
            name = part.name if part.name and names[part.name] == 1 else part.outputs[0]
            cost = offered(name)
            if cost is not None:
                yield name, cost
                break


def _narrow(editor: GraphEditor, starts: Sequence[str]) -> Iterator[Sequence[EditNode]]:
    """Nodes behind which few of the tensors made so far are still read, together where they cost the same.

    Those with the fewest come first, and of these the first in the graph: in front of an activation rather than behind
    it, and behind the sum of a residual block. The walk ends at the first output of the model. Sizes of tensors are
    the same in all phases and pass by no merge, however many of them are read behind it.
    """
    reached = _features(editor, starts)
    unread = {name: _readers(editor, name) for name in starts}
    group: list[tuple[int, EditNode]] = []
    begun = False
    for part in editor.parts():
        if part.op in OF_SIZES or reached.isdisjoint(part.inputs):
            continue
        heavy = multiply_adds(editor, part) != 0
        if heavy and group:
            yield _sorted(group)
            group = []
        begun = begun or heavy
        for name in part.inputs:
            unread.get(name, set()).discard(part)
        unread.update((name, _readers(editor, name)) for name in part.outputs if name)
        unread = {name: readers for name, readers in unread.items() if readers}
        if any(map(editor.is_output, part.outputs)):
            break
        if begun and not part.own and part.outputs[0] in unread and len(unread) <= MOST_LIVE:
            group.append((len(unread), part))
    if group:
        yield _sorted(group)


def _features(editor: GraphEditor, starts: Sequence[str]) -> set[str]:
    """What is made of the content of some tensors, and not of their sizes alone."""
    found = set(starts)
    for part in editor.parts():
        if part.op not in OF_SIZES and not found.isdisjoint(part.inputs):
            found.update(filter(None, part.outputs))
    return found


def _readers(editor: GraphEditor, tensor: str) -> set[EditNode]:
    """The nodes that read the content of a tensor."""
    return {part for part in editor.consumers(tensor) if part.op not in OF_SIZES}


def _sorted(group: Sequence[tuple[int, EditNode]]) -> Sequence[EditNode]:
    return [part for _, part in sorted(group, key=itemgetter(0))][:_MOST_TRIED]
