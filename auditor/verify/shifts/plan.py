"""Which shifted inputs are run for an image, and which of them are compared.

Every integer shift is a window cut from a canvas (see :mod:`auditor.verify.shifts.protocols`), so a plan is plain
integers and windows can be cut on the host or on a device. Two windows are equal exactly if their four integers are
equal; each is run once, however many comparisons use it.

Draws depend on (seed, image) only: not on the model, the batch size or the other images. So two models get the same
shifts for the same image, and the images stay independent units for the statistics (the published evaluation code of
Zhang 2019 draws one offset per batch, which ties the images of a batch together).

Sources: R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019 (random pairs, diagonal test);
A. Azulay and Y. Weiss, "Why do deep convolutional networks generalize so poorly to small image transformations?",
JMLR 2019 (one-pixel neighbours, systematic one-pixel paths); L. Engstrom et al., "Exploring the landscape of spatial
robustness", ICML 2019 (worst case over an exhaustive grid).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from auditor.pipeline.placement import Placement
from auditor.text import ModelText
from auditor.verify.arrays import FloatArray, IntArray

DEFAULT_RADIUS = 32
DEFAULT_DISTANCES = (1, 2, 4, 8, 16, 31)
DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


class Window(NamedTuple):
    """One network input: the window of canvas ``variant`` of image ``image`` with top-left corner (``y``, ``x``)."""

    image: int
    y: int
    x: int
    variant: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """The window positions of a canvas: 0..``height`` and 0..``width``, both included.

    ``circular`` says that the canvas is one period of a periodic image: a position is then taken modulo
    (``height``, ``width``), and positions that differ by a period are the same window.
    """

    height: int
    width: int
    circular: bool = False

    def __post_init__(self) -> None:
        if self.height < int(self.circular) or self.width < int(self.circular):
            raise ValueError(f"a canvas has no window positions {self.height} x {self.width}")

    @property
    def centre(self) -> tuple[int, int]:
        """The position of the unshifted input."""
        return (0, 0) if self.circular else (self.height // 2, self.width // 2)

    def holds(self, y: int, x: int) -> bool:
        return self.circular or (0 <= y <= self.height and 0 <= x <= self.width)

    def normal(self, y: int, x: int) -> tuple[int, int]:
        """The one name of a position."""
        return (y % self.height, x % self.width) if self.circular else (y, x)


@dataclass(frozen=True, slots=True)
class ShiftSettings:
    """How many comparisons are made per image.

    ``radius``: offsets of the random pairs are drawn from 0..radius-1 on each axis, independently (Zhang: 32); for a
    circular protocol from -radius..radius-1 (Chaman and Dokmanic, "Truly shift-invariant CNNs", CVPR 2021).
    ``pairs``: random pairs. ``neighbours``: pairs one pixel apart, in one of the eight directions.
    ``distances`` and ``per_distance``: pairs at a fixed largest-axis distance, for curves.
    ``path``: steps of one pixel along the diagonal through the centre. ``exhaustive``: radius of the square of shifts
    about the centre that is run completely, 0 for none.
    """

    radius: int = DEFAULT_RADIUS
    pairs: int = 8
    neighbours: int = 4
    distances: tuple[int, ...] = DEFAULT_DISTANCES
    per_distance: int = 2
    path: int = 0
    exhaustive: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.pairs, self.neighbours, self.per_distance, self.path, self.exhaustive)
        if min(counts) < 0 or self.radius < 1 or any(distance < 1 for distance in self.distances):
            raise ValueError("numbers of shifts must not be negative, the radius and the distances at least 1")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Comparisons of one image: ``reference`` (P,) and ``moved`` (P,) are indices into :attr:`ShiftPlan.windows`.

    ``shift`` (P, 2) is the displacement (dy, dx) of the moved window against the reference in input pixels: the moved
    input shows at p what the reference shows at p + shift, so the content moves by -shift.
    """

    reference: IntArray
    moved: IntArray
    shift: FloatArray

    def __len__(self) -> int:
        return len(self.reference)

    @property
    def distance(self) -> FloatArray:
        """(P,) the larger of the two axes' displacements, in pixels."""
        return np.abs(self.shift).max(axis=1) if len(self) else np.zeros(0)


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """Everything to run and compare for one statistical unit (an image; a sequence of frames).

    ``windows`` are distinct; ``windows[0]`` is the unshifted input. ``path`` (T,) lists windows in the order of a walk
    with steps of one pixel (or one frame). ``exhaustive`` compares the unshifted input with every shift of a square.
    ``requested`` counts the inputs that a loop without reuse of equal windows would have run.
    """

    windows: tuple[Window, ...]
    pairs: Pairs
    neighbours: Pairs
    distances: Pairs
    path: IntArray
    exhaustive: Pairs
    requested: int

    @property
    def walk(self) -> IntArray:
        """The path where its steps are shifts; empty where they are frames, between which contents move as well."""
        return self.path if len({window.image for window in self.windows}) == 1 else self.path[:0]


