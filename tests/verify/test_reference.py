"""Agreement with a reference model on the same windows, for every kind of output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper

from auditor.verify.errors import DataError
from auditor.verify.result import Task
from tests.verify.models import classifier, model, saved
from tests.verify.test_runner import SETTINGS, pictures, run, value


def test_fidelity_is_one_to_itself_and_less_to_another_network(tmp_path: Path) -> None:
    same = saved(tmp_path / "same.onnx", classifier(1))
    changed = classifier()
    head = next(one for one in changed.graph.initializer if one.name == "head")
    head.raw_data = np.random.default_rng(9).normal(size=(8, 6)).astype(np.float32).tobytes()
    other = saved(tmp_path / "other.onnx", changed)
    itself = run(tmp_path, classifier(), pictures(4), replace(SETTINGS, reference=same))
    apart = run(tmp_path, classifier(), pictures(4), replace(SETTINGS, reference=other))
    assert value(itself, "fidelity") == 1
    assert value(apart, "fidelity") < 1
    assert value(itself, "mac") == value(apart, "mac")


def test_a_reference_that_reads_other_images_is_refused(tmp_path: Path) -> None:
    larger = saved(tmp_path / "larger.onnx", classifier(size=32))
    with pytest.raises(DataError, match="another size"):
        run(tmp_path, classifier(), pictures(1), replace(SETTINGS, reference=larger))


def dense(classes: int, seed: int = 1) -> ModelProto:
    """A 1x1 convolution: one score per class and position, or one value per position that is no probability."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])]
    weights = {"w": np.random.default_rng(seed).normal(size=(classes, 3, 1, 1)).astype(np.float32)}
    return model(nodes, {"x": [1, 3, 16, 16]}, {"y": [1, classes, 16, 16]}, weights)


def embedding(seed: int = 1) -> ModelProto:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head"], ["y"]),
    ]
    weights = {"head": np.random.default_rng(seed).normal(size=(3, 128)).astype(np.float32)}
    return model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 128]}, weights)


@pytest.mark.parametrize(
    ("made", "other", "measures"),
    [
        (dense(5), dense(5, 2), {"fidelity", "fidelity-unshifted", "fidelity-cosine"}),
        (dense(2), dense(2, 2), {"fidelity-cosine"}),
        (embedding(), embedding(2), {"fidelity-cosine"}),
    ],
)
def test_every_kind_of_output_is_held_against_a_reference_on_the_same_windows(
    tmp_path: Path, made: ModelProto, other: ModelProto, measures: set[str]
) -> None:
    same, apart = saved(tmp_path / "same.onnx", made), saved(tmp_path / "other.onnx", other)
    itself = run(tmp_path, made, pictures(3), replace(SETTINGS, reference=same))
    found = run(tmp_path, made, pictures(3), replace(SETTINGS, reference=apart))
    assert {one.name for one in itself.outputs[0].measures if one.name.startswith("fidelity")} == measures
    for name in measures:
        assert value(itself, name) == pytest.approx(1)
        assert value(found, name) < 0.999


def boxes(score: float, right: float) -> ModelProto:
    """Two fixed boxes in every image; the second reaches from 4 to ``right`` and has a score of its own."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "mean"], ["nothing"]),
        helper.make_node("Add", ["corners", "nothing"], ["boxes"]),
        helper.make_node("Add", ["strengths", "nothing"], ["scores"]),
    ]
    weights = {
        "corners": np.array([[[3, 3, 9, 9], [4, 4, right, 12]]], np.float32),
        "strengths": np.array([[0.9, score]], np.float32),
    }
    return model(nodes, {"x": [1, 3, 16, 16]}, {"boxes": [1, 2, 4], "scores": [1, 2]}, weights)


@pytest.mark.parametrize(("score", "right", "share"), [(0.8, 12, 1), (0.1, 12, 1 / 2), (0.8, 5, 1 / 3)])
def test_boxes_are_held_against_those_of_a_reference_each_pair_counted_once(
    tmp_path: Path, score: float, right: float, share: float
) -> None:
    other = saved(tmp_path / "other.onnx", boxes(score, right))
    found = run(tmp_path, boxes(0.8, 12), pictures(2), replace(SETTINGS, reference=other))
    assert found.outputs[0].task is Task.DETECTION
    assert value(found, "fidelity") == pytest.approx(share)


def test_a_reference_with_another_kind_of_output_is_refused(tmp_path: Path) -> None:
    other = saved(tmp_path / "other.onnx", dense(5))
    with pytest.raises(DataError, match="taken for dense and not for classification"):
        run(tmp_path, classifier(), pictures(1), replace(SETTINGS, reference=other))
    smaller = saved(tmp_path / "smaller.onnx", dense(4))
    with pytest.raises(DataError, match="another shape"):
        run(tmp_path, dense(5), pictures(1), replace(SETTINGS, reference=smaller))
