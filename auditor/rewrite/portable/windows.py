"""The window of a pool or a convolution for a lowering, and the padding in front of it as nodes of its own."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.onnxfile.dtypes import DataType
from auditor.rewrite.graph.blocks import Block
from auditor.rewrite.graph.windows import SlidingWindow, WindowError, window_of
from auditor.rewrite.portable.lowering import NotLoweredError, Place

_LOWEST: Mapping[int, float] = {DataType.FLOAT16: -65504.0}
_FLOOR = -3e38
"""Not minus infinity, which converters to half precision and integers choke on."""


def window_at(place: Place) -> SlidingWindow:
    """The window with explicit padding. Raises NotLoweredError."""
    try:
        return window_of(place.editor, place.part)
    except WindowError as error:
        raise NotLoweredError(str(error)) from None


def is_padded(window: SlidingWindow) -> bool:
    """Whether its padding adds anything."""
    return any((*window.begin, *window.end))


def bordered(place: Place, block: Block, window: SlidingWindow, *, lowest: bool) -> str:
    """What the window slides over, continued with zeros or with a number that no maximum takes."""
    import numpy as np

    if not is_padded(window):
        return place.data
    value = _LOWEST.get(place.dtype, _FLOOR) if lowest else 0.0
    number = np.array(value, place.floating())
    return block.pad_with(place.data, (0, 0, *window.begin), (0, 0, *window.end), number)
