"""The sampling analysis of one model: binds the input sizes, runs the trace, and turns its record into a result."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from auditor.onnxfile.graph import Model, ValueInfo
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from auditor.onnxfile.scopes import walk
from auditor.onnxfile.told import told_size
from auditor.sampling.lattice.state import ANONYMOUS, Axis, State
from auditor.sampling.result import Analysis, Head, HeadKind, Lattice, Site, SiteKind, SourceAxis
from auditor.sampling.trace import Observe, Trace, in_order
from auditor.sampling.walk.endings import ending, has_grid
from auditor.sampling.walk.inputs import Inputs, guess_spatial
from auditor.sampling.walk.labels import REASON, is_mask_input
from auditor.sampling.walk.record import Record
from auditor.sampling.walk.scope import Scope
from auditor.text import ModelText

if TYPE_CHECKING:
    from auditor.sampling.observed import NodeObserver, ObservedNode

ALTERNATIVES: Mapping[int, Sequence[int]] = {2: (512, 1536, 48_000), 3: (256, 512, 16_000), 4: (256, 320, 512, 640)}
"""Other sizes to try, by rank, where the first one does not divide as the model's reshapes need."""

Shapes = Mapping[str, Sequence[int]]


def analyse(model: Model, shapes: Shapes | None = None, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """Traces every scope of ``model``; ``shapes`` gives the sizes of inputs whose file leaves them open.

    Open sizes that nobody gives are assumed: batch 1, pictures as large as the metadata say, or 224. Raises
    ModelFileError when functions recurse or expand beyond ``limits``; anything else that a model says ends in
    ``untracked``.
    """
    return observe(model, shapes, limits)[0]


def observe(
    model: Model, shapes: Shapes | None = None, limits: Limits = DEFAULT_LIMITS, operators: Collection[str] = ()
) -> tuple[Analysis, tuple[ObservedNode, ...]]:
    """The analysis, and the nodes of some ``operators`` as it saw them, in graph order. Raises as :func:`analyse`."""
    orders = {(scope, node.index): order for order, (scope, node) in enumerate(walk(model, limits))}
    best = _analyse(model, shapes or {}, orders, {}, operators)
    open_ranks = {len(value.dims or ()) for value in model.graph.inputs if _is_open(value, shapes or {})}
    for rank in sorted(open_ranks & ALTERNATIVES.keys()) if best[0].untracked else ():
        for size in ALTERNATIVES[rank]:
            other = _analyse(model, shapes or {}, orders, {rank: size}, operators)
            if len(other[0].untracked) < len(best[0].untracked):
                best = other
            if not best[0].untracked:
                break
    return best


def followed(model: Model, shapes: Shapes, observe: Observe, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """The analysis at these sizes, with ``observe`` called at every node that works on the picture.

    Raises as :func:`analyse`.
    """
    orders = {(scope, node.index): order for order, (scope, node) in enumerate(walk(model, limits))}
    return _analyse(model, shapes, orders, {}, (), observe)[0]


def _is_open(value: ValueInfo, shapes: Shapes) -> bool:
    """Whether an input has an axis besides the batch whose size nobody gives."""
    dims = value.dims or ()
    return value.name not in shapes and any(not isinstance(dim, int) or dim < 1 for dim in dims[1:])


def _analyse(
    model: Model,
    shapes: Shapes,
    orders: Mapping[tuple[str, int], int],
    sizes: Mapping[int, int],
    operators: Collection[str],
    observe: Observe | None = None,
) -> tuple[Analysis, tuple[ObservedNode, ...]]:
    record = Record()
    observer: NodeObserver | None = None
    if operators:
        from auditor.sampling.observed import NodeObserver

        observer = NodeObserver(record, operators)
    trace = Trace(model, record, orders, observer or observe)
    graph = model.graph
    scope = Scope(model, "", model.opsets.get("", 1), dict(graph.initializers))
    inputs = Inputs(record, sizes, told_size(model.metadata))
    real = [value for value in graph.inputs if value.name not in graph.initializers]
    for value in real:
        inputs.learn(value, shapes.get(value.name))
    for value in real:
        scope.states[value.name] = inputs.state(value, shapes.get(value.name))
    trace.run(scope, graph.nodes)
    guess_spatial(record, {value.name: len(scope.states[value.name].axes or ()) for value in real})
    if record.stacks or record.samples_twice():
        from auditor.sampling.walk.averaging import merge

        merge(record, scope, in_order(graph.nodes), [value.name for value in graph.outputs])
    spatial = frozenset(source for source in record.spatial if source >= 0)
    shapes, tensors = Sizes(scope.states), Lattices(scope.states, spatial)
    sites = [site for site in record.sites if site is not None and any(map(record.is_spatial, site.sources))]
    analysis = Analysis(
        sources=tuple(record.sources),
        spatial=spatial,
        sites=tuple(_sized(_told_from_masks(site, record.sources, shapes), tensors) for site in sites),
        upsamplings=tuple(record.upsamplings),
        joins=tuple(join for join in record.joins if join.source in spatial),
        heads=tuple(_head(record, scope, value.name, spatial) for value in graph.outputs),
        untracked=record.regions(),
        data_dependent=tuple(record.data_dependent),
        paddings=tuple(record.paddings),
        live=record.live,
        encodings=tuple(e for e in record.encodings if any(source in spatial for source in e.sources)),
        tensors=tensors,
        shapes=shapes,
        folded=Folded(scope.states, spatial, record.held),
        nodes=trace.nodes,
        tracked_nodes=trace.tracked,
    )
    return analysis, () if observer is None else observer.nodes


def _sized(site: Site, tensors: Mapping[str, tuple[Lattice | None, ...]]) -> Site:
    """The site with the size of the grid that it makes, where the lattices of its output are known."""
    sizes = [lattice.size for lattice in tensors.get(site.output.raw, ()) if lattice is not None]
    return replace(site, size=tuple(sizes)) if len(sizes) == len(site.factor) else site


def _told_from_masks(site: Site, sources: Sequence[SourceAxis], shapes: Mapping[str, tuple[int, ...]]) -> Site:
    if site.kind is not SiteKind.RESIZE_NEAREST or site.labels or not is_mask_input(site, sources, shapes):
        return site
    return replace(site, labels=True, reason=REASON)


def _head(record: Record, scope: Scope, name: str, spatial: frozenset[int]) -> Head:
    state = scope.state(name)
    windows = {source: window for source, window in state.windows.items() if source in spatial}
    lists = {source for source in state.windows if not spatial.isdisjoint(record.held.get(source, ()))}
    lattice = tuple(
        lattice for lattice in (lattice_of(axis, state, spatial) for axis in state.axes or ()) if lattice is not None
    )
    order: int | None = None
    if not windows:
        kind = HeadKind.NO_GRID if state.lost is None else HeadKind.UNTRACKED
    elif state.axes is not None and any(has_grid(state.axes, source) for source in (*windows, *lists)):
        kind = HeadKind.DENSE
    else:
        # Places that a list took over end with the list.
        taken = {source for one in lists for source in record.held[one] if state.windows[source].ending is None}
        kind, order = _end(state, (windows.keys() - taken) | lists)
    return Head(
        output=ModelText(name),
        kind=kind,
        subsampling=max((window.peak for window in windows.values()), default=None),
        period={source: window.period for source, window in sorted(windows.items())},
        lattice=lattice,
        cause=None if order is None else record.refs.get(order),
        global_context=bool(windows) and state.mixing,
    )


def _end(state: State, sources: Collection[int]) -> tuple[HeadKind, int | None]:
    """What ended the grid in front of an output that has none, and the order of the node that did."""
    found = ending(state.windows, sources)
    assert found is not None
    if state.axes is None and found.kind is not HeadKind.DATA_DEPENDENT:
        if state.lost is not None:
            return HeadKind.UNTRACKED, None
        if found.cause is None:
            return HeadKind.DATA_DEPENDENT, None
    return found


def lattice_of(axis: Axis, state: State, spatial: frozenset[int] | set[int]) -> Lattice | None:
    """The lattice of a plain grid axis, None for any other axis."""
    atom = axis.single
    if atom is None or atom.source not in spatial:
        return None
    window = state.windows[atom.source]
    return Lattice(
        atom.source, atom.stride, window.offset, window.field, atom.extent, window.size_dependent, window.deepest
    )


class Lattices(Mapping[str, tuple[Lattice | None, ...]]):
    """The lattices of all tracked tensors of a scope, built when asked for."""

    def __init__(self, states: Mapping[str, State], spatial: frozenset[int]) -> None:
        self._states = states
        self._spatial = spatial

    def __getitem__(self, name: str) -> tuple[Lattice | None, ...]:
        state = self._states[name]
        if state.axes is None:
            raise KeyError(name)
        return tuple(lattice_of(axis, state, self._spatial) for axis in state.axes)

    def __iter__(self) -> Iterator[str]:
        return (name for name, state in self._states.items() if state.axes is not None)

    def __len__(self) -> int:
        return sum(state.axes is not None for state in self._states.values())


class Sizes(Mapping[str, tuple[int, ...]]):
    """The shapes of all tracked tensors of a scope, built when asked for."""

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = states

    def __getitem__(self, name: str) -> tuple[int, ...]:
        shape = self._states[name].shape
        if shape is None:
            raise KeyError(name)
        return shape

    def __iter__(self) -> Iterator[str]:
        return (name for name, state in self._states.items() if state.axes is not None)

    def __len__(self) -> int:
        return sum(state.axes is not None for state in self._states.values())


class Folded(Mapping[str, frozenset[int]]):
    """The grid axes of all tracked tensors that have no tensor axis of their own, worked out when asked for."""

    def __init__(
        self, states: Mapping[str, State], spatial: frozenset[int], held: Mapping[int, frozenset[int]]
    ) -> None:
        self._states = states
        self._spatial = spatial
        self._held = held

    def __getitem__(self, name: str) -> frozenset[int]:
        state = self._states[name]
        if state.axes is None:
            raise KeyError(name)
        own = [axis.single.source for axis in state.axes if axis.single is not None]
        alone = {source for source in own if own.count(source) == 1}
        mixed = {
            atom.source for axis in state.axes if axis.single is None for atom in axis.atoms if atom.source != ANONYMOUS
        }
        listed = frozenset[int]().union(*(self._held.get(source, ()) for source in state.sources()))
        return ((state.sources() - (alone - mixed)) | listed) & self._spatial

    def __iter__(self) -> Iterator[str]:
        return (name for name, state in self._states.items() if state.axes is not None)

    def __len__(self) -> int:
        return sum(state.axes is not None for state in self._states.values())
