"""Where outputs lie on the picture, how much of a graph was followed, and what a new model changes of its grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import auditor
from auditor.facts.formats import Format
from auditor.facts.report import ModelReport, Report
from auditor.report import render
from auditor.report.words.geometry import centres, coverage, geometry_lines
from tests.tiling.networks import Builder


def network(path: Path, *strided: tuple[int, tuple[int, int]], up: int = 0) -> Path:
    """Strided convolutions of a size, with padding in front and behind each, then a nearest resize."""
    build = Builder()
    x = "x"
    for size, pads in strided:
        x = build.conv(x, size, 2, pads)
    x = build.resize(x, up, "nearest", "asymmetric", nearest_mode="floor") if up else x
    return build.save(path, x, (64, 64))


def shown(report: ModelReport) -> str:
    return render(Report("1.0", (report,)), Format.TEXT)


@pytest.mark.parametrize(
    ("strided", "up", "words"),
    [
        ([(3, (1, 1))], 0, "value i lies at input pixel 2i, 0.5 px beside the centre of its cell."),
        ([(3, (1, 1))] * 2, 0, "value i lies at input pixel 4i, 1.5 px beside"),
        ([(3, (0, 1))], 0, "value i lies at input pixel 2i + 1, 0.5 px beside"),
        ([(3, (1, 1))], 2, "value i lies at input pixel i - 0.5, 0.5 px beside"),
    ],
)
def test_an_output_beside_the_centre_of_its_cells_is_told_with_its_place(
    tmp_path: Path, strided: list[tuple[int, tuple[int, int]]], up: int, words: str
) -> None:
    report = auditor.check(network(tmp_path / "net.onnx", *strided, up=up))
    assert words in "".join(centres(report.analysis))
    assert words.rstrip(".") in shown(report)


def test_the_place_is_where_the_runtime_puts_a_point(tmp_path: Path) -> None:
    """A 3-tap convolution of stride 2 without padding in front: value 5 answers most to the pixel at 2 * 5 + 1."""
    path = network(tmp_path / "net.onnx", (3, (0, 1)))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    answers = []
    for column in range(9, 14):
        image = np.zeros((1, 1, 64, 64), np.float32)
        image[..., column] = 1
        answers.append(float(session.run(None, {"x": image})[0][0, 0, 20, 5]))
    assert [bool(answer) for answer in answers] == [False, True, True, True, False]  # 10, 11, 12: the middle is 11


@pytest.mark.parametrize("strided", [[(2, (0, 0))], [(4, (1, 1))], [(2, (0, 0))] * 3])
def test_an_output_that_lies_right_is_not_mentioned(tmp_path: Path, strided: list[tuple[int, tuple[int, int]]]) -> None:
    assert list(centres(auditor.check(network(tmp_path / "net.onnx", *strided)).analysis)) == []


def test_padding_by_the_size_is_told_to_hold_at_this_size(tmp_path: Path) -> None:
    build = Builder()
    path = build.save(tmp_path / "net.onnx", build.conv("x", 3, 2, "SAME_UPPER"))
    assert "at this input size" in "".join(centres(auditor.check(path).analysis))


def test_the_nodes_that_nobody_followed_are_counted(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "first"),
        helper.make_node("Strange", ["a"], ["b"], "odd", domain="my.domain"),
        helper.make_node("Relu", ["b"], ["c"], "behind"),
        helper.make_node("Relu", ["c"], ["y"], "last"),
    ]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", shapes[:1], shapes[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.domain", 1)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    report = auditor.check(path)
    assert coverage(report.analysis).startswith("1 of 4 nodes analysed; ")
    assert coverage(report.analysis).endswith("untracked behind odd.")
    assert "1 of 4 nodes analysed" in shown(report)
    whole = auditor.check(network(tmp_path / "whole.onnx", (2, (0, 0))))
    assert coverage(whole.analysis) == ""


def test_a_comparison_says_what_became_of_stride_field_and_centre(tmp_path: Path) -> None:
    base = network(tmp_path / "base.onnx", (2, (0, 0)))
    new = network(tmp_path / "new.onnx", (3, (0, 1)))
    found = auditor.compare(base, new).comparison
    assert found is not None
    (line,) = geometry_lines(found)
    assert line == "output y: receptive field 2 to 3 px, centre moved by 0.5 px"
    assert line in shown(auditor.compare(base, new))
    same = auditor.compare(base, base).comparison
    assert same is not None
    assert list(geometry_lines(same)) == []


def test_a_finer_output_says_from_which_stride_to_which(tmp_path: Path) -> None:
    base = network(tmp_path / "base.onnx", (2, (0, 0)), (2, (0, 0)))
    new = network(tmp_path / "new.onnx", (2, (0, 0)))
    found = auditor.compare(base, new).comparison
    assert found is not None
    assert "stride 4 to 2 px" in "".join(geometry_lines(found))
