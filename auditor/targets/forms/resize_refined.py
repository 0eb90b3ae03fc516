"""Forms of Resize that some targets compute otherwise at some sizes only. Every one of them refines another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import Form
from auditor.targets.forms.resize_facts import ResizeFacts, facts, float_trap, nearest_indices, whole

_ONE_HOT = "A product with a constant 0/1 matrix, or a one-hot depthwise convolution."
_MATRICES = "Two constant matrix products, or a strided depthwise convolution for whole factors."
_SIZES = "Give the output size by `sizes`, and scales that divide it, so that no runtime has to round."
_HALF = ("half_pixel", "pytorch_half_pixel")
_COORDINATES_SINCE = 11


def _form(name: str, words: str, portable: str, test: Callable[[ObservedNode], bool]) -> Form:
    return Form(name, frozenset({"Resize"}), words, portable, test, refines=True)


def _resize(name: str, words: str, portable: str, test: Callable[[ResizeFacts], bool]) -> Form:
    return _form(name, words, portable, lambda node: test(facts(node)))


def _off_middle(how: ResizeFacts) -> bool:
    """Whether a nearest Resize takes another sample than the middle one, the lower one where it is asymmetric."""
    if how.mode != "nearest" or how.antialias or how.coordinate not in (*_HALF, "asymmetric", "align_corners"):
        return False
    for axis in how.axes or ():
        taken = nearest_indices(how, axis)
        if taken is None or axis.before is None or axis.after is None:
            if how.coordinate in _HALF and how.nearest in ("floor", "ceil"):
                return True
            continue
        n, m = axis.before, axis.after
        half = Fraction(1, 2)
        if how.coordinate == "asymmetric":
            usual = [floor(o * Fraction(n, m)) for o in range(m)]
        elif how.coordinate == "align_corners" and m > 1:
            usual = [floor(Fraction(o * (n - 1), m - 1) + half) for o in range(m)]
        else:
            usual = [floor((o + half) * Fraction(n, m)) for o in range(m)]
        if taken != tuple(min(place, n - 1) for place in usual):
            return True
    return False


def _off_lower(node: ObservedNode) -> bool:
    """Whether a nearest Resize whose coordinates are left out takes another sample than with asymmetric floor."""
    how = facts(node)
    if node.opset < _COORDINATES_SINCE or "coordinate_transformation_mode" in node.attributes or how.antialias:
        return False
    lower = replace(how, coordinate="asymmetric", nearest="floor")
    return how.mode == "nearest" and any(
        nearest_indices(how, axis) is None or nearest_indices(how, axis) != nearest_indices(lower, axis, exact=True)
        for axis in how.axes or ()
    )


def _takes_upper(how: ResizeFacts, coordinates: Sequence[str]) -> bool:
    """Whether ``ceil`` or ``round_prefer_ceil`` takes another sample than rounding with preference for the lower."""
    if (
        how.mode != "nearest"
        or how.antialias
        or how.coordinate not in coordinates
        or how.nearest not in ("ceil", "round_prefer_ceil")
    ):
        return False
    lower = replace(how, nearest="round_prefer_floor")
    for axis in how.axes or ():
        taken = nearest_indices(how, axis)
        if taken is None or taken != nearest_indices(lower, axis):
            return True
    return how.axes is None


def _both_ways(how: ResizeFacts) -> bool:
    steps = [axis.step for axis in how.axes or ()]
    return how.mode == "cubic" and not how.antialias and min(steps, default=1) < 1 < max(steps, default=1)


FORMS = (
    _resize(
        "resize-nearest-off-middle",
        "nearest Resize that takes another than the middle sample, or than the lower one with asymmetric coordinates",
        _ONE_HOT,
        _off_middle,
    ),
    _form(
        "resize-nearest-off-middle-written",
        "nearest Resize with written coordinates that takes another than the middle sample, or than the lower one where"
        " they are asymmetric",
        _ONE_HOT,
        lambda node: "coordinate_transformation_mode" in node.attributes and _off_middle(facts(node)),
    ),
    _form(
        "resize-nearest-off-lower",
        "nearest Resize whose coordinates are left out, which means half_pixel",
        _ONE_HOT,
        _off_lower,
    ),
    _resize(
        "resize-nearest-align-corners-upper",
        "nearest Resize with aligned corners, rounded up",
        _ONE_HOT,
        lambda how: _takes_upper(how, ["align_corners"]),
    ),
    _resize(
        "resize-nearest-asymmetric-upper",
        "nearest Resize with asymmetric coordinates, rounded with preference for the upper sample",
        _ONE_HOT,
        lambda how: how.nearest != "ceil" and _takes_upper(how, ["asymmetric"]),
    ),
    _resize(
        "resize-nearest-rounded-scale-other",
        "nearest Resize by a scale that makes no whole size, with half-pixel centres or another rounding than floor",
        _SIZES,
        lambda how: (
            how.mode == "nearest"
            and (how.coordinate in _HALF or (how.coordinate == "asymmetric" and how.nearest != "floor"))
            and float_trap(how)
        ),
    ),
    _resize(
        "resize-align-corners-fraction",
        "Resize with aligned corners by a scale that makes no whole size",
        _SIZES,
        lambda how: how.coordinate == "align_corners" and not whole(how),
    ),
    _form(
        "resize-linear-align-corners-18",
        "linear Resize of opset 18 with aligned corners",
        _MATRICES,
        lambda node: (
            node.opset >= 18
            and facts(node).mode == "linear"
            and facts(node).coordinate == "align_corners"
            and not facts(node).antialias
        ),
    ),
    _resize(
        "resize-cubic-both-ways",
        "cubic Resize that shrinks one axis and enlarges another",
        _MATRICES,
        _both_ways,
    ),
    _resize(
        "resize-nearest-half-pixel-ties-upper",
        "nearest Resize with half-pixel centres midway between samples, where the upper one is meant",
        _ONE_HOT,
        lambda how: how.nearest != "ceil" and _takes_upper(how, _HALF),
    ),
    _resize(
        "resize-axes-sizes-other-rank",
        "Resize of a signal or a volume that names its axes (attribute axes) and gives sizes",
        "Give sizes for all axes.",
        lambda how: how.names_axes and how.by_sizes and how.rank != 4,
    ),
)
