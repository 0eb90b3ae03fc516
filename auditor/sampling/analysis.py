"""The sampling analysis of one model: binds the input sizes, runs the trace, and turns its record into a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditor.onnxfile.graph import Model, ValueInfo
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from auditor.onnxfile.scopes import walk
from auditor.sampling.lattice import ANONYMOUS, ONE, UNIT, Atom, Axis, State, Window, anonymous
from auditor.sampling.record import Record
from auditor.sampling.result import Analysis, Head, HeadKind, Lattice
from auditor.sampling.scope import Scope
from auditor.sampling.trace import Trace, in_order
from auditor.text import ModelText

ASSUMED = {1: 16_000, 2: 16_000, 3: 224, 4: 224, 5: 64}
"""The size chosen for an open axis, by the input's rank: a second of audio, a picture, a volume."""

ALTERNATIVES: Mapping[int, Sequence[int]] = {2: (512, 1536, 48_000), 3: (256, 512, 16_000), 4: (256, 320, 512, 640)}
"""Other sizes to try, by rank, where the first one does not divide as the model's reshapes need."""

Shapes = Mapping[str, Sequence[int]]


def analyse(model: Model, shapes: Shapes | None = None, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """Traces every scope of ``model``; ``shapes`` gives the sizes of inputs whose file leaves them open.

    Open sizes that nobody gives are assumed (batch 1, pictures 224). Raises ModelFileError when functions recurse or
    expand beyond ``limits``; anything else that a model says ends in ``untracked``.
    """
    orders = {(scope, node.index): order for order, (scope, node) in enumerate(walk(model, limits))}
    best = _analyse(model, shapes or {}, orders, {})
    open_ranks = {len(value.dims or ()) for value in model.graph.inputs if _is_open(value, shapes or {})}
    for rank in sorted(open_ranks & ALTERNATIVES.keys()) if best.untracked else ():
        for size in ALTERNATIVES[rank]:
            other = _analyse(model, shapes or {}, orders, {rank: size})
            if len(other.untracked) < len(best.untracked):
                best = other
            if not best.untracked:
                break
    return best


def _is_open(value: ValueInfo, shapes: Shapes) -> bool:
    """Whether an input has an axis besides the batch whose size nobody gives."""
    dims = value.dims or ()
    return value.name not in shapes and any(not isinstance(dim, int) or dim < 1 for dim in dims[1:])


def _analyse(model: Model, shapes: Shapes, orders: Mapping[tuple[str, int], int], sizes: Mapping[int, int]) -> Analysis:
    record = Record()
    trace = Trace(model, record, orders)
    graph = model.graph
    scope = Scope(model, "", model.opsets.get("", 1), dict(graph.initializers))
    symbols: dict[str, int] = {}
    for value in graph.inputs:
        if value.name not in graph.initializers:
            scope.states[value.name] = _input(record, value, shapes.get(value.name), symbols, sizes)
    trace.run(scope, graph.nodes)
    _guess_spatial(record)
    if record.stacks:
        from auditor.sampling.averaging import merge

        merge(record, scope, in_order(graph.nodes), [value.name for value in graph.outputs])
    spatial = frozenset(record.spatial)
    return Analysis(
        sources=tuple(record.sources),
        spatial=spatial,
        sites=tuple(site for site in record.sites if site is not None and any(map(record.is_spatial, site.sources))),
        upsamplings=tuple(record.upsamplings),
        joins=tuple(join for join in record.joins if join.source in spatial),
        heads=tuple(_head(record, scope, value.name) for value in graph.outputs),
        untracked=record.regions(),
        data_dependent=tuple(record.data_dependent),
        paddings=tuple(record.paddings),
        live=record.live,
        encodings=tuple(e for e in record.encodings if any(source in spatial for source in e.sources)),
        tensors=Lattices(scope.states, spatial),
        shapes=Sizes(scope.states),
        folded=Folded(scope.states, spatial),
        nodes=trace.nodes,
        tracked_nodes=trace.tracked,
    )


def _input(
    record: Record, value: ValueInfo, given: Sequence[int] | None, symbols: dict[str, int], sizes: Mapping[int, int]
) -> State:
    """The state of one network input: every axis that may be spatial is a source axis of its own."""
    if value.dims is None and given is None:
        return State(None, {})
    dims = value.dims if value.dims is not None else (None,) * len(given or ())
    rank = len(dims)
    axes: list[Axis] = []
    windows: dict[int, Window] = {}
    channels_last = rank == 3 and isinstance(dims[2], int) and 1 <= dims[2] <= 4
    for index, dim in enumerate(dims):
        fixed = isinstance(dim, int) and dim > 0
        if given is not None and index < len(given):
            size, assumed = given[index], not fixed
        elif isinstance(dim, int) and dim > 0:
            size, assumed = dim, False
        else:
            size, assumed = _assume(index, dims, symbols, sizes), True
        if size == 1:
            axes.append(UNIT)
        elif index == 0 and rank > 1 and not channels_last:
            axes.append(anonymous(size))
        else:
            source = record.source(value.name, index, size, assumed)
            windows[source] = Window()
            axes.append(Axis((Atom(source, ONE, size),)))
    return State(tuple(axes), windows, raw=True)


def _assume(index: int, dims: Sequence[int | str | None], symbols: dict[str, int], sizes: Mapping[int, int]) -> int:
    symbol = dims[index]
    if isinstance(symbol, str) and symbol in symbols:
        return symbols[symbol]
    rank = len(dims)
    size = sizes.get(rank, ASSUMED.get(rank, 16))
    if index == 0 and rank > 1:
        size = 1
    elif rank >= 4 and index == 1 and not any(isinstance(dim, int) and 0 < dim <= 4 for dim in dims[1:]):
        size = 3
    if isinstance(symbol, str) and symbol:
        symbols[symbol] = size
    return size


def _guess_spatial(record: Record) -> None:
    """Source axes that no window ever slid over: decided by layout, so that a bare Slice of a picture is still seen."""
    by_input: dict[str, list[int]] = {}
    for index, source in enumerate(record.sources):
        by_input.setdefault(source.input.raw, []).append(index)
    for indices in by_input.values():
        if any(index in record.spatial for index in indices):
            continue
        axes = {record.sources[index].axis: index for index in indices}
        last = max(axes)
        if last < 2:
            continue
        channels = 1 if record.sources[axes[last]].size > 4 else last
        record.spatial.update(
            index for axis, index in axes.items() if axis != channels and record.sources[index].size > 4
        )


def _head(record: Record, scope: Scope, name: str) -> Head:
    state = scope.state(name)
    spatial = {source: window for source, window in state.windows.items() if source in record.spatial}
    cause = None if state.cause is None else record.refs.get(state.cause)
    lattice = tuple(
        lattice
        for lattice in (lattice_of(axis, state, record.spatial) for axis in state.axes or ())
        if lattice is not None
    )
    if not spatial:
        kind = HeadKind.NO_GRID if state.lost is None else HeadKind.UNTRACKED
    elif state.axes is None:
        kind = state.ended or (HeadKind.UNTRACKED if state.lost is not None else HeadKind.DATA_DEPENDENT)
    elif any(atom.source in record.spatial for axis in state.axes for atom in axis.atoms):
        kind = HeadKind.DENSE
    else:
        kind = state.ended or (HeadKind.DENSE if not state.mixing else HeadKind.POOLED)
    return Head(
        output=ModelText(name),
        kind=kind,
        subsampling=max((window.peak for window in spatial.values()), default=None),
        period={source: window.period for source, window in sorted(spatial.items())},
        lattice=lattice,
        cause=None if kind is HeadKind.DENSE else cause,
    )


def lattice_of(axis: Axis, state: State, spatial: frozenset[int] | set[int]) -> Lattice | None:
    """The lattice of a plain grid axis, None for any other axis."""
    atom = axis.single
    if atom is None or atom.source not in spatial:
        return None
    window = state.windows[atom.source]
    return Lattice(atom.source, atom.stride, window.offset, window.field, atom.extent, window.size_dependent)


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

    def __init__(self, states: Mapping[str, State], spatial: frozenset[int]) -> None:
        self._states = states
        self._spatial = spatial

    def __getitem__(self, name: str) -> frozenset[int]:
        state = self._states[name]
        if state.axes is None:
            raise KeyError(name)
        own = [axis.single.source for axis in state.axes if axis.single is not None]
        alone = {source for source in own if own.count(source) == 1}
        mixed = {
            atom.source for axis in state.axes if axis.single is None for atom in axis.atoms if atom.source != ANONYMOUS
        }
        return (state.sources() - (alone - mixed)) & self._spatial

    def __iter__(self) -> Iterator[str]:
        return (name for name, state in self._states.items() if state.axes is not None)

    def __len__(self) -> int:
        return sum(state.axes is not None for state in self._states.values())
