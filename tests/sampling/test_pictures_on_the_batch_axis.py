"""Maps of different centres side by side on the batch axis, as averaged phases are, and what becomes of the centres."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.sampling import Analysis, analyse


def analysed(nodes: list[onnx.NodeProto], rank: int, folder: Path) -> Analysis:
    weight = numpy_helper.from_array(np.ones((2, 2, *[3] * rank), np.float32), "w")
    flat = numpy_helper.from_array(np.array([0, 0, -1], np.int64), "flat")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, *[16] * rank])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [weight, flat])
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return analyse(read_model(path))


@pytest.mark.parametrize("rank", [1, 2])
def test_pictures_get_their_own_centres_back_when_the_batch_is_split(rank: int, tmp_path: Path) -> None:
    ones = [1] * rank
    strided: dict[str, Any] = {"kernel_shape": [3] * rank, "strides": [2] * rank}
    found = analysed(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[*ones, *ones], **strided),
            helper.make_node("Conv", ["x", "w"], ["b"], pads=[*[0] * rank, *[2] * rank], **strided),
            helper.make_node("Concat", ["a", "b"], ["both"], axis=0),
            helper.make_node("Conv", ["both", "w"], ["behind"], pads=[*ones, *ones]),
            helper.make_node("Split", ["behind"], ["first", "second"], axis=0),
            helper.make_node("Add", ["first", "second"], ["y"]),
        ],
        rank,
        tmp_path,
    )
    centres = {
        name: [lattice.offset for lattice in found.tensors[name] if lattice is not None]
        for name in ("both", "first", "second")
    }
    assert centres == {"both": [Fraction(0)] * rank, "first": [Fraction(0)] * rank, "second": [Fraction(1)] * rank}
    assert {join.delta for join in found.joins} == {Fraction(1)}


def test_grid_axes_that_share_a_tensor_axis_are_listed_as_folded(tmp_path: Path) -> None:
    found = analysed([helper.make_node("Reshape", ["x", "flat"], ["y"])], 2, tmp_path)
    assert found.folded["x"] == frozenset()
    assert found.folded["y"] == found.spatial
