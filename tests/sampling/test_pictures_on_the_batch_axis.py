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
    weights = [numpy_helper.from_array(np.ones((2, 2, *[3] * rank), np.float32), name) for name in ("w", "other")]
    flat = numpy_helper.from_array(np.array([0, 0, -1], np.int64), "flat")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, *[16] * rank])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [*weights, flat])
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return analyse(read_model(path))


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("weight", ["w", "other"])
def test_pictures_get_their_own_centres_back_when_the_batch_is_split_and_their_sum_lies_in_the_middle(
    weight: str, rank: int, tmp_path: Path
) -> None:
    """The sum of what two different convolutions make is no mean of phases, but a misaligned join."""
    ones = [1] * rank
    strided: dict[str, Any] = {"kernel_shape": [3] * rank, "strides": [2] * rank}
    found = analysed(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[*ones, *ones], **strided),
            helper.make_node("Conv", ["x", "w"], ["b"], pads=[*[0] * rank, *[2] * rank], **strided),
            helper.make_node("Concat", ["a", "b"], ["both"], axis=0),
            helper.make_node("Conv", ["both", "w"], ["behind"], pads=[*ones, *ones]),
            helper.make_node("Split", ["behind"], ["first", "second"], axis=0),
            helper.make_node("Conv", ["first", "w"], ["one"]),
            helper.make_node("Conv", ["second", weight], ["two"]),
            helper.make_node("Add", ["one", "two"], ["y"]),
        ],
        rank,
        tmp_path,
    )
    centres = {
        name: [lattice.offset for lattice in found.tensors[name] if lattice is not None]
        for name in ("both", "first", "second", "one", "two", "y")
    }
    middle = Fraction(1, 2) if weight == "w" else Fraction(0)
    offsets = {"both": 0, "first": 0, "second": 1, "one": 2, "two": 3, "y": 2 + middle}
    assert centres == {name: [offset] * rank for name, offset in offsets.items()}
    assert [join.delta for join in found.joins] == ([] if weight == "w" else [Fraction(1)] * rank)


def test_grid_axes_that_share_a_tensor_axis_are_listed_as_folded(tmp_path: Path) -> None:
    found = analysed([helper.make_node("Reshape", ["x", "flat"], ["y"])], 2, tmp_path)
    assert found.folded["x"] == frozenset()
    assert found.folded["y"] == found.spatial
