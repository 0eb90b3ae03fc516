"""The part of a network that averaged phases run through: from a site to a merge, or to the outputs.

A merge is a node: its result, and whatever else of the region is read behind it, is averaged, and one copy goes on.
The region of a merge are the nodes on the ways from the site to it; what other branches read of these is merged too
(the scales of a detector, the shortcut of a residual block).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.choices import suggestion
from auditor.rewrite.graph.marks import BRANCH, branch_stem, is_branch, without_number
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.phases.realign import Shift
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import RewriteError
from auditor.text import plain

NOT_BEHIND = "the merge does not depend on it"
UNREAD = "nothing reads what is merged"
CAPTURED = "a sub-graph stands between it and the merge"
ASIDE = (
    "a map that was not shifted meets what is merged, and would lie half a sample aside: merge behind that place, or "
    "begin in front of both"
)
OVERLAPS = (
    "another window begins on the way to the merge and ends behind it, or the other way round: let one lie within the "
    "other"
)
NO_FLOAT = "what would be merged is no floating-point tensor"
SELECTS = "the network chooses by value in front of the merge, so that the copies of a row need not belong together"

_SELECTING = frozenset({"ArgMax", "ArgMin", "Compress", "Hardmax", "NonMaxSuppression", "NonZero", "TopK", "Unique"})
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


@dataclass(frozen=True, slots=True)
class WindowRegion:
    """``parts`` are nodes in graph order, ``tensors`` what enters at the front and what the nodes make.

    ``live`` are those of the tensors that are read elsewhere, or that are outputs of the model.
    """

    parts: tuple[EditNode, ...]
    tensors: frozenset[str]
    live: tuple[str, ...]


def merge_node(editor: GraphEditor, name: str) -> EditNode:
    """The node called ``name``, or the one that writes the tensor of that name.

    Raises RewriteError where there is none, or several.
    """
    names = {part: part.name or f"{part.op}_{part.index}" for part in editor.parts() if not part.own}
    named = [part for part, known in names.items() if known == name]
    if len(named) != 1:
        writer = editor.producer(name)
        if writer is None:
            reason = "no node of the main graph is called" if not named else "several nodes are called"
            hint = "" if named else suggestion(name, map(plain, names.values()))
            raise RewriteError(f'--merge: {reason} "{name}"{hint}; --plan lists the places for each site')
        return writer
    return named[0]


def region_behind(editor: GraphEditor, starts: Sequence[str], merge: str | None) -> WindowRegion:
    """What stands behind the tensors ``starts``, up to a merge or to the outputs. Raises TailError and RewriteError."""
    reached = editor.downstream(starts)
    parts, places = editor.order()
    if merge is None:
        own = {part for part in parts if not reached.isdisjoint(part.inputs)}
    else:
        own = _between(editor, merge_node(editor, merge), starts, reached)
    inside = sorted(own, key=lambda part: places[part])
    tensors = list(dict.fromkeys([*starts, *(name for part in inside for name in part.outputs if name)]))
    live = tuple(name for name in tensors if _is_read_elsewhere(editor, name, own))
    if not live:
        raise TailError(UNREAD)
    return WindowRegion(tuple(inside), frozenset(tensors), live)


def _between(editor: GraphEditor, target: EditNode, starts: Sequence[str], reached: set[str]) -> set[EditNode]:
    """The nodes on the ways from ``starts`` to the target, that one included."""
    if reached.isdisjoint(target.outputs):
        raise TailError(NOT_BEHIND)
    found: set[EditNode] = set()
    waiting = [target]
    while waiting:
        part = waiting.pop()
        if part in found or not set(starts).isdisjoint(part.outputs):
            continue
        behind = [name for name in part.inputs if name in reached]
        if not behind:
            raise TailError(CAPTURED)
        found.add(part)
        makers = map(editor.producer, behind)
        waiting.extend(maker for maker in makers if maker is not None)
    return found


def _is_read_elsewhere(editor: GraphEditor, tensor: str, own: set[EditNode]) -> bool:
    outside = any(reader not in own for reader in editor.consumers(tensor))
    return outside or editor.is_output(tensor) or editor.is_captured(tensor)


def check_merge(editor: GraphEditor, region: WindowRegion, ends: Iterable[str], shifts: Sequence[Shift]) -> None:
    """Raises TailError where what a merge averages has no mean that means anything, or would lie aside behind it."""
    if any(part.op in _SELECTING | _RANDOM for part in region.parts):
        raise TailError(SELECTS)
    for end in ends:
        if numpy_type(element_type(editor, end)) is None:
            raise TailError(NO_FLOAT)
    sources = frozenset(source for shift in shifts for source in shift)
    behind, shifted = editor.downstream(region.live), region.tensors
    own = set(region.parts)
    for part in editor.parts():
        if part in own or not any(name in behind and _has_grid(editor, name, sources) for name in part.inputs):
            continue
        for name in part.inputs:
            if name and name not in behind and name not in shifted and _has_grid(editor, name, sources):
                raise TailError(ASIDE)


def check_branches(editor: GraphEditor, region: WindowRegion) -> None:
    """Raises TailError where a region holds a node without its copies in the branches of another window."""
    own = set(region.parts)
    copies: dict[str, list[EditNode]] = {}
    for part in editor.parts():
        if is_branch(part):
            copies.setdefault(without_number(part.name), []).append(part)
    for part in editor.parts() if copies else ():
        others = copies.get(f"{branch_stem(part)}{BRANCH}", [])
        if any((other in own) != (part in own) for other in others):
            raise TailError(OVERLAPS)


def _has_grid(editor: GraphEditor, tensor: str, sources: frozenset[int]) -> bool:
    """Whether positions of one of the sources can be told apart on a tensor that depends on the input."""
    if not editor.is_dynamic(tensor):
        return False
    lattices = editor.lattices(tensor) or ()
    plain = any(lattice is not None and lattice.source in sources for lattice in lattices)
    return plain or not editor.folded(tensor).isdisjoint(sources)
