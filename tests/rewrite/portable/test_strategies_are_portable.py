"""Nothing that a strategy writes is said to be different on a target where the model itself is not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Lowering, Options, Phases, RewriteError, Step, Strategy
from auditor.sampling import analyse
from auditor.sampling.analysis import observe
from auditor.targets.forms import OPERATORS
from auditor.targets.review import faults
from auditor.targets.table import read_targets, target_names
from tests.rewrite.networks import random_network

# What a whole kind of runtime cannot have: ncnn has no batch axis and no steps of a Slice, and neither it nor onnx2tf
# chooses places by data.
BEYOND = {
    ("ncnn", "batch-concat"),
    ("ncnn", "batch-split"),
    ("ncnn", "batch-slice"),
    ("ncnn", "slice-step"),
    ("ncnn", "gather-computed"),
    ("ncnn", "gather-nd"),
    ("ncnn", "arg-max"),
    ("ncnn", "conv-computed-weights"),
    ("tflite", "conv-computed-weights"),
    ("tflite", "gather-computed"),
    ("tflite", "gather-nd"),
}
# These are the model's own: an average that counts its padding, and a maximum with more in front, whose SAME padding is
# written as numbers. `fix --portable` lowers them.
OWN = {"average-pool-counted", "average-pool-counted-asymmetric", "average-pool-asymmetric", "max-pool-padded-in-front"}
TARGETS = read_targets(target_names())
WAYS = [Options(), Options(phases=Phases.ALL), Options(phases=Phases.ALL, lowering=Lowering.DILATION)]


def resizing() -> onnx.ModelProto:
    """A network with a Resize by a whole factor and one by another."""
    nodes = [
        helper.make_node("Resize", ["x", "", "half"], ["a"], "half", mode="linear"),
        helper.make_node("Resize", ["a", "", "less"], ["b"], "less", mode="linear"),
        helper.make_node("Conv", ["b", "w"], ["c"], "conv", strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("GlobalAveragePool", ["c"], ["y"], "pool"),
    ]
    constants = {
        "half": np.array([1, 1, 0.5, 0.5], np.float32),
        "less": np.array([1, 1, 0.75, 0.75], np.float32),
        "w": np.ones((4, 3, 3, 3), np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("y", 1, [None] * 4)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def said(path: Path) -> Counter[tuple[str, str]]:
    """How often each form is said to be different, by target."""
    nodes = observe(read_model(path), operators=OPERATORS)[1]
    return Counter((fault.target.name, fault.form.name) for node in nodes for fault in faults(node, TARGETS))


@pytest.mark.parametrize("seed", [*range(12), None])
def test_what_a_strategy_adds_is_the_same_on_every_target(tmp_path: Path, seed: int | None) -> None:
    path, target = tmp_path / "model.onnx", tmp_path / "fixed.onnx"
    onnx.save_model(resizing() if seed is None else random_network(seed), path)
    model, before = read_model(path), said(path)
    for strategy in Strategy:
        for options in WAYS if strategy is Strategy.PHASE_AVERAGE else WAYS[:1]:
            try:
                done = rewrite(model, analyse(model), Step(strategy, options), target)
            except RewriteError:
                continue
            if done.path is not None:
                added = {key for key in said(target) - before if key[1] not in OWN}
                assert added <= BEYOND, (strategy.value, options.lowering.value)
