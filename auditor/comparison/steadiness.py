"""How much steadier a model became under a protocol, in per cent of the base: what refuses a repair that does harm.

Both were measured on the same images, each by :func:`~auditor.verify.runner.verify` with one seed and perturbations:

    settings = replace(settings, perturbations=(Perturbation(PerturbationKind.NOISE, 2.0),))
    change = relative_change(verify(base, ...), verify(repaired, ...), "mac", "noise:2")
    refused = change.interval is None or change.interval.high > 0.10

They may read windows of another size: what is drawn depends on the seed and the image's place alone, and is the same
pixel by pixel where the pictures that windows are cut from are of one size (input plus radius).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.comparison.measured import same_images
from auditor.verify.interval import Interval
from auditor.verify.result import Verification
from auditor.verify.statistics import sums_ratio_interval


@dataclass(frozen=True, slots=True)
class RelativeChange:
    """A measure of both models over the same images. ``change`` is ``new / base - 1`` of the means: -0.7 is 70 % less.

    ``interval`` is that of the change, from resampling the images; its ends are one-sided bounds of half its error,
    so a confidence of 0.9 gives an upper bound of 95 %. None where there are too few images, or the base is at 0.
    """

    measure: str
    protocol: str
    base: float
    new: float
    change: float
    interval: Interval | None
    images: int


def relative_change(
    base: Verification, new: Verification, measure: str, protocol: str = "", confidence: float = 0.9
) -> RelativeChange | None:
    """The paired change of a measure of 0 or more, under shifts or under a perturbation; None where one lacks it.

    Raises:
        NotComparableError: no image was used with both.
    """
    before, after = base.measure(measure, protocol), new.measure(measure, protocol)
    if before is None or after is None:
        return None
    rows = same_images(base, new)
    left, right = np.asarray(before.per_image)[rows[0]], np.asarray(after.per_image)[rows[1]]
    known = ~(np.isnan(left) | np.isnan(right))
    left, right = left[known], right[known]
    ratio, span = sums_ratio_interval(right, left, confidence)
    return RelativeChange(
        measure,
        protocol,
        float(left.mean()) if len(left) else float("nan"),
        float(right.mean()) if len(right) else float("nan"),
        ratio - 1,
        None if span is None else Interval(span.low - 1, span.high - 1, confidence),
        len(left),
    )
