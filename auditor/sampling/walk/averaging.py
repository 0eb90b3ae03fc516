"""Phase averaging, recognised by what a graph computes: one sampling site that keeps several of its phases.

Phases that stand side by side on the batch axis (:mod:`auditor.sampling.walk.phases`) are one site when a Mean over the
equal parts of that axis brings them together again on the way to every output. On a map the parts may be put back in
their places first, with slices and borders. :mod:`auditor.sampling.spectrum.replicas` says what still folds in the
mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import TypeAlias

from msgspec import structs

from auditor.onnxfile.graph import Node
from auditor.onnxfile.scopes import bodies
from auditor.sampling.result import AliasBasis, AliasEnergy, HeadKind, Site
from auditor.sampling.spectrum.replicas import MOST_PHASES, Averaged, Averaging
from auditor.sampling.walk.copies import sums
from auditor.sampling.walk.endings import ending
from auditor.sampling.walk.phases import phases_of
from auditor.sampling.walk.record import Record
from auditor.sampling.walk.scope import Scope
from auditor.sampling.walk.sites import passes, reason_words
from auditor.sampling.walk.stack import Stack


@dataclass(frozen=True, slots=True)
class _Level:
    """A factor by which the batch axis grew: by stacks that are shifted together, or by other things side by side."""

    count: int
    phases: tuple[tuple[int, ...], ...] = ()
    stacks: frozenset[int] = frozenset()


_Part: TypeAlias = "tuple[str, frozenset[int]]"


@dataclass(frozen=True, slots=True)
class _Trail:
    """What the batch axis of a tensor holds, outermost first; None where phases can no longer be told apart.

    ``stacks`` are those whose phases have not been averaged yet. ``part`` is the tensor and the numbers of its equal
    parts that this is the sum of, behind a Split of the batch axis, and ``summands`` are the tensors that were added.
    """

    levels: tuple[_Level, ...] | None
    stacks: frozenset[int]
    part: _Part | None = None
    summands: tuple[str, ...] = ()


class _StackWalk:
    """Follows the stacks of the main graph to the means over their phases.

    ``placed`` says of every stack that met its mean whether its phases were always in place there.
    """

    def __init__(self, scope: Scope, spatial: set[int], stacks: Sequence[Stack]) -> None:
        self.scope = scope
        self.spatial = spatial
        self.stacks = {stack.output: index for index, stack in enumerate(stacks)}
        self.phases = [stack.phases for stack in stacks]
        self.trails: dict[str, _Trail] = {}
        self.placed: dict[int, bool] = {}

    def visit(self, node: Node) -> None:
        """Take in the next node in topological order."""
        behind = [self.trails[name] for name in node.inputs if name in self.trails]
        if not behind and not (node.outputs and node.outputs[0] in self.stacks):
            return
        trail = self._mean(node, behind) or self._sum(node, behind) or self._through(node, behind)
        for place, name in enumerate(node.outputs):
            if self.scope.state(name).constant:
                continue  # sizes are read from tensors, and hold none of their phases
            self.trails[name] = self._part(node, trail, place) if node.op == "Split" else trail

    def averaged(self, outputs: Iterable[str]) -> Mapping[int, bool]:
        """``placed`` for the stacks that no output holds unaveraged."""
        ends = [self.trails[name] for name in outputs if name in self.trails]
        bare = frozenset[int]().union(*(trail.stacks for trail in ends))
        return {index: placed for index, placed in self.placed.items() if index not in bare}

    def _through(self, node: Node, behind: Sequence[_Trail]) -> _Trail:
        trail = _joined(behind)
        mine = self.stacks.get(node.outputs[0]) if node.outputs else None
        if mine is not None:
            level = _Level(len(self.phases[mine]), self.phases[mine], frozenset({mine}))
        elif node.op == "Concat" and node.attributes.get("axis", 1) == 0:
            if len(behind) < len(node.inputs) or len(set(behind)) > 1:
                return replace(trail, levels=None)
            level = _Level(len(node.inputs))
        else:
            return replace(trail, part=self._moved(node))
        levels = None if trail.levels is None else (level, *trail.levels)
        return _Trail(levels, trail.stacks | level.stacks)

    def _part(self, node: Node, trail: _Trail, place: int) -> _Trail:
        """One output of a Split."""
        if node.attributes.get("axis", 0) != 0 or trail.levels == ():
            return trail
        equal = len({self._size(name, 0) for name in node.outputs}) == 1
        told = equal and trail.levels is not None and trail.levels[0].count == len(node.outputs)
        return replace(trail, levels=None, part=(node.inputs[0], frozenset({place})) if told else None)

    def _moved(self, node: Node) -> _Part | None:
        """The part that a node puts elsewhere on its grid: a Slice of it, or it behind a border of another part."""
        if node.domain or node.op not in ("Slice", "Concat"):
            return None
        names = node.inputs[:1] if node.op == "Slice" else node.inputs
        parts = [self.trails[name].part if name in self.trails else None for name in names]
        if len(names) == 1:
            return parts[0]
        axis = node.attributes.get("axis", 1)
        if not isinstance(axis, int) or len({None if part is None else part[0] for part in parts}) > 1:
            return None
        sizes = [self._size(name, axis) for name in names]
        return parts[sizes.index(max(sizes))] if sizes.count(max(sizes)) == 1 else None

    def _size(self, name: str, axis: int) -> int:
        shape = self.scope.state(name).shape or ()
        return shape[axis] if -len(shape) <= axis < len(shape) else 0

    def _sum(self, node: Node, behind: Sequence[_Trail]) -> _Trail | None:
        """The sum of different equal parts of a stack."""
        if node.op not in ("Add", "Sum", "Mean") or node.domain or len(behind) != len(node.inputs):
            return None
        parts = [trail.part for trail in behind if trail.part is not None]
        numbers = frozenset[int]().union(*(part[1] for part in parts))
        if len(parts) < len(behind) or len({part[0] for part in parts}) > 1:
            return None
        if len(numbers) < sum(len(part[1]) for part in parts):
            return None
        names = [trail.summands or (name,) for trail, name in zip(behind, node.inputs, strict=True)]
        summands = tuple(name for added in names for name in added)
        return replace(_joined(behind), part=(parts[0][0], numbers), summands=summands)

    def _mean(self, node: Node, behind: Sequence[_Trail]) -> _Trail | None:
        """What is left behind a Mean over all equal parts of a stack, or a scaled sum of them."""
        if node.domain or node.op not in ("Mean", "Mul", "Div"):
            return None
        total = self._sum(node, behind) if node.op == "Mean" else behind[0] if self._scales(node, behind) else None
        if total is None or total.part is None:
            return None
        whole, numbers = total.part
        trail = self.trails[whole]
        if not trail.levels or trail.levels[0].count != len(numbers):
            return None
        level, *inner = trail.levels
        placed = _in_place(self.scope, self.spatial, total.summands)
        for index in level.stacks:
            self.placed[index] = placed and self.placed.get(index, True)
        return _Trail(tuple(inner), trail.stacks - level.stacks)

    def _scales(self, node: Node, behind: Sequence[_Trail]) -> bool:
        """Whether a node multiplies a sum of several parts by one number."""
        if len(behind) != 1 or len(behind[0].summands) < 2 or len(node.inputs) != 2:
            return False
        first = node.inputs[0] in self.trails
        number = self.scope.state(node.inputs[1 if first else 0])
        return (first or node.op == "Mul") and number.constant and number.shape is not None and prod(number.shape) == 1


def _in_place(scope: Scope, spatial: set[int], names: Sequence[str]) -> bool:
    """Whether the same index means the same place of the input in all that is averaged, or place means nothing."""
    states = [scope.state(name) for name in names]
    left = states[0].sources() & spatial
    if not left:
        endings = [ending(state.windows, state.windows.keys() & spatial) for state in states]
        return all(found is not None and found.kind is HeadKind.POOLED for found in endings)
    return all(
        state.sources() & spatial == left
        and all(state.windows[source].offset == states[0].windows[source].offset for source in left)
        for state in states
    )


def _joined(trails: Sequence[_Trail]) -> _Trail:
    """The trail of a node that reads several tensors; what has no phases fits to all."""
    stacks = frozenset[int]().union(*(trail.stacks for trail in trails))
    levels: tuple[_Level, ...] | None = ()
    for other in [trail.levels for trail in trails if trail.levels != ()]:
        levels = other if levels == () else _together(levels, other)
    return _Trail(levels, stacks)


def _together(one: tuple[_Level, ...] | None, other: tuple[_Level, ...] | None) -> tuple[_Level, ...] | None:
    if one is None or other is None or len(one) != len(other):
        return None
    pairs = [*zip(one, other, strict=True)]
    if any(a.count != b.count or (a.phases and b.phases and a.phases != b.phases) for a, b in pairs):
        return None
    return tuple(_Level(a.count, a.phases or b.phases, a.stacks | b.stacks) for a, b in pairs)


def merge(record: Record, scope: Scope, nodes: Sequence[Node], outputs: Sequence[str]) -> None:
    """Makes one site of all phases of one that are averaged on the way to the ``outputs`` of the main graph."""
    _merge_branches(record, scope, nodes)
    stacks = [found for where, found in record.stacks if where is scope]
    if not stacks or any(True for node in nodes for _ in bodies("", node)):
        return
    walk = _StackWalk(scope, record.spatial, stacks)
    for node in nodes:
        walk.visit(node)
    for index, placed in walk.averaged(outputs).items():
        _merge(record, stacks[index], "on the batch axis", placed=placed)


def _merge_branches(record: Record, scope: Scope, nodes: Sequence[Node]) -> None:
    """Makes one site of phases that run through branches of their own and are added, and of what they run through."""
    groups: dict[int, set[int]] = {}
    inner: dict[int, int] = {}
    placed: dict[int, bool] = {}
    names: dict[int, str] = {}
    for summands, stood in sums(record, scope, nodes):
        here = _in_place(scope, record.spatial, summands) if stood else True
        for found in stood:
            for pair in found.sites:
                first, second = (record.made[scope.path, name] for name in pair)
                names.update(zip((first, second), pair, strict=True))
                groups.setdefault(first, {first}).add(second)
                placed[first] = here and placed.get(first, True)
            inner.update((record.made[scope.path, b], record.made[scope.path, a]) for a, b in found.inner)
    for first, members in groups.items():
        indices = sorted(members)
        phases = phases_of(record, scope, [names[index] for index in indices], indices)
        if phases is not None:
            stack = Stack(names[first], tuple(indices), phases)
            _merge(record, stack, "in branches of their own", placed=placed[first])
    for copy, original in inner.items():
        site = record.sites[original]
        if site is not None:
            record.sites[original] = structs.replace(site, members=(*site.members, *record.remove_sites((copy,))))


def _merge(record: Record, stack: Stack, where: str, *, placed: bool) -> None:
    """The site of phase 0 stands for all."""
    chosen = stack.sites[stack.phases.index(min(stack.phases))]
    site = record.sites[chosen]
    if site is None:
        return
    copies = record.remove_sites(tuple(index for index in stack.sites if index != chosen))
    averaging = Averaging(tuple(int(step) for step in site.factor), stack.phases, placed)
    alias = _left(site, averaging, record.averaged.get(chosen))
    antialiased = passes(alias)
    kept = f"{len(averaging.phases)} of {averaging.possible} phases are kept {where} (phase averaging)"
    if not placed:
        kept += ", averaged where position still matters"
    record.sites[chosen] = structs.replace(
        site,
        alias=alias,
        antialiased=antialiased,
        reason=reason_words(alias, antialiased, kept) if alias is not None else f"{kept}: how much folds is not known",
        skipped=_skipped(site, averaging),
        members=(*site.members, *copies),
        averaged=(len(averaging.phases), averaging.possible),
    )


def _left(site: Site, averaging: Averaging, left: Averaged | None) -> AliasEnergy | None:
    """The alias energy of a site in the mean over its phases."""
    alias = site.alias
    if averaging.complete:
        none = (0.0,) * len(averaging.stride)
        known = alias is not None and alias.expected is not None
        missing = "" if known or alias is None else alias.missing
        return AliasEnergy(
            0.0, 0.0, AliasBasis.RESPONSE, none, 0.0 if known else None, missing, bool(alias and alias.picture)
        )
    mean = left(averaging) if left is not None and averaging.known else None
    if mean is None or alias is None:
        return mean
    # Of the expected energy the mean leaves as much as of the flat one.
    scaled = alias.expected * mean.flat / alias.flat if alias.expected is not None and alias.flat > 0 else None
    return structs.replace(
        mean, expected=None if scaled is None else min(scaled, 1.0), missing=alias.missing, picture=alias.picture
    )


def _skipped(site: Site, averaging: Averaging) -> Fraction:
    """The share of input positions that no phase reads."""
    if not site.skipped or averaging.possible > MOST_PHASES:
        return site.skipped
    strides = averaging.stride
    kernel, spread = site.kernel or (1,) * len(strides), site.dilation or (1,) * len(strides)
    taps = [range(min(size, step)) for size, step in zip(kernel, strides, strict=True)]
    read = {
        tuple((d * tap + a) % step for d, tap, a, step in zip(spread, place, phase, strides, strict=True))
        for place in product(*taps)
        for phase in averaging.phases
    }
    return 1 - Fraction(len(read), averaging.possible)
