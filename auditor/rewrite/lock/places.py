"""Outputs that say where something is, by their layout: what a move of the picture by a pixel adds to each element.

Only layouts that are linear in the place are here, so that adding to what the network gives moves what a decoder makes
of it by just as many pixels. The names are those of :mod:`auditor.pipeline.decoding`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from auditor.pipeline.decoding import grid
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.lock.picture import LockedPicture
from auditor.rewrite.phases.tail_operators import TailError

NONE = "none"
AUTO = "auto"
_STRIDES = grid.STRIDES
_FACES = ((8, 16, 32, 64), (3, 2, 2, 3))
_BLAZE = ((8, 2), (16, 6))
_ULTRALYTICS = "task"


@dataclass(frozen=True, slots=True)
class PlacedOutput:
    """An output, and what it changes by where the picture moves down, and where it moves right, by one pixel.

    ``down`` and ``right`` have the output's shape without the batch, or 1 where all elements of an axis change alike.
    """

    output: str
    down: NDArray[np.float32]
    right: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a layout is made from: the outputs with their shapes, in order, and the size that the network reads."""

    shapes: Mapping[str, tuple[int, ...]]
    size: tuple[int, int]

    def only(self, rank: int = 3) -> tuple[str, tuple[int, ...]]:
        """The one output, of this rank."""
        ((name, shape),) = self.shapes.items()
        if len(shape) != rank:
            raise ValueError
        return name, shape


def _columns(width: int, right: Sequence[int], down: Sequence[int], by: float = 1.0) -> tuple[NDArray[np.float32], ...]:
    """(1, width): the same for every row."""
    made = np.zeros((2, 1, width), np.float32)
    made[0, 0, list(down)] = made[1, 0, list(right)] = by
    return made[0], made[1]