class PlanBuilder:
    """Collects comparisons and gives every distinct window one index, in order of first use."""

    def __init__(self, base: Window) -> None:
        self._index: dict[Window, int] = {base: 0}
        self._requested = 1

    def add(self, window: Window) -> int:
        """The index of a window, new or known."""
        self._requested += 1
        return self._index.setdefault(window, len(self._index))

    def pairs(self, rows: Iterable[tuple[Window, Window, tuple[float, float]]]) -> Pairs:
        """Comparisons (reference, moved, (dy, dx)) in order."""
        reference: list[int] = []
        moved: list[int] = []
        shift: list[tuple[float, float]] = []
        for left, right, step in rows:
            reference.append(self.add(left))
            moved.append(self.add(right))
            shift.append(step)
        return Pairs(_integers(reference), _integers(moved), np.array(shift, dtype=np.float64).reshape(-1, 2))

    def path(self, windows: Iterable[Window]) -> IntArray:
        return _integers([self.add(window) for window in windows])

    def build(self, pairs: Pairs, neighbours: Pairs, distances: Pairs, path: IntArray, exhaustive: Pairs) -> ShiftPlan:
        return ShiftPlan(tuple(self._index), pairs, neighbours, distances, path, exhaustive, self._requested)


def no_pairs() -> Pairs:
    """Comparisons of a kind that was not asked for."""
    return Pairs(_integers([]), _integers([]), np.zeros((0, 2)))


def generator(seed: int, image: int, purpose: int) -> np.random.Generator:
    """The random numbers of one image for one purpose; adding a purpose leaves the draws of the others as they are."""
    return np.random.default_rng(np.random.SeedSequence(entropy=(seed, image, purpose)))


def plan_shifts(image: int, positions: Range, settings: ShiftSettings) -> ShiftPlan:
    """The plan of one image for a protocol whose shifts are whole pixels.

    Raises ValueError where the canvas is too small for the radius, a distance, the path or the exhaustive square.
    """
    _check_room(positions, settings)
    centre = positions.centre
    builder = PlanBuilder(Window(image, *positions.normal(*centre)))

    def window(y: int, x: int) -> Window:
        return Window(image, *positions.normal(y, x))

    def between(start: tuple[int, int], end: tuple[int, int]) -> tuple[Window, Window, tuple[float, float]]:
        return window(*start), window(*end), (float(end[0] - start[0]), float(end[1] - start[1]))

    offsets = random_offsets(image, 2 * settings.pairs, positions, settings)
    pairs = builder.pairs(between(offsets[2 * i], offsets[2 * i + 1]) for i in range(settings.pairs))
    neighbours = builder.pairs(between(*ends) for ends in _neighbours(image, positions, settings))
    distances = builder.pairs(between(*ends) for ends in _at_distances(image, positions, settings))
    path = builder.path(window(*position) for position in _diagonal(positions, settings.path))
    reach = range(-settings.exhaustive, settings.exhaustive + 1)
    square = [(dy, dx) for dy in reach for dx in reach if (dy, dx) != (0, 0)]
    exhaustive = builder.pairs(between(centre, (centre[0] + dy, centre[1] + dx)) for dy, dx in square)
    return builder.build(pairs, neighbours, distances, path, exhaustive)


