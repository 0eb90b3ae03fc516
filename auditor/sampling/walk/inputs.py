"""The axes of the network's inputs: which are batch, channels or grid, how large they are, and where windows slide.

What an axis is follows from its place and its size, never from a symbol that it shares with another one: exporters
write ``None`` or ``?`` for every size that they leave open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

from auditor.onnxfile.graph import ValueInfo
from auditor.sampling.lattice.state import ONE, UNIT, Atom, Axis, AxisTrack, State, anonymous
from auditor.sampling.walk.record import Record

ASSUMED = {1: 16_000, 2: 16_000, 3: 224, 4: 224, 5: 64}
"""The size chosen for an open grid axis, by the input's rank: a second of audio, a picture, a volume."""

MOST_COLOURS = 4
GRID_AXES = 2
PICTURE_RANK = 2 + GRID_AXES  # batch, channels, and the grid
NAMELESS = frozenset({"", "none", "null", "unknown", "unk", "any", "dyn", "dynamic"})

Dims: TypeAlias = "Sequence[int | str | None]"


class Role(Enum):
    """What one axis of a network input stands for."""

    BATCH = "batch"
    CHANNELS = "channels"
    GRID = "grid"  # or features, if no window ever slides over it


def roles(dims: Dims) -> tuple[Role, ...]:
    """What each axis of an input is, as far as its place and its size say."""
    rank = len(dims)
    found = [Role.GRID] * rank
    if rank < 2:
        return tuple(found)
    channels = _channel_axis(dims)
    if channels is not None:
        found[channels] = Role.CHANNELS
    if rank != 3 or channels != 2 or not _fixed(dims[0]):
        found[0] = Role.BATCH  # a picture of three axes with its channels last has none
    return tuple(found)


def _channel_axis(dims: Dims) -> int | None:
    """The only axis of two to four entries, or one of a single entry, if it is where channels stand.

    Of a picture whose sizes say nothing it is axis 1 where that is open. None: windows that slide will tell.
    """
    rank = len(dims)
    if rank < 3:
        return None
    few = [axis for axis in range(1, rank) if _is_between(dims[axis], 2, MOST_COLOURS)]
    single = [axis for axis in (1, rank - 1) if dims[axis] == 1]
    if 1 in single or (single and len(few) != 1):
        return single[0]
    if len(few) == 1 and few[0] in (1, rank - 1):
        return few[0]
    return 1 if rank >= PICTURE_RANK and not few and not _fixed(dims[1]) else None


def _fixed(dim: int | str | None) -> bool:
    return isinstance(dim, int) and dim > 0


def _is_between(dim: int | str | None, low: int, high: int) -> bool:
    return isinstance(dim, int) and low <= dim <= high


def is_nameless(symbol: int | str | None) -> bool:
    """Whether a symbol says nothing: exporters write the same one on axes that have nothing in common."""
    return not isinstance(symbol, str) or symbol.lower() in NAMELESS or not any(map(str.isalpha, symbol))


class Inputs:
    """Binds the inputs of one model. ``sizes`` are other sizes to assume, by the input's rank, where none is given.

    ``picture`` is the size (H, W) of pictures that the file names, None where it names none.
    """

    def __init__(self, record: Record, sizes: Mapping[int, int], picture: tuple[int, int] | None = None) -> None:
        self._record = record
        self._sizes = sizes
        self._picture = picture
        self._symbols: dict[str, int] = {}

    def learn(self, value: ValueInfo, given: Sequence[int] | None) -> None:
        """Takes over the sizes that the user gives to named axes: other inputs may have axes of the same name."""
        if value.dims is None or given is None:
            return
        for dim, role, size in zip(value.dims, roles(value.dims), given, strict=False):
            if isinstance(dim, str) and role is not Role.BATCH and not is_nameless(dim):
                self._symbols.setdefault(dim, size)

    def state(self, value: ValueInfo, given: Sequence[int] | None) -> State:
        """The state of one network input: every axis that may be a grid is a source axis of its own."""
        if value.dims is None and given is None:
            return State(None, {})
        dims: Dims = value.dims if value.dims is not None else (None,) * len(given or ())
        bound = [
            given[index] if given is not None and index < len(given) else dim if _fixed(dim) else None
            for index, dim in enumerate(dims)
        ]
        kinds = roles([dim if size is None else size for dim, size in zip(dims, bound, strict=True)])
        axes: list[Axis] = []
        windows: dict[int, AxisTrack] = {}
        for index, (dim, size, role) in enumerate(zip(dims, bound, kinds, strict=True)):
            place = kinds[:index].count(Role.GRID)
            length = size if isinstance(size, int) else self._assume(dim, role, len(dims), place)
            if length == 1:
                axes.append(UNIT)
            elif role is Role.BATCH:
                axes.append(anonymous(length))
            else:
                source = self._record.source(value.name, index, length, not _fixed(dim))
                if role is Role.CHANNELS:
                    self._record.channels.add(source)
                    axes.append(anonymous(length))
                    continue
                windows[source] = AxisTrack()
                axes.append(Axis((Atom(source, ONE, length),)))
        return State(tuple(axes), windows, raw=True)

    def _assume(self, dim: int | str | None, role: Role, rank: int, place: int) -> int:
        """The size of an open axis; ``place`` counts the axes of the grid in front of it."""
        if role is Role.BATCH:
            return 1
        if role is Role.CHANNELS:
            size = 3
        elif self._picture is not None and rank == PICTURE_RANK and rank not in self._sizes and place < GRID_AXES:
            size = self._picture[place]
        else:
            size = self._sizes.get(rank, ASSUMED.get(rank, 16))
        if isinstance(dim, str) and not is_nameless(dim):
            return self._symbols.setdefault(dim, size)
        return size


def guess_spatial(record: Record, ranks: Mapping[str, int]) -> None:
    """Source axes that no window ever slid over: decided by layout, so that a bare Slice of a picture is still seen.

    ``ranks`` are those of the inputs. Beside an input that windows do slide over, one of three axes of which some are
    open is a recurrent state or a table, and no picture: that has two sides which are known.
    """
    told = {record.sources[index].input.raw for index in record.spatial if index >= 0}
    by_input: dict[str, list[int]] = {}
    for index, source in enumerate(record.sources):
        by_input.setdefault(source.input.raw, []).append(index)
    for name, indices in by_input.items():
        if name in told:
            continue
        if told and ranks.get(name, 0) < PICTURE_RANK and any(record.sources[index].assumed for index in indices):
            continue
        axes = {record.sources[index].axis: index for index in indices}
        last = max(axes)
        if last < 2:
            continue
        known = [axis for axis, index in axes.items() if index in record.channels]
        channels = known[0] if known else 1
        record.spatial.update(
            index for axis, index in axes.items() if axis != channels and record.sources[index].size > MOST_COLOURS
        )
