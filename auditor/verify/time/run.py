"""Measuring a clip: the model runs once per frame, and on a sample of frames that are moved.

Two frames are held at a time, and of a pair of frames a few numbers are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from auditor.verify.arrays import AnyArray, BoolArray, FloatArray
from auditor.verify.errors import DataError
from auditor.verify.images.source import ImageSource, Picture, spread
from auditor.verify.measures.dense import Dense
from auditor.verify.measures.task import UnusableOutputError
from auditor.verify.observer import Observer
from auditor.verify.pilot import RunPlan
from auditor.verify.shifts.feeder import Load, still
from auditor.verify.time.changes import (
    PairChanges,
    Thing,
    at_positions,
    effects,
    mask_change,
    mask_product,
    measures,
    residuals,
)
from auditor.verify.time.explained import Energies, explained
from auditor.verify.time.followed import Followed, Follower, follower
from auditor.verify.time.motion import STILL, Motion, motion
from auditor.verify.time.moved import moved
from auditor.verify.time.result import TimeResult
from auditor.verify.time.static import is_static, static_blocks
from auditor.verify.time.thresholds import Hysteresis, hysteresis
from auditor.verify.worker.client import DEPTH, Worker

SAMPLED_PAIRS = 48
_SAMPLED_THINGS = 3
# Of the picture's side: a frame that moved further shows too little of what it showed.
_FURTHEST = 0.34
_LARGEST_PART = 256  # pixels of a side in which a motion is estimated
_SMALLEST_PART = 24
_ALIKE = 1e-3
_HARDLY = 0.05  # pixels


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame behind the pipeline: ``grey`` (h, w) is the part of the input that shows it, from ``corner`` (x, y)."""

    index: int
    grey: FloatArray
    corner: tuple[int, int]
    scale: tuple[float, float]
    answer: Any = None


def measure_time(
    worker: Worker, plan: RunPlan, source: ImageSource, grid: float | None, observer: Observer
) -> TimeResult:
    """Follow the answers over all frames of a clip. ``grid`` is the model's cumulative subsampling factor in pixels.

    Raises:
        DataError: a frame cannot be read or answered, or the answers of the task cannot be followed.
        VerifyError: as :func:`auditor.verify.runner.verify`.
    """
    clip = _Clip.of(worker, plan, source)
    observer.begin("frames", source.count)
    pairs: list[PairChanges] = []
    frames, last = 1, None
    held = hysteresis(plan.model.setup.target.task, plan.model.measures)
    for before, after in pairwise(_held(_advancing(clip.frames(), observer), held)):
        pairs.append(clip.compare(before, after))
        frames += 1
        last = after
    if grid is not None and grid > _FURTHEST * min(plan.model.setup.image.size):
        grid = None
    room = grid or 0.0
    told = [pair for pair in pairs if last is not None and any(_inside(thing, last, room) for thing in pair.things)]
    # Where nothing lies far enough inside, the pairs are only there to say so.
    told = told or [pair for pair in pairs if any(_usable(thing) for thing in pair.things)]
    sample = [told[place] for place in spread(len(told), SAMPLED_PAIRS)]
    observer.begin("moved frames", len(sample))
    rows = list(_advancing(clip.moved_pairs(sample, grid), observer))
    confidence = plan.settings.confidence
    kinds = {
        (of, at_rest) for pair in sample for thing in pair.things for of in thing.effects for at_rest in _groups(thing)
    }
    found = [
        explained(of, [row[of, at_rest] for row in rows if (of, at_rest) in row], grid, confidence, at_rest)
        for of in ("score", "position", "mask")
        for at_rest in (False, True)
        if (of, at_rest) in kinds
    ]
    lengths = [thing.motion.length for pair in pairs for thing in pair.things if thing.motion is not None]
    return TimeResult(
        frames=frames,
        tracked=sum(len(pair.things) for pair in pairs),
        motion=float(np.median(lengths)) if lengths else None,
        at_rest=float(np.mean([pair.at_rest for pair in pairs])) if pairs else float("nan"),
        measures=measures(pairs, confidence),
        explained=tuple(found),
        margin=None if held is None else held.margin(),
    )


