"""The work of a plan grows with the network: it is counted, in nodes that are looked at, on networks of both shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.phases.tail_operators import BatchTrace
from auditor.rewrite.planning import plan, rewrite
from auditor.rewrite.result import Options, Phases, Step, Strategy
from auditor.sampling import analyse


def strided(source: str, name: str) -> NodeProto:
    return helper.make_node("Conv", [source, "w"], [name], name, strides=[2, 2], pads=[1, 1, 1, 1])


def wider(source: str, name: str) -> NodeProto:
    return helper.make_node("ConvTranspose", [source, "t"], [name], name, strides=[2, 2])


def chain(count: int) -> list[NodeProto]:
    nodes, last = [], "x"
    for number in range(count):
        nodes += [strided(last, f"down{number}"), wider(f"down{number}", f"up{number}")]
        last = f"up{number}"
    return [*nodes, helper.make_node("GlobalAveragePool", [last], ["y"])]


def branches(count: int) -> list[NodeProto]:
    nodes = [strided("x", f"branch{number}") for number in range(count)]
    nodes.append(helper.make_node("Sum", [node.output[0] for node in nodes], ["sum"]))
    return [*nodes, helper.make_node("GlobalAveragePool", ["sum"], ["y"])]


def residual_blocks(count: int) -> list[NodeProto]:
    nodes, last = [], "x"
    for number in range(count // 2):
        nodes += [strided(last, f"a{number}"), strided(last, f"b{number}")]
        nodes.append(helper.make_node("Add", [f"a{number}", f"b{number}"], [f"sum{number}"]))
        nodes.append(wider(f"sum{number}", f"up{number}"))
        last = f"up{number}"
    return [*nodes, helper.make_node("GlobalAveragePool", [last], ["y"])]


def write(nodes: list[NodeProto], path: Path) -> Path:
    weights = [
        numpy_helper.from_array(np.full(shape, 0.1, np.float32), name)
        for name, shape in (("w", (2, 2, 3, 3)), ("t", (2, 2, 2, 2)))
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 1, 1])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("shape", [chain, branches, residual_blocks])
def test_twice_the_sites_are_at_most_little_more_than_twice_the_work(
    shape: Callable[[int], list[NodeProto]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited = 0
    visit = BatchTrace.visit

    def counted(trace: BatchTrace, part: object) -> list[str]:
        nonlocal visited
        visited += 1
        return visit(trace, part)  # type: ignore[arg-type]

    monkeypatch.setattr(BatchTrace, "visit", counted)
    work = []
    for count in (20, 40):
        model = read_model(write(shape(count), tmp_path / "model.onnx"))
        visited = 0
        found = plan(model, analyse(model))
        assert len(found.sites) == count
        assert all(Strategy.PHASE_AVERAGE in {offer.strategy for offer in site.offers} for site in found.sites)
        work.append(visited)
    assert 0 < work[1] <= 2.5 * work[0]


def test_phases_are_counted_before_they_are_listed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MaxPool", ["x"], ["pool"], "pool", kernel_shape=[2, 2], strides=[1 << 40, 1 << 40]),
        helper.make_node("GlobalAveragePool", ["pool"], ["y"]),
    ]
    model = read_model(write(nodes, tmp_path / "model.onnx"))
    options = Options(phases=Phases.ALL)
    done = rewrite(model, analyse(model), Step(Strategy.PHASE_AVERAGE, options), tmp_path / "fixed.onnx")
    assert [f"{1 << 80} phases, more than 16" in skip.refusal.reason for skip in done.skipped] == [True]
    assert not (tmp_path / "fixed.onnx").exists()
