"""From pictures to what the worker needs: canvases, and the windows of each image's plan."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice

import numpy as np

from auditor.pipeline import native
from auditor.pipeline.placement import Placement
from auditor.text import ModelText
from auditor.verify.errors import DataError
from auditor.verify.images.picture_file import FileReader
from auditor.verify.images.preprocess import ChannelOrder, Preprocessing, in_channels, on_black, to_picture, to_tensor
from auditor.verify.images.source import Picture
from auditor.verify.perturbation import PerturbationKind
from auditor.verify.result import ProtocolKind, Rejected
from auditor.verify.shifts.perturbing import half_pixel, perturbed
from auditor.verify.shifts.plan import ShiftPlan, ShiftSettings, Unit, Window, plan_frames
from auditor.verify.shifts.protocols import Protocol
from auditor.verify.worker.arena import Array

# A longer sequence is measured in pieces of this length, so that memory stays bounded.
MAX_FRAMES = 64
# Arithmetic on large arrays runs beside other Python code; more threads only wait for memory.
_THREADS = 4
_MOST_BYTES = 2 << 30  # of the native windows of one image, which are all in memory at once
_UNMOVED = Window(0, 0, 0)
_ON_THE_PICTURE = (ProtocolKind.CROP, ProtocolKind.FRAMES)


@dataclass(frozen=True, slots=True)
class PerturbedUnit:
    """A unit whose plan compares windows with those of the perturbed picture, and their places among all windows."""

    unit: Unit
    windows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """One unit ready to run: ``canvases`` (canvas, C, H, W) in the model's layout and ``places`` (windows, 3).

    ``digest`` is the SHA-256 of the pixels, ``extra`` the image's own further inputs of the model. ``enlarged`` is the
    largest factor by which a picture was enlarged, 1 where none was. ``notes`` are those of its pictures.
    ``beside`` is the same unit as a reference model reads it, None where that is this one. ``perturbed`` has one for
    each perturbation of the protocol.
    """

    unit: Unit
    canvases: Array
    places: Array
    digest: bytes
    extra: Mapping[str, Array]
    enlarged: float = 1.0
    notes: tuple[str, ...] = ()
    beside: Load | None = None
    perturbed: tuple[PerturbedUnit, ...] = ()

    @property
    def requested(self) -> int:
        """How many inputs a loop without reuse of equal windows would run for the shifts and the perturbations."""
        return self.unit.plan.requested + self.requested_beside

    @property
    def requested_beside(self) -> int:
        """The part of them that is for the perturbations."""
        return sum(2 * len(one.unit.plan.pairs) for one in self.perturbed)


@dataclass(frozen=True, slots=True)
class WindowMaker:
    """How the windows of a model are made: where they lie, and how they become its input."""

    protocol: Protocol
    preprocessing: Preprocessing


Numbered = tuple[int, Load | Rejected]
"""A unit with its place among all pictures of the source, unusable ones included; a sequence has its first frame's."""


def loads(
    pictures: Iterable[Picture | Rejected], protocol: Protocol, preprocessing: Preprocessing, shifts: ShiftSettings
) -> Iterator[Load | Rejected]:
    """Every unit in order, and what cannot be one with the reason."""
    return (unit for _, unit in numbered(enumerate(pictures), protocol, preprocessing, shifts))


def numbered(
    pictures: Iterable[tuple[int, Picture | Rejected]],
    protocol: Protocol,
    preprocessing: Preprocessing,
    shifts: ShiftSettings,
    wanted: Container[int] | None = None,
    beside: WindowMaker | None = None,
) -> Iterator[Numbered]:
    """As :func:`loads`, each unit with its place; of the ``wanted`` places only where they are given.

    ``beside`` is how a reference model reads the same windows, where that is in another way.

    Frames need the pictures of all places beside ``wanted``: only they tell where a sequence begins.

    The shifts of an image depend on its place among all pictures, unusable ones included, so that they stay the same
    when another picture is repaired.
    """
    fronts = [WindowMaker(protocol, preprocessing), *([] if beside is None else [beside])]
    if protocol.kind is ProtocolKind.FRAMES:
        yield from _sequences(pictures, fronts, wanted)
        return
    with ThreadPoolExecutor(_THREADS) as threads:
        for index, picture in pictures:
            if wanted is not None and index not in wanted:
                continue
            if isinstance(picture, Rejected):
                yield index, picture
                continue
            plan = protocol.plan(index, shifts)
            try:
                if protocol.native:
                    yield index, _joined([_load_native(picture, plan, front, threads) for front in fronts])
                else:
                    label, name = picture.label, picture.name
                    yield index, _joined([_load(name, label, [picture], plan, front) for front in fronts])
            except ValueError as error:
                yield index, Rejected(picture.name, str(error))
            except ImportError as error:
                raise DataError("this resize is Pillow's own: install aliasaudit[images]") from error


