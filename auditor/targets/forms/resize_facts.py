"""How a Resize or Upsample of any opset resizes, and what of it depends on rounding."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from auditor.sampling.observed import ObservedNode
from auditor.targets.forms.form import integer, integers, text

_MOST = 1 << 12  # longer axes are judged by their scale alone


@dataclass(frozen=True, slots=True)
class ResizedAxis:
    """One axis that a Resize changes. ``scale`` is the written one, None where the size was given.

    ``before`` and ``after`` are None where the input size is open or not known.
    """

    index: int
    before: int | None
    after: int | None
    scale: float | None

    @property
    def step(self) -> float:
        """Input samples per output sample."""
        if self.scale is not None:
            return 1 / self.scale
        return self.before / self.after if self.before and self.after else 1.0


@dataclass(frozen=True, slots=True)
class ResizeFacts:
    """How a node resizes; ``axes`` are those it changes, None where that is computed from data."""

    mode: str
    coordinate: str
    nearest: str
    antialias: bool
    excludes: bool
    cubic_a: float
    axes: tuple[ResizedAxis, ...] | None
    rank: int
    by_sizes: bool
    names_axes: bool
    policy: str

    @property
    def shrinks(self) -> bool:
        return self.axes is None or any(axis.step > 1 for axis in self.axes)


def facts(node: ObservedNode) -> ResizeFacts:
    """What a Resize or Upsample of any opset does, defaults of that opset filled in."""
    upsample = node.op == "Upsample"
    legacy = upsample or node.opset < 11
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(word := text(node, "mode", "nearest"), word)
    scales_at, sizes_at = (1, 99) if legacy else (2, 3)
    scales, sizes = node.input(scales_at).values, node.input(sizes_at).values
    written = node.attributes.get("scales")
    if legacy and not scales and isinstance(written, tuple):
        scales = tuple(float(entry) for entry in written if isinstance(entry, int | float))
    before = node.input(0)
    rank = len(before.shape or scales or sizes or ())
    named = integers(node, "axes")
    places = tuple(axis % rank for axis in named) if named and rank else tuple(range(rank))
    by_sizes = not scales and bool(node.input(sizes_at).given)
    # A single axis has no ratio to keep.
    policy = text(node, "keep_aspect_ratio_policy", "stretch") if by_sizes and len(places) > 1 else "stretch"
    cubic_a = node.attributes.get("cubic_coeff_a", -0.75)
    return ResizeFacts(
        mode=mode,
        coordinate="asymmetric" if legacy else text(node, "coordinate_transformation_mode", "half_pixel"),
        nearest="floor" if legacy else text(node, "nearest_mode", "round_prefer_floor"),
        antialias=integer(node, "antialias", 0) != 0,
        excludes=integer(node, "exclude_outside", 0) != 0,
        cubic_a=float(cubic_a) if isinstance(cubic_a, int | float) else -0.75,
        axes=_axes(node, places, scales, sizes),
        rank=rank,
        by_sizes=by_sizes,
        names_axes=named is not None,
        policy=policy,
    )


def _axes(
    node: ObservedNode, places: tuple[int, ...], scales: tuple[float, ...] | None, sizes: tuple[float, ...] | None
) -> tuple[ResizedAxis, ...] | None:
    shape, result = node.input(0).shape, node.outputs[0].shape if node.outputs else None
    values = scales or sizes
    if not values or len(values) != len(places):
        return None
    axes = []
    for place, value in zip(places, values, strict=True):
        fixed = shape is not None and place < len(shape) and place not in node.input(0).open
        before = shape[place] if fixed and shape is not None else None
        if scales:
            scale: float | None = value
            after = rounded_size(before, value) if before is not None else None
            changed = value != 1.0
        else:
            scale, after = None, int(value)
            if result is not None and place < len(result) and place not in node.outputs[0].open:
                after = result[place]
            changed = before is None or after != before
        if changed:
            axes.append(ResizedAxis(place, before, after, scale))
    return tuple(axes)


def single(value: float) -> float:
    """A number rounded to float32, as onnxruntime computes sizes and places."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def rounded_size(before: int, scale: float) -> int:
    """The output size by a scale: the product in float32, cut."""
    return floor(single(before * single(scale)))


def nearest_indices(facts: ResizeFacts, axis: ResizedAxis, *, exact: bool = False) -> tuple[int, ...] | None:
    """The input samples that a nearest Resize takes along an axis; None where the size is open or very long.

    As onnxruntime computes them in float32, or ``exact`` from the ratio of the sizes.
    """
    if axis.before is None or axis.after is None or not 0 < axis.after <= _MOST:
        return None
    n, m = axis.before, axis.after
    ratio = Fraction(n, m)
    scale = single(axis.scale) if axis.scale is not None else single(m / n)
    taken = []
    for o in range(m):
        place = _exact_place(facts.coordinate, o, ratio, n, m) if exact else _float_place(facts, o, scale, n, m)
        if place is None:
            return None
        taken.append(min(max(_rounded(place, facts.nearest), 0), n - 1))
    return tuple(taken)


