"""SAME padding of a convolution or a pool: the same padding as numbers, for the size at hand."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, edited
from auditor.rewrite.portable.windows import window_at
from auditor.targets.forms.window_facts import auto_pad


def _way(place: Place) -> Way:
    if not auto_pad(place.node):
        raise NotLoweredError("its padding is explicit already")
    window = window_at(place)
    pads = (*window.begin, *window.end)
    # Some runtimes fail on a pool without strides, too.
    return edited(place, "explicit pads", auto_pad=None, pads=pads if any(pads) else None, strides=tuple(window.stride))


FORM = PortableForm(
    rank=1,
    operators=frozenset({"Conv", "AveragePool", "MaxPool"}),
    forms=frozenset(
        {
            "conv-same-upper",
            "conv-same-lower",
            "average-pool-same-upper",
            "average-pool-same-lower",
            "average-pool-same-counted",
            "average-pool-same-counted-odd",
            "same-windows-apart",
            "pool-dilated-same",
            "average-pool-same-fills",
            "max-pool-same-upper",
            "max-pool-same-lower",
            "max-pool-same-lower-apart",
            "max-pool-same-lower-rest",
            "conv-grouped-same-oblong",
            "pool-same-lower-even-kernel",
            "pool-same-odd-upper",
            "same-odd-lower",
            "same-off-centre",
        }
    ),
    way=_way,
)
