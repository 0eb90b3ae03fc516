"""The benchmark of severities measures what a site samples, at stride 1, and writes one row per kind of site."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("PIL")
pytest.importorskip("scipy")

from benchmarks import severity


def network(path: Path) -> Path:
    weights = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("AveragePool", ["b"], ["y"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, path)
    return path


def picture(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Path:
    from PIL import Image

    Image.fromarray(values).save(path)
    return path


def test_white_noise_folds_the_flat_share_and_a_ramp_nearly_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[:, None, None] * 4, 64, 1).repeat(3, 2)
    rough = severity.measured(network(tmp_path / "m.onnx"), [picture(tmp_path / "noise.png", noise)])
    smooth = severity.measured(network(tmp_path / "m.onnx"), [picture(tmp_path / "ramp.png", ramp)])
    assert [row.kind for row in rough] == ["picture", "average-pool"]
    assert rough[0].measured == pytest.approx(rough[0].flat, abs=0.05)
    assert smooth[0].measured < 0.5 * rough[0].measured


def test_a_model_that_does_not_run_gives_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    assert severity.measured(path, []) == []


def test_the_table_has_the_flat_number_then_the_expected_one_then_each_kind() -> None:
    rows = [severity.Row("m", "max-pool", 0.4 + i / 100, 0.1 + i / 100, 0.2 + i / 50) for i in range(4)]
    lines = severity.table(rows).splitlines()
    assert lines[2].startswith("| all | flat | 4 | 1.00 | 1.00 |")
    assert lines[3].startswith("| all | expected | 4 | 1.00 | 1.00 | 0.50 |")
    assert lines[4].startswith("| max-pool | expected | 4 |")
