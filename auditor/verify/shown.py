"""Pictures for a page: the inputs of the images whose answers changed most, made small.

It runs after all rows are there, reads those few pictures once more and runs no model. The tensors that the model saw
are turned back into pictures, so that a thumbnail is what was measured, whatever the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from auditor.verify.example import Jpeg, ShownImage
from auditor.verify.images.preprocess import ImageLayout, to_levels
from auditor.verify.images.small_jpeg import small_jpeg
from auditor.verify.images.source import ImageSource
from auditor.verify.merge import RowTable
from auditor.verify.pilot import RunPlan
from auditor.verify.result import ImageResult, OutputResult
from auditor.verify.setup import Setup
from auditor.verify.shifts.feeder import Load
from auditor.verify.worker.windows import cut

MOST_CHANGES = 8  # images with two classes
MOST_BOXES = 3  # images with a box that moves
MOST_FIGURES = 3  # images with joints that move


def most_changed(images: Sequence[ImageResult]) -> tuple[int, ...]:
    """The places of the images to be shown, those whose scores change most first."""
    classes = [(-_class_gap(image), place) for place, image in enumerate(images) if image.class_change is not None]
    boxes = [(-_box_gap(image), place) for place, image in enumerate(images) if image.moving_box is not None]
    joints = [
        (-image.moving_joints.farthest[0], place)
        for place, image in enumerate(images)
        if image.moving_joints is not None
    ]
    chosen = [*sorted(classes)[:MOST_CHANGES], *sorted(boxes)[:MOST_BOXES], *sorted(joints)[:MOST_FIGURES]]
    return tuple(place for _, place in chosen)


def _class_gap(image: ImageResult) -> float:
    change = image.class_change
    if change is None:
        return 0.0
    before, after = change.before, change.after
    return before.score - after.other + after.score - before.other


def _box_gap(image: ImageResult) -> float:
    box = image.moving_box
    return 0.0 if box is None else box.highest.score - box.lowest.score


def shown_images(plan: RunPlan, source: ImageSource, table: RowTable, output: OutputResult) -> tuple[ShownImage, ...]:
    """Thumbnails of :func:`most_changed` of the images of a result; none without Pillow."""
    images = output.images
    chosen = most_changed(images)
    if not chosen or find_spec("PIL") is None:
        return ()
    places = range(len(images)) if output.listed is None else output.listed.places
    place_of = {table.used[places[place]].index: place for place in chosen}
    setup, made = plan.model.setup, dict[int, ShownImage]()
    for index, load in setup.units(source, frozenset(place_of)):
        if isinstance(load, Load):
            place = place_of[index]
            made[place] = _shown(setup, load, place, images[place])
        if len(made) == len(chosen):
            break
    return tuple(made[place] for place in chosen if place in made)


def _shown(setup: Setup, load: Load, place: int, image: ImageResult) -> ShownImage:
    change = image.class_change
    if change is None:
        return ShownImage(place, _thumbnail(setup, load, 0))
    ends = [_window_at(load, end.shift) for end in (change.before, change.after)]
    return ShownImage(place, *(_thumbnail(setup, load, window) for window in ends))


def _window_at(load: Load, shift: tuple[float, float]) -> int:
    """The index of the window that lies so far from the unshifted one."""
    windows = load.unit.plan.windows
    origin = windows[0]
    wanted = origin._replace(y=origin.y + round(shift[0]), x=origin.x + round(shift[1]))
    return windows.index(wanted)


def _thumbnail(setup: Setup, load: Load, window: int) -> Jpeg:
    channels_last = setup.image.layout is not ImageLayout.NCHW
    (tensor,) = cut(load.canvases, load.places[[window]], setup.image.size, channels_last)
    return small_jpeg(to_levels(tensor, setup.preprocessing))
