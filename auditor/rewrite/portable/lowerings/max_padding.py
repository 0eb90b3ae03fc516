"""A MaxPool with SAME, uneven or ceil_mode padding: a Pad with a very low number, and the pool without padding."""

from __future__ import annotations

from math import prod

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.windows import bordered, is_padded, window_at

INDICES = "its indices are used, which count the samples of another map behind a Pad"


def _way(place: Place) -> Way:
    if place.node.results > 1:
        raise NotLoweredError(INDICES)
    place.floating()
    window = window_at(place)
    if any(spread > 1 for spread in window.dilation):
        raise NotLoweredError("it is dilated")

    def write() -> None:
        block = place.block()
        source = bordered(place, block, window, lowest=True)
        kept = {"auto_pad": None, "ceil_mode": None, "pads": None, "dilations": None, "storage_order": None}
        block.copy(place.part, {0: source}, place.output, "pool", **kept)
        replaced(place, block)

    own = prices.MAXIMUM * prod(window.counts)
    words = "Pad with a very low number and a MaxPool without padding" if is_padded(window) else "explicit padding"
    padding = prices.padded(window.sizes, window.begin, window.end)
    return Way(words, prices.ratio(own + padding, own, place.result()[1]), write)


FORM = PortableForm(
    rank=10,
    operators=frozenset({"MaxPool"}),
    forms=frozenset(
        {
            "max-pool-asymmetric",
            "max-pool-padded-in-front",
            "max-pool-ceil",
            "max-pool-ceil-drops",
            "max-pool-same-upper",
            "max-pool-same-lower",
            "pool-same-odd-upper",
            "same-odd-lower",
            "same-off-centre",
        }
    ),
    way=_way,
)
