"""From pictures to what the worker needs: canvases, and the windows of each image's plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np

from auditor.text import ModelText
from auditor.verify.images.preprocess import Preprocessing, on_black, to_picture, to_tensor
from auditor.verify.images.source import Picture
from auditor.verify.result import ProtocolKind, Rejected
from auditor.verify.shifts.plan import ShiftPlan, ShiftSettings, Unit, plan_frames
from auditor.verify.shifts.protocols import Protocol
from auditor.verify.worker.arena import Array

# A longer sequence is measured in pieces of this length, so that memory stays bounded.
MAX_FRAMES = 64


@dataclass(frozen=True, slots=True)
class Load:
    """One unit ready to run: ``canvases`` (canvas, C, H, W) in the model's layout and ``places`` (windows, 3).

    ``digest`` is the SHA-256 of the pixels, ``extra`` the image's own further inputs of the model. ``enlarged`` is the
    largest factor by which a picture was enlarged, 1 where none was.
    """

    unit: Unit
    canvases: Array
    places: Array
    digest: bytes
    extra: Mapping[str, Array]
    enlarged: float = 1.0


def loads(
    pictures: Iterable[Picture | Rejected], protocol: Protocol, preprocessing: Preprocessing, shifts: ShiftSettings
) -> Iterator[Load | Rejected]:
    """Every unit in order, and what cannot be one with the reason.

    The shifts of an image depend on its place among all pictures, unusable ones included, so that they stay the same
    when another picture is repaired.
    """
    if protocol.kind is ProtocolKind.FRAMES:
        yield from _sequences(pictures, protocol, preprocessing)
        return
    for index, picture in enumerate(pictures):
        if isinstance(picture, Rejected):
            yield picture
            continue
        plan = protocol.plan(index, shifts)
        try:
            yield _load(picture.name, picture.label, [picture], plan, protocol, preprocessing)
        except ValueError as error:
            yield Rejected(picture.name, str(error))


def _sequences(
    pictures: Iterable[Picture | Rejected], protocol: Protocol, preprocessing: Preprocessing
) -> Iterator[Load | Rejected]:
    """Consecutive pictures of one folder are the frames of one sequence."""
    for group, members in groupby(pictures, key=lambda item: item.group.raw if isinstance(item, Picture) else None):
        part = 0
        while piece := list(islice(members, MAX_FRAMES)):
            frames = [item for item in piece if isinstance(item, Picture)]
            yield from (item for item in piece if isinstance(item, Rejected))
            if len(frames) == 1:
                yield Rejected(frames[0].name, "a sequence needs at least two frames in one folder")
            elif frames:
                name = ModelText(f"{group or 'sequence'}#{part}" if part else group or "sequence")
                yield _load(name, None, frames, plan_frames(range(len(frames))), protocol, preprocessing)
            part += 1


def _load(
    name: ModelText,
    label: int | None,
    pictures: list[Picture],
    plan: ShiftPlan,
    protocol: Protocol,
    preprocessing: Preprocessing,
) -> Load:
    digest = hashlib.sha256()
    images = sorted({window.image for window in plan.windows})
    position: dict[tuple[int, int], int] = {}
    canvases: list[Array] = []
    for image, picture in zip(images, pictures, strict=True):
        picture.digest_into(digest)
        pixels = picture.pixels
        if picture.transparent and preprocessing.channels != 4:
            pixels = on_black(pixels)
        prepared = to_picture(pixels, protocol.picture, preprocessing)
        for variant in sorted({window.variant for window in plan.windows if window.image == image}):
            position[image, variant] = len(canvases)
            canvases.append(to_tensor(protocol.canvas(prepared, variant), preprocessing))
    places = np.array([(position[one.image, one.variant], one.y, one.x) for one in plan.windows], np.int64)
    unit = Unit(name, label, plan, digest.digest())
    height, width = protocol.picture
    enlarged = max((max(height / one.pixels.shape[0], width / one.pixels.shape[1]) for one in pictures), default=1.0)
    return Load(unit, np.stack(canvases), places, unit.digest, pictures[0].extra, max(enlarged, 1.0))
