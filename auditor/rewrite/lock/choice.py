"""The offset that a picture chooses: that of the window whose grid lies at the phase of the content."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.marks import WINDOW
from auditor.rewrite.lock.key import entries, sums, width
from auditor.rewrite.lock.picture import LockedPicture
from auditor.rewrite.lock.tables import directions, kernels, offsets, starts


@dataclass(frozen=True, slots=True)
class Chosen:
    """One axis: ``index`` (N) of the offset, the first pixel ``start`` (N) that is read, and the ``kernel`` (N, taps).

    The whole-pixel form has no kernel.
    """

    index: str
    start: str
    kernel: str | None


def chosen(block: Block, picture: LockedPicture, source: str) -> tuple[Chosen, Chosen]:
    """The choice along rows and columns, from a float32 tensor (N, C, H, W)."""
    import numpy as np

    places = offsets(picture.period, picture.room, picture.steps)
    measured = sums(block, picture, source)
    result = []
    for held in entries(picture.period):
        weights = np.zeros((width(picture.period) ** 2, len(places)), np.float32)
        weights[list(held)] = directions(places, picture.period, picture.align)
        (scores,) = block.node("MatMul", [measured, weights], "scores")
        (index,) = block.node("ArgMax", [scores], WINDOW.strip("/"), axis=1, keepdims=0)
        (start,) = block.node("Gather", [starts(places, picture.before), index], "start", axis=0)
        kernel = None
        if picture.steps > 1:
            (kernel,) = block.node("Gather", [kernels(places), index], "kernel", axis=0)
        result.append(Chosen(index, start, kernel))
    return result[0], result[1]
