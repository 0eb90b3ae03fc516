"""Resize and Upsample: samples between samples, filtered or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from auditor.sampling.lattice.contract import coarser
from auditor.sampling.lattice.interpolation import Sampled, antialiased_taps, coordinates, nearest_centre, taps
from auditor.sampling.lattice.state import UNIT, Atom, Axis, AxisTrack, OpaqueError, Resized, State, anonymous, finest
from auditor.sampling.ops.index import chosen_by_data
from auditor.sampling.ops.sliding import lost_result
from auditor.sampling.result import AliasEnergy, SiteKind, Upsampling
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.energies import Map, decimation, filtered, grid_of, interpolated, linear_only, map_of
from auditor.sampling.spectrum.separable import Taps, of_taps, separable
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.labels import holds_labels
from auditor.sampling.walk.sites import Strided, record_site

LARGEST = 2**40
MOST_OUTPUTS = 64  # output phases that an alias energy averages over


@dataclass(frozen=True, slots=True)
class Resizing:
    """How a node resizes: one entry of ``scales``, ``sizes`` and ``rois`` per tensor axis."""

    scales: tuple[Fraction, ...]
    sizes: tuple[int, ...]
    rois: tuple[tuple[float, float], ...]
    mode: str
    coordinate: str
    nearest: str
    antialias: bool
    cubic_a: float


def resize(call: Call) -> State:
    """Resize-19, Resize-10 and Upsample-9: ``x(o) = o / scale + start``; nearest and asymmetric linear are pure
    decimation going down.
    """
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    how = resizing_of(call, [axis.size for axis in given.axes])
    if how is None:
        return chosen_by_data(call, given, "the size that Resize makes is computed from data")
    axes, windows = list(given.axes), dict(given.windows)
    down: list[int] = []
    up: list[int] = []
    sampled: dict[int, Sampled] = {}
    for index, axis in enumerate(given.axes):
        size, scale = how.sizes[index], how.scales[index]
        if size == axis.size and scale == 1 and how.coordinate != "tf_crop_and_resize":
            continue
        atom = axis.single
        if atom is None:
            if axis.has_source:
                raise OpaqueError("Resize along an axis that holds several grid axes")
            axes[index] = anonymous(size)
            continue
        place = coordinates(how.coordinate, axis.size, size, scale, how.rois[index])
        if place is None:
            raise OpaqueError("Resize has an unknown coordinate_transformation_mode")
        call.record.spatial.add(atom.source)
        sampled[index] = place
        axes[index] = Axis((Atom(atom.source, atom.stride * place.step, size),)) if size > 1 else UNIT
        windows[atom.source] = _window(call, how, index, atom, place, windows[atom.source])
        (down if abs(place.step) > 1 else up).append(index)
    for index in up:
        atom = axes[index].single
        if atom is not None:
            grid = finest(axes, atom.source) or windows[atom.source].grid
            windows[atom.source] = windows[atom.source]._replace(grid=grid)
    result = replace(
        given,
        axes=tuple(axes),
        windows=windows,
        response=None,
        raw=given.raw and not down,
        decimations=(),
    )
    down = [index for index in down if axes[index] is not UNIT]
    if up and any(abs(sampled[index].step) < 1 for index in up):
        factor = tuple(1 / abs(sampled[index].step) for index in up)
        ref = call.record.ref(call.scope.path, call.node, call.order)
        call.record.upsamplings.append(Upsampling(ref, factor, ()))
    if down:
        result = replace(result, windows=_record(call, given, result, how, sampled, down))
    return result


def _window(call: Call, how: Resizing, index: int, atom: Atom, place: Sampled, old: AxisTrack) -> AxisTrack:
    centre = nearest_centre(place, how.nearest) if how.mode == "nearest" else place.start
    length, size = atom.extent, how.sizes[index]
    half = (Fraction(length, size) - 1) / 2
    ref = call.record.ref(call.scope.path, call.node, call.order)
    open_size = how.coordinate == "align_corners" and call.record.assumed(atom.source)
    return old._replace(
        offset=old.offset + atom.stride * centre,
        field=old.field + abs(atom.stride) * _reach(how, place),
        period=None if open_size else old.period,
        size_dependent=old.size_dependent or open_size,
        resized=Resized(ref.order, atom.stride * centre, atom.stride * half),
    )


def _reach(how: Resizing, place: Sampled) -> Fraction:
    """Width of the taps minus one, in input samples."""
    if how.mode == "nearest":
        return Fraction(0)
    if how.antialias and place.stretch > 1:
        support = place.stretch * (1 if how.mode == "linear" else 2)
        centres = [place.start + place.step * o for o in range(min(place.step.denominator, MOST_OUTPUTS))]
        return Fraction(max(ceil(centre + support) - floor(centre - support) - 2 for centre in centres))
    if place.step.denominator == 1 and place.start.denominator == 1:
        return Fraction(0)
    return Fraction(1 if how.mode == "linear" else 3)


def _record(
    call: Call, given: State, result: State, how: Resizing, sampled: dict[int, Sampled], down: Sequence[int]
) -> dict[int, AxisTrack]:
    windows = dict(result.windows)
    atoms = tuple(result.axis(index).single for index in down)
    for atom in atoms:
        if atom is not None:
            windows[atom.source] = coarser(
                windows[atom.source], finest(result.axes or (), atom.source) or abs(atom.stride)
            )
    factor = tuple(abs(sampled[index].step) for index in down)
    nearest = how.mode == "nearest"
    read = map_of(given, grid_of(call, given, given.sources()), [float(step) for step in factor])
    places = [sampled[index] for index in down]
    alias, protected = _alias(given, how, places, factor, read)
    plain = linear_only(given)
    own = alias if plain is given else _alias(plain, how, places, factor, read)[0]
    strided = Strided(
        kind=SiteKind.RESIZE_NEAREST if nearest else SiteKind.RESIZE,
        factor=factor,
        atoms=atoms,
        alias=alias,
        filtered=protected,
        skipped=_skipped(how, places),
        own=own,
        labels=nearest and holds_labels(call.scope, call.node.inputs[0]),
    )
    record_site(call, strided, given, windows)
    return windows


def _alias(
    given: State, how: Resizing, places: Sequence[Sampled], factor: Sequence[Fraction], read: Map
) -> tuple[AliasEnergy | None, str]:
    make = antialiased_taps if how.antialias else taps
    per_axis = [make(place, how.mode, min(place.step.denominator, MOST_OUTPUTS), how.cubic_a) for place in places]
    words = "antialias=1 filters before sampling" if how.antialias else "interpolation is only a short filter"
    taken = all(_reach(how, place) == 0 for place in places)
    return resized_alias(given, per_axis, factor, read, words, taken=taken)


def resized_alias(
    given: State, per_axis: Sequence[Taps], factor: Sequence[Fraction], read: Map, words: str, *, taken: bool
) -> tuple[AliasEnergy | None, str]:
    """The alias energy of a resize with these taps, and what protects it: ``words`` are those of its own filter.

    ``taken``: every output is one input, unchanged.
    """
    steps = [float(step) for step in factor]
    if given.response is not None and all(len(outputs) == 1 for outputs in per_axis):
        field = given.response if taken else _behind(given.response, per_axis)
        left = None if field is None else filtered(field, steps, read)
        if left is not None:
            return left, "a low-pass filter stands in front"
    if taken:
        return decimation(factor, read), ""
    fields = [field for field in map(of_taps, per_axis) if field is not None]
    alias = interpolated(fields, steps, read) if len(fields) == len(per_axis) else None
    return (None, "") if alias is None else (alias, words)


def _behind(response: spectra.Autocorrelation, per_axis: Sequence[Taps]) -> spectra.Autocorrelation | None:
    """What the one kernel of a resize whose outputs all have the same taps leaves behind a filter."""
    fields = [field for field in map(of_taps, per_axis) if field is not None]
    own = separable(fields)
    return None if own is None or len(fields) < len(per_axis) else spectra.then(response, own)


def _skipped(how: Resizing, places: Sequence[Sampled]) -> Fraction:
    read = Fraction(1)
    for place in places:
        width = _reach(how, place) + 1
        read *= min(width / abs(place.step), Fraction(1))
    return 1 - read


def resizing_of(call: Call, lengths: Sequence[int]) -> Resizing | None:
    """How a node resizes an input of these sizes; None where scales or sizes are computed from data.

    Raises:
        OpaqueError: the node does not fit its input.
    """
    rank = len(lengths)
    upsample = call.node.op == "Upsample"
    mode = {"bilinear": "linear"}.get(call.text("mode", "nearest"), call.text("mode", "nearest"))
    if mode not in {"nearest", "linear", "cubic"}:
        raise OpaqueError("Resize has an unknown mode")
    legacy = upsample or call.scope.opset < 11
    axes = call.integers("axes") or tuple(range(rank))
    if any(not -rank <= axis < rank for axis in axes):
        raise OpaqueError("an axis of Resize is out of range")
    scales_at, sizes_at = (1, LARGEST) if legacy else (2, 3)
    given_scales = call.attributes.get("scales") if legacy and not call.has(1) else None
    scales = call.reals(scales_at) if call.has(scales_at) else None
    if upsample and "height_scale" in call.attributes:  # Upsample-1
        scales = (*(1.0,) * (rank - 2), call.real("height_scale", 1.0), call.real("width_scale", 1.0))
    if isinstance(given_scales, tuple):
        scales = tuple(float(scale) for scale in given_scales if isinstance(scale, (int, float)))
    sizes = call.numbers(sizes_at) if call.has(sizes_at) else None
    if not scales and not sizes:
        return None
    if len(scales or sizes or ()) != len(axes):
        raise OpaqueError("the scales of Resize do not fit the tensor")
    if scales and not all(1e-9 < scale < 1e9 for scale in scales):
        raise OpaqueError("a scale of Resize is not a sensible number")
    full_sizes, full_scales = list(lengths), [Fraction(1)] * rank
    rois = _rois(call, rank, axes, legacy=legacy)
    for place, axis in enumerate(axes):
        length = lengths[axis]
        if length < 1:
            raise OpaqueError("Resize of an empty axis")
        if scales:
            scale = _exact(scales[place])
            extent = rois[axis][1] - rois[axis][0] if _mode(call, legacy) == "tf_crop_and_resize" else 1
            full_scales[axis] = scale
            full_sizes[axis] = floor(length * Fraction(extent) * scale)
        else:
            assert sizes is not None
            full_sizes[axis] = sizes[place]
            full_scales[axis] = Fraction(sizes[place], length)
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    if sizes and policy in {"not_larger", "not_smaller"}:
        pick = min if policy == "not_larger" else max
        scale = pick(full_scales[axis] for axis in axes)
        for axis in axes:
            full_scales[axis] = scale
            full_sizes[axis] = floor(lengths[axis] * scale + Fraction(1, 2))
    if min(full_sizes) < 1 or max(full_sizes) > LARGEST:
        raise OpaqueError("Resize to a size that is not sensible")
    return Resizing(
        tuple(full_scales),
        tuple(full_sizes),
        rois,
        mode,
        _mode(call, legacy),
        call.text("nearest_mode", "floor" if legacy else "round_prefer_floor"),
        antialias=bool(call.integer("antialias", 0)),
        cubic_a=call.real("cubic_coeff_a", -0.75),
    )


def _mode(call: Call, legacy: bool) -> str:
    return (
        "asymmetric" if legacy and not call.node.domain else call.text("coordinate_transformation_mode", "half_pixel")
    )


def _exact(scale: float) -> Fraction:
    """A float32 scale such as 0.333333 as the ratio that was meant, when a small one lies within float32 rounding."""
    simple = Fraction(scale).limit_denominator(1024)
    return simple if abs(float(simple) - scale) <= 1e-6 * abs(scale) else Fraction(scale)


def _rois(call: Call, rank: int, axes: Sequence[int], *, legacy: bool) -> tuple[tuple[float, float], ...]:
    result = [(0.0, 1.0)] * rank
    if legacy or call.text("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        return tuple(result)
    roi = call.reals(1)
    if roi is None:
        raise OpaqueError("the region of a cropping Resize is computed from data")
    if len(roi) != 2 * len(axes):
        raise OpaqueError("the region of a cropping Resize does not fit the tensor")
    for place, axis in enumerate(axes):
        result[axis] = (roi[place], roi[place + len(axes)])
    return tuple(result)
