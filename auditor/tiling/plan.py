"""From a model to its plan of tiles: grid, halo and overlap, sizes to choose from, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm, prod

from msgspec.structs import replace

from auditor.onnxfile.graph import Model, ValueInfo
from auditor.onnxfile.limits import DEFAULT_LIMITS, Limits
from auditor.sampling.analysis import Shapes, analyse, followed
from auditor.sampling.result import Analysis
from auditor.text import ModelText, count_text, plain
from auditor.tiling.lines import tool_lines
from auditor.tiling.links import Key, Link, Links
from auditor.tiling.maps import Part
from auditor.tiling.memory import element_bytes, peak_elements, weight_bytes
from auditor.tiling.pictures import PictureAxis, picture_axes, shapes_at
from auditor.tiling.reach import AxisReach, Obstacle, differing, obstacles, on_the_way, reach
from auditor.tiling.result import TileAxis, TileMap, TileObstacle, TilePlan, TileSize
from auditor.tiling.targets import MapTarget, TileTargets, find_targets, on_axes

USUAL: Mapping[int, tuple[int, ...]] = {
    1: (4_096, 16_384, 65_536, 262_144),
    2: (256, 512, 1024, 2048),
    3: (64, 96, 128, 192, 256),
}
_OFF_THE_GRID = "its padding follows the size (auto_pad), and the fixed size of the input is not a multiple of the grid"
LARGEST = 16_384  # pixels along an axis of a tile that a limit of memory may give
MARGIN = 1.5  # what a runtime may take beyond the estimate, where a limit has to be kept
_MOST_SIZES = 4
_LITTLE_WORK = 1.6  # times that of the picture as a whole
_LEAST_SIDE: Mapping[int, int] = {1: 4096, 2: 256, 3: 64}


class NoTilesError(Exception):
    """A model whose picture cannot be cut into tiles; the message says why."""


class TileSizeError(Exception):
    """A size of tile that the model cannot have; the message names one that it can."""


@dataclass(frozen=True, slots=True)
class TileRequest:
    """What the user gave: a limit of memory in bytes, and the size of a tile."""

    memory: int | None = None
    tile: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SizedModel:
    """A model at one size of the picture: what the analysis says, what every node reads, and what is alive at once."""

    analysis: Analysis
    links: tuple[Link, ...]
    sizes: tuple[int, ...]
    elements: int


def plan_tiles(
    model: Model, request: TileRequest, name: str, shapes: Shapes | None = None, limits: Limits = DEFAULT_LIMITS
) -> TilePlan:
    """Plan the tiles of a model, which reports call ``name``.

    Raises:
        NoTilesError: nothing in the model is a map of the picture.
        TileSizeError: the model cannot have the tile that was asked for.
        ModelFileError: functions recurse or expand beyond ``limits``.
    """
    start = analyse(model, shapes, limits)
    first = Links()
    followed(model, {value.name: start.shapes[value.name] for value in _inputs(model, start)}, first, limits)
    targets = find_targets(start, first.links)
    if not targets.maps:
        raise NoTilesError(_nothing(start))
    main = [lattice.source for lattice in targets.maps[0].lattices]
    axes = picture_axes(start, main)
    targets = on_axes(targets, axes)
    grid = tuple(_grid(targets.maps, index, start) for index in range(len(axes)))
    looks = _looks(model, start, axes, grid, limits)
    targets = on_axes(find_targets(looks[0].analysis, looks[0].links), axes)
    if not targets.maps:
        raise NoTilesError("at another size of the picture no output is a map of it")
    reached, blocked = _reached(targets.maps, axes, grid, looks)
    maps = tuple(_map(target, reached[target.tensor], looks[0].sizes) for target in targets.maps)
    planned = _axes(axes, grid, reached, maps, looks[0])
    missing = _missing(targets)
    # What is one answer for the whole picture has no tiles to choose from.
    sizes = () if targets.ends else _sizes(model, planned, looks, request)
    source = start.sources[main[0]]
    plan = TilePlan(
        model=name,
        input=source.input,
        axes=planned,
        maps=maps,
        obstacles=tuple(
            TileObstacle(obstacle.node, obstacle.reason) for _, obstacle in sorted((blocked | missing).items())
        ),
        separable=all(target.output for target in targets.maps) and not targets.ends,
        tiles=sizes,
        lines=(),
        notes=_notes(targets, axes, grid, looks[0].analysis),
        limit_bytes=request.memory,
    )
    return replace(plan, lines=() if targets.ends else tool_lines(plan))


def _inputs(model: Model, analysis: Analysis) -> list[ValueInfo]:
    return [
        value
        for value in model.graph.inputs
        if value.name not in model.graph.initializers and value.name in analysis.shapes
    ]


def _nothing(analysis: Analysis) -> str:
    if analysis.untracked:
        lost = analysis.untracked[0]
        return f"no output is a map of the picture: the analysis stops at {plain(lost.node.name)}: {lost.reason}"
    if not analysis.spatial:
        return "the model has no input with a spatial axis, so there is nothing to cut into tiles"
    return "no output is a map of the picture, so there are no tiles to put together"


def _grid(maps: Sequence[MapTarget], index: int, analysis: Analysis) -> int:
    """The smallest distance of corners at which all maps compute the same; a whole number of pixels."""
    grid = 1
    for target in maps:
        period = target.periods[index] if index < len(target.periods) else None
        period = period if period is not None else analysis.subsampling or Fraction(1)
        grid = lcm(grid, period.numerator)
    return grid


def _looks(
    model: Model, start: Analysis, axes: Sequence[PictureAxis], grid: Sequence[int], limits: Limits
) -> list[SizedModel]:
    """The model at one size of the picture, and at another where the file leaves the size open."""
    least = _LEAST_SIDE.get(len(axes), 256)
    looks = []
    for turn in range(2 if any(axis.open for axis in axes) else 1):
        sizes = tuple(
            (ceil(max(least, 8 * step) / step) + 3 * turn + position * turn) * step if axis.open else axis.size
            for position, (axis, step) in enumerate(zip(axes, grid, strict=True))
        )
        shapes = shapes_at(model, start, axes, sizes)
        links = Links()
        analysis = followed(model, shapes, links, limits)
        outputs: list[Key] = [("", value.name) for value in model.graph.outputs]
        inputs = [(("", name), prod(shape)) for name, shape in shapes.items()]
        looks.append(SizedModel(analysis, tuple(links.links), sizes, peak_elements(links.links, inputs, outputs)))
    return looks


def _reached(
    maps: Sequence[MapTarget], axes: Sequence[PictureAxis], grid: Sequence[int], looks: Sequence[SizedModel]
) -> tuple[dict[Key, list[AxisReach]], dict[int, Obstacle]]:
    """What every map reads along every axis on the local path, and the nodes that read more than a window."""
    look = looks[0]
    inputs: list[Key] = [("", source.input.raw) for source in look.analysis.sources]
    changing = differing(look.links, looks[1].links) if len(looks) > 1 else {}
    positions = {encoding.node.order: encoding for encoding in look.analysis.encodings}
    found: dict[Key, list[AxisReach]] = {}
    blocked: dict[int, Obstacle] = {}
    for target in maps:
        found[target.tensor] = []
        for axis, step, lattice in zip(axes, grid, target.lattices, strict=True):
            way = on_the_way(look.links, target.tensor, axis.sources)
            blocked |= obstacles(way, axis.sources)
            for link in way:
                order = link.node.order
                if link.by_size and not axis.open and axis.size % step:
                    blocked.setdefault(order, Obstacle(link.node, _OFF_THE_GRID))
                if order in changing:
                    blocked.setdefault(order, changing[order])
                encoding = positions.get(order)
                if encoding is not None and not axis.sources.isdisjoint(encoding.sources):
                    blocked.setdefault(
                        order, Obstacle(link.node, "adds or multiplies numbers that depend on the place")
                    )
            stride = abs(lattice.stride)
            try:
                own = reach(way, target.tensor, axis.sources, stride, Fraction(step), inputs)
            except ValueError as error:
                own = _guessed(lattice.receptive_field, axis.size, lattice.size, step)
                if not blocked:
                    blocked[way[0].node.order] = Obstacle(way[0].node, str(error))
            found[target.tensor].append(own)
    return found, blocked


def _guessed(field: Fraction, length: int, size: int, step: int) -> AxisReach:
    """A map whose outputs do not repeat: the receptive field of the analysis, to both sides alike."""
    stride = Fraction(max(round(Fraction(length, max(size, 1))), 1))
    half = Fraction(ceil((field - 1) / 2))
    count = max(int(Fraction(step) / stride), 1)
    parts = tuple(Part(stride * index - half, stride * index + half) for index in range(count))
    return AxisReach(stride, stride * count, parts)


def _map(target: MapTarget, reached: Sequence[AxisReach], sizes: Sequence[int]) -> TileMap:
    cropped = []
    for own, size, lattice in zip(reached, sizes, target.lattices, strict=True):
        longer = ceil(own.field / own.period) * own.period  # a tile with outputs that no cut spoils
        right = own.spoilt_right(int(size + longer), lattice.size + int(longer / own.stride))
        cropped.append((int(own.spoilt_left() / own.stride), int(right / own.stride)))
    return TileMap(
        tensor=ModelText(target.tensor[1]),
        output=target.output,
        axes=target.axes,
        stride=tuple(own.stride for own in reached),
        receptive_field=tuple(own.field for own in reached),
        reach=tuple((own.before, own.behind) for own in reached),
        cropped=tuple(cropped),
    )


def _axes(
    axes: Sequence[PictureAxis],
    grid: Sequence[int],
    reached: Mapping[Key, list[AxisReach]],
    maps: Sequence[TileMap],
    look: SizedModel,
) -> tuple[TileAxis, ...]:
    planned = []
    for index, (axis, step) in enumerate(zip(axes, grid, strict=True)):
        left = max(own.cropped[index][0] * own.stride[index] for own in maps)
        right = max(own.cropped[index][1] * own.stride[index] for own in maps)
        size = None if axis.open else axis.size
        planned.append(
            TileAxis(
                name=axis.name,
                size=size,
                grid=step,
                receptive_field=max(own[index].field for own in reached.values()),
                halo=(left, right),
                overlap=_overlap(left + right, step, look.sizes[index]),
            )
        )
    return tuple(planned)


def _overlap(spoilt: Fraction, grid: int, length: int) -> int:
    """The least overlap that leaves a step of whole multiples of the grid; also where the tile is too short for one."""
    rest = length % grid
    return ceil((ceil(spoilt) - rest) / grid) * grid + rest


def _missing(targets: TileTargets) -> dict[int, Obstacle]:
    """The nodes that end the grid of outputs which are no maps."""
    return {head.cause.order: Obstacle(head.cause, reason) for head, reason in targets.ends if head.cause is not None}


def _sizes(
    model: Model, axes: Sequence[TileAxis], looks: Sequence[SizedModel], request: TileRequest
) -> tuple[TileSize, ...]:
    weights, width = weight_bytes(model), element_bytes(model)

    def memory(size: Sequence[int]) -> int | None:
        area = prod(size)
        elements = Fraction(looks[0].elements)
        if len(looks) > 1:
            areas = [prod(look.sizes) for look in looks]
            slope = Fraction(looks[1].elements - looks[0].elements, areas[1] - areas[0])
            elements += slope * (area - areas[0])
        return weights + width * ceil(elements) if elements > 0 else None

    def sized(size: Sequence[int]) -> TileSize:
        step = tuple(length - axis.overlap for length, axis in zip(size, axes, strict=True))
        known = memory(size)
        fits = request.memory is None or known is None or known * MARGIN <= request.memory
        work = prod(length / each for length, each in zip(size, step, strict=True))
        return TileSize(tuple(size), tuple(axis.overlap for axis in axes), step, work, known, fits)

    if request.tile is not None:
        return _advised([sized(_asked(axes, request.tile))], request)
    if all(axis.size is not None for axis in axes):
        fixed = [axis.size or 0 for axis in axes]
        long = all(axis.overlap < length for axis, length in zip(axes, fixed, strict=True))
        return _advised([sized(fixed)] if long else [], request)
    sizes = [sized(size) for size in _usual(axes)]
    if request.memory is not None:
        fitting = [size for size in sizes if size.fits]
        largest = _largest(axes, lambda size: sized(size).fits)
        best = [sized(largest)] if largest is not None and all(largest != size.size for size in fitting) else []
        sizes = [*fitting, *best] or sizes[:1]
    return _advised(sorted(sizes, key=lambda size: -prod(size.size))[:_MOST_SIZES], request)


def _advised(sizes: Sequence[TileSize], request: TileRequest) -> tuple[TileSize, ...]:
    """The sizes, one of them advised: the largest within a limit of memory, else the smallest with little work."""
    fitting = [size for size in sizes if size.fits]
    cheap = [size for size in fitting if size.work <= _LITTLE_WORK]
    best = cheap[-1:] if cheap and request.memory is None else fitting[:1]
    return tuple(replace(size, advised=size in best) for size in sizes)


def _asked(axes: Sequence[TileAxis], tile: Sequence[int]) -> tuple[int, ...]:
    tile = tuple(tile) * len(axes) if len(tile) == 1 else tuple(tile)
    if len(tile) != len(axes):
        raise TileSizeError(f"--tile has {len(tile)} sizes, and the picture has {len(axes)} axes")
    for axis, length in zip(axes, tile, strict=True):
        if axis.size is not None and length != axis.size:
            raise TileSizeError(f"--tile: the model's input has a fixed {axis.name} of {axis.size}")
        if axis.size is None and length % axis.grid:
            near = max(round(length / axis.grid), 1) * axis.grid
            raise TileSizeError(f"--tile: the {axis.name} must be a multiple of the grid, {axis.grid}, such as {near}")
        if length <= axis.overlap:
            least = axis.overlap + axis.grid
            raise TileSizeError(
                f"--tile: the {axis.name} must be larger than the overlap, {axis.overlap}: from {least}"
            )
    return tile


def _usual(axes: Sequence[TileAxis]) -> list[tuple[int, ...]]:
    found = []
    usual = USUAL.get(len(axes), USUAL[2])
    least = max(axis.overlap for axis in axes)
    longest = usual[-1]
    while longest <= 2 * least:
        longest *= 2
        usual = (*usual, longest)
    for length in usual:
        size = tuple(axis.size if axis.size is not None else ceil(length / axis.grid) * axis.grid for axis in axes)
        if all(
            each >= 2 * axis.overlap or axis.size is not None for each, axis in zip(size, axes, strict=True)
        ) and all(each > axis.overlap for each, axis in zip(size, axes, strict=True)):
            found.append(size)
    return found[:_MOST_SIZES]


def _largest(axes: Sequence[TileAxis], fits: Callable[[tuple[int, ...]], bool]) -> tuple[int, ...] | None:
    """The largest square tile that fits, by bisection; None where not even the smallest does."""
    grid = lcm(*(axis.grid for axis in axes))

    def size(units: int) -> tuple[int, ...]:
        return tuple(axis.size if axis.size is not None else units * grid for axis in axes)

    low = max(axis.overlap for axis in axes) // grid + 1
    high = max(LARGEST // grid, low)
    if not fits(size(low)):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(size(middle)) else (low, middle - 1)
    return size(low)


def _few(targets: Sequence[MapTarget]) -> str:
    first = plain(targets[0].tensor[1], 60)
    return f"{first} and {len(targets) - 1} more" if len(targets) > 1 else first


def _notes(
    targets: TileTargets, axes: Sequence[PictureAxis], grid: Sequence[int], analysis: Analysis
) -> tuple[str, ...]:
    notes = []
    if analysis.paddings:
        node = plain(analysis.paddings[0].node.name)
        size = " x ".join(map(str, grid))
        notes.append(
            f"the padding at {node} depends on the size (auto_pad): pad pictures to multiples of {size}, and cut tiles"
            " of such sizes only"
        )
    elif max(grid) > 1:
        size = " x ".join(map(str, grid))
        notes.append(f"the last tile must begin at a multiple of {size}, too: pad pictures to such sizes")
    if not all(axis.open for axis in axes):
        notes.append("the model's input has a fixed size, so tiles have that size; to change it, export it again")
    off = [axis.name for axis, step in zip(axes, grid, strict=True) if not axis.open and axis.size % step]
    if off:
        notes.append(
            f"the fixed {' and '.join(off)} is not a multiple of the grid: a model exported for the whole picture"
            " must pad in front as this one does"
        )
    if targets.others:
        notes.append(f"outputs on other axes than those of {axes[0].name} are not planned: {_few(targets.others)}")
    if targets.listing:
        first, more = plain(targets.listing[0].output), len(targets.listing) - 1
        name = f"{first} and {count_text(more, 'more output')}" if more else first
        notes.append(
            f"{name}: not a map but a list of what is found in maps; add the corner of the tile to its positions, and"
            " merge what two tiles find"
        )
    return tuple(notes)
