"""Copies of a part of a network that work on other phases of a grid, recognised by what a graph computes.

Two tensors are copies of each other where the same nodes with the same weights make them of phases of one site: equal
parts of a batch axis that holds phases, branches that differ in where their first operators begin, or branches of a
tensor and of the same tensor moved. Where copies are added, the phases are averaged: what goes on has its centre in the
middle of theirs, and no branch lies aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from auditor.onnxfile.graph import Node
from auditor.sampling.walk.phases import phases_of
from auditor.sampling.walk.record import Record
from auditor.sampling.walk.scope import Scope

_SUMS = frozenset({"Add", "Sum"})
_ARITHMETIC = _SUMS | {"Sub", "Mul", "Div", "Max", "Min", "Mean"}
_MOVES = frozenset({"Slice", "Pad", "Concat", "Identity"})
_MOST_SUMMANDS = 16
_MOST_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Twins:
    """What two copies stand on: pairs of outputs of ``sites`` at two phases, and ``inner`` sites behind them."""

    sites: set[tuple[str, str]] = field(default_factory=set)
    inner: set[tuple[str, str]] = field(default_factory=set)


def summands(record: Record, scope: Scope, node: Node) -> tuple[str, ...]:
    """What a node adds, where all of it are copies of each other; nothing where it is not.

    Nodes are to be asked for in topological order: what is added to a sum of copies is told from that one's summands.
    """
    if node.op not in _SUMS or node.domain or not node.outputs:
        return ()
    leaves = tuple(leaf for name in node.inputs for leaf in record.summands.get((scope.path, name), (name,)))
    if not 1 < len(leaves) <= _MOST_SUMMANDS or len(set(leaves)) < len(leaves):
        return ()
    if any(twins(record, scope, leaves[0], other) is None for other in leaves[1:]):
        return ()
    record.summands[scope.path, node.outputs[0]] = leaves
    return leaves


def twins(record: Record, scope: Scope, one: str, other: str) -> Twins | None:
    """What two tensors stand on, if they are copies of each other at different phases."""
    found = Twins()
    told = shared = False
    waiting, seen = [(one, other)], {(one, other)}
    while waiting:
        pair = waiting.pop()
        if pair[0] == pair[1]:
            continue
        if shared and _unmoved(scope, pair[0]) == _unmoved(scope, pair[1]):
            told = True
            continue
        makers = [scope.producers.get(name) for name in pair]
        if len(seen) > _MOST_NODES or None in makers:
            return None
        left, right = (maker for maker in makers if maker is not None)
        if left is right:
            if left.op != "Split" or left.attributes.get("axis", 0) != 0:
                return None
            told = True
            continue
        sites = [index for index in (record.made.get((scope.path, name)) for name in pair) if index is not None]
        if len(sites) == len(set(pair)) and phases_of(record, scope, pair, sites) is not None:
            found.sites.add(pair)
            continue
        if left.op == right.op and left.domain == right.domain and left.attributes == right.attributes:
            if len(left.inputs) != len(right.inputs) or list(left.outputs).index(pair[0]) != list(right.outputs).index(
                pair[1]
            ):
                return None
            if len(sites) == len(pair):
                found.inner.add(pair)
            shared = True
            following = list(zip(left.inputs, right.inputs, strict=True))
        else:
            following = [(_unmoved(scope, pair[0]), _unmoved(scope, pair[1]))]
            if following[0] == pair:
                return None
        for names in following:
            if names not in seen:
                seen.add(names)
                waiting.append(names)
    return found if found.sites or told else None


def _unmoved(scope: Scope, name: str) -> str:
    """The tensor that a node moves on its grid: a Slice or a Pad of it, or it behind a border."""
    maker = scope.producers.get(name)
    while maker is not None and maker.op in _MOVES and not maker.domain and maker.attributes.get("axis", 1) != 0:
        sizes = [scope.state(given).shape or () for given in maker.inputs]
        place = max(range(len(sizes)), key=lambda index: sizes[index]) if maker.op == "Concat" else 0
        name = maker.inputs[place]
        maker = scope.producers.get(name)
    return name


def neighbours(scope: Scope, node: Node) -> Mapping[int, Fraction]:
    """The middle by source axis of a tensor at several places, which a node takes together as a filter takes its taps.

    Nothing where a node reads anything else: what was made in another way is meant for the same place.
    """
    if node.op not in _ARITHMETIC or node.domain or len({_unmoved(scope, name) for name in node.inputs}) > 1:
        return {}
    windows = [scope.state(name).windows for name in node.inputs]
    return {source: _mean([one[source].offset for one in windows]) for source in set.intersection(*map(set, windows))}


def _mean(numbers: Sequence[Fraction]) -> Fraction:
    return sum(numbers, Fraction(0)) / len(numbers)


def middle(record: Record, scope: Scope, node: Node) -> Mapping[int, Fraction]:
    """The centre of the mean of copies by source axis; nothing where a node adds none."""
    names = summands(record, scope, node)
    windows = [scope.state(name).windows for name in names]
    sources = set.intersection(*(set(one) for one in windows)) if windows else set()
    return {source: _mean([one[source].offset for one in windows]) for source in sources}


def sums(record: Record, scope: Scope, nodes: Sequence[Node]) -> Iterator[tuple[tuple[str, ...], Sequence[Twins]]]:
    """The copies that are added somewhere in branches of their own, and what they stand on, in graph order."""
    for node in nodes if record.samples_twice() else ():
        names = summands(record, scope, node)
        stood = [twins(record, scope, names[0], other) for other in names[1:]]
        yield names, [found for found in stood if found is not None]
