"""Masks and label maps: nearest neighbours sample them rightly, so that nothing is flagged, counted or blurred."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from auditor.onnxfile import read_model
from auditor.rewrite.result import Strategy
from auditor.sampling import Analysis, analyse
from auditor.sampling.result import Site, SiteKind
from tests.rewrite.networks import fixed
from tests.rules.builder import build

HALF = "Resize mode=nearest scale=0.5"
FLOATS = "Cast to=1"


def site(model: onnx.ModelProto, folder: Path) -> Site:
    """The only site of a model."""
    (found,) = audited(model, folder).sites
    return found


def audited(model: onnx.ModelProto, folder: Path) -> Analysis:
    onnx.save(model, folder / "net.onnx")
    return analyse(read_model(folder / "net.onnx"))


@pytest.mark.parametrize(
    "lines",
    [
        f"ArgMax axis=1 keepdims=1\n{FLOATS}",
        f"ArgMax axis=1 keepdims=0\n{FLOATS}\nReshape to=1,1,32,32",
        f"Greater <- x x\n{FLOATS}",
        f"Greater <- x x\nNot\nCast to=2\n{FLOATS}\nMul <- Cast_2 Cast_2",
        f"Cast to=7\n{FLOATS}",
        f"a = ArgMax axis=1 keepdims=1\nb = ArgMin axis=1 keepdims=1 <- x\nConcat <- a b\n{FLOATS}",
        f"ArgMax axis=1 keepdims=1\n{FLOATS}\nResize mode=nearest scale=2.0",
    ],
    ids=["argmax", "reshaped", "comparison", "renumbered", "whole numbers", "several", "enlarged before"],
)
def test_a_nearest_resize_of_labels_is_right_and_no_strategy_touches_it(lines: str, tmp_path: Path) -> None:
    model = build(f"input 1x4x32x32\n{lines}\n{HALF}")
    found = site(model, tmp_path)
    assert found.kind is SiteKind.RESIZE_NEAREST
    assert found.labels
    assert not found.unprotected
    assert "labels" in found.reason
    for strategy in (Strategy.BLUR, Strategy.PHASE_AVERAGE):
        _, done, _ = fixed(model, tmp_path, strategy)
        assert not done.sites
    _, done, _ = fixed(model, tmp_path, names=(found.node.name.raw,))
    assert found.reason in str(done.skipped)


@pytest.mark.parametrize(
    "lines",
    [
        "Sigmoid",
        "Cast to=2\nCast to=1",  # bytes are pictures
        f"a = Greater <- x x\nb = {FLOATS}\nMul <- b x",
        f"a = ArgMax axis=1 keepdims=1\nb = {FLOATS}\nConcat <- b x",
        f"ArgMax axis=1 keepdims=1\n{FLOATS}\nResize mode=linear scale=0.5\nSigmoid",
    ],
    ids=["scores", "bytes", "a mask times the map", "labels beside the map", "labels that a filter mixed"],
)
def test_a_nearest_resize_of_anything_else_drops_positions(lines: str, tmp_path: Path) -> None:
    found = audited(build(f"input 1x4x64x64\n{lines}\n{HALF}"), tmp_path).sites[-1]
    assert (found.kind, found.labels, found.unprotected) == (SiteKind.RESIZE_NEAREST, False, True)


@pytest.mark.parametrize(
    ("dtype", "channels", "labels"),
    [
        (TensorProto.INT32, 1, True),
        (TensorProto.INT32, 3, False),
        (TensorProto.UINT8, 1, False),
        (TensorProto.FLOAT, 1, False),
    ],
)
def test_an_input_of_whole_numbers_without_colours_is_a_label_map(
    dtype: int, channels: int, labels: bool, tmp_path: Path
) -> None:
    model = build(f"input 1x{channels}x32x32\n{HALF}")
    model.graph.input[0].type.tensor_type.elem_type = dtype
    model.graph.output[0].type.tensor_type.elem_type = dtype
    assert site(model, tmp_path).labels is labels


def test_a_mask_beside_the_picture_is_told_by_its_one_channel_and_not_counted(tmp_path: Path) -> None:
    model = build(f"input x 1x3x64x64\ninput m 1x1x64x64\na = {HALF} <- m\nb = Conv k3 s2 p1 <- x\noutput a b")
    resized, strided = audited(model, tmp_path).sites
    assert (resized.labels, strided.labels) == (True, False)


def test_a_palette_of_labels_is_labels(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["labels"], axis=1, keepdims=0),
        helper.make_node("Gather", ["palette", "labels"], ["coloured"], axis=0),
        helper.make_node("Transpose", ["coloured"], ["map"], perm=[0, 3, 1, 2]),
        helper.make_node("Resize", ["map", "", "scales"], ["y"], mode="nearest"),
    ]
    weights = [
        helper.make_tensor("palette", TensorProto.FLOAT, [4, 3], [float(value) for value in range(12)]),
        helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 0.5, 0.5]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 32, 32])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 16, 16])
    graph = helper.make_graph(nodes, "graph", [x], [y], weights)
    assert site(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path).labels
