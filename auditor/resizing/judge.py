"""What the numbers allow to say about the deployed kernel: nothing that its intervals do not hold."""

from __future__ import annotations

import numpy as np

from auditor.resizing.result import Judgement, KernelRow, ResizeVerdict
from auditor.verify.arrays import FloatArray
from auditor.verify.statistics import MIN_IMAGES, Needed, images_needed

CHANGED = 0.05
"""From this share of changed answers on a kernel harms."""

LESS_STABLE = 0.02
"""From this loss of answers that stay after one pixel on a kernel harms."""


def judged(
    row: KernelRow | None,
    changed: FloatArray,
    confidence: float,
    allowed: float = CHANGED,
    beyond: FloatArray | None = None,
) -> Judgement:
    """The verdict on the deployed kernel; ``changed`` is the share of its changed answer per picture.

    ``beyond`` is how much more it changes than the other kernel that filters, per picture, where there is one.

    A kernel that filters is never said to alias: two filters differ in their answers, too. One that does not harms
    where it surely changes more than ``allowed`` of the answers, and more than another filter does, or where answers
    surely stay less often after one pixel than behind the reference.
    """
    if row is None:
        return Judgement(ResizeVerdict.NOT_NAMED, allowed)
    if row.low_pass:
        return Judgement(ResizeVerdict.FILTERS, allowed)
    changes = row.changes_answers(allowed)
    less = row.is_less_stable(LESS_STABLE)
    if changes or less:
        return Judgement(ResizeVerdict.ALIASES, allowed, changes, less)
    if _within(row, allowed):
        return Judgement(ResizeVerdict.NO_DIFFERENCE, allowed)
    if beyond is not None and row.surely_changes(allowed):
        return Judgement(ResizeVerdict.UNDECIDED, allowed, needed=_needed(beyond, confidence, 0.0, -1.0))
    return Judgement(ResizeVerdict.UNDECIDED, allowed, needed=_needed(changed, confidence, allowed, 0.0))


def _within(row: KernelRow, allowed: float) -> bool:
    agreement, loss = row.agreement, row.stability_loss
    if agreement is None or agreement.interval is None or 1 - agreement.interval.low > allowed:
        return False
    return loss is None or (loss.interval is not None and loss.interval.high <= allowed)


def _needed(changed: FloatArray, confidence: float, allowed: float, least: float) -> Needed | None:
    """How many pictures like these would say whether their mean is above ``allowed``; none is below ``least``."""
    known = changed[~np.isnan(changed)]
    if len(known) < MIN_IMAGES:
        return None
    return images_needed(-known, -allowed, (1 - confidence) / 2, (-1.0, -least))
