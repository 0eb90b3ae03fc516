"""How much of what a repair can reach a rewrite took."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from auditor.comparison.measured import same_images
from auditor.verify.measures import MEASURES
from auditor.verify.result import Verification
from auditor.verify.statistics import quotient_interval

CONFIDENCE = 0.95


def reached_words(original: Verification, rewritten: Verification) -> Iterator[str]:
    """For each variance that was split for both: the sampling grid's part in the original, and what of it is gone.

    Both are in units of the model's own variance between images, so that timid scores take nothing.
    """
    rows = same_images(original, rewritten)
    for before, after in zip(original.outputs, rewritten.outputs, strict=False):
        kept = {split.measure: split for split in after.splits}
        for split in before.splits:
            other = kept.get(split.measure)
            if other is None or (other.period, other.radius) != (split.period, split.radius):
                continue
            aligned, beside = np.array(split.aligned)[rows[0]], np.array(split.beside)[rows[0]]
            new = np.array(other.beside)[rows[1]]
            share, span = quotient_interval(beside - new, beside - aligned, CONFIDENCE)
            title = MEASURES[split.measure].heading
            start = f"{100 * split.grid:.0f} % of the change ({title}) by {split.period} px is the sampling grid's"
            if not split.decided or span is None:
                yield f"{start}, which these images do not settle, nor what of it the rewrite took"
            else:
                ends = f"[{100 * span.low:.0f}, {100 * span.high:.0f}]"
                yield f"{start}, and of that the rewrite took {100 * share:.0f} % {ends}"
