"""The forms of Resize and Upsample."""

from __future__ import annotations

from collections.abc import Callable

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import Form
from auditor.targets.forms.resize_facts import (
    ResizeFacts,
    crosses_border,
    cut_below,
    facts,
    float_trap,
    integer_factor,
    odd_axes,
    ties,
    to_one,
    whole,
)

MATRICES = "Two constant matrix products, or a strided depthwise convolution for whole factors."
_SIZES = "Give the output size by `sizes`, and scales that divide it, so that no runtime has to round."
_ONE_HOT = "A product with a constant 0/1 matrix, or a one-hot depthwise convolution."


def _all(test: Callable[[ResizeFacts], bool]) -> Callable[[ObservedNode], bool]:
    return lambda node: node.op == "Resize" and test(facts(node))


def _plain(how: ResizeFacts, mode: str) -> bool:
    """Whether nothing but the mode and the coordinates decides what comes out."""
    return how.mode == mode and not how.antialias


_HALF = ("half_pixel", "pytorch_half_pixel")
_RESIZE = frozenset({"Resize"})
_UPSAMPLE = frozenset({"Upsample"})


def _form(name: str, words: str, portable: str, test: Callable[[ResizeFacts], bool], *, refines: bool = False) -> Form:
    return Form(name, _RESIZE, words, portable, _all(test), refines)


