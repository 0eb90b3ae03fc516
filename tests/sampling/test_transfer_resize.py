"""Resize and Upsample in every mode, held against their impulse responses under onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditor.sampling.lattice.interpolation import antialiased_taps, coordinates, taps
from tests.sampling.impulse import (
    Array,
    Impulses,
    agree,
    audit,
    build,
    float_info,
    hold,
    measure,
    node,
    quick,
    session,
    spot,
)

Draw = Any
LENGTH = 24
SCALES = [0.25, 0.3, 0.375, 0.45, 0.5, 0.6, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
OLD = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
COORDINATES = {11: [*OLD, "tf_half_pixel_for_nn"], 13: OLD, 18: [*OLD], 19: [*OLD, "half_pixel_symmetric"]}


def resized(
    scales: Sequence[float] | None, sizes: Sequence[int] | None, opset: int, **attributes: Any
) -> tuple[Any, dict[str, Array]]:
    """A Resize of a picture. Opset 11 wants a roi, be it empty."""
    constants: dict[str, Array] = {}
    inputs = ["x", "", "", ""]
    if opset == 11:
        inputs[1], constants["roi"] = "roi", np.zeros(0, np.float32)
    if scales is not None:
        inputs[2], constants["scales"] = "scales", np.array(scales, np.float32)
    else:
        inputs[3], constants["sizes"] = "sizes", np.array(sizes, np.int64)
        if opset == 11:
            inputs[2], constants["scales"] = "none", np.zeros(0, np.float32)
            constants["none"] = constants.pop("scales")
    while inputs and not inputs[-1]:
        inputs.pop()
    return node("Resize", inputs, ["y"], **attributes), constants


def step_of(found: Any, axis: int) -> Fraction:
    lattice = found.tensors["y"][axis]
    return Fraction(1) if lattice is None else lattice.stride


def held(model: Any, shape: Sequence[int], axes: Sequence[int], *, tight: bool = False) -> None:
    """As ``hold``; the phases that repeat follow from the stride that was found, which the measurement then tests."""
    found = audit(model)
    if not found.tensors["y"]:
        return
    period = {axis: step_of(found, axis).denominator for axis in axes}
    hold(model, shape, {axis: axis for axis in axes}, period=period, tight=tight, analysis=found)


@given(data=st.data())
@quick
def test_a_linear_resize_reads_where_its_coordinate_mode_says(data: Draw) -> None:
    opset = data.draw(st.sampled_from(sorted(COORDINATES)))
    mode = data.draw(st.sampled_from(COORDINATES[opset]))
    scale = data.draw(st.sampled_from(SCALES))
    size = data.draw(st.integers(6, 60))
    by_size = data.draw(st.booleans())
    scales, sizes = (None, [1, 2, LENGTH, size]) if by_size else ([1, 1, 1, scale], None)
    made, constants = resized(scales, sizes, opset, mode="linear", coordinate_transformation_mode=mode)
    held(build([made], [1, 2, LENGTH, LENGTH], constants, opset), [1, 2, LENGTH, LENGTH], [3])


@given(data=st.data())
@quick
def test_a_nearest_resize_takes_the_sample_that_its_two_modes_say(data: Draw) -> None:
    opset = data.draw(st.sampled_from(sorted(COORDINATES)))
    mode = data.draw(st.sampled_from(COORDINATES[opset]))
    nearest = data.draw(st.sampled_from(NEAREST))
    assume(mode != "align_corners")  # its phases do not repeat within the axis
    scale = data.draw(st.sampled_from([0.25, 0.5, 0.75, 1.5, 2.0, 3.0, 4.0]))
    by_size = data.draw(st.booleans())
    scales, sizes = (None, [1, 1, LENGTH, int(LENGTH * scale)]) if by_size else ([1, 1, 1, scale], None)
    attributes = {"mode": "nearest", "nearest_mode": nearest, "coordinate_transformation_mode": mode}
    made, constants = resized(scales, sizes, opset, **attributes)
    held(build([made], [1, 1, LENGTH, LENGTH], constants, opset), [1, 1, LENGTH, LENGTH], [3])


@pytest.mark.parametrize(
    ("mode", "nearest", "scale", "offset"),
    [
        ("half_pixel", "round_prefer_floor", 0.5, Fraction(0)),
        ("half_pixel", "floor", 0.5, Fraction(0)),
        ("half_pixel", "round_prefer_ceil", 0.5, Fraction(1)),
        ("half_pixel", "ceil", 0.5, Fraction(1)),
        ("asymmetric", "ceil", 0.5, Fraction(0)),
        ("asymmetric", "floor", 2.0, Fraction(-1, 4)),
        ("asymmetric", "ceil", 2.0, Fraction(1, 4)),
        ("half_pixel", "round_prefer_floor", 2.0, Fraction(-1, 4)),
        ("half_pixel", "floor", 2.0, Fraction(-3, 4)),
        ("half_pixel", "ceil", 2.0, Fraction(1, 4)),
    ],
)
def test_halving_and_doubling_by_nearest_take_the_published_phases(
    mode: str, nearest: str, scale: float, offset: Fraction
) -> None:
    attributes = {"mode": "nearest", "nearest_mode": nearest, "coordinate_transformation_mode": mode}
    made, constants = resized([1, 1, 1, scale], None, 19, **attributes)
    found = audit(build([made], [1, 1, LENGTH, LENGTH], constants))
    lattice = found.tensors["y"][3]
    assert lattice is not None
    assert (lattice.stride, lattice.offset) == (1 / Fraction(scale), offset)


@given(data=st.data())
@quick
def test_a_cubic_or_antialiased_resize_has_the_taps_that_onnxruntime_applies(data: Draw) -> None:
    mode = data.draw(st.sampled_from(["half_pixel", "align_corners", "asymmetric"]))
    kind = data.draw(st.sampled_from(["linear", "cubic"]))
    antialias = data.draw(st.booleans()) or kind == "linear"
    scale = data.draw(st.sampled_from([0.25, 0.375, 0.5, 0.75, 1.5, 2.0]))
    length, size = LENGTH, int(LENGTH * scale)
    # onnxruntime wants linear filters in two dimensions, cubic ones on the last two of four axes.
    made, constants = resized(
        [1, 1, scale, scale], None, 18, mode=kind, coordinate_transformation_mode=mode, antialias=int(antialias)
    )
    model = build([made], [1, 1, length, length], constants, 18)
    oracle = Impulses(model, [1, 1, length, length])
    measured = np.zeros((size, length))
    for index in range(length):
        x = np.zeros([1, 1, length, length], np.float32)
        x[..., index] = 1
        measured[:, index] = oracle.run(x)[0, 0, size // 2]
    place = coordinates(mode, length, size, Fraction(scale), (0.0, 1.0))
    assert place is not None
    make = antialiased_taps if antialias else taps
    predicted = np.zeros((size, length))
    reach = []
    for output, (positions, weights) in enumerate(make(place, kind, size, -0.75)):
        inside = [(p, w) for p, w in zip(positions, weights, strict=True) if 0 <= p < length]
        if len(inside) == len(positions):
            for position, weight in inside:
                predicted[output, position] += weight
            used = [p for p, w in zip(positions, weights, strict=True) if abs(w) > 1e-6]
            reach.append(max(used) - min(used) + 1)
        else:
            predicted[output] = measured[output]
    np.testing.assert_allclose(measured, predicted, atol=2e-3 if antialias else 1e-5)
    lattice = audit(model).tensors["y"][3]
    assert lattice is not None
    assert (lattice.stride, lattice.offset, lattice.size) == (place.step, place.start, size)
    assert lattice.receptive_field >= max(reach)


@pytest.mark.parametrize("kind", ["linear", "cubic"])
@pytest.mark.parametrize(
    ("mode", "count"), [("half_pixel", {"linear": 4, "cubic": 8}), ("asymmetric", {"linear": 3, "cubic": 7})]
)
def test_antialiased_halving_widens_the_field_by_its_filter(kind: str, mode: str, count: dict[str, int]) -> None:
    made, constants = resized([1, 1, 0.5, 0.5], None, 18, mode=kind, coordinate_transformation_mode=mode, antialias=1)
    found = audit(build([made], [1, 1, 32, 32], constants, 18))
    lattice = found.tensors["y"][2]
    assert lattice is not None
    assert lattice.receptive_field == count[kind]
    assert found.sites[0].antialiased is True


@given(
    scale=st.sampled_from([0.25, 0.5, 2.0, 3.0]), kind=st.sampled_from(["nearest", "linear"]), form=st.integers(0, 2)
)
@quick
def test_the_older_forms_of_resize_are_asymmetric(scale: float, kind: str, form: int) -> None:
    shape = [1, 1, LENGTH, LENGTH]
    scales = np.array([1, 1, scale, scale], np.float32)
    if form == 0:
        model = build([node("Upsample", ["x"], ["y"], mode=kind, scales=scales.tolist())], shape, opset=7)
    elif form == 1:
        model = build([node("Upsample", ["x", "s"], ["y"], mode=kind)], shape, {"s": scales}, 9)
    else:
        model = build([node("Resize", ["x", "s"], ["y"], mode=kind)], shape, {"s": scales}, 10)
    held(model, shape, [2, 3])


def test_the_first_upsample_takes_a_scale_for_height_and_one_for_width() -> None:
    made = node("Upsample", ["x"], ["y"], height_scale=2.0, width_scale=4.0)
    lattices = audit(build([made], [1, 1, 8, 8], opset=6)).tensors["y"]
    assert [spot(lattice)[::2] for lattice in lattices[2:]] == [(0.5, 16), (0.25, 32)]


@given(
    axes=st.permutations([2, 3]),
    sizes=st.tuples(st.integers(10, 40), st.integers(10, 40)),
    policy=st.sampled_from(["stretch", "not_larger", "not_smaller"]),
)
@quick
def test_resize_follows_its_axes_and_keeps_the_aspect_ratio_when_told(
    axes: list[int], sizes: tuple[int, int], policy: str
) -> None:
    shape = [1, 2, 20, 30]
    made, constants = resized(None, list(sizes), 18, mode="linear", axes=axes, keep_aspect_ratio_policy=policy)
    held(build([made], shape, constants, 18), shape, [2, 3])


def test_a_constant_region_of_interest_moves_and_scales_the_lattice() -> None:
    shape = [1, 1, 16, 16]
    roi = np.array([0, 0, 0.25, 0, 1, 1, 0.75, 1], np.float32)
    sizes = np.array([1, 1, 8, 16], np.int64)
    made = node(
        "Resize", ["x", "roi", "", "sizes"], ["y"], mode="linear", coordinate_transformation_mode="tf_crop_and_resize"
    )
    model = build([made], shape, {"roi": roi, "sizes": sizes}, 18)
    found = audit(model)
    lattice = found.tensors["y"][2]
    assert lattice is not None
    assert (lattice.stride, lattice.offset) == (Fraction(15, 14), Fraction(15, 4))
    agree(lattice, measure(Impulses(model, shape).matrix(2, 2)), tight=False)


def test_a_given_scale_is_used_and_not_the_ratio_of_the_sizes() -> None:
    made, constants = resized([1, 1, 1, 0.45], None, 18, mode="linear")
    model = build([made], [1, 1, 16, 16], constants, 18)
    lattice = audit(model).tensors["y"][3]
    assert lattice is not None
    assert (lattice.size, lattice.stride) == (7, Fraction(20, 9))
    assert session(model).run(None, {"x": np.zeros([1, 1, 16, 16], np.float32)})[0].shape[3] == 7


def test_a_resize_by_scales_that_are_data_ends_the_grid_without_losing_the_rest() -> None:
    made = node("Resize", ["x", "", "scale"], ["y"], mode="linear")
    model = build([made], [1, 1, 16, 16], inputs=[float_info("scale", [4])])
    found = audit(model)
    assert not found.untracked
    assert len(found.data_dependent) == 1
