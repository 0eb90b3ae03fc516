"""Phases of one sampling site side by side on the batch axis, recognised by what a graph computes.

Strided operators of the same kind, weights and attributes but for the padding, that read the same tensor (perhaps with
its first samples cut off) and sample it at different phases of one stride, are copies of one site when a Concat on axis
0 takes their outputs. Names and metadata decide nothing. :mod:`auditor.sampling.walk.averaging` follows them to their
mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.onnxfile.graph import Node
from auditor.sampling.lattice.state import State
from auditor.sampling.result import Site, SiteKind
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.record import Record
from auditor.sampling.walk.scope import Scope
from auditor.sampling.walk.stack import Stack

_WINDOWS = frozenset(
    {SiteKind.CONV, SiteKind.PATCH_EMBEDDING, SiteKind.MAX_POOL, SiteKind.AVERAGE_POOL, SiteKind.LP_POOL}
)
_PADDING = frozenset({"pads", "auto_pad", "ceil_mode"})
_SLICED_RANK = 3


def stack(call: Call) -> Stack | None:
    """Whether a Concat on axis 0 puts phases of one site side by side."""
    names = call.node.inputs
    found = [call.record.made.get((call.scope.path, name)) for name in names]
    indices = [index for index in found if index is not None]
    if call.node.op != "Concat" or len(indices) < max(len(names), 2) or len(set(indices)) < len(indices):
        return None
    phases = phases_of(call.record, call.scope, names, indices)
    return None if phases is None else Stack(call.node.outputs[0], tuple(indices), phases)


def phases_of(
    record: Record, scope: Scope, names: Sequence[str], indices: Sequence[int]
) -> tuple[tuple[int, ...], ...] | None:
    """The phases of sites that are one operator on one tensor, by the names of their outputs; None for other sites."""
    sites = [site for site in (record.sites[index] for index in indices) if site is not None]
    if len(sites) < len(indices) or not _alike(scope, names, sites):
        return None
    return _phases(scope, names, sites)


def _alike(scope: Scope, names: Sequence[str], sites: Sequence[Site]) -> bool:
    """Whether the sites are the same operator on the same tensor, but for where they begin."""
    first = sites[0]
    nodes = [scope.producers[name] for name in names]
    sliced = first.kind is SiteKind.SLICE and nodes[0].op == "Slice"
    if sliced:
        axes = scope.state(names[0]).axes or ()
        # Axis 0 in front of two grid axes may be the channels of a single picture.
        single = len(axes) == _SLICED_RANK and axes[1].has_source
        if (
            len(axes) < _SLICED_RANK
            or single
            or not all(_is_cut(scope, node, name, first, step=True) for node, name in zip(nodes, names, strict=True))
        ):
            return False
    elif first.kind not in _WINDOWS:
        return False
    if any(_role(node, sliced=sliced) != _role(nodes[0], sliced=sliced) for node in nodes[1:]):
        return False
    if any(_lattice(site) != _lattice(first) for site in sites):
        return False
    read = [_origins(scope, node.inputs[0], first) for node in nodes]
    return bool(set.intersection(*read))


def _role(node: Node, *, sliced: bool) -> tuple[object, ...]:
    """What copies of a node have in common; the bounds of a Slice are compared by what they leave of the grid."""
    attributes = {name: value for name, value in node.attributes.items() if name not in _PADDING and not sliced}
    return (node.op, node.domain, () if sliced else node.inputs[1:], attributes)


def _lattice(site: Site) -> tuple[object, ...]:
    return (site.kind, site.sources, site.factor, site.cumulative, site.kernel, site.stride, site.dilation, site.groups)


def _origins(scope: Scope, name: str, site: Site) -> set[str]:
    """The tensor that a copy reads, and the one that it was cut from along the site's axes."""
    maker = scope.producers.get(name)
    if maker is None or maker.op != "Slice" or maker.domain or not _is_cut(scope, maker, name, site, step=False):
        return {name}
    return {name, maker.inputs[0]}


def _is_cut(scope: Scope, node: Node, name: str, site: Site, *, step: bool) -> bool:
    """Whether a Slice leaves all but the site's axes as they are, and samples those only where it may ``step``."""
    after, before = scope.state(name).axes, scope.state(node.inputs[0]).axes
    if after is None or before is None or len(after) != len(before):
        return False
    for left, full in zip(after, before, strict=True):
        run, whole = left.single, full.single
        if run is not None and whole is not None and run.source == whole.source and run.source in site.sources:
            if run.stride != whole.stride and not step:
                return False
        elif left != full:
            return False
    return True


def _phases(scope: Scope, names: Sequence[str], sites: Sequence[Site]) -> tuple[tuple[int, ...], ...] | None:
    """The phases of the sites, relative to the first one along every axis; None where they are not phases."""
    first = sites[0]
    moves = []
    for site in sites:
        move = []
        for axis, factor in enumerate(first.factor):
            here, there, total = site.offset[axis], first.offset[axis], first.cumulative[axis]
            if factor == 1 and here is None and there is None:
                move.append(0)  # an axis of no grid, which is not sampled
                continue
            if here is None or there is None or not total:
                return None
            steps = (here - there) * factor / total
            if steps.denominator != 1 or factor.denominator != 1 or abs(steps) >= factor:
                return None
            move.append(int(steps))
        moves.append(tuple(move))
    lowest = min(moves)
    strides = [int(factor) for factor in first.factor]
    moves = [tuple(a - b for a, b in zip(move, lowest, strict=True)) for move in moves]
    classes = {tuple(a % step for a, step in zip(move, strides, strict=True)) for move in moves}
    apart = max(abs(a) - step for move in moves for a, step in zip(move, strides, strict=True))
    if apart >= 0 or len(classes) < len(moves):
        return None
    return tuple(moves) if _elsewhere_equal([scope.state(name) for name in names], first) else None


def _elsewhere_equal(states: Sequence[State], site: Site) -> bool:
    """Whether the copies have the same lattice along all axes but the site's."""
    rest = [{s: w.offset for s, w in state.windows.items() if s not in site.sources} for state in states]
    return all(other == rest[0] for other in rest[1:])
