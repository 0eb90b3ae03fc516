"""What is lowered for which targets, what is refused and why, and what stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from auditor.rewrite.portable.lowering import PortableForm
from auditor.rewrite.portable.table import lowered_forms, lowerings
from auditor.targets.forms import BY_NAME, OPERATORS
from tests.rewrite.portable.nodes import against, answer, distance, lowered, noise, one_node

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "targets"
HALF = np.array([1, 1, 0.5, 0.5], np.float32)
# A target without a batch axis, indices of places, and choices by data: the finding says what to write by hand.
BY_HAND = {
    "arg-max",
    "batch-concat",
    "batch-mean",
    "batch-slice",
    "batch-split",
    "center-crop-pad",
    "gather-computed",
    "gather-constant",
    "gather-nd",
    "gather-nd-stack",
    "grid-sample-cubic-16",
    "grid-sample-linear-16",
    "grid-sample-linear-20",
    "if-on-data",
    "loop",
    "max-pool-indices",
    "pad-reflect-uneven",
    "resize-keep-aspect",
    "slice-backwards",
    "slice-backwards-from-behind",
    "slice-computed",
    "slice-computed-step",
}


def antialiased(shape: tuple[int | str, ...] = (1, 2, 16, 20), **attributes: Any) -> onnx.ModelProto:
    """A Resize to half the size with antialias."""
    return one_node("Resize", shape, 18, {"s": HALF}, ["x", "", "s"], mode="linear", antialias=1, **attributes)


def every_other_row(start: int, end: int) -> onnx.ModelProto:
    """A Slice that also has bounds for a batch of open size."""
    bounds = {"starts": [start, 0], "ends": [end, 2**31 - 1], "axes": [0, 2], "steps": [1, 2]}
    constants = {name: np.array(values, np.int64) for name, values in bounds.items()}
    return one_node("Slice", ("N", 2, 8, 8), 13, constants, ["x", *constants])


def wrapped(*pads: int) -> onnx.ModelProto:
    """A circular Pad of a batch of open size."""
    return one_node("Pad", ("N", 2, 8, 8), 19, {"pads": np.array(pads, np.int64)}, ["x", "pads"], mode="wrap")


def test_forms_and_operators_of_the_table_exist() -> None:
    assert lowerings()
    for lowering in lowerings():
        assert isinstance(lowering, PortableForm)
        assert lowering.operators <= OPERATORS
        for name in lowering.forms:
            assert lowering.operators & BY_NAME[name].operators
    assert lowered_forms() <= BY_NAME.keys()


def test_a_node_is_lowered_for_the_targets_that_need_it_and_for_no_others(tmp_path: Path) -> None:
    model = antialiased()
    path, done = lowered(model, tmp_path, ["web", "tract"])
    assert done.path is None
    assert not done.nodes
    assert not path.exists()
    path, done = lowered(model, tmp_path, ["web", "openvino"])
    (node,) = done.nodes
    assert node.targets == ("openvino",)
    assert node.how == "Pad of mode edge and separable strided depthwise convolutions"
    assert [part.op_type for part in onnx.load_model(path).graph.node] == ["Pad", "Conv", "Conv"]


def test_versions_of_a_target_decide(tmp_path: Path) -> None:
    node = one_node("MaxPool", (1, 2, 9, 9), 13, {}, kernel_shape=[2, 2], dilations=[2, 2])
    assert lowered(node, tmp_path, ["tensorrt>=10"])[1].nodes
    assert not lowered(antialiased(), tmp_path, ["onnxruntime"])[1].nodes


def test_what_costs_too_much_is_left_with_what_it_would_cost_and_how_to_allow_it(tmp_path: Path) -> None:
    sizes = np.array([1, 3, 287, 287], np.int64)
    model = one_node("Resize", (1, 3, 479, 479), 18, {"z": sizes}, ["x", "", "", "z"], mode="linear", antialias=1)
    path, done = lowered(model, tmp_path, ["openvino"], most=1.5)
    (left,) = done.left
    assert not done.nodes
    assert not path.exists()
    assert "two constant matrix products would take" in left.reason
    assert "--max-cost" in left.reason
    path, done = lowered(model, tmp_path, ["openvino"], most=10)
    assert done.nodes
    before, after = answer(model, noise((1, 3, 479, 479))), answer(path, noise((1, 3, 479, 479)))
    assert before is not None
    assert after is not None
    assert distance(before, after) < 1e-4


@pytest.mark.parametrize(
    ("model", "target", "reason"),
    [
        (antialiased((1, 2, "H", "W"), coordinate_transformation_mode="align_corners"), "openvino", "open"),
        (
            one_node("MaxPool", (1, 2, "H", 9), 13, {}, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
            "mnn",
            "leaves open",
        ),
        (
            one_node("Resize", (1, 2, 9, 9), 18, {"s": HALF}, ["x", "", "s"], kind=2, mode="linear", antialias=1),
            "openvino",
            "floating-point",
        ),
        (
            one_node("Resize", (1, 2, 8, 8), 18, {"s": HALF}, ["x", "", "s"], kind=10, mode="linear", antialias=1),
            "openvino",
            "half precision",
        ),
        (every_other_row(0, 1), "ncnn", "batch whose size the file leaves open"),
        (every_other_row(-1, 2**31 - 1), "ncnn", "batch whose size the file leaves open"),
        (wrapped(1, 0, 2, 2, 1, 0, 2, 2), "mnn", "batch whose size the file leaves open"),
    ],
)
def test_a_node_that_has_no_portable_form_is_left_with_the_reason(
    tmp_path: Path, model: onnx.ModelProto, target: str, reason: str
) -> None:
    path, done = lowered(model, tmp_path, [target])
    (left,) = done.left
    assert reason in left.reason
    assert left.portable
    assert not path.exists()


@pytest.mark.parametrize("model", [every_other_row(0, 2**31 - 1), wrapped(0, 0, 2, 2, 0, 0, 2, 2)])
def test_what_takes_an_open_batch_as_it_is_is_right_for_every_batch(tmp_path: Path, model: onnx.ModelProto) -> None:
    path, done = lowered(model, tmp_path)
    assert done.nodes
    for batch in (1, 3):
        pictures = noise((batch, 2, 8, 8))
        before, after = answer(model, pictures), answer(path, pictures)
        assert before is not None
        assert after is not None
        np.testing.assert_array_equal(before, after)


def test_a_node_in_a_sub_graph_is_left(tmp_path: Path) -> None:
    resized = helper.make_node("Resize", ["x", "", "s"], ["z"], mode="linear", antialias=1)
    body = helper.make_graph(
        [resized],
        "body",
        [],
        [helper.make_tensor_value_info("z", 1, None)],
        [numpy_helper.from_array(HALF, "s")],
    )
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], keepdims=0),
        helper.make_node("Greater", ["m", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 2, 8, 8])],
        [helper.make_tensor_value_info("y", 1, [None] * 4)],
        [numpy_helper.from_array(np.array(0, np.float32), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    done = lowered(model, tmp_path, ["openvino"])[1]
    assert [left.reason for left in done.left] == ["it stands in a sub-graph, whose nodes are not edited"] * 2


def test_everything_else_stays_as_it_was(tmp_path: Path) -> None:
    model = antialiased()
    model.graph.node.append(helper.make_node("Relu", ["y"], ["r"], "last"))
    model.graph.output.append(helper.make_tensor_value_info("r", 1, [None] * 4))
    model.graph.doc_string = "as it is"
    model.metadata_props.add(key="mine", value="kept")
    path, _ = lowered(model, tmp_path, ["openvino"])
    written = onnx.load_model(path)
    assert [value.name for value in (*written.graph.input, *written.graph.output)] == ["x", "y", "r"]
    assert written.graph.doc_string == "as it is"
    assert {entry.key for entry in written.metadata_props} == {"mine", "aliasaudit.fix"}
    assert written.graph.node[-1] == model.graph.node[-1]
    assert written.opset_import == model.opset_import
    assert "s" not in {tensor.name for tensor in written.graph.initializer}


@pytest.mark.parametrize("opset", [9, 18])
def test_files_of_an_old_format_are_lowered(tmp_path: Path, opset: int) -> None:
    model = one_node("SpaceToDepth", (1, 2, 4, 6), opset, {}, blocksize=2)
    if opset == 9:
        model.ir_version = 3
    path, done = lowered(model, tmp_path, ["ncnn"])
    assert done.nodes
    before, after = answer(model, noise((1, 2, 4, 6))), answer(path, noise((1, 2, 4, 6)))
    assert before is not None
    assert after is not None
    assert distance(before, after) == 0


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases/targets beside the checkout")
@pytest.mark.parametrize("path", sorted(CASES.glob("*.onnx")), ids=lambda path: path.stem)
def test_the_finding_of_a_measured_form_is_gone_behind_its_portable_form(path: Path, tmp_path: Path) -> None:
    model = onnx.load_model(path)
    said = {form for _, form in against(path)}
    target, done = lowered(model, tmp_path)
    left = {form for _, form in against(target)} if done.nodes else said
    # The size of what stands behind a choice by the data is not known.
    assert left <= BY_HAND | ({"pad-wrap"} if "phase_select" in path.stem else set())
    assert not done.nodes or left < said
