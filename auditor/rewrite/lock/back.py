"""The offset of the window added to outputs that say where something is, whole pixels and fraction."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type
from auditor.rewrite.lock.choice import Chosen
from auditor.rewrite.lock.outputs import in_window
from auditor.rewrite.lock.picture import LockedPicture
from auditor.rewrite.lock.places import PlacedOutput
from auditor.rewrite.lock.tables import offsets


def add_back(
    editor: GraphEditor, picture: LockedPicture, choice: tuple[Chosen, Chosen], outputs: Sequence[PlacedOutput]
) -> None:
    """Let outputs say places in the picture that is fed, and not in the window."""
    import numpy as np

    moved = offsets(picture.period, picture.room, picture.steps) - picture.border
    for one in outputs:
        writer, inner = in_window(editor, one.output)
        block = Block(editor, f"{PREFIX}lock/back")
        # Scores and classes, by far the most numbers of a box, are passed on and not added to.
        axis = 1 if one.down.shape[1] == 1 else 2
        length = one.down.shape[axis - 1]
        end = 1 + int(np.flatnonzero(np.any((one.down != 0) | (one.right != 0), axis=2 - axis))[-1])
        down, right = (weights[:end] if axis == 1 else weights[:, :end] for weights in (one.down, one.right))
        parts = []
        for chosen, weights in zip(choice, (down, right), strict=True):
            (pixels,) = block.node("Gather", [moved.astype(np.float32), chosen.index], "pixels", axis=0)
            (pixels,) = block.node("Reshape", [pixels, np.array([-1, 1, 1], np.int64)], "pixels")
            parts.append(block.node("Mul", [pixels, weights[None]], "change")[0])
        (change,) = block.node("Add", parts, "change")
        dtype = element_type(editor, inner)
        if dtype not in (DataType.FLOAT, 0):
            (change,) = block.node("Cast", [change], "change", to=dtype)
        if end == length:
            block.node("Add", [inner, change], "placed", one.output)
        else:
            places, others = (
                block.slice(inner, [begin], [stop], [axis], "part") for begin, stop in ((0, end), (end, length))
            )
            (places,) = block.node("Add", [places, change], "moved")
            block.concat([places, others], "placed", one.output, axis=axis)
        block.insert(writer, after=True)
