"""A Mean of several inputs: sums and a product."""

from __future__ import annotations

from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced


def _way(place: Place) -> Way:
    shapes = {tensor.shape for tensor in place.node.inputs}
    if None in shapes:
        raise NotLoweredError("the size of an input is not known")
    dtype = place.floating()

    def write() -> None:
        block = place.block()
        block.mean(place.part.inputs, dtype, place.output)
        replaced(place, block)

    # onnxruntime adds and divides, too.
    return Way("Add, and Mul by a constant", 1.0, write)


FORM = PortableForm(rank=10, operators=frozenset({"Mean"}), forms=frozenset({"mean-2", "mean-3", "mean-4"}), way=_way)
