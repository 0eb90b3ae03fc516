"""The borders of what onnxruntime keeps in blocks of channels (``com.microsoft.nchwc``): ReorderInput, ReorderOutput.

Between them channels are padded to whole blocks, and tensors are NCHW as far as anyone outside of a kernel can see.
"""

from __future__ import annotations

from dataclasses import replace

from auditor.sampling.lattice.state import OpaqueError, State, anonymous
from auditor.sampling.ops.sliding import lost_result
from auditor.sampling.walk.call import Call


def reorder_input(call: Call) -> State:
    """ReorderInput: from NCHW, or NHWC with ``channels_last``, into blocks."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    if not call.integer("channels_last", 0):
        return given
    return replace(given, axes=(given.axes[0], given.axes[-1], *given.axes[1:-1]))


def reorder_output(call: Call) -> State:
    """ReorderOutput: the first ``channels`` channels, in NCHW, or NHWC with ``channels_last``."""
    given, channels = call.state(0), call.integer("channels", 0)
    if given.axes is None:
        return lost_result(given)
    if len(given.axes) < 2 or not 0 < channels <= given.axes[1].size:
        raise OpaqueError("the channels of ReorderOutput do not fit the tensor")
    axes = list(given.axes)
    if channels < axes[1].size:
        axes[1] = anonymous(channels)
    if call.integer("channels_last", 0):
        axes = [axes[0], *axes[2:], axes[1]]
    return replace(given, axes=tuple(axes))
