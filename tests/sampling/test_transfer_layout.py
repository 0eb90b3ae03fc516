"""Operators that move phases, positions and channels around, and the contractions behind them, against impulses."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto

from auditor.sampling.result import SiteKind
from tests.sampling.impulse import Array, audit, build, hold, node, quick, session, shape_of, spot

Draw = Any


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def ones(*shape: int) -> Array:
    return np.ones(shape, np.float32)


def sampled(found: Any) -> list[tuple[SiteKind, tuple[Fraction, ...]]]:
    return [(site.kind, site.factor) for site in found.sites]


@given(
    block=st.sampled_from([2, 3, 4]),
    form=st.sampled_from(["SpaceToDepth", "Reshape", "Focus"]),
    kernel=st.sampled_from([1, 3]),
    stride=st.integers(1, 2),
)
@quick
def test_space_to_depth_in_any_form_and_a_convolution_are_one_strided_window(
    block: int, form: str, kernel: int, stride: int
) -> None:
    size, channels = 24, 2
    small, deep = size // block, channels * block * block
    constants = {"w": ones(3, deep, kernel, kernel)}
    nodes: list[NodeProto]
    if form == "SpaceToDepth":
        nodes = [node("SpaceToDepth", ["x"], ["d"], blocksize=block)]
    elif form == "Reshape":
        constants |= {"cut": ints(1, channels, small, block, small, block), "deep": ints(1, deep, small, small)}
        nodes = [
            node("Reshape", ["x", "cut"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[0, 1, 3, 5, 2, 4]),
            node("Reshape", ["b", "deep"], ["d"]),
        ]
    else:
        constants |= {f"i{index}": ints(index) for index in range(block)}
        constants |= {"end": ints(size), "step": ints(block), "high": ints(2), "wide": ints(3)}
        nodes, parts = [], []
        for row in range(block):
            nodes.append(node("Slice", ["x", f"i{row}", "end", "high", "step"], [f"r{row}"]))
            for column in range(block):
                parts.append(f"p{row}{column}")
                inputs = [f"r{row}", f"i{column}", "end", "wide", "step"]
                nodes.append(node("Slice", inputs, [parts[-1]]))
        nodes.append(node("Concat", parts, ["d"], axis=1))
    strides = [stride, stride]
    nodes.append(node("Conv", ["d", "w"], ["y"], kernel_shape=[kernel, kernel], strides=strides))
    shape = [1, channels, size, size]
    found = hold(build(nodes, shape, constants), shape, {2: 2, 3: 3})
    assert [factor for _, factor in sampled(found)] == [
        (step, step) for step in (Fraction(block), Fraction(stride)) if step > 1
    ]
    assert found.sites[0].kind in {SiteKind.PHASE_TO_CHANNEL, SiteKind.PATCH_EMBEDDING}


@given(patch=st.sampled_from([2, 4, 8]), form=st.sampled_from(["conv", "linear"]))
@quick
def test_a_patch_embedding_by_convolution_or_by_a_linear_layer_is_the_same_lattice(patch: int, form: str) -> None:
    size, channels, count = 32, 3, 32 // patch
    shape = [1, channels, size, size]
    if form == "conv":
        nodes = [node("Conv", ["x", "w"], ["y"], strides=[patch, patch])]
        constants = {"w": ones(5, channels, patch, patch)}
        axes = {2: 2, 3: 3}
    else:
        constants = {
            "cut": ints(1, channels, count, patch, count, patch),
            "flat": ints(1, count * count, patch * patch * channels),
            "w": ones(patch * patch * channels, 5),
            "grid": ints(1, count, count, 5),
        }
        nodes = [
            node("Reshape", ["x", "cut"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[0, 2, 4, 3, 5, 1]),
            node("Reshape", ["b", "flat"], ["c"]),
            node("MatMul", ["c", "w"], ["d"]),
            node("Reshape", ["d", "grid"], ["y"]),
        ]
        axes = {2: 1, 3: 2}
    found = hold(build(nodes, shape, constants), shape, axes, margin=0)
    assert found.subsampling == patch
    if patch >= 4:
        assert [kind for kind, _ in sampled(found)] == [SiteKind.PATCH_EMBEDDING]


@given(form=st.sampled_from(["reshape", "slices", "einsum"]), before=st.integers(1, 2))
@quick
def test_patch_merging_as_swin_writes_it_halves_the_grid_once(form: str, before: int) -> None:
    size, channels = 32 // before, 4
    shape = [1, 3, 32, 32]
    nodes = [
        node("Conv", ["x", "w"], ["image"], strides=[before, before]),
        node("Transpose", ["image"], ["nhwc"], perm=[0, 2, 3, 1]),
    ]
    constants = {"w": ones(channels, 3, before, before)}
    half = size // 2
    if form == "slices":
        constants |= {"zero": ints(0), "one": ints(1), "end": ints(size), "h": ints(1), "v": ints(2), "two": ints(2)}
        for name, row, column in [
            ("p0", "zero", "zero"),
            ("p1", "one", "zero"),
            ("p2", "zero", "one"),
            ("p3", "one", "one"),
        ]:
            nodes.append(node("Slice", ["nhwc", row, "end", "h", "two"], [f"{name}r"]))
            nodes.append(node("Slice", [f"{name}r", column, "end", "v", "two"], [name]))
        nodes.append(node("Concat", ["p0", "p1", "p2", "p3"], ["merged"], axis=-1))
    else:
        constants["cut"] = ints(1, half, 2, half, 2, channels)
        nodes.append(node("Reshape", ["nhwc", "cut"], ["a"]))
    if form == "reshape":
        constants["flat"] = ints(1, half, half, 4 * channels)
        nodes += [
            node("Transpose", ["a"], ["b"], perm=[0, 1, 3, 4, 2, 5]),
            node("Reshape", ["b", "flat"], ["merged"]),
        ]
    if form == "einsum":
        constants["linear"] = ones(2, 2, channels, 6)
        nodes.append(node("Einsum", ["a", "linear"], ["y"], equation="nhiwjc,ijcd->nhwd"))
    else:
        constants["linear"] = ones(4 * channels, 6)
        nodes.append(node("MatMul", ["merged", "linear"], ["y"]))
    found = hold(build(nodes, shape, constants), shape, {2: 1, 3: 2}, margin=0)
    assert [factor for _, factor in sampled(found)][-1] == (Fraction(2),) * 2
    assert len(found.sites) == before  # the convolution, where it is strided, and one merging


@given(block=st.sampled_from([2, 3]), mode=st.sampled_from(["DCR", "CRD", "Reshape"]), stride=st.integers(1, 2))
@quick
def test_depth_to_space_makes_the_grid_finer_around_the_same_centre(block: int, mode: str, stride: int) -> None:
    size, channels = 24 // stride, 2
    deep = channels * block * block
    shape = [1, 1, 24, 24]
    nodes = [node("Conv", ["x", "w"], ["d"], strides=[stride, stride])]
    constants = {"w": ones(deep, 1, stride, stride)}
    if mode == "Reshape":
        constants |= {
            "cut": ints(1, channels, block, block, size, size),
            "shape": ints(1, channels, size * block, size * block),
        }
        nodes += [
            node("Reshape", ["d", "cut"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[0, 1, 4, 2, 5, 3]),
            node("Reshape", ["b", "shape"], ["y"]),
        ]
    else:
        nodes.append(node("DepthToSpace", ["d"], ["y"], blocksize=block, mode=mode))
    hold(build(nodes, shape, constants), shape, {2: 2, 3: 3}, period={2: block, 3: block}, tight=False)


def test_depth_to_space_behind_space_to_depth_restores_the_picture() -> None:
    nodes = [
        node("SpaceToDepth", ["x"], ["d"], blocksize=2),
        node("DepthToSpace", ["d"], ["y"], blocksize=2),
    ]
    hold(build(nodes, [1, 2, 16, 16]), [1, 2, 16, 16], {2: 2, 3: 3}, margin=0, tight=False)


@given(stride=st.integers(1, 3), kernel=st.integers(1, 4))
@quick
def test_a_channels_last_picture_needs_no_special_case(stride: int, kernel: int) -> None:
    shape = [1, 25, 23, 3]
    nodes = [
        node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
        node("Conv", ["a", "w"], ["b"], strides=[stride, stride]),
        node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
    ]
    hold(build(nodes, shape, {"w": ones(4, 3, kernel, kernel)}), shape, {1: 1, 2: 2})


@given(rate=st.integers(2, 3), kernel=st.integers(1, 3), stride=st.integers(1, 2))
@quick
def test_a_dilated_convolution_by_way_of_the_batch_axis_is_one_window(rate: int, kernel: int, stride: int) -> None:
    """SpaceToBatch, convolution, BatchToSpace, as converters from TensorFlow write dilated convolutions."""
    size = 36
    small, reach = size // stride // rate, kernel - 1
    left = small - reach
    shape = [1, 1, size, size]
    nodes = [
        node("Conv", ["x", "first"], ["a"], strides=[stride, stride]),
        node("Reshape", ["a", "cut"], ["b"]),
        node("Transpose", ["b"], ["c"], perm=[3, 5, 0, 1, 2, 4]),
        node("Reshape", ["c", "batch"], ["d"]),
        node("Conv", ["d", "w"], ["e"]),
        node("Reshape", ["e", "apart"], ["f"]),
        node("Transpose", ["f"], ["g"], perm=[2, 3, 4, 0, 5, 1]),
        node("Reshape", ["g", "back"], ["y"]),
    ]
    constants = {
        "first": ones(1, 1, 1, 1),
        "cut": ints(1, 1, small, rate, small, rate),
        "batch": ints(rate * rate, 1, small, small),
        "w": ones(2, 1, kernel, kernel),
        "apart": ints(rate, rate, 1, 2, left, left),
        "back": ints(1, 2, left * rate, left * rate),
    }
    found = hold(build(nodes, shape, constants), shape, {2: 2, 3: 3}, margin=rate * stride)
    assert [site.factor for site in found.sites] == [(Fraction(2),) * 2] * (stride - 1)


@given(op=st.sampled_from(["ReduceMean", "ReduceMax", "ReduceSum"]), block=st.sampled_from([2, 3, 4]))
@quick
def test_a_reduction_over_the_fine_part_of_a_split_grid_is_a_pool(op: str, block: int) -> None:
    size = 24
    shape = [1, 2, size, size]
    nodes = [node("Reshape", ["x", "cut"], ["a"])]
    constants = {"cut": ints(1, 2, size // block, block, size // block, block)}
    if op == "ReduceSum":
        constants["axes"] = ints(3, 5)
        nodes.append(node(op, ["a", "axes"], ["y"], keepdims=0))
    else:
        nodes.append(node(op, ["a"], ["y"], axes=[3, 5], keepdims=0))
    found = hold(build(nodes, shape, constants, 17), shape, {2: 2, 3: 3}, margin=0)
    assert [site.factor for site in found.sites] == [(Fraction(block),) * 2]


@given(data=st.data())
@quick
def test_flatten_squeeze_and_unsqueeze_keep_the_positions_of_a_signal(data: Draw) -> None:
    form = data.draw(st.sampled_from(["Flatten", "Unsqueeze", "UnsqueezeOld"]))
    stride = data.draw(st.integers(1, 4))
    length = 24
    shape = [1, 1, length]
    count = (length - 1) // stride + 1
    first = node("MaxPool", ["x"], ["a"], kernel_shape=[1], strides=[stride])
    constants: dict[str, Array] = {"zero": ints(0), "two": ints(2)}
    opset, axis = 18, 1
    if form == "Flatten":
        rest = [node("Flatten", ["a"], ["y"], axis=data.draw(st.sampled_from([1, 2, -1])))]
    elif form == "UnsqueezeOld":
        opset, axis = 11, 3
        rest = [
            node("Unsqueeze", ["a"], ["b"], axes=[1, 2]),
            node("Squeeze", ["b"], ["y"], axes=[0]),
        ]
    else:
        rest = [node("Unsqueeze", ["a", "two"], ["b"]), node("Squeeze", ["b", "zero"], ["y"])]
        axis = 2
    found = hold(build([first, *rest], shape, constants, opset), shape, {2: axis}, margin=0)
    assert spot(found.tensors["y"][axis]) == (stride, 0, count)


def test_a_channel_shuffle_is_no_sampling() -> None:
    nodes = [
        node("Reshape", ["x", "cut"], ["a"]),
        node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["b", "back"], ["c"]),
        node("Conv", ["c", "w"], ["y"], kernel_shape=[3, 3], group=8),
    ]
    constants = {"cut": ints(1, 2, 4, 16, 16), "back": ints(1, 8, 16, 16), "w": ones(8, 1, 3, 3)}
    found = hold(build(nodes, [1, 8, 16, 16], constants), [1, 8, 16, 16], {2: 2, 3: 3})
    assert not found.sites


@pytest.mark.parametrize("shape", [[1, 4, 6, 6], [2, 4, 6, 6], [1, 1, 12, 8]])
@given(data=st.data())
@quick
def test_reshapes_and_transposes_never_move_a_position_to_another_place(shape: list[int], data: Draw) -> None:
    """A picture whose pixels carry their own coordinates, moved by random reshapes, must read back as predicted."""
    nodes: list[NodeProto] = [node("MaxPool", ["x"], ["t0"], kernel_shape=[1, 1])]
    constants: dict[str, Array] = {}
    sizes, name = list(shape), "t0"
    for index in range(1, data.draw(st.integers(1, 4)) + 1):
        if data.draw(st.booleans()):
            perm = list(data.draw(st.permutations(range(len(sizes)))))
            nodes.append(node("Transpose", [name], [f"t{index}"], perm=perm))
            sizes = [sizes[place] for place in perm]
        else:
            sizes = _other_sizes(data, sizes)
            constants[f"c{index}"] = ints(*sizes)
            nodes.append(node("Reshape", [name, f"c{index}"], [f"t{index}"]))
        name = f"t{index}"
    model = build(nodes, shape, constants, outputs=[name])
    found = audit(model)
    if name not in found.tensors:
        return
    assert shape_of(found, name) == tuple(sizes)
    for source, lattices in ((2, 0), (3, 1)):
        line = np.arange(shape[source], dtype=np.float32)
        x = np.broadcast_to(line[:, None] if source == 2 else line, shape).astype(np.float32)
        coordinate = session(model).run(None, {"x": x})[0]
        for axis, lattice in enumerate(found.tensors[name]):
            if lattice is None or found.sources[lattice.source].axis != source:
                continue
            steps = np.diff(coordinate, axis=axis)
            assert steps.size == 0 or np.all(steps == float(lattice.stride)), (lattice, lattices)


def _other_sizes(data: Draw, sizes: list[int]) -> list[int]:
    """The same elements in another shape: one axis split, or two neighbours merged."""
    place = data.draw(st.integers(0, len(sizes) - 1))
    divisors = [d for d in (2, 3, 4) if sizes[place] % d == 0]
    if divisors and data.draw(st.booleans()):
        inner = data.draw(st.sampled_from(divisors))
        return [*sizes[:place], sizes[place] // inner, inner, *sizes[place + 1 :]]
    if place + 1 < len(sizes):
        return [*sizes[:place], sizes[place] * sizes[place + 1], *sizes[place + 2 :]]
    return sizes
