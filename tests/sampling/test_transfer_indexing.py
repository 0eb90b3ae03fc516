"""Operators that pick, pad, cut and join entries, held against their impulse responses under onnxruntime."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import helper

from tests.sampling.impulse import Array, audit, build, hold, node, quick, session, shape_of, spot

Draw = Any
LENGTH = 20


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


@given(data=st.data())
@quick
def test_a_slice_with_any_start_end_and_step_is_a_decimation_with_that_phase(data: Draw) -> None:
    bound = st.integers(-2 * LENGTH, 2 * LENGTH) | st.sampled_from([2**63 - 1, -(2**63) + 1, -(2**31), 2**31 - 1])
    step = data.draw(st.integers(-5, 5).filter(bool))
    start, end = data.draw(bound), data.draw(bound)
    axis = data.draw(st.sampled_from([2, 3, -1, -2]))
    shape = [1, 2, LENGTH, LENGTH]
    constants = {"s": ints(start), "e": ints(end), "a": ints(axis), "t": ints(step)}
    made = node("Slice", ["x", "s", "e", "a", "t"], ["y"])
    assume(session(build([made], shape, constants)).run(None, {"x": np.zeros(shape, np.float32)})[0].size > 0)
    hold(build([made], shape, constants), shape, {2: 2, 3: 3}, margin=0)


@given(start=st.integers(-8, 8), end=st.integers(-8, 40), axes=st.booleans())
@quick
def test_a_slice_of_the_first_opset_is_a_crop(start: int, end: int, axes: bool) -> None:
    shape = [1, 1, LENGTH, LENGTH]
    where: dict[str, Any] = {"starts": [start], "ends": [end], "axes": [3]}
    if not axes:
        where = {"starts": [0, 0, 0, start], "ends": [9, 9, 99, end]}
    first, last = start % LENGTH if start < 0 else start, min(end % LENGTH if end < 0 else end, LENGTH)
    assume(last > first)
    hold(build([node("Slice", ["x"], ["y"], **where)], shape, opset=9), shape, {2: 2, 3: 3}, margin=0)


def test_a_negative_step_flips_the_axis() -> None:
    constants = {"s": ints(-1), "e": ints(-(2**63) + 1), "a": ints(2), "t": ints(-2)}
    found = audit(build([node("Slice", ["x", "s", "e", "a", "t"], ["y"])], [1, 1, 16], constants))
    assert spot(found.tensors["y"][2]) == (-2, 15, 8)
    assert found.sites[0].cumulative == (Fraction(2),)


@given(data=st.data())
@quick
def test_gathering_an_arithmetic_progression_is_a_slice(data: Draw) -> None:
    step = data.draw(st.integers(-4, 4).filter(bool))
    count = data.draw(st.integers(2, 5))
    start = data.draw(st.integers(0, LENGTH - 1))
    indices = start + step * np.arange(count)
    assume(indices.min() >= 0 and indices.max() < LENGTH)
    if data.draw(st.booleans()):
        indices = indices - LENGTH
    made = node("Gather", ["x", "i"], ["y"], axis=3)
    shape = [1, 2, LENGTH, LENGTH]
    hold(build([made], shape, {"i": indices}), shape, {2: 2, 3: 3}, margin=0)


@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 2),
    start=st.integers(0, 2),
)
@quick
def test_patches_gathered_by_an_index_matrix_and_summed_are_a_convolution(
    kernel: int, stride: int, dilation: int, start: int
) -> None:
    length = 32
    count = (length - start - dilation * (kernel - 1) - 1) // stride + 1
    matrix = start + stride * np.arange(count)[:, None] + dilation * np.arange(kernel)[None, :]
    gather = node("Gather", ["x", "i"], ["patches"], axis=2)
    total = node("ReduceSum", ["patches", "last"], ["y"], keepdims=0)
    model = build([gather, total], [1, 1, length], {"i": matrix, "last": ints(3)})
    hold(model, [1, 1, length], {2: 2}, margin=dilation, tight=False)


@given(step=st.integers(1, 4), start=st.integers(0, 3), down=st.integers(1, 3), form=st.sampled_from(["one", "two"]))
@quick
def test_the_transposed_gather_of_newer_exports_is_a_slice(step: int, start: int, down: int, form: str) -> None:
    shape = [1, 2, 24, 24]
    wide = start + step * np.arange((24 - start - 1) // step + 1)
    high = down * np.arange((24 - 1) // down + 1)
    if form == "one":
        indices, perm, back = wide[:, None], [3, 0, 1, 2], [1, 2, 3, 0]
    else:
        grid = np.meshgrid(high, wide, indexing="ij")
        indices, perm, back = np.stack(grid, axis=-1), [2, 3, 0, 1], [2, 3, 0, 1]
    nodes = [
        node("Transpose", ["x"], ["t"], perm=perm),
        node("GatherND", ["t", "i"], ["g"]),
        node("Transpose", ["g"], ["y"], perm=back),
    ]
    hold(build(nodes, shape, {"i": indices}), shape, {2: 2, 3: 3}, margin=0)


WINDOWS = {
    "one": ([node("Add", ["start", "run"], ["i"]), node("Gather", ["x", "i"], ["y"], axis=3)], [1], 3),
    "each": (
        [
            node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
            node("Reshape", ["start", "alone"], ["each"]),
            node("Add", ["columns", "each"], ["i"]),
            node("GatherND", ["t", "i"], ["y"], batch_dims=1),
        ],
        [2],
        1,
    ),
}


@pytest.mark.parametrize("form", WINDOWS)
def test_a_window_that_begins_where_the_data_say_keeps_the_step_of_its_grid(form: str) -> None:
    nodes, batch, axis = WINDOWS[form]
    constants = {"run": np.arange(12), "columns": np.arange(12).reshape(12, 1), "alone": ints(0, 1, 1)}
    starts = helper.make_tensor_value_info("start", onnx.TensorProto.INT64, batch)
    found = audit(build(nodes, [*batch, 3, 20, 20], constants, inputs=[starts]))
    assert spot(found.tensors["y"][axis]) == (1, 4, 12)
    assert not found.untracked
    assert len(found.data_dependent) == 1


@pytest.mark.parametrize("run", [ints(0, 1, 2, 4), ints(0, 2, 4, 6)])
def test_a_run_with_gaps_that_begins_where_the_data_say_leaves_no_lattice(run: Array) -> None:
    starts = helper.make_tensor_value_info("start", onnx.TensorProto.INT64, [1])
    nodes = [node("Add", ["start", "run"], ["i"]), node("Gather", ["x", "i"], ["y"], axis=3)]
    found = audit(build(nodes, [1, 3, 20, 20], {"run": run}, inputs=[starts]))
    assert "y" not in found.tensors
    assert found.data_dependent


def test_constant_indices_that_are_no_progression_are_untracked_with_a_reason() -> None:
    found = audit(build([node("Gather", ["x", "i"], ["y"], axis=2)], [1, 3, 20, 20], {"i": ints(0, 1, 5, 2)}))
    (region,) = found.untracked
    assert "arithmetic progression" in region.reason


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@given(data=st.data())
@quick
def test_padding_in_any_mode_moves_the_first_sample_out(mode: str, data: Draw) -> None:
    low = -4 if mode == "constant" else 0
    pads = [data.draw(st.integers(low, 5)) for _ in range(4)]
    shape = [1, 2, LENGTH, LENGTH]
    made = node("Pad", ["x", "p", "", "a"], ["y"], mode=mode)
    constants = {"p": ints(*pads), "a": ints(3, 2)}
    model = build([made], shape, constants)
    # The copies in the border are not the lattice: what lies between them is.
    found = hold_middle(model, shape, mode)
    lattices = found.tensors["y"]
    assert [lattice and lattice.offset for lattice in lattices[2:]] == [-pads[1], -pads[0]]


def hold_middle(model: Any, shape: list[int], mode: str) -> Any:
    """As ``hold``; with borders made of copies only sizes are compared, since a copy is a second, reversed lattice."""
    if mode == "constant":
        return hold(model, shape, {2: 2, 3: 3}, margin=0)
    found = audit(model)
    expected = session(model).run(None, {"x": np.zeros(shape, np.float32)})[0].shape
    assert shape_of(found, "y") == expected
    return found


@given(pads=st.lists(st.integers(-3, 4), min_size=8, max_size=8))
@quick
def test_pads_given_as_an_attribute_may_crop_too(pads: list[int]) -> None:
    pads = [0, 0, *pads[2:4], 0, 0, *pads[6:]]
    shape = [1, 1, LENGTH, LENGTH]
    hold(build([node("Pad", ["x"], ["y"], pads=pads)], shape, opset=10), shape, {2: 2, 3: 3}, margin=0)


@given(length=st.integers(4, 20), wanted=st.integers(4, 20))
@quick
def test_center_crop_pad_keeps_the_middle_of_any_parity(length: int, wanted: int) -> None:
    made = node("CenterCropPad", ["x", "s"], ["padded"], axes=[2])
    window = node("MaxPool", ["padded"], ["y"], kernel_shape=[1], strides=[1])
    hold(build([made, window], [1, 1, length], {"s": ints(wanted)}), [1, 1, length], {2: 2}, margin=0)


@given(first=st.integers(1, 10), second=st.integers(1, 8), form=st.sampled_from(["input", "attribute", "even", "num"]))
@quick
def test_every_part_of_a_split_is_a_crop(first: int, second: int, form: str) -> None:
    length = 20
    parts, opset, inputs = 3, 18, ["x"]
    constants: dict[str, Array] = {}
    attributes: dict[str, Any] = {}
    if form == "input":
        inputs, constants = ["x", "s"], {"s": ints(first, second, length - first - second)}
    elif form == "attribute":
        opset, attributes = 11, {"split": [first, second, length - first - second]}
    elif form == "num":
        attributes = {"num_outputs": 3}
    else:
        parts, opset = 4, 11
    names = [f"y{index}" for index in range(parts)]
    model = build([node("Split", inputs, names, axis=2, **attributes)], [1, 1, length], constants, opset, outputs=names)
    for name in names:
        hold(model, [1, 1, length], {2: 2}, margin=0, output=name)


@given(before=st.integers(1, 5), after=st.integers(1, 5))
@quick
def test_circular_padding_by_slices_moves_the_grid_and_does_not_end_it(before: int, after: int) -> None:
    length = 20
    nodes = [
        node("Slice", ["x", "front", "end", "axis"], ["tail"]),
        node("Slice", ["x", "zero", "back", "axis"], ["head"]),
        node("Concat", ["tail", "x", "head"], ["y"], axis=2),
    ]
    constants = {
        "front": ints(length - before),
        "end": ints(length),
        "zero": ints(0),
        "back": ints(after),
        "axis": ints(2),
    }
    found = audit(build(nodes, [1, 1, length], constants))
    assert spot(found.tensors["y"][2]) == (1, -before, length + before + after)
    assert not found.joins


@given(shift=st.integers(1, 19), stride=st.integers(2, 4))
@quick
def test_a_roll_keeps_the_lattice_modulo_the_length(shift: int, stride: int) -> None:
    length = 20
    nodes = [
        node("Slice", ["x", "shift", "end", "axis"], ["left"]),
        node("Slice", ["x", "zero", "shift", "axis"], ["right"]),
        node("Concat", ["left", "right"], ["rolled"], axis=2),
        node("Slice", ["rolled", "zero", "end", "axis", "step"], ["y"]),
    ]
    constants = {
        "shift": ints(shift),
        "end": ints(length),
        "zero": ints(0),
        "axis": ints(2),
        "step": ints(stride),
    }
    found = audit(build(nodes, [1, 1, length], constants))
    step, offset, _ = spot(found.tensors["y"][2])
    assert (step, (offset - shift) % length) == (stride, 0)
    assert [site.factor for site in found.sites] == [(Fraction(stride),)]
    assert not found.joins
