"""A convolution as one matrix per group, over columns of samples: the form in which its weights can be fitted.

With ``z`` of shape (N, C, ...) and a kernel of K taps, group g computes ``t = W z' + b``, where every column of ``z'``
holds the C / groups * K samples under one window, zero padding included. Conv-11: Y = X * W + B.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from auditor.onnxfile import read_tensor
from auditor.rewrite.graph.windows import WindowError, window_of

if TYPE_CHECKING:
    from auditor.rewrite.calibration.ridge import Array, Floats
    from auditor.rewrite.graph.parts import EditNode
    from auditor.rewrite.graph.surgery import GraphEditor

MOST_COLUMNS = 4608
"""The largest number of samples under a window that is fitted: 512 channels of 3 x 3 taps. Memory is its square."""

_MOST_BYTES = 256 << 20
_WORK = 1_000_000
_FEWEST, _MOST = 512, 4096


@dataclass(frozen=True, slots=True)
class LinearOperator:
    """``weight`` has the shape (groups, O / groups, C / groups * K), ``bias`` (groups, O / groups).

    ``shape`` and ``dtype`` (the name of a numpy type) are those of the weights in the file. ``kernel``, ``stride``,
    ``dilation``, ``begin`` and ``end`` hold one number per grid axis.
    """

    weight: Floats
    bias: Floats
    shape: tuple[int, ...]
    dtype: str
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def groups(self) -> int:
        return len(self.weight)

    @property
    def outputs(self) -> int:
        """Of one group."""
        return int(self.weight.shape[1])

    @property
    def columns(self) -> int:
        """Samples under one window, of one group."""
        return int(self.weight.shape[2])

    def pairs(self, z: Array, t: Array) -> tuple[Floats, Floats]:
        """Columns (groups, C / groups * K, n) and what was wanted of them (groups, O / groups, n).

        ``z`` is what the operator reads and ``t`` what it should write, at evenly spread positions: neighbours on a
        large map say nearly the same.
        """
        import numpy as np
        from numpy.lib.stride_tricks import sliding_window_view

        rank = len(self.kernel)
        padded = np.pad(z, ((0, 0), (0, 0), *zip(self.begin, self.end, strict=True)))
        reach = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        windows = sliding_window_view(padded, reach, axis=tuple(range(2, 2 + rank)))
        steps = (*(slice(None, None, s) for s in self.stride), *(slice(None, None, d) for d in self.dilation))
        every: Any = (slice(None), slice(None), *steps)
        windows = np.asarray(windows)[every]
        grid = windows.shape[2 : 2 + rank]
        count = len(z) * prod(grid)
        wanted = min(max(_WORK // self.columns, _FEWEST), _MOST)
        places = np.unravel_index(np.arange(0, count, max(count // wanted, 1)), (len(z), *grid))
        spread: Any = (places[0], slice(None), *places[1:])
        # An index array in front of and behind a slice moves its axis to the front: (n, C, K...) and (n, O).
        taken, target = (np.asarray(values)[spread] for values in (windows, t))
        columns = taken.reshape(len(taken), self.groups, self.columns).transpose(1, 2, 0)
        aims = target.reshape(len(target), self.groups, self.outputs).transpose(1, 2, 0)
        return columns.astype(np.float64), aims.astype(np.float64)


def linear_operator(editor: GraphEditor, part: EditNode) -> LinearOperator | None:
    """The operator of a Conv node with constant floating-point weights; None where it is another, or too large."""
    import numpy as np

    if part.op != "Conv" or part.domain or len(part.inputs) < 2:
        return None
    groups = part.attributes.get("group", 1)
    try:
        window = window_of(editor, part)
    except WindowError:
        return None
    weight = _values(editor, part.inputs[1])
    if weight is None or not isinstance(groups, int) or groups < 1 or weight.shape[0] % groups:
        return None
    bias = _values(editor, part.inputs[2]) if len(part.inputs) > 2 and part.inputs[2] else np.zeros(len(weight))
    columns = prod(weight.shape[1:])
    if bias is None or bias.shape != weight.shape[:1] or groups * columns**2 > MOST_COLUMNS**2:
        return None
    return LinearOperator(
        weight.reshape(groups, -1, columns).astype(np.float64),
        bias.reshape(groups, -1).astype(np.float64),
        weight.shape,
        weight.dtype.name,
        window.kernel,
        window.stride,
        window.dilation,
        window.begin,
        window.end,
    )


def pointwise(channels: int, rank: int) -> LinearOperator:
    """The 1x1 convolution that does nothing."""
    import numpy as np

    ones, nothing = (1,) * rank, (0,) * rank
    weight, bias = np.eye(channels)[None], np.zeros((1, channels))
    return LinearOperator(
        weight, bias, (channels, channels, *ones), weight.dtype.name, ones, ones, ones, nothing, nothing
    )


def _values(editor: GraphEditor, tensor: str) -> Array | None:
    constant = editor.constant(tensor)
    values = None if constant is None else read_tensor(editor.model, constant, _MOST_BYTES)
    return values if values is not None and values.dtype.kind == "f" else None
