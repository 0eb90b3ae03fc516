"""Outputs that are still a grid of the picture, moved back by the offset of the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.parts import PREFIX
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.lock.choice import Chosen
from auditor.rewrite.lock.cut import cut
from auditor.rewrite.lock.outputs import in_window, last_operator
from auditor.rewrite.lock.picture import LockedPicture
from auditor.rewrite.lock.tables import TAPS, kernels, offsets, starts
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Padding
from auditor.sampling.result import Head, HeadKind

_BOUNDS = {"Sigmoid": (0.0, 1.0), "HardSigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0)}
_WHOLE = frozenset({DataType.INT32, DataType.INT64, DataType.UINT8, DataType.INT8, DataType.BOOL})


@dataclass(frozen=True, slots=True)
class MapBack:
    """An output (N, C, H, W) or (N, H, W, C) of ``scale`` samples per pixel, and whether it holds whole numbers.

    ``bounds`` are the least and the most that it can say, where its last operator tells.
    """

    output: str
    dtype: int
    channel: int
    channels: int
    sizes: tuple[int, int]
    scale: int
    whole: bool
    bounds: tuple[float, float] | None


def maps_back(editor: GraphEditor, picture: LockedPicture, heads: Sequence[Head]) -> tuple[MapBack, ...]:
    """The outputs that are moved back as maps.

    Raises:
        TailError: one is not a grid that can be moved by the offset.
    """
    return tuple(_map(editor, picture, head) for head in heads if head.kind is HeadKind.DENSE and head.lattice)


def _map(editor: GraphEditor, picture: LockedPicture, head: Head) -> MapBack:
    name = head.output.raw
    shape, lattices = editor.shape(name) or (), editor.lattices(name) or ()
    grid = [axis for axis, lattice in enumerate(lattices) if lattice is not None]
    strides = [1 / lattice.stride for lattice in lattices if lattice is not None and lattice.stride > 0]
    if len(shape) != 4 or len(grid) != 2 or grid not in ([2, 3], [1, 2]) or len(strides) != 2:
        raise TailError("an output is a grid without rows and columns beside its channels, and cannot be moved back")
    if strides[0] != strides[1] or strides[0].denominator != 1:
        raise TailError(
            "an output is a grid on which a pixel of the picture is no whole number of samples, so that the offset of "
            "the window cannot be taken back"
        )
    if not picture.padded:
        raise TailError("an output is still a grid of the size of the input: give --room pad")
    if any(picture.open):
        raise TailError("an output is still a grid of a size that the file leaves open: export with a fixed size")
    dtype = element_type(editor, name)
    if numpy_type(dtype) is None and dtype not in _WHOLE:
        raise TailError("an output is still a grid, of a type that cannot be moved")
    channel = 1 if grid == [2, 3] else 3
    return MapBack(
        output=name,
        dtype=dtype,
        channel=channel,
        channels=shape[channel],
        sizes=(shape[grid[0]], shape[grid[1]]),
        scale=int(strides[0]),
        whole=dtype in _WHOLE,
        bounds=_BOUNDS.get(last_operator(editor, name) or ""),
    )


def move_back(
    editor: GraphEditor, picture: LockedPicture, choice: tuple[Chosen, Chosen], outputs: Sequence[MapBack]
) -> None:
    """Let maps lie where the picture that is fed has their content; what the window left out repeats the border."""
    for one in outputs:
        writer, inner = in_window(editor, one.output)
        block = Block(editor, f"{PREFIX}lock/back")
        _moved(block, picture, choice, one, inner)
        block.insert(writer, after=True)


def _moved(block: Block, picture: LockedPicture, choice: tuple[Chosen, Chosen], one: MapBack, tensor: str) -> None:
    import numpy as np

    reach = -(-one.scale * picture.period // 2) + TAPS // 2 + 1
    view = replace(
        picture,
        sizes=one.sizes,
        channels=one.channels,
        room=2 * reach,
        steps=1 if one.whole else picture.steps,
    )
    away = offsets(picture.period, picture.room, picture.steps) - picture.border
    places = reach - one.scale * away
    if one.whole:
        places = np.floor(places + 0.5)  # classes have none between them
    moved = []
    for chosen in choice:
        (start,) = block.node("Gather", [starts(places, view.before), chosen.index], "start", axis=0)
        kernel = None
        if view.steps > 1:
            (kernel,) = block.node("Gather", [kernels(places), chosen.index], "kernel", axis=0)
        moved.append(Chosen(chosen.index, start, kernel))
    if one.channel == 3:
        (tensor,) = block.node("Transpose", [tensor], "channels", perm=[0, 3, 1, 2])
    between = view.steps > 1 and one.dtype != DataType.FLOAT
    if between:
        (tensor,) = block.node("Cast", [tensor], "cast", to=int(DataType.FLOAT))
    border = [0, 0, reach, reach]
    padded = block.pad(tensor, border, border, Padding.EDGE)
    tensor = cut(block, view, padded, (moved[0], moved[1]))
    if one.bounds is not None and view.steps > 1:
        # A kernel that reads between samples rings at edges, and a probability of 1.05 is none.
        tensor = block.clip(tensor, *one.bounds, "bounded")
    if between:
        (tensor,) = block.node("Cast", [tensor], "returned", to=one.dtype)
    perm = [0, 2, 3, 1] if one.channel == 3 else [0, 1, 2, 3]
    block.node("Transpose", [tensor], "placed", one.output, perm=perm)
