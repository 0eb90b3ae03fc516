"""The joints of one figure in all windows of an image that show it, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.verify.arrays import BoolArray, FloatArray
from auditor.verify.example import MovingJoints, SeenJoints
from auditor.verify.measures.poses import Poses, same_figures
from auditor.verify.shifts.plan import Window

MOST_JOINTS = 12  # of a face of hundreds: more dots than that are no longer told apart
_MOST_SEEN = 12  # positions of one joint


def moving_joints(
    figures: Sequence[Poses], windows: Sequence[Window], size: tuple[int, int], border: float
) -> MovingJoints | None:
    """The joints of the surest figure of the unshifted window that lie farthest from their place there; None without.

    ``figures`` and ``windows`` belong together, the unshifted one first; ``size`` is that of a window (H, W) in the
    same pixels. Joints nearer than ``border`` to the edge of either window are left out, as they are not compared.
    """
    first, origin = figures[0], windows[0]
    if not len(first):
        return None
    extent = np.array([size[1], size[0]], np.float64)
    start = np.where(_inside(first.points[0], first.visible[0], extent, border)[:, None], first.points[0], np.nan)
    shifts, places = [(0.0, 0.0)], [start]
    for figure, window in zip(figures[1:], windows[1:], strict=True):
        if (window.image, window.variant) != (origin.image, origin.variant) or window == origin:
            continue
        step = np.array([window.x - origin.x, window.y - origin.y], np.float64)
        one, two = same_figures(first, figure, step)
        for index in two[one == 0]:
            there = _inside(figure.points[index], figure.visible[index], extent, border)
            kept = there & _inside(first.points[0] - step, first.visible[0], extent, border)
            shifts.append((float(step[1]), float(step[0])))
            places.append(np.where(kept[:, None], figure.points[index] + step, np.nan))
    away = np.linalg.norm(np.stack(places) - start, axis=2)
    known = ~np.isnan(away[1:]).all(axis=0) if len(away) > 1 else np.zeros(len(start), np.bool_)
    if not known.any():
        return None
    farthest = np.where(known, np.nanmax(np.where(known, away, 0.0), axis=0), -1.0)
    joints = [int(joint) for joint in np.argsort(-farthest, kind="stable")[:MOST_JOINTS] if known[joint]]
    worst = int(np.nanargmax(away[:, joints[0]]))
    chosen = sorted({0, worst, *np.linspace(0, len(places) - 1, _MOST_SEEN - 2).round().astype(int).tolist()})
    return MovingJoints(
        tuple(joints),
        tuple(farthest[joints].tolist()),
        (float(size[0]), float(size[1])),
        tuple(SeenJoints(shifts[place], _points(places[place][joints])) for place in chosen),
    )


def _inside(points: FloatArray, visible: BoolArray, extent: FloatArray, border: float) -> BoolArray:
    return np.asarray(((points >= border) & (points <= extent - border)).all(axis=1) & visible, np.bool_)


def _points(points: FloatArray) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 3), round(float(y), 3)) for x, y in points)