def _joined(loads: list[Load]) -> Load:
    """The unit of the model under test, with that of the reference where there is one of its own."""
    return loads[0] if len(loads) == 1 else replace(loads[0], beside=loads[1])


def _sequences(
    pictures: Iterable[tuple[int, Picture | Rejected]],
    fronts: list[WindowMaker],
    wanted: Container[int] | None,
) -> Iterator[Numbered]:
    """Consecutive pictures of one folder are the frames of one sequence."""

    def group_of(item: tuple[int, Picture | Rejected]) -> str | None:
        return item[1].group.raw if isinstance(item[1], Picture) else None

    for group, members in groupby(pictures, key=group_of):
        part = 0
        while piece := list(islice(members, MAX_FRAMES)):
            first = piece[0][0]
            frames = [item for _, item in piece if isinstance(item, Picture)]
            yield from (
                (index, item)
                for index, item in piece
                if isinstance(item, Rejected) and (wanted is None or index in wanted)
            )
            if frames and (wanted is None or first in wanted):
                name = ModelText(f"{group or 'sequence'}#{part}" if part else group or "sequence")
                yield first, _sequence(name, frames, fronts)
            part += 1


def _sequence(name: ModelText, frames: list[Picture], fronts: list[WindowMaker]) -> Load | Rejected:
    if len(frames) == 1:
        return Rejected(frames[0].name, "a sequence needs at least two frames in one folder")
    try:
        return _joined([_load(name, None, frames, plan_frames(range(len(frames))), front) for front in fronts])
    except ValueError as error:
        return Rejected(name, str(error))


def _load(
    name: ModelText,
    label: int | None,
    pictures: list[Picture],
    plan: ShiftPlan,
    front: WindowMaker,
) -> Load:
    protocol, preprocessing = front.protocol, front.preprocessing
    digest = hashlib.sha256()
    beside = protocol.beside(plan)
    windows = _all_windows(plan, beside)
    images = sorted({window.image for window in windows})
    position: dict[tuple[int, int], int] = {}
    canvases: list[Array] = []
    placed: dict[int, Placement] = {}
    room = protocol.room
    size = protocol.picture[0] - room, protocol.picture[1] - room
    for image, picture in zip(images, pictures, strict=True):
        picture.digest_into(digest)
        pixels = _opaque(picture, preprocessing)
        prepared, placed[image] = to_picture(pixels, size, preprocessing, room)
        for variant in sorted({window.variant for window in windows if window.image == image}):
            position[image, variant] = len(canvases)
            levels = _perturbed(pixels, prepared, placed[image], front, (image, variant))
            canvases.append(to_tensor(protocol.canvas(levels, variant), preprocessing))
    places = np.array([(position[one.image, one.variant], one.y, one.x) for one in windows], np.int64)
    placements = (
        tuple(_cut(placed[window.image], window, protocol) for window in windows)
        if protocol.kind in _ON_THE_PICTURE
        else ()
    )
    unit = Unit(name, label, plan, digest.digest(), placements[: len(plan.windows)])
    notes = tuple(sorted({note for picture in pictures for note in picture.notes}))
    enlarged = max(max(placement.scale) for placement in placed.values())
    return Load(
        unit,
        np.stack(canvases),
        places,
        unit.digest,
        pictures[0].extra,
        max(enlarged, 1.0),
        notes,
        perturbed=_units_beside(unit, beside, windows, placements),
    )


def _all_windows(plan: ShiftPlan, beside: Sequence[ShiftPlan]) -> tuple[Window, ...]:
    """The windows of a plan, then the further ones of those beside it."""
    return tuple(dict.fromkeys(chain(plan.windows, *(one.windows for one in beside))))


def _units_beside(
    unit: Unit, beside: Sequence[ShiftPlan], windows: Sequence[Window], placements: Sequence[Placement]
) -> tuple[PerturbedUnit, ...]:
    place = {window: index for index, window in enumerate(windows)}
    units = []
    for plan in beside:
        indices = tuple(place[window] for window in plan.windows)
        placed = tuple(placements[index] for index in indices) if placements else ()
        units.append(PerturbedUnit(replace(unit, plan=plan, placements=placed), indices))
    return tuple(units)


