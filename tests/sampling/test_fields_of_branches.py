"""Branches that look to different sides: the receptive field behind them is what they see together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, helper

import auditor
from tests.sampling.impulse import Array, Impulses, audit, build, node

LENGTH = 64
quick = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def network(branches: list[list[tuple[int, int, int, int]]], op: str, stride: int) -> ModelProto:
    """Branches of convolutions (kernel, stride, begin, end) along the columns, which meet; then one more."""
    nodes: list[NodeProto] = []
    constants: dict[str, Array] = {}

    def conv(name: str, source: str, kernel: int, step: int, begin: int, end: int, channels: int = 1) -> str:
        constants[f"{name}.w"] = np.ones((1, channels, 1, kernel), np.float32)
        pads, strides = [0, begin, 0, end], [1, step]
        nodes.append(node("Conv", [source, f"{name}.w"], [name], kernel_shape=[1, kernel], pads=pads, strides=strides))
        return name

    ends = []
    for number, layers in enumerate(branches):
        source = "x"
        for depth, layer in enumerate(layers):
            source = conv(f"b{number}_{depth}", source, *layer)
        ends.append(source)
    nodes.append(node(op, ends, ["met"], axis=1 if op == "Concat" else None))
    conv("y", "met", 3, stride, 1, 1, len(branches) if op == "Concat" else 1)
    return build(nodes, [1, 1, 8, LENGTH], constants)


def branch(draw: Any, stride: int) -> list[tuple[int, int, int, int]]:
    """Padding keeps the size, in front or behind."""
    layers = []
    for step in (1, stride):
        kernel = draw(st.sampled_from([1, 3, 5]))
        begin = draw(st.integers(0, kernel - 1))
        layers.append((kernel, step, begin, kernel - 1 - begin))
    return layers


@given(data=st.data())
@quick
def test_the_field_of_a_sum_or_stack_is_the_union_of_its_branches(data: Any) -> None:
    inner, outer = data.draw(st.sampled_from([1, 2])), data.draw(st.sampled_from([1, 2]))
    op = data.draw(st.sampled_from(["Add", "Concat"]))
    model = network([branch(data.draw, inner) for _ in range(2)], op, outer)
    lattice = audit(model).tensors["y"][3]
    matrix = Impulses(model, (1, 1, 8, LENGTH)).matrix(3, 3)
    assert lattice is not None
    assert lattice.receptive_field == max(np.ptp(np.flatnonzero(row)) + 1 for row in matrix)


@pytest.mark.parametrize("op", ["Add", "Concat"])
def test_check_and_tiles_say_the_same_field(op: str, tmp_path: Path) -> None:
    model = network([[(3, 2, 0, 2)], [(5, 2, 4, 0)]], op, 1)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, [1, 1, 8, LENGTH // 2]))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    lattice = audit(model).tensors["y"][3]
    assert lattice is not None
    # One branch reads from 0 to 2, the other from -4 to 0; the last kernel adds two steps of two.
    assert lattice.receptive_field == 7 + 4
    plan = auditor.tiles(path)
    assert plan.axes[1].receptive_field == lattice.receptive_field
