"""What stands behind a site, and whether it treats every picture of a batch alone, so that phases can be its batch.

A tail is followed up to the first tensor that everything further behind reads alone, and goes on with the tail of that
one, which sites in front of it share: the tails of all sites of a network together cost little more than the longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from auditor.rewrite.graph.cost import MacCount, tally
from auditor.rewrite.graph.frontier import Frontier
from auditor.rewrite.graph.marks import PHASES
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.phases.operands import UNKNOWN, Sized
from auditor.rewrite.phases.region import OVERLAPS, WindowRegion, check_branches
from auditor.rewrite.phases.tail_operators import BatchTrace, TailError

HOLDS_SIZES = "sizes of tensors in front of the merge are read behind it, and would be those of several phases"


@dataclass(frozen=True, slots=True)
class Tail:
    """The part of a network behind some tensors; ``rest`` is what stands behind the one tensor that ends it.

    ``own`` is what is not in the rest: nodes, by their places in the graph, and tensors that carry the batch.
    ``entering`` are tensors from elsewhere that meet the batch anywhere, with their readers that carry it. ``outputs``
    are all outputs of the model that carry it, ``holds_sizes`` says that another one holds its size.
    ``work`` and ``elements`` are the multiply-adds and the size of the largest tensor, of all of it. ``ends`` are the
    tensors, no outputs of the model, whose copies are averaged where a merge ends the tail.
    """

    own: Mapping[EditNode, int]
    own_tensors: frozenset[str]
    own_sized: tuple[Sized, ...]
    rest: Tail | None
    entering: Mapping[str, tuple[EditNode, ...]]
    outputs: frozenset[str]
    holds_sizes: bool
    work: MacCount
    elements: int
    ends: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Tail]:
        """The pieces, from the front to the back."""
        piece: Tail | None = self
        while piece is not None:
            yield piece
            piece = piece.rest

    @property
    def tensors(self) -> frozenset[str]:
        """All tensors that carry the batch."""
        return frozenset().union(*(piece.own_tensors for piece in self))

    @property
    def sized(self) -> tuple[Sized, ...]:
        """The nodes that name the size of the batch, which is another with phases on it."""
        return tuple(node for piece in self for node in piece.own_sized)

    @property
    def parts(self) -> frozenset[EditNode]:
        """All nodes that read the batch."""
        return frozenset(part for piece in self for part in piece.own)

    def reads(self, part: EditNode, place: int) -> bool:
        """Whether a node, at its place in the graph, reads something that carries the batch or its size."""
        for piece in self:
            if part in piece.own:
                return True
            if piece.own and max(piece.own.values()) > place:
                return False
        return False


def tail_behind(editor: GraphEditor, starts: Iterable[str]) -> Tail:
    """Everything behind the tensors ``starts``, whose axis 0 is the batch. Raises TailError where it is not free."""
    known: dict[str, Tail | TailError] = editor.remembered("tails", dict)
    pieces: list[tuple[Sequence[str], BatchTrace]] = []
    following: Sequence[str] = tuple(starts)
    tail: Tail | None = None
    while following:
        if len(following) == 1 and (shared := known.get(following[0])) is not None:
            if isinstance(shared, TailError):
                _remember(known, pieces, shared)
                raise TailError(str(shared))
            tail = shared
            break
        try:
            trace, cut = _piece(editor, following)
        except TailError as error:
            _remember(known, [*pieces, (following, BatchTrace(editor, ()))], error)
            raise
        pieces.append((following, trace))
        following = () if cut is None else (cut,)
    for begins, trace in reversed(pieces):
        tail = _joined(editor, trace, tail)
        if len(begins) == 1:
            known[begins[0]] = tail
    assert tail is not None
    return tail


def merged_tail(editor: GraphEditor, starts: Sequence[str], region: WindowRegion) -> Tail:
    """The part behind the tensors ``starts`` that a merge ends. Raises TailError where its batch axis is not free."""
    if any(map(editor.is_captured, starts)):
        raise TailError(f"a sub-graph that stands behind it {UNKNOWN}")
    check_branches(editor, region)
    trace = BatchTrace(editor, starts)
    for part in region.parts:
        trace.visit(part)
    if any(name in trace.shapes for name in region.live):
        raise TailError(HOLDS_SIZES)
    if _overlaps(region):
        raise TailError(OVERLAPS)
    ends = tuple(name for name in region.live if name in trace.batch and not editor.is_output(name))
    return replace(_joined(editor, trace, None), ends=ends)


def _overlaps(region: WindowRegion) -> bool:
    """Whether phases of another site begin in a region and end behind it, or end in it and began in front of it.

    On the batch axis those that began last have to end first: equal parts of it are then their phases.
    """
    depths: dict[str, int] = {}
    for part in region.parts:
        depth = max((depths.get(name, 0) for name in part.inputs if name in region.tensors), default=0)
        if part.own and part.name.endswith(PHASES):
            depth += 1
        elif part.own and part.op == "Split":
            depth -= 1
        if depth < 0:
            return True
        depths.update((name, depth) for name in part.outputs if name)
    return any(depths.get(name, 0) > 0 for name in region.live)


def _remember(
    known: dict[str, Tail | TailError], pieces: Sequence[tuple[Sequence[str], BatchTrace]], error: TailError
) -> None:
    for begins, _ in pieces:
        if len(begins) == 1:
            known[begins[0]] = error


def _piece(editor: GraphEditor, starts: Sequence[str]) -> tuple[BatchTrace, str | None]:
    """Follow the batch up to the next tensor that all nodes further behind read alone, or to the end."""
    if any(map(editor.is_captured, starts)):
        raise TailError(f"a sub-graph that stands behind it {UNKNOWN}")
    trace = BatchTrace(editor, starts)
    frontier = Frontier(editor, starts)
    for part in frontier:
        made = trace.visit(part)
        frontier.follow(made)
        if len(made) == 1 and made[0] in trace.batch and frontier.is_cut(made[0], trace.follows):
            return trace, made[0]
    return trace, None


def largest_of(editor: GraphEditor, tensors: Iterable[str]) -> int:
    """The number of elements of the largest of some tensors."""
    return max((prod(editor.shape(name) or (0,)) for name in tensors), default=0)


def _merged(
    own: Mapping[str, Sequence[EditNode]], behind: Mapping[str, tuple[EditNode, ...]]
) -> Mapping[str, tuple[EditNode, ...]]:
    if not own:
        return behind
    return {**behind, **{tensor: (*readers, *behind.get(tensor, ())) for tensor, readers in own.items()}}


def _joined(editor: GraphEditor, trace: BatchTrace, rest: Tail | None) -> Tail:
    _, places = editor.order()
    outputs = frozenset(filter(editor.is_output, trace.batch))
    elements = largest_of(editor, trace.batch)
    work = tally(editor, trace.parts)
    return Tail(
        own={part: places[part] for part in trace.parts},
        own_tensors=frozenset(trace.batch),
        own_sized=tuple(trace.sized),
        rest=rest,
        entering=_merged(trace.entering, {} if rest is None else rest.entering),
        outputs=outputs if rest is None else rest.outputs if not outputs - rest.outputs else outputs | rest.outputs,
        holds_sizes=any(map(editor.is_output, trace.shapes)) or (rest is not None and rest.holds_sizes),
        work=work if rest is None else work + rest.work,
        elements=elements if rest is None else max(elements, rest.elements),
    )
