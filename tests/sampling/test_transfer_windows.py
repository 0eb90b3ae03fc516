"""Convolutions and pools, held against their impulse responses under onnxruntime, over random attributes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from onnx import ModelProto

from auditor.sampling.lattice.geometry import place
from auditor.sampling.result import HeadKind
from tests.runtime import runtime_since
from tests.sampling.impulse import Array, audit, build, hold, node, quick, session, spot

Draw = Any
LENGTH = {1: 41, 2: 25, 3: 13}
LARGEST = {1: 5, 2: 4, 3: 3}


def window(draw: Draw, rank: int, *, kernel_least: int = 1, pool: bool = False) -> dict[str, Any]:
    """Random attributes of a sliding window; pools may pad by less than their kernel only."""

    def several(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(rank)]

    kernel = several(kernel_least, LARGEST[rank])
    found = {"kernel_shape": kernel, "strides": several(1, 4 if rank < 3 else 2)}
    if draw(st.booleans()):
        found["dilations"] = several(1, 3 if rank < 3 else 2)
    padding = draw(st.sampled_from(["pads", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""]))
    if padding in ("pads", "NOTSET"):
        dilations = found.get("dilations", [1] * rank)
        most = [(k - 1) if pool else d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
        found["pads"] = [draw(st.integers(0, most[index % rank])) for index in range(2 * rank)]
    if padding not in ("pads", ""):
        found["auto_pad"] = padding
    return found


def lengths(draw: Draw, rank: int) -> list[int]:
    return [draw(st.integers(LENGTH[rank] - 4, LENGTH[rank])) for _ in range(rank)]


def margin(attributes: dict[str, Any]) -> int:
    dilations: list[int] = attributes.get("dilations", [1])
    return max(dilations)


def grid(rank: int, first: int = 2) -> dict[int, int]:
    return {axis: axis for axis in range(first, first + rank)}


@pytest.mark.parametrize("rank", [1, 2, 3])
@given(data=st.data())
@quick
def test_a_convolution_of_any_rank_samples_where_its_attributes_say(rank: int, data: Draw) -> None:
    attributes, groups = window(data.draw, rank), data.draw(st.sampled_from([1, 2, 4]))
    shape = [1, 4, *lengths(data.draw, rank)]
    kernel = attributes["kernel_shape"]
    weights = np.ones([data.draw(st.sampled_from([4, 8])), 4 // groups, *kernel], np.float32)
    if data.draw(st.booleans()):
        attributes.pop("kernel_shape")
    model = build([node("Conv", ["x", "w"], ["y"], group=groups, **attributes)], shape, {"w": weights})
    hold(model, shape, grid(rank), margin=margin(attributes))


@given(data=st.data())
@quick
def test_a_quantised_convolution_samples_like_its_float_twin(data: Draw) -> None:
    attributes = window(data.draw, 2)
    attributes.pop("dilations", None)
    shape = [1, 2, *lengths(data.draw, 2)]
    kernel = attributes["kernel_shape"]
    weights = np.ones([3, 2, *kernel], np.uint8)
    if data.draw(st.booleans()):
        made = node("ConvInteger", ["x", "w"], ["y"], **attributes)
        constants: dict[str, Array] = {"w": weights}
    else:
        made = node("QLinearConv", ["x", "one", "zero", "w", "one", "zero", "one", "zero"], ["y"], **attributes)
        constants = {"w": weights, "one": np.array(1, np.float32), "zero": np.array(0, np.uint8)}
    hold(build([made], shape, constants, dtype=np.uint8), shape, grid(2), dtype=np.uint8)


@given(data=st.data())
@quick
def test_vendor_convolutions_and_pools_keep_height_and_width_where_channels_last_puts_them(data: Draw) -> None:
    attributes = window(data.draw, 2, pool=True)
    attributes.pop("dilations", None)
    kind = data.draw(st.sampled_from(["FusedConv", "NhwcMaxPool", "QLinearAveragePool", "QLinearConv", "first"]))
    high, wide = lengths(data.draw, 2)
    channels_last = kind not in ("FusedConv", "first")
    shape = [1, high, wide, 2] if channels_last else [1, 2, high, wide]
    kernel = attributes["kernel_shape"]
    unit: dict[str, Array] = {"one": np.array(1, np.float32), "zero": np.array(0, np.uint8)}
    vendor = "com.microsoft"
    if kind == "FusedConv":
        weights = np.ones([2, 2, *kernel], np.float32)
        made = node(kind, ["x", "w"], ["y"], vendor, activation="Relu", **attributes)
        hold(build([made], shape, {"w": weights}), shape, grid(2))
        return
    if kind == "NhwcMaxPool":
        made = node(kind, ["x"], ["y"], vendor, **attributes)
    elif kind == "QLinearConv":
        inputs = ["x", "one", "zero", "w", "one", "zero", "one", "zero"]
        made = node(kind, inputs, ["y"], vendor, channels_last=1, **attributes)
        unit["w"] = np.ones([2, 2, *kernel], np.uint8)
    else:
        attributes["auto_pad"] = "NOTSET"
        small = np.array(1 / 16, np.float32)
        last: dict[str, Any] = {"channels_last": 1} if channels_last else {}
        made = node("QLinearAveragePool", ["x", "one", "zero", "small", "zero"], ["y"], vendor, **attributes, **last)
        unit["small"] = small
    where = grid(2, 1) if channels_last else grid(2)
    hold(build([made], shape, unit, dtype=np.uint8), shape, where, dtype=np.uint8)


@pytest.mark.parametrize("rank", [1, 2, 3])
@given(data=st.data())
@quick
def test_a_pool_samples_and_sizes_as_onnxruntime_does_with_ceil_mode_too(rank: int, data: Draw) -> None:
    attributes = window(data.draw, rank, pool=True)
    op = data.draw(st.sampled_from(["MaxPool", "AveragePool", "LpPool"]))
    attributes["ceil_mode"] = data.draw(st.integers(0, 1))
    if op == "AveragePool":
        attributes["count_include_pad"] = data.draw(st.integers(0, 1))
    if rank < 3 and data.draw(st.booleans()):
        attributes.pop("strides")
    shape = [1, 2, *lengths(data.draw, rank)]
    opset = data.draw(st.sampled_from([19, 22]))
    model = build([node(op, ["x"], ["y"], **attributes)], shape, opset=opset)
    hold(model, shape, grid(rank), margin=margin(attributes))


@given(
    op=st.sampled_from(["MaxPool", "AveragePool", "LpPool"]),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    length=st.integers(5, 10),
    opset=st.sampled_from([11, 18, 22]),
)
@quick
def test_a_ceil_mode_pool_has_the_size_that_onnxruntime_gives_where_shape_inference_differs(
    op: str, kernel: int, stride: int, pads: tuple[int, int], length: int, opset: int
) -> None:
    if max(pads) >= kernel or (op == "LpPool" and opset < 18):
        pads = (0, 0)
    more: dict[str, Any] = {} if op == "LpPool" and opset < 18 else {"ceil_mode": 1}
    made = node(op, ["x"], ["y"], kernel_shape=[kernel], strides=[stride], pads=pads, **more)
    hold(build([made], [1, 1, length], opset=opset), [1, 1, length], {2: 2})


@given(
    op=st.sampled_from(["MaxPool", "AveragePool", "LpPool"]),
    kernel=st.integers(3, 12),
    stride=st.integers(2, 12),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    length=st.integers(2, 10),
    ceil=st.integers(0, 1),
)
@quick
def test_a_pool_that_reaches_beyond_the_map_by_less_than_its_stride_reads_what_is_there(
    op: str, kernel: int, stride: int, pads: tuple[int, int], length: int, ceil: int
) -> None:
    room = length + sum(pads) - kernel
    assume(-stride < room)
    made = node(op, ["x"], ["y"], kernel_shape=[kernel], strides=[stride], pads=pads, ceil_mode=ceil)
    found = hold(build([made], [1, 1, length], opset=19), [1, 1, length], {2: 2})
    if room <= 0 and pads == (0, 0):
        assert [(head.kind, head.subsampling) for head in found.heads] == [(HeadKind.POOLED, Fraction(1))]
        assert not found.sites


@pytest.mark.parametrize(("kernel", "stride", "length"), [(7, 1, 5), (7, 2, 5), (16, 8, 8)])
def test_a_pool_that_has_no_output_in_onnxruntime_loses_the_grid(kernel: int, stride: int, length: int) -> None:
    made = node("AveragePool", ["x"], ["y"], kernel_shape=[kernel], strides=[stride], ceil_mode=1)
    assert [region.reason for region in audit(build([made], [1, 1, length])).untracked] == [
        "the window is larger than its padded input"
    ]


@given(data=st.data())
@quick
def test_explicit_padding_gives_a_pool_the_outputs_that_auto_pad_and_ceil_mode_give_it(data: Draw) -> None:
    kernel, stride = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    dilation, length = data.draw(st.integers(1, 3)), data.draw(st.integers(6, 24))
    pads = (data.draw(st.integers(0, kernel - 1)), data.draw(st.integers(0, kernel - 1)))
    auto_pad, ceil = (
        data.draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])),
        data.draw(st.booleans()),
    )
    placed = place(length, kernel, stride, dilation, pads, auto_pad, ceil=ceil, pool=True)
    assume(placed is not None)
    assert placed is not None
    common: dict[str, Any] = {"kernel_shape": [kernel], "strides": [stride], "dilations": [dilation]}
    padding: dict[str, Any] = {"pads": pads} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    made = node("MaxPool", ["x"], ["y"], ceil_mode=int(ceil), **padding, **common)
    explicit = node("MaxPool", ["x"], ["y"], pads=placed[1:], **common)
    x = np.arange(length, dtype=np.float32).reshape(1, 1, -1)
    try:
        automatic = session(build([made], x.shape)).run(["y"], {"x": x})[0]
        written = session(build([explicit], x.shape)).run(["y"], {"x": x})[0]
    except Exception:  # noqa: BLE001 - what onnxruntime refuses is no example
        reject()
    assert placed.size == automatic.shape[2]
    assert np.array_equal(automatic, written)


def test_the_indices_of_a_max_pool_share_the_lattice_of_its_values() -> None:
    shape = [1, 1, 16, 16]
    made = node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2], strides=[2, 2])
    found = audit(build([made], shape, outputs=["y", "i"]))
    assert found.tensors["i"] == found.tensors["y"]
    assert len(found.sites) == 1


@given(data=st.data())
@quick
def test_a_transposed_convolution_of_any_padding_puts_its_samples_where_the_impulses_land(data: Draw) -> None:
    rank = data.draw(st.integers(1, 2))
    kernel = [data.draw(st.integers(1, 5)) for _ in range(rank)]
    stride = [data.draw(st.integers(1, 4)) for _ in range(rank)]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": stride}
    if data.draw(st.booleans()):
        attributes["dilations"] = [data.draw(st.integers(1, 2)) for _ in range(rank)]
    dilation = attributes.get("dilations", [1] * rank)
    extra = [data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]
    shape = [1, 2, *[data.draw(st.integers(12, 15)) for _ in range(rank)]]
    kind = data.draw(st.sampled_from(["pads", "output_shape", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if kind == "pads":
        attributes["pads"] = [
            data.draw(st.integers(0, dilation[i % rank] * (kernel[i % rank] - 1))) for i in range(2 * rank)
        ]
    elif kind != "output_shape":
        attributes["auto_pad"] = kind
    else:
        full = [s * (n - 1) + d * (k - 1) + 1 for s, n, d, k in zip(stride, shape[2:], dilation, kernel, strict=True)]
        attributes["output_shape"] = [max(size - data.draw(st.integers(0, 3)), 4) for size in full]
        attributes["auto_pad"] = data.draw(st.sampled_from([None, "NOTSET", "SAME_UPPER", "SAME_LOWER"]))
    if kind in ("pads", "VALID"):
        attributes["output_padding"] = extra
    group = data.draw(st.sampled_from([1, 2]))
    weights = np.ones([2, 2, *kernel], np.float32)
    model = build([node("ConvTranspose", ["x", "w"], ["y"], group=group, **attributes)], shape, {"w": weights})
    period = {2 + place: step for place, step in enumerate(stride)}
    found = hold(model, shape, grid(rank), period=period, margin=2, tight=False)
    if max(stride) > 1:
        assert [tuple(map(int, up.factor)) for up in found.upsamplings] == [tuple(stride)]


@given(data=st.data())
@quick
def test_a_transposed_convolution_takes_its_pads_from_a_constant_input_too(data: Draw) -> None:
    kernel, stride = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    pads = [data.draw(st.integers(0, kernel - 1)) for _ in range(4)]
    made = node("ConvTransposeWithDynamicPads", ["x", "w", "p"], ["y"], "com.microsoft", strides=[stride] * 2)
    constants: dict[str, Array] = {"w": np.ones([2, 3, kernel, kernel], np.float32), "p": np.array(pads)}
    shape = [1, 2, 13, 13]
    period = {2: stride, 3: stride}
    hold(build([made], shape, constants), shape, grid(2), period=period, margin=2, tight=False)


def test_the_pads_of_a_transposed_convolution_that_are_data_leave_no_lattice() -> None:
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Cast", ["sum"], ["whole"], to=7),
        node("Expand", ["whole", "four"], ["p"]),
        node("ConvTransposeWithDynamicPads", ["x", "w", "p"], ["y"], "com.microsoft"),
    ]
    constants: dict[str, Array] = {"w": np.ones([2, 3, 3, 3], np.float32), "four": np.array([4])}
    found = audit(build(nodes, [1, 2, 13, 13], constants))
    assert [place.reason for place in found.untracked] == [
        "the pads of a transposed convolution are computed from data"
    ]


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "taps"),
    [(3, 2, 1, {1, 2}), (5, 2, 1, {3, 2}), (4, 2, 1, {2}), (4, 3, 1, {2, 1}), (4, 2, 2, {4, 0})],
)
def test_the_taps_that_reach_each_output_phase_of_a_transposed_convolution_are_counted(
    kernel: int, stride: int, dilation: int, taps: set[int]
) -> None:
    shape = [1, 1, 12]
    made = node("ConvTranspose", ["x", "w"], ["y"], strides=[stride], dilations=[dilation])
    model = build([made], shape, {"w": np.ones([1, 1, kernel], np.float32)})
    (up,) = audit(model).upsamplings
    ones = session(model).run(["y"], {"x": np.ones(shape, np.float32)})[0][0, 0]
    assert set(up.taps[0]) == taps == set(ones[12:18].astype(int))


@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool"])
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_same_padding_of_an_open_size_lists_every_phase_that_onnxruntime_takes(op: str, auto_pad: str) -> None:
    kernel, stride = 3, 2
    inputs = ["x", "w"] if op == "Conv" else ["x"]
    made = node(op, inputs, ["y"], kernel_shape=[kernel], strides=[stride], auto_pad=auto_pad)
    weights = {"w": np.ones([1, 1, kernel], np.float32)} if op == "Conv" else {}
    paddings = audit(build([made], [1, 1, "length"], weights)).paddings
    listed = {offset for padding in paddings for offset in padding.offsets} or {Fraction(0)}
    measured = set()
    for length in range(20, 24):
        model = build([made], [1, 1, length], weights)
        found = hold(model, [1, 1, length], {2: 2})
        lattice = found.tensors["y"][2]
        assert lattice is not None
        assert not lattice.size_dependent
        measured.add(lattice.offset)
    assert listed == measured


def deformable() -> ModelProto:
    made = node("DeformConv", ["x", "w", "o"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    constants: dict[str, Array] = {"w": np.ones([1, 1, 3, 3], np.float32), "o": np.zeros([1, 18, 8, 8], np.float32)}
    return build([made], [1, 1, 16, 16], constants)


def test_deformable_convolutions_say_that_the_data_choose_where_they_look() -> None:
    found = audit(deformable())
    assert len(found.data_dependent) == 1
    assert [spot(lattice) for lattice in found.tensors["y"][2:]] == [(2, 0, 8)] * 2


@pytest.mark.skipif(not runtime_since(1, 25), reason="onnxruntime runs deformable convolutions from 1.25 on")
def test_deformable_convolutions_follow_their_nominal_grid() -> None:
    hold(deformable(), [1, 1, 16, 16], {2: 2, 3: 3})


@given(step=st.integers(1, 12), width=st.integers(2, 16), length=st.integers(60, 90), onesided=st.integers(0, 1))
@quick
def test_the_frames_of_a_short_time_transform_are_its_step_apart(
    step: int, width: int, length: int, onesided: int
) -> None:
    transform = node("STFT", ["x", "step", "window"], ["bins"], onesided=onesided)
    # The bin of frequency zero sums the frame; the other bins weigh its samples unevenly.
    first = node("Slice", ["bins", "start", "end", "axis"], ["y"])
    constants: dict[str, Array] = {
        "step": np.array(step, np.int64),
        "window": np.ones(width, np.float32),
        "start": np.array([0]),
        "end": np.array([1]),
        "axis": np.array([2]),
    }
    hold(build([transform, first], [1, length, 1], constants), [1, length, 1], {1: 1})


@given(data=st.data())
@quick
def test_patches_put_back_by_col2im_lie_where_they_were_cut(data: Draw) -> None:
    kernel, size = data.draw(st.integers(1, 4)), data.draw(st.integers(20, 24))
    stride, dilation = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    pad = data.draw(st.integers(0, kernel - 1))
    count = (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
    attributes: dict[str, Any] = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": [pad] * 4}
    nodes = [
        node("Conv", ["x", "cut"], ["patches"], **attributes),
        node("Reshape", ["patches", "flat"], ["columns"]),
        node("Col2Im", ["columns", "image", "block"], ["y"], **attributes),
    ]
    constants: dict[str, Array] = {
        "cut": np.eye(kernel * kernel, dtype=np.float32).reshape(-1, 1, kernel, kernel),
        "flat": np.array([1, kernel * kernel, count * count]),
        "image": np.array([size, size]),
        "block": np.array([kernel, kernel]),
    }
    hold(
        build(nodes, [1, 1, size, size], constants),
        [1, 1, size, size],
        grid(2),
        period={2: stride, 3: stride},
        tight=False,
    )