def _exact_place(mode: str, o: int, ratio: Fraction, n: int, m: int) -> Fraction | None:
    half = Fraction(1, 2)
    if mode == "asymmetric":
        return o * ratio
    if mode == "align_corners":
        return Fraction(o * (n - 1), m - 1) if m > 1 else Fraction(0)
    if mode == "pytorch_half_pixel" and m == 1:
        return Fraction(0)
    return (o + half) * ratio - half if mode in ("half_pixel", "pytorch_half_pixel") else None


def _float_place(facts: ResizeFacts, o: int, scale: float, n: int, m: int) -> float | None:
    mode = facts.coordinate
    if mode == "asymmetric":
        return single(o / scale)
    if mode == "align_corners":
        return single(single(o * single(n - 1)) / single(m - 1)) if m > 1 else 0.0
    if mode == "pytorch_half_pixel" and m == 1:
        return 0.0
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return single(single(single(o + 0.5) / scale) - 0.5)
    return None


def _rounded(place: float | Fraction, how: str) -> int:
    if how == "floor":
        return floor(place)
    if how == "ceil":
        return ceil(place)
    half = Fraction(1, 2)
    if how == "round_prefer_ceil":
        return floor(Fraction(place) + half)
    return ceil(Fraction(place) - half)


def whole(how: ResizeFacts) -> bool:
    """Whether every output size is the input size times the scale, without rounding."""
    return not any(_fraction(axis) for axis in how.axes or ())


def _fraction(axis: ResizedAxis) -> bool:
    if axis.scale is None:
        return False
    if axis.before is None:
        return not float(axis.scale).is_integer()
    product = axis.before * single(axis.scale)
    return abs(product - round(product)) > 1e-4


def cut_below(axis: ResizedAxis) -> bool:
    """Whether the product is whole in float32 and just below it in exact arithmetic, which takes a sample away."""
    if axis.scale is None or axis.before is None:
        return False
    return floor(Fraction(axis.before) * Fraction(single(axis.scale))) < rounded_size(axis.before, axis.scale)


def integer_factor(axis: ResizedAxis) -> bool:
    """Whether the axis grows or shrinks by a whole factor."""
    step = Fraction(axis.step).limit_denominator(4096)
    if abs(float(step) - axis.step) > 1e-6 * axis.step or 1 not in (step.numerator, step.denominator):
        return False
    return axis.before is None or axis.after is None or axis.before == axis.after * step


def float_trap(how: ResizeFacts) -> bool:
    """Whether rounding a scale to float32 makes onnxruntime take other samples than the ratio of the sizes does."""
    if how.axes is None:
        return True
    for axis in how.axes:
        taken, exact = nearest_indices(how, axis), nearest_indices(how, axis, exact=True)
        if taken is None or exact is None:
            if not integer_factor(axis):
                return True
        elif taken != exact:
            return True
    return False


def ties(how: ResizeFacts) -> bool:
    """Whether a half-pixel centre lies midway between two samples, where rounding decides."""
    for axis in how.axes or ():
        if axis.before is None or axis.after is None or axis.after > _MOST:
            step = Fraction(axis.step).limit_denominator(4096)
            if step > 1 and step.numerator % 2 == 0:
                return True
            continue
        ratio = Fraction(axis.before, axis.after)
        if any(((o + Fraction(1, 2)) * ratio) % 1 == 0 for o in range(min(axis.after, ratio.denominator * 2))):
            return True
    return False


def between(how: ResizeFacts) -> bool:
    """Whether an output lies between samples, where linear is another than nearest; of an open size that is assumed."""
    for axis in how.axes or ():
        n, m = axis.before, axis.after
        if n is None or m is None or not 0 < m <= _MOST:
            return True
        places = [_exact_place(how.coordinate, o, Fraction(n, m), n, m) for o in range(m)]
        if any(place is None or place.denominator != 1 for place in places):
            return True
    return how.axes is None


def crosses_border(how: ResizeFacts) -> bool:
    """Whether a sample outside the picture has a weight in a cubic Resize; of an open size that is assumed."""
    for axis in how.axes or ():
        n, m = axis.before, axis.after
        if n is None or m is None or not 0 < m <= _MOST:
            return True
        ratio = Fraction(n, m) if axis.scale is None else 1 / Fraction(single(axis.scale))
        for o in range(m):
            place = _exact_place(how.coordinate, o, ratio, n, m)
            if place is None or (place % 1 != 0 and not 1 <= floor(place) <= n - 3) or not 0 <= place <= n - 1:
                return True
    return how.axes is None


def odd_axes(how: ResizeFacts) -> bool:
    """Whether it resizes anything but the last two axes of four."""
    return how.rank != 4 or any(axis.index < 2 for axis in how.axes or ())


def to_one(how: ResizeFacts) -> bool:
    """Whether it makes a single sample with coordinates that place it at 0."""
    return how.coordinate == "pytorch_half_pixel" and any(axis.after == 1 for axis in how.axes or ())
