"""A convolution of nine taps along one axis: ten taps, the last of them zero, and a sample more of padding behind."""

from __future__ import annotations

from auditor.onnxfile import read_tensor
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.windows import window_at

_MOST_BYTES = 1 << 26


def _way(place: Place) -> Way:
    import numpy as np

    constant = place.editor.constant(place.part.inputs[1])
    weights = None if constant is None else read_tensor(place.editor.model, constant, _MOST_BYTES)
    if weights is None or weights.dtype.kind != "f":
        raise NotLoweredError("its weights are computed, too large or no floating-point numbers")
    window = window_at(place)
    axis = next(index for index, size in enumerate(window.kernel) if size > 1)

    def write() -> None:
        widths = [(0, int(index == axis + 2)) for index in range(weights.ndim)]
        block, wider = place.block(), np.pad(weights, widths)
        end = [pad + window.dilation[index] * (index == axis) for index, pad in enumerate(window.end)]
        block.copy(
            place.part,
            {1: block.constant(wider, "weights")},
            place.output,
            "ten",
            auto_pad=None,
            kernel_shape=list(wider.shape[2:]),
            pads=[*window.begin, *end],
        )
        replaced(place, block)

    return Way("a tenth tap of zero", 10 / 9, write)


FORM = PortableForm(rank=0, operators=frozenset({"Conv"}), forms=frozenset({"conv-nine-in-a-row"}), way=_way)
