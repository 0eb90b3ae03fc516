"""LpPool of p = 2: squares, their average behind a Pad with zeros, times the size of the kernel, and the root."""

from __future__ import annotations

from math import prod

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.windows import bordered, window_at
from auditor.targets.forms.form import integer


def _way(place: Place) -> Way:
    if integer(place.node, "p", 2) != 2 or any(spread > 1 for spread in window_at(place).dilation):
        raise NotLoweredError("it is dilated, or of another p than 2")
    place.floating(half=False)
    window = window_at(place)

    def write() -> None:
        import numpy as np

        block = place.block()
        tensor = bordered(place, block, window, lowest=False)
        (squares,) = block.node("Mul", [tensor, tensor], "squared")
        (mean,) = block.node(
            "AveragePool", [squares], "mean", kernel_shape=list(window.kernel), strides=list(window.stride)
        )
        size = np.array(prod(window.kernel), place.floating())
        (total,) = block.node("Mul", [mean, size], "sum")
        block.node("Sqrt", [total], "norm", place.output)
        replaced(place, block)

    own = prices.POWER * prod(window.counts) * prod(window.kernel)
    price = prices.AVERAGE * prod(window.counts) + 2 * prices.ELEMENT * prod(window.counts)
    price += prices.padded(window.sizes, window.begin, window.end) + prices.ELEMENT * prod(window.sizes)
    return Way("squares, their AveragePool and the root", prices.ratio(price, own, place.result()[1]), write)


FORM = PortableForm(
    rank=10,
    operators=frozenset({"LpPool"}),
    forms=frozenset({"lp-pool", "lp-pool-padded", "lp-pool-ceil", "lp-pool-uneven", "lp-pool-same"}),
    way=_way,
)