FORMS = (
    _form(
        "resize-antialias-nearest",
        "Resize with antialias=1 and mode nearest, which onnxruntime refuses",
        "Leave antialias out: mode nearest has no filter.",
        lambda how: how.antialias and how.mode == "nearest",
    ),
    _form(
        "resize-antialias-linear",
        "Resize with antialias=1, linear, to a smaller size",
        MATRICES,
        lambda how: how.antialias and how.mode == "linear" and how.shrinks,
    ),
    _form(
        "resize-antialias-cubic",
        "Resize with antialias=1, cubic, to a smaller size",
        MATRICES,
        lambda how: how.antialias and how.mode == "cubic" and how.shrinks,
    ),
    _form(
        "resize-antialias-linear-up",
        "Resize with antialias=1, linear, to a larger size, where it has no effect",
        "Leave antialias out: a purely enlarging Resize is the same without it.",
        lambda how: how.antialias and how.mode == "linear" and not how.shrinks,
    ),
    _form(
        "resize-antialias-cubic-up",
        "Resize with antialias=1, cubic, to a larger size",
        MATRICES,
        lambda how: how.antialias and how.mode == "cubic" and not how.shrinks,
    ),
    _form(
        "resize-linear-half-pixel",
        "linear Resize with half-pixel centres",
        MATRICES,
        lambda how: _plain(how, "linear") and how.coordinate in _HALF,
    ),
    _form(
        "resize-scale-fraction",
        "Resize by a scale that makes no whole size, which is cut",
        _SIZES,
        lambda how: (
            how.mode != "nearest" and how.coordinate != "align_corners" and not how.antialias and not whole(how)
        ),
    ),
    _form(
        "resize-scale-rounding",
        "Resize by a scale whose float32 value lies just below the one meant, so that exact arithmetic gives a smaller"
        " output",
        _SIZES,
        lambda how: any(cut_below(axis) for axis in how.axes or ()),
        refines=True,
    ),
    _form(
        "resize-pytorch-half-pixel-to-one",
        "Resize with coordinates pytorch_half_pixel to a single sample",
        MATRICES,
        lambda how: not how.antialias and how.mode != "nearest" and to_one(how),
    ),
    _form(
        "resize-linear-align-corners",
        "linear Resize with aligned corners",
        MATRICES,
        lambda how: _plain(how, "linear") and how.coordinate == "align_corners",
    ),
    _form(
        "resize-linear-asymmetric",
        "linear Resize with asymmetric coordinates",
        MATRICES,
        lambda how: how.mode == "linear" and how.coordinate == "asymmetric",
    ),
    _form(
        "resize-half-pixel-symmetric",
        "Resize with coordinates half_pixel_symmetric",
        "half_pixel where input size times scale is whole, else two constant matrix products.",
        lambda how: how.coordinate == "half_pixel_symmetric",
    ),
    _form(
        "resize-half-pixel-symmetric-fraction",
        "Resize with coordinates half_pixel_symmetric by a scale that makes no whole size",
        MATRICES,
        lambda how: how.coordinate == "half_pixel_symmetric" and not whole(how),
        refines=True,
    ),
    _form(
        "resize-crop",
        "Resize with coordinates tf_crop_and_resize",
        "Slice to the region and a plain Resize.",
        lambda how: how.coordinate in ("tf_crop_and_resize", "tf_half_pixel_for_nn"),
    ),
    _form(
        "resize-cubic",
        "cubic Resize",
        MATRICES,
        lambda how: _plain(how, "cubic") and how.coordinate not in _HALF and how.coordinate != "asymmetric",
    ),
    _form(
        "resize-cubic-asymmetric",
        "cubic Resize with asymmetric coordinates",
        MATRICES,
        lambda how: how.mode == "cubic" and how.coordinate == "asymmetric",
    ),
    _form(
        "resize-cubic-down",
        "cubic Resize with half-pixel centres, without antialias, to a smaller size",
        MATRICES,
        lambda how: _plain(how, "cubic") and how.coordinate in _HALF and how.shrinks,
    ),
    _form(
        "resize-cubic-up",
        "cubic Resize with half-pixel centres to a larger size",
        MATRICES,
        lambda how: _plain(how, "cubic") and how.coordinate in _HALF and not how.shrinks,
    ),
    _form(
        "resize-cubic-coefficient",
        "cubic Resize with a coefficient (cubic_coeff_a) other than -0.75",
        MATRICES,
        lambda how: how.mode == "cubic" and abs(how.cubic_a + 0.75) > 1e-6,
        refines=True,
    ),
    _form(
        "resize-cubic-other-kernel",
        "cubic Resize with another kernel or border than a=-0.5 and exclude_outside=1",
        MATRICES,
        lambda how: (
            _plain(how, "cubic") and not (how.excludes and abs(how.cubic_a + 0.5) < 1e-6 and how.coordinate in _HALF)
        ),
        refines=True,
    ),
    _form(
        "resize-exclude-outside",
        "cubic Resize with exclude_outside=1",
        MATRICES,
        lambda how: how.mode == "cubic" and how.excludes and not how.antialias and crosses_border(how),
    ),
    _form(
        "resize-nearest-asymmetric-up",
        "nearest Resize with asymmetric coordinates and floor, up by a whole factor",
        "It is portable as it is.",
        lambda how: how.mode == "nearest" and _floor(how) and not how.shrinks and _by_integers(how),
    ),
    _form(
        "resize-nearest-asymmetric-down",
        "nearest Resize with asymmetric coordinates and floor, down by a whole factor",
        _ONE_HOT,
        lambda how: how.mode == "nearest" and _floor(how) and how.shrinks and _by_integers(how),
    ),
    _form(
        "resize-nearest-asymmetric-ratio",
        "nearest Resize with asymmetric coordinates and floor by a ratio that is not whole",
        _ONE_HOT,
        lambda how: how.mode == "nearest" and _floor(how) and not _by_integers(how),
    ),
    _form(
        "resize-nearest-rounded-scale",
        "nearest Resize by a scale whose float32 value decides which of two samples is taken",
        _ONE_HOT,
        lambda how: how.mode == "nearest" and _floor(how) and float_trap(how),
        refines=True,
    ),
    _form(
        "resize-nearest-half-pixel",
        "nearest Resize with half-pixel centres, rounded with preference for the lower sample",
        "nearest with asymmetric coordinates and floor (the same for whole factors up), or a one-hot depthwise"
        " convolution.",
        lambda how: how.mode == "nearest" and how.coordinate in _HALF and how.nearest == "round_prefer_floor",
    ),
    _form(
        "resize-nearest-half-pixel-ties",
        "nearest Resize with half-pixel centres midway between samples, where the lower one is meant",
        _ONE_HOT,
        lambda how: (
            how.mode == "nearest"
            and how.coordinate in _HALF
            and how.nearest == "round_prefer_floor"
            and not how.antialias
            and ties(how)
        ),
        refines=True,
    ),
    _form(
        "resize-nearest-half-pixel-ceil",
        "nearest Resize with half-pixel centres, rounded up",
        _ONE_HOT,
        lambda how: how.mode == "nearest" and how.coordinate in _HALF and how.nearest == "ceil",
    ),
    _form(
        "resize-nearest-half-pixel-other",
        "nearest Resize with half-pixel centres and nearest_mode floor or round_prefer_ceil",
        _ONE_HOT,
        lambda how: how.mode == "nearest" and how.coordinate in _HALF and how.nearest in ("floor", "round_prefer_ceil"),
    ),
    _form(
        "resize-nearest-align-corners",
        "nearest Resize with aligned corners",
        _ONE_HOT,
        lambda how: how.mode == "nearest" and how.coordinate == "align_corners",
    ),
    _form(
        "resize-nearest-asymmetric-other",
        "nearest Resize with asymmetric coordinates and another rounding than floor",
        _ONE_HOT,
        lambda how: how.mode == "nearest" and how.coordinate == "asymmetric" and how.nearest != "floor",
    ),
    _form(
        "resize-antialias-open-size",
        "Resize with antialias=1 of a size that the file leaves open",
        "Export with a fixed size.",
        lambda how: how.antialias and how.axes is not None and any(axis.before is None for axis in how.axes),
        refines=True,
    ),
    _form(
        "resize-axes",
        "Resize that names its axes (attribute axes) and gives scales",
        "Give scales for all axes.",
        lambda how: how.names_axes and not how.by_sizes,
    ),
    _form(
        "resize-axes-sizes",
        "Resize that names its axes (attribute axes) and gives sizes",
        "Give sizes for all axes.",
        lambda how: how.names_axes and how.by_sizes and how.policy == "stretch",
    ),
    _form(
        "resize-keep-aspect",
        "Resize with a keep_aspect_ratio_policy",
        "Give the resulting `sizes` for all axes.",
        lambda how: how.policy != "stretch",
    ),
    _form(
        "resize-1d",
        "Resize of a signal of one axis",
        "Reshape to four dimensions and resize the last of them.",
        lambda how: how.rank == 3 and odd_axes(how) and how.axes != (),
    ),
    _form(
        "resize-3d",
        "Resize of a volume",
        "Resize two axes, then the third, of four dimensions.",
        lambda how: how.rank == 5 and odd_axes(how) and how.axes != (),
    ),
    _form(
        "resize-other-axes",
        "Resize of other axes than the last two of four",
        "Transpose and reshape so that the resized axes are the last two of four.",
        lambda how: how.rank not in (3, 5) and odd_axes(how) and how.axes != (),
    ),
    Form(
        "upsample-linear",
        _UPSAMPLE,
        "linear Upsample (before opset 10)",
        "Resize of opset 11 with asymmetric coordinates, or two constant matrix products.",
        lambda node: facts(node).mode == "linear",
    ),
    Form(
        "upsample-nearest",
        _UPSAMPLE,
        "nearest Upsample (before opset 10)",
        "Resize of opset 11 with asymmetric coordinates and floor.",
        lambda node: facts(node).mode == "nearest",
    ),
    Form(
        "resize-10",
        _RESIZE,
        "Resize of opset 10",
        "Export with opset 11 or later.",
        lambda node: node.opset < 11,
    ),
)


def _floor(how: ResizeFacts) -> bool:
    return how.coordinate == "asymmetric" and how.nearest == "floor"


def _by_integers(how: ResizeFacts) -> bool:
    return how.axes is not None and all(integer_factor(axis) for axis in how.axes)