def plan_frames(frames: Iterable[int], window: tuple[int, int] = (0, 0)) -> ShiftPlan:
    """The plan of one sequence: adjacent frames are compared and the whole sequence is a path.

    ``frames`` are image indices in the order of time, ``window`` the fixed corner that is cut from each. The published
    flip probability of video (Hendrycks and Dietterich, ICLR 2019) also compares adjacent frames.
    """
    corners = [Window(frame, *window) for frame in frames]
    if not corners:
        raise ValueError("a sequence needs at least one frame")
    builder = PlanBuilder(corners[0])
    pairs = builder.pairs((left, right, (0.0, 0.0)) for left, right in pairwise(corners))
    path = builder.path(corners)
    return builder.build(pairs, no_pairs(), no_pairs(), path, no_pairs())


def random_offsets(image: int, count: int, positions: Range, settings: ShiftSettings) -> list[tuple[int, int]]:
    """``count`` random window positions of one image, uniform and independent; two of them may coincide (Zhang)."""
    low = -settings.radius if positions.circular else 0
    drawn = generator(settings.seed, image, 0).integers(low, settings.radius, size=(count, 2))
    return [(int(y), int(x)) for y, x in drawn]


def _check_room(positions: Range, settings: ShiftSettings) -> None:
    if positions.circular:
        return
    room = min(positions.height, positions.width)
    needs = (
        ("the radius", settings.radius - 1 if settings.pairs else 0),
        ("one-pixel neighbours", 1 if settings.neighbours else 0),
        ("the largest distance", max(settings.distances, default=0) if settings.per_distance else 0),
        ("the path", settings.path),
        ("the exhaustive radius", 2 * settings.exhaustive),
    )
    for what, need in needs:
        if need > room:
            raise ValueError(f"{what} needs {need} px around the window, the canvas leaves {room}: use larger images")


def _neighbours(
    image: int, positions: Range, settings: ShiftSettings
) -> Iterable[tuple[tuple[int, int], tuple[int, int]]]:
    draw = generator(settings.seed, image, 1)
    for _ in range(settings.neighbours):
        yield _pair_at(draw, positions, DIRECTIONS[int(draw.integers(len(DIRECTIONS)))])


def _at_distances(
    image: int, positions: Range, settings: ShiftSettings
) -> Iterable[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs whose larger displacement is the distance: one axis moves by it, the other by a uniform smaller amount."""
    for distance in settings.distances:
        draw = generator(settings.seed, image, 1 + distance)
        for _ in range(settings.per_distance):
            along = int(draw.choice((-distance, distance)))
            across = int(draw.integers(-distance, distance + 1))
            step = (along, across) if draw.integers(2) else (across, along)
            yield _pair_at(draw, positions, step)


def _pair_at(
    draw: np.random.Generator, positions: Range, step: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """A uniform start such that start and start + step both lie on the canvas."""
    start: list[int] = []
    for size, move in zip((positions.height, positions.width), step, strict=True):
        if positions.circular:
            start.append(int(draw.integers(size)))
        else:
            start.append(int(draw.integers(max(0, -move), size - max(0, move) + 1)))
    return (start[0], start[1]), (start[0] + step[0], start[1] + step[1])


def _diagonal(positions: Range, steps: int) -> list[tuple[int, int]]:
    if steps == 0:
        return []
    y, x = positions.centre if positions.circular else ((positions.height - steps) // 2, (positions.width - steps) // 2)
    return [(y + step, x + step) for step in range(steps + 1)]


def _integers(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Unit:
    """One statistical unit: an image, or a sequence of frames. ``digest`` is that of its pixels.

    ``placements`` has one per window of the plan: the way of points of the model's input to pixels of the picture.
    It is empty where windows are no parts of the picture as it is (circular and embedded pictures). ``native``: the
    shifts of the plan count pixels of the picture; without it, those of the model.
    """

    name: ModelText
    label: int | None
    plan: ShiftPlan
    digest: bytes = b""
    placements: tuple[Placement, ...] = ()
    native: bool = False