def _inside(thing: Thing, frame: Frame, room: float) -> bool:
    """Whether a thing of known motion stays in the picture when it moves so far: what is cut changes by that alone."""
    region = thing.regions[0]
    if region is None or not _usable(thing):
        return _usable(thing)
    (left, top), (height, width) = frame.corner, frame.grey.shape
    return (
        min(region[0] - left, region[1] - top) >= room
        and max(region[2] - left - width, region[3] - top - height) <= -room
    )


def _groups(thing: Thing) -> tuple[bool, ...]:
    """Whether it counts among what is at rest, beside all."""
    return (False, True) if thing.static else (False,)


def _advancing(items: Iterable[Any], observer: Observer) -> Iterator[Any]:
    for item in items:
        yield item
        observer.advance()


def _held(frames: Iterable[Frame], held: Hysteresis | None) -> Iterator[Frame]:
    for frame in frames:
        if held is not None:
            held.add(frame.answer)
        yield frame


def _usable(thing: Thing) -> bool:
    return thing.motion is not None and bool(thing.effects)


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip, the model that runs on it, and how its answers are followed; ``stride`` is that of a mask."""

    worker: Worker
    plan: RunPlan
    source: ImageSource
    follow: Follower
    stride: tuple[float, float]

    @classmethod
    def of(cls, worker: Worker, plan: RunPlan, source: ImageSource) -> _Clip:
        model = plan.model
        follow = follower(model.setup.target.task, model.measures)
        if follow is None:
            kind = model.setup.target.task.value
            raise DataError(f"the answers of {kind} models are not followed over frames: use --images")
        stride = model.measures.grid.stride if isinstance(model.measures, Dense) else (1.0, 1.0)
        return cls(worker, plan, source, follow, stride)

    def frames(self) -> Iterator[Frame]:
        """All frames with their answers; the worker computes one while the next is prepared."""
        waiting: deque[tuple[Frame, Load]] = deque()
        for index, picture in enumerate(self.source):
            if not isinstance(picture, Picture):
                raise DataError(f"frame {index} {picture.reason}")
            if len(waiting) == DEPTH:
                yield self._answered(waiting.popleft()[0])
            frame, load = self._prepared(index, picture)
            self.worker.submit(self.plan.model.setup.job(load, self.plan.settings, repeat=False))
            waiting.append((frame, load))
        while waiting:
            yield self._answered(waiting.popleft()[0])

    def compare(self, before: Frame, after: Frame) -> PairChanges:
        """What changed between two neighbours."""
        static = static_blocks(before.grey, after.grey)
        values: dict[tuple[str, bool], list[float]] = {}
        things = []
        items = self.follow(before.answer, after.answer, None)
        for item in items:
            region = None if item.region is None else item.region - np.tile(before.corner, 2)
            move = _motion(before, after, region)
            # A small thing that moves hardly counts in a large region that does not.
            resting = is_static(static, region) and (move is None or move.length < _HARDLY)
            move = STILL if resting else move
            for (name, at_rest), value in self._values(item, move, resting, static, before).items():
                values.setdefault((name, at_rest), []).append(value)
            regions = _known(item.region), _known(item.after)
            things.append(Thing(regions, move, effects(item, move, self.stride), resting, item.label))
        numbers = {key: float(np.mean(some)) for key, some in values.items()}
        if any(item.maps is None and not np.isnan(item.change) for item in items) or not items:
            for at_rest in (False, True):
                counted = [item for item, thing in zip(items, things, strict=True) if thing.static or not at_rest]
                if counted or not at_rest:
                    numbers["crossings", at_rest] = float(sum(item.crossed for item in counted))
        return PairChanges(before.index, numbers, tuple(things), float(static.mean()))

    def _values(
        self, item: Followed, move: Motion | None, resting: bool, static: BoolArray, frame: Frame
    ) -> Mapping[tuple[str, bool], float]:
        values: dict[tuple[str, bool], float] = {}
        both = (False, True) if resting else (False,)
        for at_rest in both:
            if not np.isnan(item.change):
                values["score-change", at_rest] = abs(item.change)
            apart = residuals(item, move)
            if len(apart):
                name = "joint-jitter" if np.isnan(item.change) else "centre-jitter"
                values[name, at_rest] = float(apart.mean())
        if item.maps is not None:
            names = ("mask-flicker", "mask-flicker-boundary", "mask-flicker-inside")
            still_ones = at_positions(static, item.maps[0].shape, self.stride) if not any(frame.corner) else None
            for at_rest, where in ((False, None), (True, still_ones)):
                if at_rest and where is None:
                    continue
                shares = mask_change(item.maps, None if at_rest else move, self.stride, where)
                values |= {(name, at_rest): share for name, share in zip(names, shares, strict=True)}
        return {key: value for key, value in values.items() if not np.isnan(value)}

    def moved_pairs(self, sample: list[PairChanges], grid: float | None) -> Iterator[dict[tuple[str, bool], Energies]]:
        """The energies of every sampled pair by what changed, of all things and of those at rest."""
        wanted = {pair.frame: pair for pair in sample}
        before: tuple[int, Picture] | None = None
        for index, picture in self.source.places({place for frame in wanted for place in (frame, frame + 1)}):
            assert isinstance(picture, Picture)
            if before is not None and before[0] == index - 1 and before[0] in wanted:
                yield self._moved(wanted[before[0]], before[1], picture, grid)
            before = index, picture

    def _moved(
        self, pair: PairChanges, first: Picture, second: Picture, grid: float | None
    ) -> dict[tuple[str, bool], Energies]:
        ends = _Moving(self, pair.frame, first), _Moving(self, pair.frame + 1, second)
        rows: dict[tuple[str, bool], list[Energies]] = {}
        inside = [thing for thing in pair.things if ends[0].holds(thing, grid or 0.0)]
        for thing in inside[:_SAMPLED_THINGS]:
            assert thing.motion is not None
            near = self._both(ends, thing, thing.motion)
            far = (
                None if grid is None or not thing.motion.length else self._both(ends, thing, _along(thing.motion, grid))
            )
            for of, vector in thing.effects.items():
                row = Energies(
                    float(np.dot(vector, vector)),
                    0.0 if near is None else near.product(of, self.stride),
                    0.0 if far is None else far.square(of, self.stride),
                    0.0 if grid is None else min(thing.motion.length / grid, 1.0),
                )
                if not any(np.isnan(row)):
                    for at_rest in _groups(thing):
                        rows.setdefault((of, at_rest), []).append(row)
        return {key: Energies(*np.mean(some, axis=0).tolist()) for key, some in rows.items()}

    def _both(self, ends: tuple[_Moving, _Moving], thing: Thing, move: Motion) -> _Both | None:
        """What the move does to the first frame, and the move back to the second one; None for no move."""
        if not move.length:
            return None
        back = Motion(-move.down, -move.right, move.error)
        there = ends[0].follow(move, thing.regions[0], thing.label)
        return _Both(move, there, back, ends[1].follow(back, thing.regions[1], thing.label))

    def _prepared(self, index: int, picture: Picture) -> tuple[Frame, Load]:
        setup = self.plan.model.setup
        try:
            load, levels = still(picture, setup.image.size, setup.preprocessing)
        except ValueError as error:
            raise DataError(f"frame {index}: {error}") from error
        place = load.unit.placements[0]
        top, left = max(place.top, 0), max(place.left, 0)
        ends = min(place.top + place.resized[0], place.out[0]), min(place.left + place.resized[1], place.out[1])
        grey = levels[top : ends[0], left : ends[1]].mean(axis=2, dtype=np.float64)
        return Frame(index, grey, (left, top), place.scale), load

    def run(self, index: int, picture: Picture) -> Frame:
        """One frame with its answer."""
        frame, load = self._prepared(index, picture)
        self.worker.submit(self.plan.model.setup.job(load, self.plan.settings, repeat=False))
        return self._answered(frame)

    def _answered(self, frame: Frame) -> Frame:
        model = self.plan.model
        answer = self.worker.collect()
        # The worker's memory is used again for the frame after the next one.
        rows: dict[str, list[AnyArray]] = {
            name: [row.copy() for row in answer.rows(name)[:1]] for name in model.setup.target.outputs
        }
        try:
            return replace(frame, answer=model.measures.read(rows))
        except UnusableOutputError as error:
            raise DataError(f"frame {frame.index}: {error}") from error


def _motion(before: Frame, after: Frame, region: AnyArray | None) -> Motion | None:
    """The motion within a region of the visible part; None where the pictures do not tell it."""
    height, width = before.grey.shape
    x0, y0, x1, y1 = (0, 0, width, height) if region is None else map(float, region)
    rows, columns = _part(y0, y1, height), _part(x0, x1, width)
    if rows is None or columns is None:
        return None
    seen = motion(before.grey[rows, columns], after.grey[rows, columns])
    if seen is None or not np.isfinite(seen.error):
        return None
    return seen if seen.length <= (rows.stop - rows.start + columns.stop - columns.start) / 4 else None


def _part(low: float, high: float, size: int) -> slice | None:
    """The middle of a region along one axis, neither too small to tell a motion nor larger than it takes."""
    length = min(max(high - low, _SMALLEST_PART), _LARGEST_PART)
    start = max(0, round((low + high - length) / 2))
    end = min(size, round((low + high + length) / 2))
    return slice(start, end) if end > start else None


def _along(move: Motion, grid: float) -> Motion:
    """One grid along the axis on which most of the motion lies."""
    if abs(move.down) > abs(move.right):
        return Motion(float(np.copysign(grid, move.down)), 0.0, 0.0)
    return Motion(0.0, float(np.copysign(grid, move.right)), 0.0)


class _Moving:
    """One frame, and what its answers become as it is moved; each move is run once."""

    def __init__(self, clip: _Clip, index: int, picture: Picture) -> None:
        self._clip, self._index, self._picture = clip, index, picture
        self._still = clip.run(index, picture)
        self._answers: dict[tuple[float, float], Any] = {}

    def holds(self, thing: Thing, room: float) -> bool:
        """As :func:`_inside`, in this frame."""
        return _inside(thing, self._still, room)

    def follow(self, move: Motion, region: tuple[float, ...] | None, label: int | None) -> Followed | None:
        """The thing in the region, before and after a move of the frame; None where it is lost."""
        there = move.down, move.right
        if there not in self._answers:
            scale = self._still.scale
            pixels = moved(self._picture.pixels, (there[0] / scale[0], there[1] / scale[1]))
            self._answers[there] = self._clip.run(self._index, replace(self._picture, pixels=pixels)).answer
        items = self._clip.follow(self._still.answer, self._answers[there], label)
        return next((item for item in items if _alike(item, region)), None)


@dataclass(frozen=True, slots=True)
class _Both:
    """What a move does to a thing in the first frame of a pair, and the move back in the second one."""

    move: Motion
    there: Followed | None
    back_move: Motion
    back: Followed | None

    def product(self, of: str, stride: tuple[float, float]) -> float:
        """The product of both changes, the second one reversed; NaN where the thing is lost."""
        if self.there is None or self.back is None:
            return float("nan")
        if of == "mask" and self.there.maps is not None and self.back.maps is not None:
            return mask_product(self.there.maps, self.back.maps, self.move, stride)
        one, two = (effect.get(of, ()) for effect in self._effects(self.there, self.back, stride))
        return -float(np.dot(one, two)) if one and len(one) == len(two) else float("nan")

    def square(self, of: str, stride: tuple[float, float]) -> float:
        """The mean square of both changes."""
        if self.there is None or self.back is None:
            return float("nan")
        vectors = [effect.get(of, (np.nan,)) for effect in self._effects(self.there, self.back, stride)]
        return float(np.mean([np.dot(vector, vector) for vector in vectors]))

    def _effects(
        self, there: Followed, back: Followed, stride: tuple[float, float]
    ) -> tuple[dict[str, tuple[float, ...]], dict[str, tuple[float, ...]]]:
        return effects(there, self.move, stride), effects(back, self.back_move, stride)


def _alike(item: Followed, region: tuple[float, ...] | None) -> bool:
    """Whether this is the thing of the same frame that lay in the region when it was followed before."""
    if item.region is None or region is None:
        return item.region is None and region is None
    return item.after is not None and bool(np.abs(item.region - np.array(region)).max() < _ALIKE)


def _known(region: FloatArray | None) -> tuple[float, ...] | None:
    return None if region is None else tuple(map(float, region))
