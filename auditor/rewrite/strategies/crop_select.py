"""Crop selection, the former name of a grid lock in a picture that keeps its size.

It placed the window on the strongest edge that it could reach, after RICS (Shifman and Weiss, "Lost in Translation:
Modern Neural Networks Still Struggle With Small Realistic Image Transformations", ECCV 2024, arXiv 2404.07153). Such a
key wavers under noise and between pixels; that of :mod:`auditor.rewrite.lock.key` holds.
"""

from __future__ import annotations

from dataclasses import replace

from auditor.rewrite.graph.cost import Cost
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.result import Lock, Options, Room
from auditor.rewrite.strategies.grid_lock import GridLock
from auditor.rewrite.strategy import AtInput


class CropSelect:
    """The strategy ``crop-select``: a grid lock at whole pixels that pads the picture."""

    def refusal(self, editor: GraphEditor, options: Options) -> str | None:
        """Why it does not apply, in one line; None where it does."""
        return GridLock().refusal(editor, _locked(options))

    def cost(self, editor: GraphEditor, options: Options) -> Cost:
        """What it adds."""
        return GridLock().cost(editor, _locked(options))

    def rewrite(self, editor: GraphEditor, options: Options) -> None:
        """Edit the graph."""
        GridLock().rewrite(editor, _locked(options))


def _locked(options: Options) -> Options:
    """The options of the lock; a window that moves by ``margin`` to each side has a period of twice as much."""
    period = options.period if options.margin is None else 2 * options.margin
    return replace(options, lock=Lock.WHOLE_PIXEL, room=Room.PAD, period=period, margin=None)


STRATEGY = AtInput(
    rank=7,
    applied=CropSelect(),
    reads=("margin",),
    notice=(
        "crop-select is deprecated and will go: it is now grid-lock with --room pad and --lock whole-pixel, which "
        "changes the function: the network sees the window that the content places. Choose grid-lock, and measure the "
        "result with `aliasaudit verify`"
    ),
)
