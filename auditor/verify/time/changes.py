"""What changed between two frames beyond what moved: numbers of one pair, and their totals over a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, BoolArray, FloatArray
from auditor.verify.interval import Interval
from auditor.verify.statistics import mean_interval
from auditor.verify.time.facts import TIME_MEASURES
from auditor.verify.time.followed import Followed
from auditor.verify.time.motion import Motion
from auditor.verify.time.result import TimeMeasure
from auditor.verify.time.static import BLOCK

# Neighbouring pairs share a frame and are not independent: runs of this length are averaged first.
_RUN = 8
_RUNS = 12
_BOUNDS: Mapping[str, tuple[float, float]] = {"probability": (0.0, 1.0), "share": (0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing followed in a pair of frames: where in both, how far it moved, and what changed of it beyond that.

    ``effects`` are as of :func:`effects`. ``motion`` is None where the pictures do not tell it.
    """

    regions: tuple[tuple[float, ...] | None, tuple[float, ...] | None]
    motion: Motion | None
    effects: Mapping[str, tuple[float, ...]]
    static: bool
    label: int | None = None


@dataclass(frozen=True, slots=True)
class PairChanges:
    """One pair of neighbouring frames, of which ``frame`` is the first. Measures by name and whether at rest."""

    frame: int
    values: Mapping[tuple[str, bool], float]
    things: tuple[Thing, ...]
    at_rest: float


def effects(item: Followed, motion: Motion | None, stride: tuple[float, float]) -> dict[str, tuple[float, ...]]:
    """What changed beyond the motion, as vectors whose squares are mean squares: "score", "position", "mask"."""
    found: dict[str, tuple[float, ...]] = {}
    if not np.isnan(item.change):
        found["score"] = (item.change,)
    if len(item.moves) and motion is not None:
        apart = (item.moves - np.array([motion.right, motion.down])) / np.sqrt(len(item.moves))
        found["position"] = tuple(apart.ravel().tolist())
    if item.maps is not None:
        share = mask_change(item.maps, motion, stride)[0]
        found |= {} if np.isnan(share) else {"mask": (float(np.sqrt(share)),)}
    return found


def residuals(item: Followed, motion: Motion | None) -> FloatArray:
    """(K,) the distances in pixels that its points moved otherwise than the picture did; none where that is unknown."""
    if motion is None:
        return np.zeros(0)
    apart: FloatArray = np.linalg.norm(item.moves - np.array([motion.right, motion.down]), axis=1)
    return apart


def mask_change(
    maps: tuple[AnyArray, AnyArray],
    motion: Motion | None,
    stride: tuple[float, float],
    where: BoolArray | None = None,
) -> tuple[float, float, float]:
    """The shares of positions with another class: of all, of those at a boundary, and of those inside of an area.

    The second mask (h, w) is moved back by whole positions, ``stride`` pixels each. ``where`` restricts them.
    """
    before, after = maps
    parts = _overlap(before.shape, motion, stride)
    if parts is None:
        return (float("nan"),) * 3
    here, there = parts
    changed = before[here] != after[there]
    edge = boundary(before)[here]
    counts = np.ones_like(changed) if where is None else where[here]
    return _share(changed, counts), _share(changed, counts & edge), _share(changed, counts & ~edge)


def mask_product(
    there: tuple[AnyArray, AnyArray], back: tuple[AnyArray, AnyArray], motion: Motion, stride: tuple[float, float]
) -> float:
    """The share of positions that a move changes in one frame as the move back undoes it in the next one.

    ``there`` is the mask of the first frame and of the first frame moved by ``motion``, ``back`` that of the second one
    and of the second one moved back. Changes in opposite directions count against those in the same one: so much of
    either is chance.
    """
    parts = _overlap(there[0].shape, motion, stride)
    if parts is None:
        return float("nan")
    here, moved = parts
    first, second = (there[0][here], there[1][moved]), (back[1][here], back[0][moved])
    changed = (first[0] != first[1]) & (second[0] != second[1])
    same = changed & (first[0] == second[0]) & (first[1] == second[1])
    opposite = changed & (first[0] == second[1]) & (first[1] == second[0])
    return float(same.mean() - opposite.mean())


_Part = tuple[slice, slice]


def _overlap(shape: tuple[int, ...], motion: Motion | None, stride: tuple[float, float]) -> tuple[_Part, _Part] | None:
    """The positions of a mask that stay in the picture, before and after whole positions of motion; None for none."""
    steps = (0, 0) if motion is None else (round(motion.down / stride[0]), round(motion.right / stride[1]))
    if any(abs(step) >= size for step, size in zip(steps, shape, strict=True)):
        return None
    before = [slice(max(0, -step), size - max(0, step)) for step, size in zip(steps, shape, strict=True)]
    after = [slice(max(0, step), size + min(0, step)) for step, size in zip(steps, shape, strict=True)]
    return (before[0], before[1]), (after[0], after[1])


def boundary(classes: AnyArray) -> BoolArray:
    """(h, w) the positions next to one of another class."""
    edge = np.zeros(classes.shape, np.bool_)
    for axis in (0, 1):
        differ = np.diff(classes, axis=axis) != 0
        ends = np.moveaxis(edge, axis, 0)
        ends[:-1] |= np.moveaxis(differ, axis, 0)
        ends[1:] |= np.moveaxis(differ, axis, 0)
    return edge


def _share(changed: BoolArray, counts: BoolArray) -> float:
    return float(changed[counts].mean()) if counts.any() else float("nan")


def at_positions(static: BoolArray, shape: tuple[int, int], stride: tuple[float, float]) -> BoolArray:
    """Blocks at rest as positions (h, w) of a mask of this stride in pixels."""
    rows, columns = (
        np.minimum(((np.arange(count) + 0.5) * step / BLOCK).astype(int), blocks - 1)
        for count, step, blocks in zip(shape, stride, static.shape, strict=True)
    )
    return static[np.ix_(rows, columns)]


def measures(pairs: Sequence[PairChanges], confidence: float) -> tuple[TimeMeasure, ...]:
    """The totals over a clip in the order of their table, what is at rest behind each."""
    names = {key for pair in pairs for key in pair.values}
    order = [(name, static) for name in TIME_MEASURES for static in (False, True) if (name, static) in names]
    return tuple(_total(name, static, pairs, confidence) for name, static in order)


def _total(name: str, static: bool, pairs: Sequence[PairChanges], confidence: float) -> TimeMeasure:
    unit = TIME_MEASURES[name].unit
    scale = 100.0 if unit == "per 100 frames" else 1.0
    values = scale * np.array([pair.values.get((name, static), np.nan) for pair in pairs])
    known = values[~np.isnan(values)]
    interval = mean_interval(runs(values), confidence, _BOUNDS.get(unit)) if len(known) else None
    return TimeMeasure(
        name=name,
        value=float(known.mean()) if len(known) else float("nan"),
        interval=None if interval is None else Interval(max(interval.low, 0.0), interval.high, confidence),
        unit=unit,
        pairs=len(known),
        static=static,
    )


def runs(values: FloatArray) -> FloatArray:
    """Means over runs of neighbouring pairs, of what is known of each."""
    known = values[~np.isnan(values)]
    length = min(_RUN, max(1, len(known) // _RUNS))
    return np.array([part.mean() for part in np.array_split(known, max(1, len(known) // length)) if len(part)])
