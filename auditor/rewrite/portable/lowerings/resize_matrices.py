"""Any Resize of fixed size: a constant matrix product per axis, which all runtimes compute alike."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from auditor.rewrite.portable import prices
from auditor.rewrite.portable.lowering import NotLoweredError, Place, PortableForm, Way, replaced
from auditor.rewrite.portable.weights import axis_matrix
from auditor.targets.forms.resize_facts import ResizeFacts, facts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_WEIGHTS = 1 << 24


def _way(place: Place) -> Way:
    how = facts(place.node)
    shape, result = place.shape(), place.result()
    place.floating(half=how.mode == "nearest")
    rank = len(shape)
    if how.axes is None or rank < 3:
        raise NotLoweredError("its output size is computed from the data")
    if not how.axes:
        raise NotLoweredError("it changes no size")
    if any(axis.index < rank - 2 for axis in how.axes):
        raise NotLoweredError("it resizes other axes than the last two")
    if any(axis.before is None or axis.after is None for axis in how.axes):
        raise NotLoweredError("its output size is computed from the data")
    if sum((axis.before or 0) * (axis.after or 0) for axis in how.axes) > _MOST_WEIGHTS:
        raise NotLoweredError("its matrices would have more weights than a layer of the network")
    if how.policy != "stretch":
        raise NotLoweredError("how runtimes round with its policy is not known")
    sizes = (*((1,) * (4 - rank)), *shape[2:])
    after = (*((1,) * (4 - rank)), *result[2:])
    price = prices.products((sizes[-2], sizes[-1]), (after[-2], after[-1]))
    if len(how.axes) == 1:
        price = float(prod(shape[2:]) * (how.axes[0].after or 1))
    count = "a constant matrix product" if len(how.axes) == 1 else "two constant matrix products"
    ratio = prices.ratio(price, prices.resize(how, shape, result), shape[1])
    return Way(count, ratio, lambda: _write(place, how))


def _write(place: Place, how: ResizeFacts) -> None:
    block, dtype = place.block(), place.floating()
    tensor, rank = place.data, len(place.shape())
    axes = sorted(how.axes or (), key=lambda axis: axis.index, reverse=True)
    for number, axis in enumerate(axes):
        matrix = axis_matrix(how, axis)
        assert matrix is not None  # asked for by the plan
        weights: NDArray[np.generic] = matrix.astype(dtype)
        output = place.output if number == len(axes) - 1 else None
        if axis.index == rank - 1:
            (tensor,) = block.node("MatMul", [tensor, weights.T.copy()], "columns", output)
        else:
            (tensor,) = block.node("MatMul", [weights, tensor], "rows", output)
    replaced(place, block)


def _checked(place: Place) -> Way:
    """The way, where the weights of every axis are known."""
    way, how = _way(place), facts(place.node)
    if any(axis_matrix(how, axis) is None for axis in how.axes or ()):
        raise NotLoweredError("its coordinates need more than the sizes")
    return way


FORM = PortableForm(
    rank=40,
    operators=frozenset({"Resize", "Upsample"}),
    forms=frozenset(
        {
            "resize-antialias-linear",
            "resize-antialias-cubic",
            "resize-antialias-cubic-up",
            "resize-antialias-linear-up",
            "resize-linear-half-pixel",
            "resize-scale-fraction",
            "resize-align-corners-fraction",
            "resize-cubic-both-ways",
            "resize-scale-rounding",
            "resize-pytorch-half-pixel-to-one",
            "resize-linear-align-corners",
            "resize-linear-align-corners-18",
            "resize-linear-asymmetric",
            "resize-half-pixel-symmetric",
            "resize-half-pixel-symmetric-fraction",
            "resize-cubic",
            "resize-cubic-asymmetric",
            "resize-cubic-down",
            "resize-cubic-up",
            "resize-cubic-coefficient",
            "resize-cubic-other-kernel",
            "resize-exclude-outside",
            "resize-nearest-asymmetric-ratio",
            "resize-nearest-rounded-scale",
            "resize-nearest-asymmetric-down",
            "resize-nearest-half-pixel",
            "resize-nearest-half-pixel-ties",
            "resize-nearest-half-pixel-ceil",
            "resize-nearest-half-pixel-other",
            "resize-nearest-half-pixel-middle",
            "resize-nearest-half-pixel-ceil-up",
            "resize-nearest-align-corners-down",
            "resize-nearest-asymmetric-ceil",
            "resize-nearest-align-corners",
            "resize-nearest-asymmetric-other",
            "resize-axes",
            "resize-axes-sizes",
            "upsample-linear",
            "upsample-nearest",
            "resize-10",
        }
    ),
    way=_checked,
)