def _perturbed(pixels: Array, prepared: Array, placement: Placement, front: WindowMaker, of: tuple[int, int]) -> Array:
    """The picture ``of`` an (image, variant), perturbed where the variant is: before the resize or behind it."""
    protocol, preprocessing = front.protocol, front.preprocessing
    found = protocol.perturbation_of(of[1])
    if found is None:
        return prepared
    perturbation, moved = found
    room = protocol.room
    if not perturbation.moves_half:
        red_first = preprocessing.channels < 3 or preprocessing.order is ChannelOrder.RGB
        turned = prepared if red_first else prepared[..., [2, 1, 0, 3][: preprocessing.channels]]
        levels = perturbed(turned, perturbation, (protocol.seed, of[0]), (room, room), moved)
        return levels if red_first else levels[..., [2, 1, 0, 3][: preprocessing.channels]]
    step = perturbation.amount
    if protocol.positions.circular or perturbation.kind is PerturbationKind.HALF_PIXEL_RESIZED:
        return half_pixel(prepared, (step, step), circular=protocol.positions.circular)
    # As many pixels of the picture as are half a pixel of the model, so that both are resized alike.
    down, right = placement.scale
    there = half_pixel(in_channels(pixels, preprocessing), (step / down, step / right))
    size = protocol.picture[0] - room, protocol.picture[1] - room
    return to_picture(there, size, preprocessing, room)[0]


def still(picture: Picture, size: tuple[int, int], preprocessing: Preprocessing) -> tuple[Load, Array]:
    """The picture as the deployed pipeline gives it to the model, and its levels (H, W, C) before they are normalised.

    Raises ValueError where the picture does not fit.
    """
    digest = hashlib.sha256()
    picture.digest_into(digest)
    levels, placement = to_picture(_opaque(picture, preprocessing), size, preprocessing)
    unit = Unit(picture.name, None, plan_frames(range(1)), digest.digest(), (placement,))
    places = np.zeros((1, 3), np.int64)
    tensor = to_tensor(levels, preprocessing)
    return Load(unit, tensor[None], places, unit.digest, picture.extra, notes=picture.notes), levels


def _load_native(picture: Picture, plan: ShiftPlan, front: WindowMaker, threads: Executor) -> Load:
    """Every window cut from the picture as it is, then resized by itself: each is a canvas of its own."""
    protocol, preprocessing = front.protocol, front.preprocessing
    digest = hashlib.sha256()
    picture.digest_into(digest)
    pixels = in_channels(_opaque(picture, preprocessing), preprocessing)
    beside = protocol.beside(plan)
    windows = _all_windows(plan, beside)
    variants = sorted({window.variant for window in windows})
    sources = {variant: _native_variant(pixels, protocol, (windows[0].image, variant)) for variant in variants}

    def prepared(window: Window) -> tuple[Array, Placement]:
        corner = window.y, window.x
        part = native.window(sources[window.variant], corner, (protocol.margin, protocol.margin))
        levels, placement = to_picture(part, protocol.outer, preprocessing)
        placement = replace(_cut(placement, _UNMOVED, protocol), origin=corner)
        return to_tensor(protocol.without_surround(levels), preprocessing), placement

    first, placement = prepared(windows[0])
    if first.nbytes * len(windows) > _MOST_BYTES:
        size = first.nbytes * len(windows) / (1 << 30)
        raise ValueError(f"{len(windows)} native windows take {size:.1f} GiB: use fewer shifts, or --shift-at model")
    canvases = np.empty((len(windows), *first.shape), first.dtype)
    canvases[0] = first
    placements = [placement]
    for index, (tensor, placement) in enumerate(threads.map(prepared, windows[1:]), start=1):
        canvases[index] = tensor
        placements.append(placement)
    places = np.zeros((len(windows), 3), np.int64)
    places[:, 0] = np.arange(len(windows))
    shown = tuple(placements[: len(plan.windows)])
    unit = Unit(picture.name, picture.label, plan, digest.digest(), shown, native=True)
    enlarged = max(*placement.scale, 1.0)
    units = _units_beside(unit, beside, windows, placements)
    return Load(unit, canvases, places, unit.digest, picture.extra, enlarged, picture.notes, perturbed=units)


def _native_variant(pixels: Array, protocol: Protocol, of: tuple[int, int]) -> Array:
    """The picture ``of`` an (image, variant) at its own resolution."""
    found = protocol.perturbation_of(of[1])
    if found is None:
        return pixels
    perturbation, moved = found
    if perturbation.moves_half:
        return half_pixel(pixels, (perturbation.amount, perturbation.amount))
    room = protocol.margin, protocol.margin
    return perturbed(pixels, perturbation, (protocol.seed, of[0]), room, moved)


def _opaque(picture: Picture, preprocessing: Preprocessing) -> Array:
    """The pixels for a model that reads no opacity: on black, or without it where the pipeline's reader drops it."""
    if not picture.transparent or preprocessing.channels == 4:
        return picture.pixels
    return on_black(picture.pixels) if preprocessing.reader is FileReader.OWN else picture.pixels[..., :3]


def _cut(placement: Placement, window: Window, protocol: Protocol) -> Placement:
    """Where the picture lies in a window of the canvas that it is placed on."""
    top, left = placement.top - window.y - protocol.surround, placement.left - window.x - protocol.surround
    # Of every window of every picture: `replace` would take three times as long.
    return Placement(placement.picture, placement.resized, protocol.window, top, left, placement.origin)
