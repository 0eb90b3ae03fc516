from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from auditor.onnxfile.wire import WireError
from auditor.verify.worker import prepare
from tests.verify.models import classifier


def run(data: bytes, x: np.ndarray, names: list[str] | None = None) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return list(session.run(names, {"x": x}))


def test_further_outputs_do_not_change_the_answer() -> None:
    data = classifier(1).SerializeToString()
    x = np.random.default_rng(1).normal(size=(1, 3, 16, 16)).astype(np.float32)
    marked = prepare.with_outputs(data, ["pool", "relu"])
    y, pool, relu = run(marked, x, ["y", "pool", "relu"])
    np.testing.assert_allclose(y, run(data, x)[0], rtol=1e-5, atol=1e-6)
    assert pool.shape == (1, 8, 8, 8)
    np.testing.assert_array_equal(pool, relu.reshape(1, 8, 8, 2, 8, 2).max((3, 5)))


def test_no_further_outputs_leave_the_bytes_alone() -> None:
    data = classifier().SerializeToString()
    assert prepare.with_outputs(data, []) is data


def test_a_fixed_batch_becomes_free() -> None:
    data = prepare.with_free_batch(classifier(1).SerializeToString(), {"x"})
    x = np.random.default_rng(1).normal(size=(5, 3, 16, 16)).astype(np.float32)
    singles = [run(data, x[i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(run(data, x)[0], np.concatenate(singles), rtol=1e-5, atol=1e-6)


def test_only_the_batch_axes_and_the_recorded_shapes_change() -> None:
    before = onnx.shape_inference.infer_shapes(classifier(1))
    after = onnx.load_model_from_string(prepare.with_free_batch(before.SerializeToString(), {"x"}))
    assert before.graph.value_info
    assert not after.graph.value_info
    del before.graph.value_info[:]
    for value in (*after.graph.input, *after.graph.output):
        dimension = value.type.tensor_type.shape.dim[0]
        assert dimension.dim_param == prepare.BATCH_SYMBOL
        dimension.dim_value = 1
    assert after == before


@pytest.mark.parametrize("cut", range(10, 60))
def test_a_file_cut_inside_its_graph_is_an_error_and_not_a_hang(cut: int) -> None:
    data = classifier(1).SerializeToString()[:-cut]
    with pytest.raises(WireError):
        prepare.with_free_batch(data, {"x"})
