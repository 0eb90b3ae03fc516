"""What a grid lock is made for: the input that is a picture, its sizes, and the room in which the window moves."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type
from auditor.rewrite.lock.tables import BEFORE, LOST, STEPS, TAPS
from auditor.rewrite.phases.tail_operators import TailError
from auditor.rewrite.result import Lock, Options, Room
from auditor.rewrite.strategies.input_average import picture_input

_SINCE = 7  # operators that broadcast
_COMPUTED_SINCE = 11  # ranges, and rounding
_BATCH_SINCE = 12  # batch_dims of GatherND
_TYPES = (DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE, DataType.UINT8)
_COLOURS = (1, 3, 4)
_USUAL = 16
_ALIGN = 3 / 8  # of a period: with edges on the corners of the grid two of three classifiers lose accuracy
"""Pixels: in networks of period 32 a shorter period holds as well, and takes less of the picture."""
_SPARE = 16
_FEWEST = 8  # gradients per axis that a key is made of


@dataclass(frozen=True, slots=True)
class LockedPicture:
    """A picture (N, C, H, W) or (N, H, W, C) and its lock.

    ``sizes`` are those that the network reads, and the view in which the window lies is ``room`` pixels larger.
    ``open`` says which of the two sides the file leaves open. ``batch`` is None where it is free. With ``padded`` the
    graph adds the room by itself, else the picture that is fed is as large as the view. ``period`` is that of the grid,
    and ``steps`` are the offsets per pixel.
    """

    tensor: str
    dtype: int
    channel: int
    axes: tuple[int, int]
    channels: int
    sizes: tuple[int, int]
    open: tuple[bool, bool]
    batch: int | None
    period: int
    align: float
    room: int
    steps: int
    padded: bool

    @property
    def view(self) -> tuple[int, int]:
        """The sizes of what the window is cut from."""
        return self.sizes[0] + self.room, self.sizes[1] + self.room

    @property
    def fed(self) -> tuple[int, int]:
        """The sizes of the picture that the model is fed."""
        return self.sizes if self.padded else self.view

    @property
    def border(self) -> int:
        """Pixels of the view in front of the picture."""
        return self.room // 2 if self.padded else 0

    @property
    def before(self) -> int:
        """Pixels that are read in front of the window."""
        return BEFORE if self.steps > 1 else 0

    @property
    def beyond(self) -> int:
        """Pixels that are read beside the window, on both sides together."""
        return TAPS - 1 if self.steps > 1 else 0


def locked_picture(editor: GraphEditor, options: Options, *, places: bool) -> LockedPicture:
    """The picture of a model and its lock; ``places``: outputs say where in the picture something is.

    Raises:
        TailError: the model has no picture, or not one that a window can be cut from.
    """
    tensor, axes = picture_input(editor)
    shape = editor.shape(tensor) or ()
    given = [value for value in editor.model.graph.inputs if value.name not in editor.model.graph.initializers]
    if len(given) > 1:
        raise TailError("another input may name places in the picture, which would move with the window")
    if len(axes) != 2 or len(shape) != 4:
        raise TailError("the input is no picture with rows, columns and channels")
    dtype = element_type(editor, tensor)
    if dtype not in _TYPES:
        raise TailError("the input holds neither floating-point numbers nor bytes")
    if editor.is_captured(tensor) or editor.is_output(tensor):
        raise TailError("a sub-graph or an output takes the input itself")
    dims = given[0].dims or (None,) * 4
    batch = dims[0] if isinstance(dims[0], int) and dims[0] > 0 else None
    left_open = tuple(not isinstance(dims[axis], int) or not dims[axis] for axis in axes)
    computed = any(left_open) or dtype == DataType.UINT8
    since = max(_SINCE, _COMPUTED_SINCE if computed else 0, 0 if batch == 1 else _BATCH_SINCE)
    if editor.opset < since:
        raise TailError(f"windows that the content chooses need opset {since}: export with a newer opset")
    (channel,) = {1, 2, 3} - set(axes)
    if shape[channel] not in _COLOURS:
        raise TailError(f"the input has {shape[channel]} channels, and pictures have 1, 3 or 4")
    padded = places if options.room is Room.AUTO else options.room is Room.PAD
    period = _period(editor, options, places=places)
    room = _room(options, period, padded=padded)
    picture = LockedPicture(
        tensor=tensor,
        dtype=dtype,
        channel=channel,
        axes=(axes[0], axes[1]),
        channels=shape[channel],
        sizes=(shape[axes[0]], shape[axes[1]]),
        open=(left_open[0], left_open[1]),
        batch=batch,
        period=period,
        align=_ALIGN * period if options.align is None else options.align,
        room=room,
        steps=STEPS if options.lock is Lock.SUB_PIXEL else 1,
        padded=padded,
    )
    least = period + (TAPS - 2 if picture.steps > 1 else 0)
    if room < least:
        raise TailError(f"a period of {period} pixels needs a margin of {-(-least // 2)}: give --margin or --period")
    if min(picture.fed) < 2 * LOST + _FEWEST or min(picture.sizes) < 2 * period:
        raise TailError(f"the picture is too small for a window that moves by up to {period} pixels")
    return picture


def _period(editor: GraphEditor, options: Options, *, places: bool) -> int:
    """By default that of the network's own grid, at most :data:`_USUAL`, or twice that where outputs say places."""
    if options.period is not None:
        return options.period
    own = editor.analysis.subsampling
    if own is None or own < 2:
        return _USUAL
    return min(int(own), 2 * _USUAL if places else _USUAL)


def _room(options: Options, period: int, *, padded: bool) -> int:
    if options.margin is not None:
        return 2 * options.margin
    spare = TAPS - 2 if padded else _SPARE
    return period + spare + period % 2
