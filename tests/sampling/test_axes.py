"""Which axes are a grid: decided for each axis from what it is, not from its symbol or from where a stride stands."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.onnxfile import read_model
from auditor.sampling import Analysis, analyse
from auditor.sampling.lattice.state import AxisTrack, merge_window
from auditor.sampling.result import HeadKind
from tests.sampling.impulse import Array, audit, build, node, quick, spot

Draw = Any
CASES = Path(__file__).parents[2].parent / "shared" / "cases"


def case(name: str) -> Analysis:
    path = CASES / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand")
    return analyse(read_model(path))


@pytest.mark.parametrize("symbol", ["None", "?", "", "N", "batch", "unk__7", "-1", None])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_picture_whose_open_sizes_share_a_symbol_is_a_batch_of_one_and_two_axes(
    symbol: str | None, channels_last: bool
) -> None:
    weights: dict[str, Array] = {"w": np.ones([8, 3, 3, 3], np.float32)}
    if channels_last:
        nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["y"], strides=[2, 2])]
        shape = [symbol, symbol, symbol, 3]
    else:
        nodes, shape = [node("Conv", ["x", "w"], ["y"], strides=[2, 2])], [symbol, 3, symbol, symbol]
    found = audit(build(nodes, shape, weights))
    assert found.shapes["y"] == (1, 8, 111, 111)
    assert found.subsampling == 2
    assert [site.cumulative for site in found.sites] == [(Fraction(2), Fraction(2))]
    assert [head.kind for head in found.heads] == [HeadKind.DENSE]


def test_a_picture_of_which_everything_is_open_has_three_channels() -> None:
    made = node("Conv", ["x", "w"], ["y"], strides=[2, 2])
    found = audit(build([made], ["None"] * 4, {"w": np.ones([8, 3, 3, 3], np.float32)}))
    assert found.shapes["x"] == (1, 3, 224, 224)
    assert found.subsampling == 2


@pytest.mark.parametrize("symbol", ["None", "?", "time"])
def test_a_signal_whose_open_sizes_share_a_symbol_is_a_batch_of_one_and_its_time(symbol: str) -> None:
    nodes = [node("Unsqueeze", ["x", "one"], ["u"]), node("Conv", ["u", "w"], ["y"], strides=[4])]
    constants: dict[str, Array] = {"one": np.array([1]), "w": np.ones([2, 1, 8], np.float32)}
    assert audit(build(nodes, [symbol, symbol], constants)).subsampling == 4


@pytest.mark.parametrize(
    ("shape", "pictures"),
    [
        ([2, "N", 128], {"x"}),  # a recurrent state
        ([1, 48, 64], {"x", "other"}),
        ([1, 1, "height", "width"], {"x", "other"}),
    ],
)
def test_a_recurrent_state_beside_a_signal_is_no_picture(shape: list[int | str], pictures: set[str]) -> None:
    from tests.sampling.impulse import float_info

    constants: dict[str, Array] = {"one": np.array([1]), "w": np.ones([2, 1, 8], np.float32)}
    nodes = [
        node("Unsqueeze", ["x", "one"], ["u"]),
        node("Conv", ["u", "w"], ["c"], strides=[4]),
        node("ReduceMean", ["c"], ["m"]),
        node("Mul", ["other", "m"], ["y"]),
    ]
    found = audit(build(nodes, [1, 512], constants, inputs=[float_info("other", shape)]))
    assert {found.sources[source].input.raw for source in found.spatial} == pictures


def test_inputs_that_name_an_axis_alike_get_the_same_size_also_where_the_user_gives_it_for_one() -> None:
    from tests.sampling.impulse import float_info

    made = [node("Add", ["x", "mask"], ["y"])]
    model = build(made, ["batch", 3, "height", "width"], inputs=[float_info("mask", ["batch", 1, "height", "width"])])
    assert audit(model).shapes["y"] == (1, 3, 224, 224)
    assert audit(model, {"mask": (1, 1, 96, 160)}).shapes["y"] == (1, 3, 96, 160)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
def test_a_pool_over_channels_samples_no_grid(op: str) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("Transpose", ["c"], ["t"], perm=[0, 3, 2, 1]),
        node(op, ["t"], ["p"], kernel_shape=[1, 2], strides=[1, 2]),
        node("Transpose", ["p"], ["y"], perm=[0, 3, 2, 1]),
    ]
    found = audit(build(nodes, [1, 3, 32, 32], {"w": np.ones([16, 3, 3, 3], np.float32)}))
    assert not found.sites
    assert found.shapes["y"] == (1, 8, 32, 32)
    assert found.subsampling == 1


def test_a_pool_over_the_colours_of_a_picture_samples_no_grid() -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        node("MaxPool", ["t"], ["y"], kernel_shape=[1, 3], strides=[1, 3]),
    ]
    assert not audit(build(nodes, [1, 3, 32, 32])).sites


def test_a_volume_pool_that_takes_channels_for_its_depth_samples_the_picture_alone() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("Unsqueeze", ["c", "one"], ["u"]),
        node("MaxPool", ["u"], ["p"], kernel_shape=[1, 3, 3], strides=[2, 1, 2]),
        node("Squeeze", ["p", "one"], ["y"]),
    ]
    constants: dict[str, Array] = {"w": np.ones([64, 3, 3, 3], np.float32), "one": np.array([1])}
    found = audit(build(nodes, [1, 3, 24, 94], constants))
    (site,) = found.sites
    assert [*map(int, site.factor)] == [1, 1, 2]
    assert site.cumulative == (None, Fraction(1), Fraction(2))
    assert site.skipped == 0


def one_line(op: str, kernel: int, stride: int, weights: Array, length: int, **more: Any) -> Any:
    """A site on one axis."""
    inputs = ["x", "w"] if op == "Conv" else ["x"]
    made = node(op, inputs, ["y"], kernel_shape=[kernel], strides=[stride], **more)
    (site,) = audit(build([made], [1, 2, length], {"w": weights})).sites
    return site


@given(data=st.data())
@quick
def test_a_filter_of_a_signal_is_judged_alike_whether_it_is_written_on_one_axis_or_on_two(data: Draw) -> None:
    op = data.draw(st.sampled_from(["Conv", "MaxPool", "AveragePool"]))
    kernel, stride = data.draw(st.integers(2, 5)), data.draw(st.integers(2, 4))
    first, rows = data.draw(st.booleans()), data.draw(st.sampled_from([1, 3]))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights = random.normal(size=[3, 2, kernel]).astype(np.float32)
    expected = one_line(op, kernel, stride, weights, 40)
    wide = np.concatenate([random.normal(size=[3, 2, 1, kernel])] * (rows // 2) + [weights[:, :, None]], 2)
    wide = np.concatenate([wide, random.normal(size=[3, 2, rows - wide.shape[2], kernel])], 2).astype(np.float32)
    along = slice(None) if first else slice(None, None, -1)
    pad = [rows // 2, 0][along]
    made = node(
        op,
        ["x", "w"] if op == "Conv" else ["x"],
        ["y"],
        kernel_shape=[rows, kernel][along],
        strides=[data.draw(st.integers(1, 3)), stride][along],
        pads=[*pad, *pad],
    )
    shape = [1, 2, *[1, 40][along]]
    (site,) = audit(build([made], shape, {"w": wide if first else np.swapaxes(wide, 2, 3)})).sites
    assert [factor for factor in site.factor if factor > 1] == list(expected.factor)
    assert site.alias is not None
    assert expected.alias is not None
    assert site.alias.flat == pytest.approx(expected.alias.flat)
    assert site.skipped == expected.skipped
    assert site.antialiased == expected.antialiased


def test_the_channels_of_a_spectrogram_that_become_a_second_axis_stay_channels() -> None:
    nodes = [
        node("Conv", ["x", "bins"], ["c"], strides=[8]),
        node("Unsqueeze", ["c", "one"], ["u"]),
        node("Conv", ["u", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    constants: dict[str, Array] = {
        "bins": np.ones([33, 1, 16], np.float32),
        "one": np.array([1]),
        "w": np.ones([4, 1, 3, 3], np.float32),
    }
    found = audit(build(nodes, [1, 1, 512], constants))
    assert [[*map(int, site.factor)] for site in found.sites] == [[8], [1, 2]]
    assert found.subsampling == 16


@pytest.mark.parametrize("length", [1, 32])
def test_a_stride_along_an_axis_of_one_entry_samples_nothing(length: int) -> None:
    made = node("MaxPool", ["x"], ["y"], kernel_shape=[1, 2], strides=[2, 2] if length == 1 else [2, 1])
    found = audit(build([made], [1, 8, length, 64]))
    (site,) = found.sites
    assert [*map(int, site.factor)] == ([1, 2] if length == 1 else [2, 1])
    assert site.skipped == (0 if length == 1 else Fraction(1, 2))


def test_the_open_batch_of_a_signal_with_its_channels_last_stays_a_batch() -> None:
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 2, 1]), node("Conv", ["t", "w"], ["y"], strides=[2])]
    found = audit(build(nodes, ["batch", 4096, 1], {"w": np.ones([2, 1, 4], np.float32)}))
    assert found.shapes["x"] == (1, 4096, 1)
    assert found.subsampling == 2


def test_a_picture_of_three_axes_with_its_colours_last_has_no_batch() -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        node("Unsqueeze", ["t", "zero"], ["u"]),
        node("Conv", ["u", "w"], ["y"], strides=[2, 2]),
    ]
    constants: dict[str, Array] = {"zero": np.array([0]), "w": np.ones([2, 3, 4, 4], np.float32)}
    found = audit(build(nodes, [64, 48, 3], constants))
    assert [spot(lattice) for lattice in found.tensors["y"][2:]] == [(2, 1.5, 31), (2, 1.5, 23)]


def test_the_shared_cases_of_axes_are_right() -> None:
    found = case("dimNone")
    assert found.subsampling == 2
    assert len(found.sites) == 1
    assert not case("channel_stride").sites


def test_the_shared_case_of_a_pool_larger_than_its_map_is_a_mean_over_the_map() -> None:
    found = case("e_ceil_pool")
    assert not found.untracked
    assert [(head.kind, head.subsampling) for head in found.heads] == [(HeadKind.POOLED, Fraction(2))]


def area_attention(strips: int, own_axis: bool, side: int = 20) -> Analysis:
    """Attention inside strips of rows, as YOLO12 has it, on a map that a convolution made half as large."""
    count, head = side * side // strips, [1, strips] if own_axis else [strips]
    first = len(head)
    nodes = [
        node("Conv", ["x", "stem"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Conv", ["a", "project"], ["p"]),
        node("Reshape", ["p", "flat"], ["f"]),
        node("Transpose", ["f"], ["t"], perm=[0, 2, 1]),
        node("Reshape", ["t", "cut"], ["s"]),
        node("Split", ["s"], ["q", "k", "v"], axis=first + 1),
        node("Transpose", ["k"], ["kt"], perm=[*range(first), first + 1, first]),
        node("MatMul", ["q", "kt"], ["scores"]),
        node("Softmax", ["scores"], ["weights"], axis=-1),
        node("MatMul", ["weights", "v"], ["o"]),
        node("Reshape", ["o", "whole"], ["w"]),
        node("Reshape", ["w", "map"], ["m"]),
        node("Transpose", ["m"], ["c"], perm=[0, 3, 1, 2]),
        node("Add", ["c", "a"], ["y"]),
    ]
    constants: dict[str, Array] = {
        "stem": np.ones([8, 3, 3, 3], np.float32),
        "project": np.ones([24, 8, 1, 1], np.float32),
        "flat": np.array([1, 24, side * side]),
        "cut": np.array([*head, count, 24]),
        "whole": np.array([1, side * side, 8]),
        "map": np.array([1, side, side, 8]),
    }
    return audit(build(nodes, [1, 3, 2 * side, 2 * side], constants, opset=17))


@pytest.mark.parametrize("strips", [1, 2, 4, 10])
@pytest.mark.parametrize("own_axis", [False, True])
def test_a_map_cut_into_strips_for_its_attention_is_not_subsampled(strips: int, own_axis: bool) -> None:
    found = area_attention(strips, own_axis)
    assert not found.untracked
    assert [site.node.op.raw for site in found.sites] == ["Conv"]
    assert found.subsampling == 2
    assert [spot(lattice) for lattice in found.tensors["y"][2:]] == [(2, 0, 20)] * 2


@pytest.mark.parametrize("shape", [[1, 8, 32], [1, 8, 32, 32]])
def test_samples_put_beside_channels_are_a_site_whatever_the_number_of_axes(shape: list[int]) -> None:
    rank = len(shape) - 2
    cut = [8, *(size for _ in range(rank) for size in (16, 2))]
    order = [0, 1, *(3 + 2 * axis for axis in range(rank)), *(2 + 2 * axis for axis in range(rank))]
    nodes = [
        node("Conv", ["x", "one"], ["c"]),
        node("Reshape", ["c", "cut"], ["s"]),
        node("Transpose", ["s"], ["t"], perm=order),
        node("Reshape", ["t", "fold"], ["y"]),
    ]
    constants: dict[str, Array] = {
        "one": np.ones([8, 8, *[1] * rank], np.float32),
        "cut": np.array([1, *cut]),
        "fold": np.array([1, 8 * 2**rank, *[16] * rank]),
    }
    found = audit(build(nodes, shape, constants))
    assert [[*map(int, site.factor)] for site in found.sites] == [[2] * rank]


def test_the_shared_case_of_attention_in_strips_is_subsampled_by_its_stem_alone() -> None:
    found = case("c_area_attention")
    assert found.subsampling == 2
    assert len(found.sites) == 1


@pytest.mark.parametrize(
    ("shape", "axis", "grid"),
    [
        ([1, 16, 32, 32], 2, True),
        ([1, 16, 32, 32], 1, False),
        ([1, 16, 5, 5], 3, True),
        ([1, 16, 4, 4], 1, False),
        ([1, 16, 4, 4], 2, False),
        ([1, 32, 32, 3], 1, True),
        ([1, 32, 32, 3], 3, False),
        ([1, 3, 32], 2, True),
        ([1, 16], 1, False),
    ],
)
def test_a_bare_slice_samples_a_grid_where_pictures_have_one(shape: list[int], axis: int, grid: bool) -> None:
    constants: dict[str, Array] = {
        "zero": np.array([0]),
        "end": np.array([shape[axis]]),
        "axis": np.array([axis]),
        "step": np.array([2]),
    }
    found = audit(build([node("Slice", ["x", "zero", "end", "axis", "step"], ["y"])], shape, constants))
    assert len(found.sites) == grid


@pytest.mark.parametrize("order", [["near", "far"], ["far", "near"]])
@pytest.mark.parametrize("op", ["Add", "Mul", "Concat", "Max"])
def test_branches_that_meet_have_seen_what_the_wider_one_has(op: str, order: list[str]) -> None:
    nodes = [
        node("Conv", ["x", "three"], ["near"], pads=[1, 1]),
        node("Conv", ["x", "seven"], ["far"], pads=[3, 3]),
        node(op, order, ["y"], axis=1 if op == "Concat" else None),
    ]
    weights: dict[str, Array] = {"three": np.ones([2, 2, 3], np.float32), "seven": np.ones([2, 2, 7], np.float32)}
    lattice = audit(build(nodes, [1, 2, 32], weights)).tensors["y"][2]
    assert lattice is not None
    assert lattice.receptive_field == 7


@pytest.mark.parametrize("order", [["open", "wide"], ["wide", "open"]])
def test_a_branch_whose_phase_depends_on_the_open_size_makes_what_it_meets_depend_on_it(order: list[str]) -> None:
    nodes = [
        node("MaxPool", ["x"], ["open"], kernel_shape=[3], strides=[2], auto_pad="SAME_UPPER"),
        node("Conv", ["x", "nine"], ["wide"], strides=[2], pads=[4, 4]),
        node("Add", order, ["y"]),
    ]
    weights: dict[str, Array] = {"nine": np.ones([2, 2, 9], np.float32)}
    lattice = audit(build(nodes, [1, 2, "length"], weights)).tensors["y"][2]
    assert lattice is not None
    assert lattice.size_dependent
    fixed = audit(build(nodes, [1, 2, 64], weights)).tensors["y"][2]
    assert fixed is not None
    assert not fixed.size_dependent


def test_pieces_side_by_side_have_seen_what_the_wider_one_has_and_depend_on_the_size_as_either_does() -> None:
    narrow, wide = AxisTrack(field=Fraction(3)), AxisTrack(field=Fraction(7), size_dependent=True)
    for trunk, other in ((narrow, wide), (wide, narrow)):
        merged = merge_window(trunk, other)
        assert merged.field == 7
        assert merged.size_dependent


@pytest.mark.filterwarnings("error")
def test_anchors_that_are_infinite_where_they_are_masked_are_a_position_encoding() -> None:
    """RT-DETR makes its anchors from the sizes of its maps, and keeps the best queries."""
    nodes = [
        node("Conv", ["x", "stem"], ["map"], strides=[4, 4]),
        node("Shape", ["map"], ["sizes"]),
        node("Gather", ["sizes", "two"], ["high"]),
        node("Range", ["zero", "high", "one"], ["rows"]),
        node("Cast", ["rows"], ["real"], to=1),
        node("Less", ["real", "third"], ["edge"]),
        node("Where", ["edge", "far", "real"], ["line"]),
        node("Reshape", ["line", "column"], ["anchors"]),
        node("Add", ["map", "anchors"], ["placed"]),
        node("Reshape", ["placed", "tokens"], ["flat"]),
        node("TopK", ["flat", "best"], ["y", "which"], axis=2),
    ]
    constants: dict[str, Array] = {
        "stem": np.ones([2, 3, 4, 4], np.float32),
        "two": np.array(2),
        "zero": np.array(0),
        "one": np.array(1),
        "third": np.array(3, np.float32),
        "far": np.array(np.inf, np.float32),
        "column": np.array([-1, 1]),
        "tokens": np.array([0, 2, -1]),
        "best": np.array([10]),
    }
    found = audit(build(nodes, [1, 3, "height", "width"], constants), {"x": (1, 3, 64, 96)})
    assert not found.untracked
    assert [place.node.op.raw for place in found.encodings] == ["Add"]
    assert [place.node.op.raw for place in found.data_dependent] == ["TopK"]
    assert [(head.kind, head.subsampling) for head in found.heads] == [(HeadKind.DATA_DEPENDENT, Fraction(4))]


def test_nodes_are_counted_as_tracked_up_to_where_the_grid_is_lost() -> None:
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Mystery", ["a"], ["m"], "somewhere.else"),
        node("Relu", ["m"], ["y"]),
        node("RandomNormal", [], ["z"], shape=[2, 2]),
    ]
    found = audit(build(nodes, [1, 3, 8, 8], outputs=["y", "z"]))
    assert (found.nodes, found.tracked_nodes) == (4, 2)


def test_a_node_whose_grid_is_known_from_one_of_its_inputs_counts_as_tracked() -> None:
    nodes = [
        node("Relu", ["x"], ["known"]),
        node("Foo", ["x"], ["lost"], "other"),
        node("Add", ["known", "lost"], ["y"]),
    ]
    found = audit(build(nodes, [1, 3, 8, 8]))
    assert (found.nodes, found.tracked_nodes) == (3, 2)


def test_a_blur_that_differs_between_channels_is_no_low_pass_for_what_comes_behind() -> None:
    line = np.array([1, 4, 6, 4, 1], np.float32) / 16
    blur, sharp = np.outer(line, line), np.zeros([5, 5], np.float32)
    sharp[2, 2] = 1
    step: dict[str, Array] = {
        "zero": np.array([0, 0]),
        "end": np.array([32, 32]),
        "axes": np.array([2, 3]),
        "two": np.array([2, 2]),
    }

    def folded(second: Array) -> float:
        nodes = [
            node("Conv", ["x", "w"], ["c"], group=2, pads=[2, 2, 2, 2]),
            node("Slice", ["c", "zero", "end", "axes", "two"], ["y"]),
        ]
        weights: dict[str, Array] = {"w": np.stack([blur, second])[:, None].astype(np.float32), **step}
        (site,) = audit(build(nodes, [1, 2, 32, 32], weights)).sites
        assert site.alias is not None
        return site.alias.flat

    assert folded(blur) < 0.1
    assert folded(sharp) > 0.5
