"""Slices of maps whose channels stand last: the blur stands between two transpositions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.result import Kernel, Options, Padding, Strategy, Where
from auditor.sampling import analyse
from tests.rewrite.networks import Array, fixed, image, run

FAR = 2**31 - 1


def sliced(start: int, steps: tuple[int, ...], sizes: tuple[int, ...]) -> ModelProto:
    """A rectifier, a strided slice of rows and columns, and the mean over both, with the channels last throughout."""
    rank = len(steps)
    axes = list(range(1, 1 + rank))
    constants = {"starts": [start] * rank, "ends": [FAR] * rank, "axes": axes, "steps": list(steps)}
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("Slice", ["r", *constants], ["kept"], "slice"),
        helper.make_node("Sigmoid", ["kept"], ["y"], "sigmoid"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, *sizes, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * (2 + rank))],
        [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize(("steps", "sizes"), [((2, 2), (13, 16)), ((2, 3), (16, 17)), ((2, 1), (13, 9))])
def test_the_blur_between_transpositions_keeps_function_interface_and_centres(
    start: int, steps: tuple[int, ...], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    model = sliced(start, steps, sizes)
    picture = image(model)
    target, done, before = fixed(model, tmp_path, Strategy.BLUR, Options(kernel=Kernel.IDENTITY))
    assert [site.node.name.raw for site in done.sites] == ["slice"]
    assert np.allclose(run(target, picture), run(model, picture), atol=1e-6)
    onnx.checker.check_model(onnx.load(target), full_check=True)
    after = analyse(read_model(target))
    assert after.tensors["y"] == before.tensors["y"]
    _, done, _ = fixed(onnx.load(target), tmp_path, Strategy.BLUR, Options(kernel=Kernel.IDENTITY))
    assert not done.sites


def blurred(rows: Array) -> Array:
    """Tri-3 along axes 1 and 2, with zeros beyond the border."""
    for axis in (1, 2):
        wide = np.pad(rows, [(int(a == axis), int(a == axis)) for a in range(4)])
        before, after = np.roll(wide, 1, axis), np.roll(wide, -1, axis)
        rows = np.take((before + 2 * wide + after) / 4, range(1, wide.shape[axis] - 1), axis)
    return rows


def test_every_second_sample_is_taken_of_the_blurred_map_and_the_site_passes(tmp_path: Path) -> None:
    model = sliced(0, (2, 2), (13, 17))
    picture = image(model)
    target, _, _ = fixed(model, tmp_path, Strategy.BLUR, Options(padding=Padding.ZERO))
    expected = 1 / (1 + np.exp(-blurred(np.maximum(picture, 0))[:, ::2, ::2]))
    assert np.allclose(run(target, picture), expected, atol=1e-5)
    assert all(site.antialiased for site in analyse(read_model(target)).sites)


def test_what_needs_channels_on_axis_one_says_so(tmp_path: Path) -> None:
    _, done, _ = fixed(sliced(0, (2, 2), (12, 12)), tmp_path, Strategy.BLUR, Options(where=Where.PRE))
    assert [skip.refusal.reason for skip in done.skipped] == [
        "its channels do not stand on axis 1: put it behind a Transpose"
    ]