def _yolox(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """Offsets from cells, in cells."""
    name, shape = seen.only()
    inverse = 1 / grid.points(seen.size, _STRIDES, offset=0.0)[:, 2:]
    if shape[1] != len(inverse) or shape[2] < 6:
        raise ValueError
    down, right = _columns(shape[2], [0], [1])
    return (PlacedOutput(name, np.asarray(inverse * down, np.float32), np.asarray(inverse * right, np.float32)),)


def _centres(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """Rows that begin with the centre in pixels."""
    name, shape = seen.only()
    if shape[2] < 5:
        raise ValueError
    return (PlacedOutput(name, *_columns(shape[2], [0], [1])),)


def _yolov8(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """The same with the numbers of an object along the second axis."""
    name, shape = seen.only()
    if shape[1] < 5 or shape[2] != grid.count(seen.size, _STRIDES):
        raise ValueError
    down, right = _columns(shape[1], [0], [1])
    return (PlacedOutput(name, down.T.copy(), right.T.copy()),)


def _end_to_end(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """Rows of two corners in pixels, score and class."""
    name, shape = seen.only()
    if shape[2] != 6:
        raise ValueError
    return (PlacedOutput(name, *_columns(6, [0, 2], [1, 3])),)


def _yunet(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """Centres and landmarks in cells, one output a level."""
    made = []
    for stride in _STRIDES:
        made.append(PlacedOutput(f"bbox_{stride}", *_columns(4, [0], [1], 1 / stride)))
        made.append(PlacedOutput(f"kps_{stride}", *_columns(10, range(0, 10, 2), range(1, 10, 2), 1 / stride)))
    if not {one.output for one in made} <= seen.shapes.keys():
        raise ValueError
    return tuple(made)


def _ultraface(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """Corners as shares of the input."""
    if set(seen.shapes) != {"scores", "boxes"} or seen.shapes["boxes"][1:] != (grid.count(seen.size, *_FACES), 4):
        raise ValueError
    down, right = _columns(4, [0, 2], [1, 3])
    return (PlacedOutput("boxes", down / np.float32(seen.size[0]), right / np.float32(seen.size[1])),)


def _ultraface_raw(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """Centres in tenths of the sides of priors, before they are decoded."""
    (decoded,) = _ultraface(seen)
    sides = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
    cells = [rows * columns for rows, columns in (grid.cells(seen.size, stride) for stride in _FACES[0])]
    priors = np.concatenate([np.tile(level, number) for level, number in zip(sides, cells, strict=True)])
    down, right = _columns(4, [0], [1])
    tenths = np.asarray(10 / priors[:, None], np.float32)
    return (PlacedOutput(decoded.output, tenths * down, tenths * right),)


def _blazeface(seen: _Seen) -> tuple[PlacedOutput, ...]:
    """Centres and six points in pixels from anchors."""
    wide = {name: shape for name, shape in seen.shapes.items() if shape[-1] == 16}
    others = [shape for name, shape in seen.shapes.items() if name not in wide]
    count = sum((seen.size[0] // stride) ** 2 * anchors for stride, anchors in _BLAZE)
    rows = sum(shape[1] for shape in wide.values())
    if seen.size[0] != seen.size[1] or rows != count or any(shape[-1] != 1 for shape in others):
        raise ValueError
    columns = _columns(16, [0, *range(4, 16, 2)], [1, *range(5, 16, 2)])
    return tuple(PlacedOutput(name, *columns) for name in wide)


_LAYOUTS: Mapping[str, Callable[[_Seen], tuple[PlacedOutput, ...]]] = MappingProxyType(
    {
        "yolox": _yolox,
        "yolox-decoded": _centres,
        "yolov5": _centres,
        "yolov8": _yolov8,
        "end-to-end": _end_to_end,
        "yunet": _yunet,
        "ultraface": _ultraface,
        "ultraface-raw": _ultraface_raw,
        "blazeface": _blazeface,
    }
)
LAYOUTS = (AUTO, NONE, *sorted(_LAYOUTS))
"""The words of ``--places``."""
IN_PIXELS = frozenset({"yolox-decoded", "yolov5", "yolov8", "end-to-end"})
"""Layouts that mean the same in a picture of another size."""


def placed(editor: GraphEditor, picture: LockedPicture, layout: str) -> tuple[PlacedOutput, ...]:
    """What a move of the picture adds to the outputs under a layout, one that was :func:`recognised` or named.

    Raises:
        TailError: the outputs do not have that layout, or do not mean the same in a larger picture.
    """
    if layout == NONE:
        return ()
    seen = _seen(editor, picture)
    try:
        made = _LAYOUTS[layout](seen)
    except (ValueError, KeyError, IndexError):
        raise TailError(f"the outputs do not have the layout {layout} (--places)") from None
    if not picture.padded and layout not in IN_PIXELS:
        raise TailError(f"the layout {layout} counts in parts of its input: give --room pad")
    if any(picture.open) and any(one.down.shape[0] > 1 and one.down.shape[1] > 1 for one in made):
        raise TailError(f"the layout {layout} has a row for each cell of an input size that the file leaves open")
    return made


def recognised(editor: GraphEditor, picture: LockedPicture) -> str | None:
    """The layout that the file tells by itself, without a run; None where it does not."""
    seen = _seen(editor, picture)
    operators = {part.op for part in editor.parts()}
    found = [name for name in ("yunet", "blazeface") if _fits(name, seen)]
    if _fits("ultraface", seen):
        found.append("ultraface" if "Exp" in operators else "ultraface-raw")
    if _fits("yolox", seen):
        found.append("yolox-decoded" if "Exp" in operators else "yolox")
    if editor.model.metadata.get(_ULTRALYTICS) == "detect" and _fits("yolov8", seen):
        found.append("yolov8")
    return found[0] if len(found) == 1 else None


def _fits(name: str, seen: _Seen) -> bool:
    try:
        _LAYOUTS[name](seen)
    except (ValueError, KeyError, IndexError):
        return False
    return True


def _seen(editor: GraphEditor, picture: LockedPicture) -> _Seen:
    shapes = {value.name: editor.shape(value.name) or () for value in editor.model.graph.outputs}
    return _Seen(shapes, picture.sizes)
