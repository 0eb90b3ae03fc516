"""What stands behind a site, and whether it treats every picture of a batch alone, so that phases can be its batch.

A tail is followed up to the first tensor that everything further behind reads alone, and goes on with the tail of that
one, which sites in front of it share: the tails of all sites of a network together cost little more than the longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from auditor.rewrite.graph.cost import Tally, tally
from auditor.rewrite.graph.frontier import Frontier
from auditor.rewrite.graph.parts import Part
from auditor.rewrite.graph.surgery import Surgeon
from auditor.rewrite.phases.operands import UNKNOWN, Sized
from auditor.rewrite.phases.tail_operators import TailError, Trace


@dataclass(frozen=True, slots=True)
class Tail:
    """The part of a network behind some tensors; ``rest`` is what stands behind the one tensor that ends it.

    ``own`` is what is not in the rest: nodes, by their places in the graph, and tensors that carry the batch.
    ``entering`` are tensors from elsewhere that meet the batch anywhere, with their readers that carry it. ``outputs``
    are all outputs of the model that carry it, ``holds_sizes`` says that another one holds its size.
    ``work`` and ``elements`` are the multiply-adds and the size of the largest tensor, of all of it.
    """

    own: Mapping[Part, int]
    own_tensors: frozenset[str]
    own_sized: tuple[Sized, ...]
    rest: Tail | None
    entering: Mapping[str, tuple[Part, ...]]
    outputs: frozenset[str]
    holds_sizes: bool
    work: Tally
    elements: int

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

    def reads(self, part: Part, place: int) -> bool:
        """Whether a node, at its place in the graph, reads something that carries the batch or its size."""
        for piece in self:
            if part in piece.own:
                return True
            if piece.own and max(piece.own.values()) > place:
                return False
        return False


def tail_behind(surgeon: Surgeon, starts: Iterable[str]) -> Tail:
    """Everything behind the tensors ``starts``, whose axis 0 is the batch. Raises TailError where it is not free."""
    known: dict[str, Tail | TailError] = surgeon.remembered("tails", dict)
    pieces: list[tuple[Sequence[str], Trace]] = []
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
            trace, cut = _piece(surgeon, following)
        except TailError as error:
            _remember(known, [*pieces, (following, Trace(surgeon, ()))], error)
            raise
        pieces.append((following, trace))
        following = () if cut is None else (cut,)
    for begins, trace in reversed(pieces):
        tail = _joined(surgeon, trace, tail)
        if len(begins) == 1:
            known[begins[0]] = tail
    assert tail is not None
    return tail


def _remember(
    known: dict[str, Tail | TailError], pieces: Sequence[tuple[Sequence[str], Trace]], error: TailError
) -> None:
    for begins, _ in pieces:
        if len(begins) == 1:
            known[begins[0]] = error


def _piece(surgeon: Surgeon, starts: Sequence[str]) -> tuple[Trace, str | None]:
    """Follow the batch up to the next tensor that all nodes further behind read alone, or to the end."""
    if any(map(surgeon.is_captured, starts)):
        raise TailError(f"a sub-graph that stands behind it {UNKNOWN}")
    trace = Trace(surgeon, starts)
    frontier = Frontier(surgeon, starts)
    for part in frontier:
        made = trace.visit(part)
        frontier.follow(made)
        if len(made) == 1 and made[0] in trace.batch and frontier.is_cut(made[0], trace.follows):
            return trace, made[0]
    return trace, None


def _merged(
    own: Mapping[str, Sequence[Part]], behind: Mapping[str, tuple[Part, ...]]
) -> Mapping[str, tuple[Part, ...]]:
    if not own:
        return behind
    return {**behind, **{tensor: (*readers, *behind.get(tensor, ())) for tensor, readers in own.items()}}


def _joined(surgeon: Surgeon, trace: Trace, rest: Tail | None) -> Tail:
    _, places = surgeon.order()
    outputs = frozenset(filter(surgeon.is_output, trace.batch))
    elements = max((prod(surgeon.shape(name) or (0,)) for name in trace.batch), default=0)
    work = tally(surgeon, trace.parts)
    return Tail(
        own={part: places[part] for part in trace.parts},
        own_tensors=frozenset(trace.batch),
        own_sized=tuple(trace.sized),
        rest=rest,
        entering=_merged(trace.entering, {} if rest is None else rest.entering),
        outputs=outputs if rest is None else rest.outputs if not outputs - rest.outputs else outputs | rest.outputs,
        holds_sizes=any(map(surgeon.is_output, trace.shapes)) or (rest is not None and rest.holds_sizes),
        work=work if rest is None else work + rest.work,
        elements=elements if rest is None else max(elements, rest.elements),
    )
