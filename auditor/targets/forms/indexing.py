"""The forms of slices, gathers, borders, block layouts, means over copies, and control flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import Form, integer, integers, text

ADDS = "n - 1 Add and a Mul by 1/n."
_ONE_HOT = "A one-hot depthwise convolution with that stride."
_CHOICE = "A product with a one-hot matrix made from the computed place, or a sum of masked crops."
_BATCH = "A runtime without a batch axis needs copies on branches of their own: `fix --lowering branch`."


def _form(
    name: str,
    operators: Sequence[str],
    words: str,
    portable: str,
    test: Callable[[ObservedNode], bool] = lambda _: True,
    *,
    refines: bool = False,
) -> Form:
    return Form(name, frozenset(operators), words, portable, test, refines)


def is_map(node: ObservedNode) -> bool:
    """Whether the first input is computed from data and has spatial axes; of a lost tensor that is assumed."""
    data = node.input(0)
    return data.computed and (data.shape is None or len(data.shape) >= 3)


def slice_numbers(node: ObservedNode, name: str, index: int) -> tuple[float, ...] | None:
    """Starts, ends, axes or steps of a Slice of any opset; None where they are absent or computed from data."""
    if node.opset < 10:
        return integers(node, name)
    return node.input(index).values


def slice_computed(node: ObservedNode) -> bool:
    """Whether a bound of a Slice is computed from data."""
    return node.opset >= 10 and any(node.input(index).computed for index in (1, 2))


def slice_steps(node: ObservedNode) -> tuple[int, ...]:
    """The steps of a Slice; empty where it has none."""
    return tuple(int(step) for step in slice_numbers(node, "steps", 4) or ())


def slice_axes(node: ObservedNode) -> tuple[int, ...]:
    """The axes that a Slice cuts, from 0."""
    rank = len(node.input(0).shape or ())
    starts = slice_numbers(node, "starts", 1) or ()
    axes = slice_numbers(node, "axes", 3) or tuple(range(len(starts)))
    return tuple(int(axis) % rank if rank else int(axis) for axis in axes)


def _cuts_batch(node: ObservedNode) -> bool:
    starts, ends = slice_numbers(node, "starts", 1) or (), slice_numbers(node, "ends", 2) or ()
    for axis, start, end in zip(slice_axes(node), starts, ends, strict=False):
        shape = node.input(0).shape
        if axis == 0 and (start != 0 or shape is None or 0 <= end < shape[0]):
            return True
    return False


def _axis(node: ObservedNode, default: int) -> int:
    axis = integer(node, "axis", default)
    rank = len(node.input(0).shape or ())
    return axis % rank if rank else axis


def _reduced(node: ObservedNode) -> tuple[int, ...]:
    axes = integers(node, "axes") or node.input(1).values or ()
    rank = len(node.input(0).shape or ())
    return tuple(int(axis) % rank if rank else int(axis) for axis in axes)


def _gathers_map(node: ObservedNode) -> bool:
    return is_map(node) and _axis(node, 0) >= 2 and len(node.input(1).shape or (1,)) > 0


def _negative_pads(node: ObservedNode) -> bool:
    pads = node.input(1).values or integers(node, "pads") or ()
    return any(pad < 0 for pad in pads)


def _pads_unevenly(node: ObservedNode) -> bool:
    pads = node.input(1).values or integers(node, "pads") or ()
    half = len(pads) // 2
    return tuple(pads[:half]) != tuple(pads[half:])


def _is_pad(mode: str) -> Callable[[ObservedNode], bool]:
    return lambda node: text(node, "mode", "constant") == mode and is_map(node) and not _negative_pads(node)


def copies(node: ObservedNode) -> int:
    """How many inputs are given."""
    return sum(tensor.given for tensor in node.inputs)


def _sampled_linearly(node: ObservedNode) -> bool:
    return text(node, "mode", "linear") in ("linear", "bilinear")


def _cubically(node: ObservedNode) -> bool:
    return text(node, "mode", "linear") in ("cubic", "bicubic")


def _reflects(node: ObservedNode) -> bool:
    return text(node, "padding_mode", "zeros") == "reflection"


def _scales_by_map(node: ObservedNode) -> bool:
    for data, scale in (node.inputs[:2], node.inputs[1::-1]):
        if data.computed and not scale.computed and data.shape and scale.shape and len(data.shape) == 4:
            leading = (1, *scale.shape)[-3] if len(scale.shape) >= 2 else 0
            return leading == 1 < data.shape[1] and min(scale.shape[-2:], default=1) > 1
    return False


FORMS = (
    _form(
        "slice",
        ["Slice"],
        "Slice with constant bounds and step 1",
        "It is portable as it is.",
        lambda node: (
            is_map(node) and not slice_computed(node) and not _cuts_batch(node) and set(slice_steps(node)) <= {1}
        ),
    ),
    _form(
        "slice-step",
        ["Slice"],
        "Slice with a step above 1",
        _ONE_HOT,
        lambda node: is_map(node) and not slice_computed(node) and any(step > 1 for step in slice_steps(node)),
    ),
    _form(
        "slice-backwards",
        ["Slice"],
        "Slice with a negative step",
        "A product with a constant permutation matrix.",
        lambda node: is_map(node) and not slice_computed(node) and any(step < 0 for step in slice_steps(node)),
    ),
    _form(
        "slice-computed",
        ["Slice"],
        "Slice at a place computed from the data",
        _CHOICE,
        lambda node: is_map(node) and slice_computed(node) and set(slice_steps(node)) <= {1},
    ),
    _form(
        "slice-computed-step",
        ["Slice"],
        "Slice at a place computed from the data with a step above 1",
        _CHOICE,
        lambda node: is_map(node) and slice_computed(node) and not set(slice_steps(node)) <= {1},
    ),
    _form(
        "batch-slice",
        ["Slice"],
        "Slice of the batch axis",
        _BATCH,
        lambda node: is_map(node) and not slice_computed(node) and _cuts_batch(node),
    ),
    _form(
        "gather-constant",
        ["Gather"],
        "Gather of constant places of a map",
        _ONE_HOT,
        lambda node: _gathers_map(node) and not node.input(1).computed,
    ),
    _form(
        "gather-computed",
        ["Gather"],
        "Gather of places that are computed from the data",
        _CHOICE,
        lambda node: _gathers_map(node) and node.input(1).computed,
    ),
    _form(
        "gather-nd",
        ["GatherND"],
        "GatherND at places that are computed from the data",
        _CHOICE,
        lambda node: is_map(node) and node.input(1).computed,
    ),
    _form(
        "gather-nd-stack",
        ["GatherND"],
        "GatherND of a stack of maps at a place that is computed from the data",
        _CHOICE,
        lambda node: is_map(node) and node.input(1).computed and _rank(node) >= 5,
        refines=True,
    ),
    _form("pad-constant", ["Pad"], "Pad with a constant", "It is portable as it is.", _is_pad("constant")),
    _form("pad-edge", ["Pad"], "Pad of mode edge", "It is portable as it is.", _is_pad("edge")),
    _form(
        "pad-reflect",
        ["Pad"],
        "Pad of mode reflect, the same on both sides",
        "Pad of mode edge, or crops and Concat.",
        lambda node: _is_pad("reflect")(node) and not _pads_unevenly(node),
    ),
    _form(
        "pad-reflect-uneven",
        ["Pad"],
        "Pad of mode reflect with different sides",
        "Pad of mode edge, or crops and Concat.",
        lambda node: _is_pad("reflect")(node) and _pads_unevenly(node),
    ),
    _form(
        "pad-wrap",
        ["Pad"],
        "Pad of mode wrap (opset 19)",
        "Slice and Concat per axis.",
        _is_pad("wrap"),
    ),
    _form(
        "pad-negative",
        ["Pad"],
        "Pad with negative amounts",
        "Slice.",
        lambda node: is_map(node) and _negative_pads(node),
    ),
    _form(
        "depth-to-space-dcr",
        ["DepthToSpace"],
        "DepthToSpace of mode DCR",
        "A 1x1 convolution that permutes the channels, and DepthToSpace of mode CRD.",
        lambda node: text(node, "mode", "DCR") == "DCR",
    ),
    _form(
        "depth-to-space-crd",
        ["DepthToSpace"],
        "DepthToSpace of mode CRD",
        "It is portable as it is.",
        lambda node: text(node, "mode", "DCR") == "CRD",
    ),
    _form(
        "depth-to-space-crd-wide",
        ["DepthToSpace"],
        "DepthToSpace of mode CRD with another block than 2",
        "ConvTranspose with 0/1 weights.",
        lambda node: text(node, "mode", "DCR") == "CRD" and integer(node, "blocksize", 2) != 2,
        refines=True,
    ),
    _form(
        "space-to-depth",
        ["SpaceToDepth"],
        "SpaceToDepth",
        "A strided convolution with 0/1 weights.",
    ),
    _form(
        "grid-sample-linear-16",
        ["GridSample"],
        "GridSample of opset 16, bilinear",
        "Two constant matrix products where the grid is constant and separable.",
        lambda node: _sampled_linearly(node) and not _reflects(node) and node.opset < 20,
    ),
    _form(
        "grid-sample-linear-20",
        ["GridSample"],
        "GridSample of opset 20, linear",
        "Two constant matrix products where the grid is constant and separable.",
        lambda node: _sampled_linearly(node) and not _reflects(node) and node.opset >= 20,
    ),
    _form(
        "grid-sample-cubic-16",
        ["GridSample"],
        "GridSample of opset 16, bicubic",
        "Linear sampling, or two constant matrix products where the grid is constant and separable.",
        lambda node: _cubically(node) and node.opset < 20,
    ),
    _form(
        "grid-sample-cubic-20",
        ["GridSample"],
        "GridSample of opset 20, cubic",
        "Linear sampling, or two constant matrix products where the grid is constant and separable.",
        lambda node: _cubically(node) and node.opset >= 20,
    ),
    _form(
        "grid-sample-reflection",
        ["GridSample"],
        "linear GridSample with reflection at the border",
        "Padding with a constant or the border.",
        lambda node: _sampled_linearly(node) and _reflects(node),
    ),
    _form(
        "grid-sample-nearest",
        ["GridSample"],
        "nearest GridSample",
        "Linear sampling.",
        lambda node: text(node, "mode", "linear") == "nearest",
    ),
    _form(
        "center-crop-pad",
        ["CenterCropPad"],
        "CenterCropPad",
        "Slice and Pad for the size at hand.",
    ),
    _form(
        "mul-by-map",
        ["Mul"],
        "Mul by a constant map of one channel",
        "Repeat the map for every channel.",
        _scales_by_map,
        refines=True,
    ),
    _form("mean-2", ["Mean"], "Mean of two inputs", ADDS, lambda node: copies(node) == 2),
    _form("mean-3", ["Mean"], "Mean of three inputs", ADDS, lambda node: copies(node) == 3),
    _form("mean-4", ["Mean"], "Mean of four or more inputs", ADDS, lambda node: copies(node) >= 4),
    _form(
        "batch-concat",
        ["Concat"],
        "copies side by side on the batch axis",
        _BATCH,
        lambda node: is_map(node) and copies(node) > 1 and _axis(node, 1) == 0 and _rank(node) in (0, 4),
    ),
    _form(
        "batch-split",
        ["Split"],
        "Split of the batch axis",
        _BATCH,
        lambda node: node.results > 1 and _axis(node, 0) == 0 and _rank(node) >= 2,
    ),
    _form(
        "batch-mean",
        ["ReduceMean", "ReduceSum", "ReduceMax"],
        "reduction over the batch axis",
        _BATCH,
        lambda node: 0 in _reduced(node) and len(_reduced(node)) == 1 and _rank(node) >= 2,
    ),
    _form("if-on-data", ["If"], "If on data", "Compute both branches and choose with Where.", lambda _: True),
    _form(
        "loop",
        ["Loop"],
        "Loop",
        "Unroll the body where the trip count is constant.",
    ),
    _form("scan", ["Scan"], "Scan", "Unroll the body where the length is constant."),
    _form(
        "global-pool",
        ["GlobalAveragePool", "GlobalMaxPool"],
        "global pool",
        "It is portable as it is.",
    ),
    *(
        _form(name, [operator], operator, "Write it with operators that the runtime knows.")
        for name, operator in (
            ("affine-grid", "AffineGrid"),
            ("col2im", "Col2Im"),
            ("deform-conv", "DeformConv"),
            ("max-roi-pool", "MaxRoiPool"),
            ("max-unpool", "MaxUnpool"),
            ("roi-align", "RoiAlign"),
        )
    ),
)


def _rank(node: ObservedNode) -> int:
    return len(node.input(0).shape or ())
