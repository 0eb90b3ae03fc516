"""What makes tiles differ from the whole picture whatever the overlap: told, with its node, and true in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import auditor
from auditor.tiling.plan import NoTilesError
from tests.tiling.networks import CHANNELS, Builder, Runtime, picture


def squeeze(build: Builder) -> str:
    x = build.conv("x", 3)
    gate = build.add("Sigmoid", [build.add("GlobalAveragePool", [x], "the_pool")])
    return build.add("Mul", [x, gate])


def squeeze_by_reduction(build: Builder) -> str:
    x = build.conv("x", 3)
    return build.add("Sub", [x, build.add("ReduceMean", [x], "the_mean", axes=[2, 3])])


def instance_normalisation(build: Builder) -> str:
    scale, bias = (build.constant(np.full(CHANNELS, value, np.float32)) for value in (1, 0))
    return build.add("InstanceNormalization", [build.conv("x", 3), scale, bias], "the_norm")


def softmax_over_space(build: Builder) -> str:
    return build.add("Softmax", [build.conv("x", 3)], "the_softmax", axis=3)


def attention(build: Builder) -> str:
    x = build.conv("x", 3)
    shape = build.constant(np.array([1, CHANNELS, -1], np.int64))
    flat = build.add("Reshape", [x, shape])
    keys = build.add("Transpose", [flat], perm=[0, 2, 1])
    scores = build.add("Softmax", [build.add("MatMul", [keys, flat], "the_scores")], axis=-1)
    seen = build.add("MatMul", [flat, build.add("Transpose", [scores], perm=[0, 2, 1])])
    return build.add("Reshape", [seen, build.add("Shape", [x])])


def align_corners(build: Builder) -> str:
    return build.resize(build.conv("x", 3), 2, "linear", "align_corners")


def to_a_fixed_size(build: Builder) -> str:
    x = build.conv("x", 3)
    sizes = build.constant(np.array([1, CHANNELS, 128, 128], np.int64))
    return build.add("Resize", [x, "", "", sizes], "the_resize", mode="linear")


def circular(build: Builder) -> str:
    x = build.conv("x", 3)
    left = build.add("Slice", [x, *(build.constant(np.array([n], np.int64)) for n in (0, 1, 3))])
    right = build.add("Slice", [x, *(build.constant(np.array([n], np.int64)) for n in (-1, 2**31, 3))])
    return build.conv(build.add("Concat", [right, x, left], "the_wrap", axis=3), 3, 1, (0, 0))


CASES: list[tuple[Callable[[Builder], str], str, str]] = [
    (squeeze, "the_pool", "reduces the whole picture"),
    (squeeze_by_reduction, "the_mean", "reduces the whole picture"),
    (instance_normalisation, "the_norm", "statistics of the whole picture"),
    (softmax_over_space, "the_softmax", "over the whole picture"),
    (attention, "the_scores", "attention over the whole picture"),
    (align_corners, "", "align_corners depends on the size"),
    (to_a_fixed_size, "the_resize", "does not follow that of the picture"),
    (circular, "the_wrap", "parts of the picture are put side by side"),
]


@pytest.mark.parametrize(("network", "node", "reason"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_the_node_and_the_reason_are_named(
    tmp_path: Path, network: Callable[[Builder], str], node: str, reason: str
) -> None:
    build = Builder(channels=CHANNELS)
    path = build.save(tmp_path / "net.onnx", network(build))
    plan = auditor.tiles(path)
    assert not plan.exact
    assert any(reason in one.reason and node in one.node.name.raw for one in plan.obstacles), plan.obstacles


@pytest.mark.parametrize("network", [squeeze, squeeze_by_reduction, instance_normalisation, softmax_over_space])
def test_no_overlap_makes_such_tiles_equal(tmp_path: Path, network: Callable[[Builder], str]) -> None:
    build = Builder(channels=CHANNELS)
    run = Runtime(build.save(tmp_path / "net.onnx", network(build)))
    image = picture(160, 160)
    whole, tile = run(image), run(np.ascontiguousarray(image[:, :, 32:128, 32:128]))
    assert np.abs(tile - whole[:, :, 32:128, 32:128])[:, :, 40:56, 40:56].min() > 0


def per_channel_norm(build: Builder) -> str:
    x = build.add("Transpose", [build.conv("x", 3)], perm=[0, 2, 3, 1])
    scale = build.constant(np.ones(CHANNELS, np.float32))
    normed = build.add("LayerNormalization", [x, scale], axis=-1)
    return build.add("Softmax", [build.add("Transpose", [normed], perm=[0, 3, 1, 2])], axis=1)


def a_small_average(build: Builder) -> str:
    return build.pool(build.conv("x", 3), "AveragePool", 7, 1, (3, 3))


def to_the_size_of_a_skip(build: Builder) -> str:
    x = build.conv("x", 3)
    low = build.pool(x, "MaxPool", 2, 2, (0, 0))
    return build.add("Add", [build.add("Resize", [low, "", "", build.add("Shape", [x])], mode="linear"), x])


@pytest.mark.parametrize("network", [per_channel_norm, a_small_average, to_the_size_of_a_skip])
def test_what_looks_at_a_window_only_is_no_obstacle(tmp_path: Path, network: Callable[[Builder], str]) -> None:
    build = Builder(channels=CHANNELS)
    plan = auditor.tiles(build.save(tmp_path / "net.onnx", network(build)))
    assert plan.exact, plan.obstacles


def test_numbers_that_depend_on_the_place_are_an_obstacle(tmp_path: Path) -> None:
    build = Builder(channels=CHANNELS)
    ramp = build.constant(np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 1, 64))
    path = build.save(tmp_path / "net.onnx", build.add("Add", [build.conv("x", 3), ramp], "the_ramp"), (64, 64))
    (obstacle,) = auditor.tiles(path).obstacles
    assert (obstacle.node.name.raw, "depend on the place" in obstacle.reason) == ("the_ramp", True)


def test_a_second_picture_is_followed_too(tmp_path: Path) -> None:
    """Two frames, the second of which is filtered more widely: its halo counts."""
    build = Builder(channels=CHANNELS)
    wide = build.conv(build.conv("other", 5), 5)
    build.add("Add", [build.conv("x", 3), wide], "y")
    shape: list[int | str | None] = [1, CHANNELS, "height", "width"]
    frames = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "other")]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(build.nodes, "network", frames, [result], build.weights)
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    plan = auditor.tiles(path)
    assert plan.exact
    assert [float(side) for side in plan.axes[0].halo] == [4, 4]
    assert float(plan.axes[0].receptive_field) == 9


def test_a_model_without_a_map_has_no_tiles(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(NoTilesError, match="nothing to cut into tiles"):
        auditor.tiles(path)


def test_an_output_on_other_axes_is_named_and_not_planned(tmp_path: Path) -> None:
    """A picture, and a signal that goes another way through the model."""
    build = Builder(channels=CHANNELS)
    build.add("Identity", [build.conv("x", 3)], "y")
    build.add("Conv", ["signal", build.kernel(1, 1, 5)], "sound", kernel_shape=[5], pads=[2, 2])
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, 64, 64]),
        helper.make_tensor_value_info("signal", TensorProto.FLOAT, [1, 1, 4096]),
    ]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "sound")]
    graph = helper.make_graph(build.nodes, "network", inputs, results, build.weights)
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    plan = auditor.tiles(path)
    assert [target.tensor.raw for target in plan.maps] == ["y"]
    assert any("sound" in note for note in plan.notes)
