"""Multiply-adds as anybody counts them by hand, and when too few of them are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.graph.cost import MacCount, multiply_adds, tally
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling import analyse


def editor(op: str, given: tuple[int, ...], weight: tuple[int, ...], folder: Path, **attributes: Any) -> GraphEditor:
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(given))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros(weight, np.float32), "w")],
    )
    path = folder / "model.onnx"
    onnx.save(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=8
        ),
        path,
    )
    model = read_model(path)
    return GraphEditor(model, analyse(model))


@pytest.mark.parametrize(
    ("op", "given", "weight", "attributes", "expected"),
    [
        ("Gemm", (3, 5), (5, 7), {}, 3 * 5 * 7),
        ("Gemm", (5, 3), (5, 7), {"transA": 1}, 3 * 5 * 7),
        ("Gemm", (3, 5), (7, 5), {"transB": 1}, 3 * 5 * 7),
        ("MatMul", (2, 3, 5), (5, 7), {}, 2 * 3 * 5 * 7),
        ("FusedMatMul", (2, 5, 3), (5, 7), {"transA": 1, "domain": "com.microsoft"}, 2 * 3 * 5 * 7),
        ("Conv", (1, 4, 9, 9), (6, 4, 3, 3), {}, 7 * 7 * 6 * 4 * 9),
        ("Conv", (1, 4, 9, 9), (8, 1, 3, 3), {"group": 4, "strides": [2, 2]}, 4 * 4 * 8 * 9),
        ("ConvTranspose", (1, 4, 5, 5), (4, 3, 2, 2), {"strides": [2, 2]}, 5 * 5 * 4 * 3 * 4),
    ],
)
def test_multiply_adds_are_counted(
    op: str,
    given: tuple[int, ...],
    weight: tuple[int, ...],
    attributes: dict[str, Any],
    expected: int,
    tmp_path: Path,
) -> None:
    network = editor(op, given, weight, tmp_path, **attributes)
    (part,) = network.parts()
    assert multiply_adds(network, part) == expected


def test_a_heavy_node_of_unknown_size_is_counted_as_unknown_and_a_cheap_one_not_at_all(tmp_path: Path) -> None:
    unknown = editor("MatMul", (3, 5), (4, 7), tmp_path)
    assert tally(unknown, unknown.parts()) == MacCount(known=0, heavy=1, unknown=1)
    cheap = editor("Add", (3, 5), (5,), tmp_path)
    assert tally(cheap, cheap.parts()) == MacCount()


def test_a_total_is_given_as_long_as_at_most_a_tenth_of_the_heavy_nodes_is_unknown() -> None:
    assert MacCount(known=90, heavy=10, unknown=1).total == 90
    assert MacCount(known=80, heavy=9, unknown=1).total is None
    assert (MacCount(known=1, heavy=5, unknown=1) + MacCount(known=2, heavy=5, unknown=0)).total == 3
    assert MacCount().total == 0
