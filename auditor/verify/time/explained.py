"""How much of the change between frames the sampling grid explains.

A frame that is moved as its content did in the clip differs from itself by nothing but its place on the grid, and by
what enters and leaves at the border: the same scene, noise and light. Noise moves with the content and falls on other
places of the grid, too: so the first frame of a pair is moved on and the second one back, which changes the answer by
the same where the grid is the cause, and by independent amounts where the noise of the two frames is. Moved by a whole
multiple of the grid's pitch, only the border is left; a strip as narrow as the motion does that much less. Causes that
do not depend on each other add in their mean squares, so

    share = (mean product under the motion - border) / mean square in the clip,
    border = mean square under a whole multiple of the grid, times motion / multiple

with the interval of a ratio of two means over the pairs of frames (the delta method). Its upper end leaves the border
out: what is taken off too much must not support that the grid is not the cause.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from auditor.verify.arrays import FloatArray
from auditor.verify.interval import Interval
from auditor.verify.statistics import MIN_IMAGES, student_quantile
from auditor.verify.time.result import Explained

# A wider interval leaves open whether it is most of the change or hardly any.
WIDEST = 0.5
# Squares of a probability, of pixels and of a share that nobody sees.
_NOTHING = {"score": 1e-6, "position": 1e-4, "mask": 1e-5}


class Energies(NamedTuple):
    """Of one pair of frames: the mean square in the clip, the mean product of both frames moved as their content did,
    the mean square under a move by a whole grid, and which part of that the motion was.
    """

    clip: float
    moved: float
    whole: float
    part: float = 0.0


def explained(
    of: str, energies: Sequence[Energies], grid: float | None, confidence: float = 0.95, static: bool = False
) -> Explained:
    """The share of the change ``of`` the answers that the grid explains, with the reason where that cannot be told.

    ``grid`` is the pitch of the model's grid in pixels, None where it is not known or does not fit into the picture.
    """
    table = np.array(energies, np.float64).reshape(-1, 4)
    count = len(table)
    changed = int((table[:, 0] > _NOTHING[of]).sum())
    total = float(table[:, 0].mean()) if count else 0.0
    if not count:
        return Explained(
            of, None, None, None, None, grid, 0, static, "all of it lies too near the border of the picture"
        )
    if changed < MIN_IMAGES:
        why = f"it changes in {changed} of {count} pairs of frames, and at least {MIN_IMAGES} are needed"
        return Explained(of, None, None, None, None, grid, count, static, why)
    moved = float(table[:, 1].mean()) / total
    if grid is None:
        why = "the grid of the model is not known, or too coarse to move a frame by"
        return Explained(of, None, None, moved, None, None, count, static, why)
    remains = float(table[:, 2].mean()) / total
    share, low, _ = _ratio(table[:, 1] - table[:, 2] * table[:, 3], table[:, 0], confidence)
    _, _, high = _ratio(table[:, 1], table[:, 0], confidence)
    interval = Interval(low, max(low, high), confidence)
    why = ""
    if interval.high - interval.low > WIDEST:
        why = f"{count} pairs of frames leave it between {100 * interval.low:.0f} and {100 * interval.high:.0f} %"
    return Explained(of, share, interval, moved, remains, grid, count, static, why)


def _ratio(parts: FloatArray, wholes: FloatArray, confidence: float) -> tuple[float, float, float]:
    """The ratio of the means and the ends of its interval, all within 0..1."""
    mean, count = float(wholes.mean()), len(wholes)
    ratio = float(parts.mean()) / mean
    spread = float((parts - ratio * wholes).std(ddof=1)) / mean
    reach = -student_quantile((1 - confidence) / 2, count - 1) * spread / math.sqrt(count)
    share, low, high = (min(max(end, 0.0), 1.0) for end in (ratio, ratio - reach, ratio + reach))
    return share, low, high
