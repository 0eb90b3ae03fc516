"""The forms of attributes that are left out, and of operators over one or three axes.

Every one of them refines another: a target whose table is silent about it computes it as it does that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import Form, integer, integers
from auditor.targets.forms.indexing import copies
from auditor.targets.forms.resize_facts import ResizeFacts, between, facts
from auditor.targets.forms.window_facts import asymmetric, auto_pad, dilated, sliding

_TWO_AXES = "Reshape to four dimensions and work on two axes."
_ONE_HOT = "A product with a constant 0/1 matrix, or a one-hot depthwise convolution."
_NINE = 9


def _form(name: str, operators: Sequence[str], words: str, portable: str, test: Callable[[ObservedNode], bool]) -> Form:
    return Form(name, frozenset(operators), words, portable, test, refines=True)


def _leaves_out(name: str) -> Callable[[ObservedNode], bool]:
    return lambda node: name not in node.attributes


def _nearest(node: ObservedNode, coordinate: str, *, shrinks: bool) -> bool:
    how = facts(node)
    return how.mode == "nearest" and how.coordinate == coordinate and how.shrinks == shrinks


def _by_odd_factor(how: ResizeFacts) -> bool:
    return any(axis.step > 1 and round(axis.step) % 2 == 1 for axis in how.axes or ())


def _axes(count: int) -> Callable[[ObservedNode], bool]:
    return lambda node: len(sliding(node)) == count


def _nine_in_a_row(node: ObservedNode) -> bool:
    """Whether nine taps lie along one axis, in a convolution that is not one kernel per channel."""
    kernel = [axis.kernel for axis in sliding(node)]
    if max(kernel, default=0) != _NINE or sum(size > 1 for size in kernel) != 1:
        return False
    weights, group = node.input(1).shape, integer(node, "group", 1)
    return weights is None or not (weights[0] == group > 1 and weights[1] == 1)


def _counts_more(node: ObservedNode) -> bool:
    """Whether output_shape with SAME_UPPER padding leaves an odd number of samples to cut along an axis."""
    sizes, extra = integers(node, "output_shape") or (), integers(node, "output_padding")
    axes = sliding(node)
    if auto_pad(node) != "SAME_UPPER" or len(sizes) != len(axes):
        return False
    added = extra if extra is not None and len(extra) == len(axes) else (0,) * len(axes)
    return any(
        axis.size is None or (axis.stride * (axis.size - 1) + more + axis.reach - size) % 2
        for axis, more, size in zip(axes, added, sizes, strict=True)
    )


def _constant(node: ObservedNode) -> float:
    value = node.attributes.get("value", 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _pads_channels(node: ObservedNode) -> bool:
    """Whether a border that is no constant lies along batch or channels."""
    pads = node.input(1).values or integers(node, "pads") or ()
    rank = len(pads) // 2
    return node.attributes.get("mode") in ("edge", "reflect") and any((*pads[:2], *pads[rank : rank + 2]))


def _picks_channels(node: ObservedNode) -> bool:
    data, axis = node.input(0), integer(node, "axis", 0)
    return data.computed and _rank(node) >= 3 and axis % _rank(node) == 1


def _rank(node: ObservedNode) -> int:
    return len(node.input(0).shape or ())


FORMS = (
    _form(
        "resize-mode-left-out",
        ["Resize", "Upsample"],
        "Resize whose mode is left out, which means nearest",
        "Write mode=nearest.",
        _leaves_out("mode"),
    ),
    _form(
        "resize-mode-left-out-between",
        ["Resize", "Upsample"],
        "Resize whose mode is left out, to places between samples",
        "Write mode=nearest.",
        lambda node: _leaves_out("mode")(node) and (node.opset < 11 or between(facts(node))),
    ),
    _form(
        "resize-linear-coordinates-left-out",
        ["Resize"],
        "linear Resize whose coordinates are left out, which means half_pixel",
        "Write coordinate_transformation_mode=half_pixel.",
        lambda node: (
            node.opset >= 11
            and node.attributes.get("mode") == "linear"
            and _leaves_out("coordinate_transformation_mode")(node)
        ),
    ),
    _form(
        "resize-nearest-half-pixel-middle",
        ["Resize"],
        "nearest Resize with half-pixel centres to an odd fraction of the size",
        _ONE_HOT,
        lambda node: _nearest(node, "half_pixel", shrinks=True) and _by_odd_factor(facts(node)),
    ),
    _form(
        "resize-nearest-half-pixel-ceil-up",
        ["Resize"],
        "nearest Resize with half-pixel centres, rounded up, to a larger size",
        _ONE_HOT,
        lambda node: _nearest(node, "half_pixel", shrinks=False) and facts(node).nearest == "ceil",
    ),
    _form(
        "resize-nearest-align-corners-down",
        ["Resize"],
        "nearest Resize with aligned corners to a smaller size",
        _ONE_HOT,
        lambda node: _nearest(node, "align_corners", shrinks=True),
    ),
    _form(
        "resize-axes-negative",
        ["Resize"],
        "Resize that counts its axes from the back",
        "Count the axes from the front, or leave them out.",
        lambda node: min(integers(node, "axes") or (0,)) < 0,
    ),
    _form(
        "pool-strides-left-out",
        ["AveragePool", "MaxPool", "LpPool"],
        "pool whose strides are left out, which means 1",
        "Write the strides.",
        _leaves_out("strides"),
    ),
    _form(
        "max-pool-column-order",
        ["MaxPool"],
        "MaxPool whose indices run along columns (storage_order=1)",
        "Compute the indices behind the pool, or use the pool's values alone.",
        lambda node: integer(node, "storage_order", 0) == 1 and node.results > 1,
    ),
    _form("conv-1d", ["Conv"], "convolution over one axis", _TWO_AXES, _axes(1)),
    _form(
        "conv-1d-asymmetric",
        ["Conv"],
        "convolution over one axis with uneven padding",
        _TWO_AXES,
        lambda node: _axes(1)(node) and asymmetric(node),
    ),
    _form("conv-transpose-1d", ["ConvTranspose"], "transposed convolution over one axis", _TWO_AXES, _axes(1)),
    _form(
        "conv-3d-dilated",
        ["Conv"],
        "dilated convolution over three axes",
        "A kernel with zeros in the holes.",
        lambda node: _axes(3)(node) and dilated(node),
    ),
    _form(
        "conv-3d-same",
        ["Conv"],
        "convolution over three axes with SAME padding",
        "Explicit `pads` for the size at hand.",
        lambda node: _axes(3)(node) and bool(auto_pad(node)),
    ),
    _form(
        "conv-transpose-3d",
        ["ConvTranspose"],
        "transposed convolution over three axes",
        "Zeros between the samples, and a convolution.",
        _axes(3),
    ),
    _form(
        "conv-nine-in-a-row",
        ["Conv"],
        "Conv of nine taps along one axis",
        "A tenth tap of zero, and a sample more of padding behind.",
        _nine_in_a_row,
    ),
    _form(
        "conv-transpose-output-shape-odd",
        ["ConvTranspose"],
        "ConvTranspose with output_shape and an odd number of samples of SAME_UPPER padding",
        "ConvTranspose with explicit pads.",
        _counts_more,
    ),
    _form(
        "pad-value-attribute",
        ["Pad"],
        "Pad of opset 2 with another constant than 0",
        "Pad of opset 11, whose constant is an input.",
        lambda node: node.opset < 11 and _constant(node) != 0,
    ),
    _form(
        "pad-axes",
        ["Pad"],
        "Pad that names its axes (opset 18)",
        "Give the padding of all axes.",
        lambda node: node.input(3).given,
    ),
    _form(
        "pad-other-rank",
        ["Pad"],
        "Pad of mode edge or reflect of a signal or a volume",
        _TWO_AXES,
        lambda node: node.attributes.get("mode") in ("edge", "reflect") and _rank(node) not in (0, 4),
    ),
    _form(
        "pad-channels",
        ["Pad"],
        "Pad of mode edge or reflect of batch or channels",
        "Slice and Concat.",
        _pads_channels,
    ),
    _form(
        "gather-computed-scalar",
        ["Gather"],
        "Gather of one place that is computed from the data",
        "Gather of a list of one place, and Squeeze.",
        lambda node: node.input(1).computed and node.input(1).shape == (),
    ),
    _form("mean-1", ["Mean"], "Mean of one input", "Leave it out.", lambda node: copies(node) == 1),
    _form(
        "global-pool-3d",
        ["GlobalAveragePool", "GlobalMaxPool"],
        "global pool over three axes",
        _TWO_AXES,
        lambda node: _rank(node) == 5,
    ),
    _form(
        "grid-sample-volume",
        ["GridSample"],
        "GridSample of a volume",
        "Sample slices, or two constant matrix products where the grid is constant and separable.",
        lambda node: _rank(node) == 5,
    ),
    _form(
        "grid-sample-cubic-border",
        ["GridSample"],
        "cubic GridSample with the border repeated",
        "Linear sampling.",
        lambda node: (
            node.attributes.get("mode") in ("cubic", "bicubic") and node.attributes.get("padding_mode") == "border"
        ),
    ),
    _form(
        "grid-sample-nearest-reflection",
        ["GridSample"],
        "nearest GridSample with reflection at the border",
        "Linear sampling, and padding with a constant or the border.",
        lambda node: node.attributes.get("mode") == "nearest" and node.attributes.get("padding_mode") == "reflection",
    ),
    _form(
        "global-lp-pool-3d",
        ["GlobalLpPool"],
        "GlobalLpPool over three axes",
        "Mul, a sum over space and Sqrt.",
        lambda node: _rank(node) == 5,
    ),
    _form("lp-pool-dilated", ["LpPool"], "dilated LpPool", "Write it with Abs, Pow and AveragePool.", dilated),
    _form(
        "resize-10-linear",
        ["Resize"],
        "linear Resize of opset 10",
        "Export with opset 11 or later.",
        lambda node: node.opset < 11 and node.attributes.get("mode") in ("linear", "bilinear"),
    ),
    _form(
        "resize-nearest-asymmetric-ceil",
        ["Resize"],
        "nearest Resize with asymmetric coordinates, rounded up",
        _ONE_HOT,
        lambda node: (
            node.attributes.get("mode", "nearest") == "nearest"
            and node.attributes.get("coordinate_transformation_mode") == "asymmetric"
            and node.attributes.get("nearest_mode") == "ceil"
        ),
    ),
    _form(
        "roi-align-max",
        ["RoiAlign"],
        "RoiAlign of mode max",
        "Write it with operators that the runtime knows.",
        lambda node: node.attributes.get("mode") == "max",
    ),
    _form(
        "pool-1d-asymmetric",
        ["AveragePool", "MaxPool"],
        "pool over one axis with uneven padding",
        _TWO_AXES,
        lambda node: _axes(1)(node) and asymmetric(node),
    ),
    _form(
        "pool-1d-same",
        ["AveragePool", "MaxPool"],
        "pool over one axis with SAME padding",
        "Explicit `pads` for the size at hand.",
        lambda node: _axes(1)(node) and bool(auto_pad(node)),
    ),
    _form(
        "max-pool-indices-1d",
        ["MaxPool"],
        "MaxPool over one axis whose indices are used",
        "Compute the indices behind the pool, or use the pool's values alone.",
        lambda node: _axes(1)(node) and node.results > 1,
    ),
    _form(
        "resize-3d-linear",
        ["Resize"],
        "linear Resize of a volume",
        "Resize two axes, then the third, of four dimensions.",
        lambda node: _rank(node) == 5 and node.attributes.get("mode") == "linear",
    ),
    _form(
        "conv-transpose-asymmetric",
        ["ConvTranspose"],
        "ConvTranspose with uneven padding",
        "ConvTranspose without padding, and a Slice.",
        asymmetric,
    ),
    _form(
        "gather-channels",
        ["Gather"],
        "Gather of constant channels of a map",
        "A 1x1 convolution with 0/1 weights.",
        lambda node: _picks_channels(node) and not node.input(1).computed,
    ),
    _form(
        "gather-channels-computed",
        ["Gather"],
        "Gather of channels that the data choose",
        "A product with a one-hot matrix made from the computed place, or a sum of masked crops.",
        lambda node: _picks_channels(node) and node.input(1).computed,
    ),
    _form(
        "resize-scales-empty",
        ["Resize"],
        "Resize to sizes whose scales are given, and empty",
        "Leave the scales out (opset 13).",
        lambda node: (
            node.opset >= 11 and node.input(2).given and node.input(2).values in (None, ()) and node.input(3).given
        ),
    ),
    _form(
        "slice-attributes",
        ["Slice"],
        "Slice before opset 10, whose bounds are attributes",
        "Export with opset 10 or later.",
        lambda node: node.opset < 10,
    ),
    _form(
        "max-pool-same-lower-apart",
        ["MaxPool"],
        "MaxPool with SAME_LOWER padding whose windows lie side by side",
        "Explicit `pads` for the size at hand.",
        lambda node: (
            auto_pad(node) == "SAME_LOWER"
            and any(axis.stride == axis.kernel > 1 and axis.same_total != 0 for axis in sliding(node))
        ),
    ),
    _form(
        "arg-max",
        ["ArgMax", "ArgMin"],
        "ArgMax of what is computed from the data",
        "A one-hot row, `max(0, 1 - 1e30 * (largest - scores))`, times a table.",
        lambda node: node.input(0).computed,
    ),
    _form(
        "conv-computed-weights",
        ["Conv"],
        "Conv whose weights are computed from the data",
        "A sum of moved pictures, each times a tap.",
        lambda node: node.input(1).computed,
    ),
    _form(
        "conv-transpose-dilated",
        ["ConvTranspose"],
        "dilated ConvTranspose",
        "A kernel with zeros in the holes.",
        dilated,
    ),
)
