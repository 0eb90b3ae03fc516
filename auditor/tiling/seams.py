"""Running tiles beside the whole picture, in a worker: what the seam is at each overlap.

One run of the tiles serves all overlaps. An overlap says how far from a cut a value is kept, so its greatest difference
is that of the values which lie at least so far from every cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import ceil

import numpy as np
from msgspec.structs import replace

from auditor.onnxfile.graph import Model
from auditor.text import ModelText, count_text
from auditor.tiling.result import SeamRow, Seams, TileMap, TilePlan
from auditor.verify.admission import admitted
from auditor.verify.arrays import AnyArray
from auditor.verify.errors import DataError, ModelRejectedError
from auditor.verify.images.inputs import ImageInput, image_input, other_feeds
from auditor.verify.images.preprocess import ImageLayout, Preprocessing, in_channels, on_black, to_tensor
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.observer import Observer, Silent
from auditor.verify.options import Request
from auditor.verify.result import Rejected
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import no_usable_image
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job, Opened, SessionSpec, Windows

LEAST_STEP = 64  # pixels between the tiles that are run
LARGEST_CANVAS = 1536  # pixels a side up to which the advised tile is run, and the smallest one beyond
MOST_OVERLAPS = 48
_SETTLED = "the size of the picture is part of the model: export it with an open height and width to measure seams"


@dataclass(frozen=True, slots=True)
class SeamRequest:
    """The pictures, how they are prepared, and the difference that does not matter.

    ``asked`` is what the first two were made from, None where they hold whatever the file of a model says.
    """

    source: ImageSource
    settings: VerifySettings
    tolerance: float
    asked: Request | None = None

    def for_file(self, metadata: Mapping[str, str]) -> SeamRequest:
        """The same as the file of a model says that its pictures are prepared, where nobody said otherwise."""
        told = None if self.asked is None else self.asked.for_file(metadata, sized=False)
        if told is None or told is self.asked:
            return self
        return dataclasses.replace(self, source=told.source(), settings=told.settings, asked=told)


def measure_seams(model: Model, plan: TilePlan, request: SeamRequest, observer: Observer | None = None) -> TilePlan:
    """The plan, with how far tiles differ from the whole picture.

    Pictures keep their resolution. The middle of each is taken, two tiles a side large; smaller pictures are continued
    by reflection.

    Raises:
        VerifyError: the model may not or cannot be run at another size, or no picture can be used.
    """
    if len(plan.axes) != 2:
        raise DataError(f"--verify runs pictures, and this model cuts {count_text(len(plan.axes), 'axis', 'axes')}")
    request = request.for_file(model.metadata)
    settings, observer = request.settings, observer or Silent()
    spec = admitted(model, settings, [target.tensor.raw for target in plan.maps])
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        bench = _open(worker, spec, model, plan, settings)
        tally = _Tally(bench, plan)
        observer.begin("pictures", request.source.count)
        refused = []
        for item in request.source:
            reason = item.reason if isinstance(item, Rejected) else tally.add(item)
            if reason:
                refused.append(reason)
            observer.advance()
    if not tally.pictures:
        raise no_usable_image(refused)
    notes = [*request.source.notes, *bench.opened.remarks, *filter(None, [settings.told])]
    if refused:
        notes.append(f"{count_text(len(refused), 'picture')} could not be used: {sorted(set(refused))[0]}")
    if settings.preset_assumed:
        notes.append("the preprocessing was assumed to be that of imagenet: choose it with --preset")
    return replace(plan, seams=tally.finish(request.tolerance, tuple(notes)))


@dataclass(frozen=True, slots=True)
class _TileBench:
    """A model that is ready. ``tile`` and ``canvas`` are (height, width); ``freed``: the file fixes other sizes."""

    worker: Worker
    opened: Opened
    image: ImageInput
    preprocessing: Preprocessing
    feeds: Mapping[str, float]
    tile: tuple[int, int]
    canvas: tuple[int, int]
    freed: bool

    def run(
        self,
        tensor: AnyArray,
        corner: tuple[int, int],
        size: tuple[int, int],
        extra: Mapping[str, AnyArray],
        maps: Sequence[TileMap],
    ) -> list[AnyArray]:
        """The maps for one window of a picture, with a batch axis of one."""
        image, rows = self.image, self.image.batch or 1
        feeds = other_feeds(self.opened.inputs, image, self.feeds, extra, rows)
        places = np.array([(0, *corner)], np.int64)
        windows = Windows(image.name, tensor[None], places, size, image.layout is not ImageLayout.NCHW)
        names = tuple(target.tensor.raw for target in maps)
        try:
            answer = self.worker.run(Job(self.opened.key, windows, names, rows, image.batch is not None, feeds))
        except ModelRejectedError as error:
            if self.freed:
                raise ModelRejectedError(_SETTLED, error.detail.raw) from error
            raise
        (call,) = answer.calls
        return [np.array(call.outputs[name]) for name in names]


def _open(worker: Worker, spec: SessionSpec, model: Model, plan: TilePlan, settings: VerifySettings) -> _TileBench:
    tile, canvas = _sizes(plan)
    value = next(value for value in model.graph.inputs if value.name == plan.input.raw)
    image_axes = _spatial(value.dims or (), settings.layout)
    fixed = [axis for axis, own in zip(image_axes, plan.axes, strict=True) if own.size is not None]
    if fixed:
        spec = dataclasses.replace(spec, free_axes=tuple((plan.input.raw, axis) for axis in fixed))
    try:
        opened = worker.open(spec)
    except ModelRejectedError as error:
        if fixed:
            raise ModelRejectedError(_SETTLED, error.detail.raw) from error
        raise
    image = image_input(opened.inputs, settings.image_input or plan.input.raw, tile, settings.layout, settings.channels)
    preprocessing = image.fit(settings.preprocessing)
    return _TileBench(worker, opened, image, preprocessing, settings.feeds, tile, canvas, bool(fixed))


def _spatial(dims: Sequence[object], layout: ImageLayout | None) -> tuple[int, int]:
    """The axes of height and width of an input."""
    if layout is ImageLayout.NHWC or (
        layout is None and len(dims) == 4 and dims[3] in (1, 3, 4) and dims[1] not in (1, 3, 4)
    ):
        return 1, 2
    return (1, 2) if len(dims) == 3 else (2, 3)


def _sizes(plan: TilePlan) -> tuple[tuple[int, int], tuple[int, int]]:
    """The tile that is run, and a picture of two of them a side."""
    advised = plan.advised.size if plan.advised is not None else None
    tiles, canvases = [], []
    for index, axis in enumerate(plan.axes):
        overlap = ceil(Fraction(axis.overlap, axis.grid)) * axis.grid
        step = ceil(Fraction(max(LEAST_STEP, overlap // 4), axis.grid)) * axis.grid
        tile = overlap + step
        if advised is not None and advised[index] % axis.grid == 0 and 2 * advised[index] - overlap <= LARGEST_CANVAS:
            tile = max(advised[index], tile)
        tiles.append(tile)
        canvases.append(2 * tile - overlap)
    return (tiles[0], tiles[1]), (canvases[0], canvases[1])


@dataclass(slots=True)
class _Tally:
    """The greatest difference per overlap over all pictures."""

    bench: _TileBench
    plan: TilePlan
    pictures: int = 0
    mirrored: int = 0
    compared: int = 0
    worst: dict[tuple[tuple[int, ...], int], tuple[float, ModelText]] = field(default_factory=dict)
    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)

    def add(self, picture: Picture) -> str:
        """Run one picture; returns why it cannot be used, empty where it was."""
        bench = self.bench
        try:
            opaque = picture.transparent and bench.preprocessing.channels != 4
            pixels = in_channels(on_black(picture.pixels) if opaque else picture.pixels, bench.preprocessing)
        except ValueError as error:
            return str(error)
        canvas, mirrored = _middle(pixels, bench.canvas)
        tensor = to_tensor(canvas, bench.preprocessing)
        whole = bench.run(tensor, (0, 0), bench.canvas, picture.extra, self.plan.maps)
        corners = [(0, length - own) for length, own in zip(bench.canvas, bench.tile, strict=True)]
        for corner in product(*corners):
            tiled = bench.run(tensor, (corner[0], corner[1]), bench.tile, picture.extra, self.plan.maps)
            for number, (one, part) in enumerate(zip(whole, tiled, strict=True)):
                self._compare(number, one, part, corner, picture.name)
        self.pictures += 1
        self.mirrored += mirrored
        return ""

    def _compare(self, number: int, whole: AnyArray, tile: AnyArray, corner: Sequence[int], name: ModelText) -> None:
        target, bench = self.plan.maps[number], self.bench
        error = _difference(target, whole, tile, corner, bench)
        low, high = self.ranges.get(number, (np.inf, -np.inf))
        self.ranges[number] = (min(low, float(np.min(whole))), max(high, float(np.max(whole))))
        cuts = [
            (place > 0, place + own < length)
            for place, own, length in zip(corner, bench.tile, bench.canvas, strict=True)
        ]
        for turn, overlap in enumerate(self.overlaps()):
            kept = []
            for index, (axis, (first, last)) in enumerate(zip(self.plan.axes, cuts, strict=True)):
                left, right = _cropped(target, index, overlap[index], axis.overlap)
                start = left if first else 0
                stop = int(bench.tile[index] / target.stride[index]) - right if last else error.shape[index]
                if stop > error.shape[index]:
                    return  # outputs that this overlap needs are not there
                kept.append(slice(start, max(stop, start)))
            values = error[kept[0], kept[1]]
            if values.size:
                most = float(values.max())
                key = (overlap, number)
                if key not in self.worst or most > self.worst[key][0]:
                    self.worst[key] = (most, name)
                self.compared += values.size if turn == 0 else 0

    def overlaps(self) -> list[tuple[int, ...]]:
        """The overlaps that are looked at, the advised one first, down to none."""
        advised = tuple(ceil(Fraction(axis.overlap, axis.grid)) * axis.grid for axis in self.plan.axes)
        steps = max(own // axis.grid for own, axis in zip(advised, self.plan.axes, strict=True))
        count = max(min(steps, MOST_OVERLAPS), 1)
        found = [
            tuple(
                ceil(Fraction(own * (count - turn), count * axis.grid)) * axis.grid
                for own, axis in zip(advised, self.plan.axes, strict=True)
            )
            for turn in range(count + 1)
        ]
        half = self.half()
        return list(dict.fromkeys([advised, *sorted({*found, half}, reverse=True)]))

    def half(self) -> tuple[int, ...]:
        """Half of the advised overlap, on the grid."""
        return tuple(ceil(Fraction(axis.overlap, 2 * axis.grid)) * axis.grid for axis in self.plan.axes)

    def finish(self, tolerance: float, notes: tuple[str, ...]) -> Seams:
        """What was found."""
        overlaps = self.overlaps()
        sufficient = None
        for overlap in overlaps:
            difference = self._row(overlap).difference
            if difference is None or not difference <= tolerance:
                break
            sufficient = overlap
        shown = dict.fromkeys([overlaps[0], self.half(), *([sufficient] if sufficient else []), overlaps[-1]])
        rows = [self._row(overlap) for overlap in shown]
        return Seams(
            rows=tuple(rows[:2] + sorted(rows[2:], key=lambda row: row.overlap, reverse=True)),
            sufficient=sufficient,
            tolerance=tolerance,
            pictures=self.pictures,
            canvas=self.bench.canvas,
            tile=self.bench.tile,
            mirrored=self.mirrored,
            compared=self.compared,
            provider=self.bench.opened.provider.used,
            notes=notes,
        )

    def _row(self, overlap: tuple[int, ...]) -> SeamRow:
        """The map that differs most, as a share of its own range."""
        found = []
        for number, (low, high) in self.ranges.items():
            if (overlap, number) in self.worst:
                absolute, name = self.worst[overlap, number]
                found.append((absolute / ((high - low) or 1.0), absolute, name))
        if not found:
            return SeamRow(overlap, None, None, None)
        difference, absolute, name = max(found, key=lambda one: one[0])
        return SeamRow(overlap, difference, absolute, name)


def _middle(pixels: AnyArray, size: tuple[int, int]) -> tuple[AnyArray, bool]:
    """The middle of a picture (h, w, C) at this size, continued by reflection where it is smaller."""
    mirrored = any(have < want for have, want in zip(pixels.shape, size, strict=False))
    for axis, want in enumerate(size):
        have = pixels.shape[axis]
        if have >= want:
            start = (have - want) // 2
            pixels = pixels.take(range(start, start + want), axis=axis)
            continue
        turn = [*range(have), *range(have - 2, 0, -1)] or [0]
        start = (want - have) // 2
        pixels = pixels.take([turn[(index - start) % len(turn)] for index in range(want)], axis=axis)
    return pixels, mirrored


def _cropped(target: TileMap, index: int, overlap: int, advised: int) -> tuple[int, int]:
    """How many values of a map are dropped at a cut on the left and on the right, for an overlap."""
    left, right = target.cropped[index]
    total = int(overlap / target.stride[index])
    if overlap >= advised or not left + right:
        return left, max(total - left, right)
    first = total * left // (left + right)
    return first, total - first


def _difference(target: TileMap, whole: AnyArray, tile: AnyArray, corner: Sequence[int], bench: _TileBench) -> AnyArray:
    """The greatest difference per position, over batch and channels."""
    axes = target.axes
    place = [slice(None)] * whole.ndim
    for axis, start, stride, length, own in zip(axes, corner, target.stride, bench.canvas, bench.tile, strict=True):
        first, count = int(start / stride), tile.shape[axis]
        if whole.shape[axis] - count != int((length - own) / stride):
            raise DataError(f"{_SETTLED}; a map keeps its size when the picture grows", target.tensor.raw)
        place[axis] = slice(first, first + count)
    error = np.abs(np.asarray(tile, np.float64) - np.asarray(whole, np.float64)[tuple(place)])
    others = tuple(axis for axis in range(error.ndim) if axis not in axes)
    worst: AnyArray = np.nan_to_num(error.max(axis=others), nan=np.inf)
    return worst
