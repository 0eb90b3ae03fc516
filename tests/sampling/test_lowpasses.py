"""Low-passes in front of a sampling site: those that are recognised, and what destroys them, against white noise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.sampling.result import Site

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
SIDE = 192

Array: TypeAlias = np.ndarray[Any, Any]


def sinc(taps: int) -> Array:
    at = np.arange(taps) - taps // 2
    return np.asarray(np.outer(line := np.sinc(at / 2) * np.hamming(taps), line))


def binomial(taps: int) -> Array:
    line = np.array([math.comb(taps - 1, tap) for tap in range(taps)], float)
    return np.outer(line, line)


def dense(kernel: Array, mixing: Array) -> Array:
    return np.asarray(mixing[:, :, None, None] * kernel / kernel.sum(), np.float32)


MIXING = np.array([[1, 0.5, -2, 0], [0, -1, 0.3, 1], [2, 1, 1, 1], [0.1, 0, 0, -0.7]])
FILTERS = {
    "depthwise blur": (dense(binomial(5), np.ones((4, 1))), 4),
    "negative lobes": (dense(sinc(13), np.ones((4, 1))), 4),
    "one sign per channel": (dense(binomial(3), np.array([[1], [-2], [0.5], [3]])), 4),
    "written densely": (dense(binomial(5), np.eye(4)), 1),
    "mixing channels": (dense(binomial(3), MIXING), 1),
    "learned": (np.random.default_rng(5).standard_normal((4, 4, 3, 3)).astype(np.float32), 1),
}
SAMPLERS: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "slice": ("Slice", ["filtered", "zero", "end", "axes", "two"], {}),
    "max-pool 1x1": ("MaxPool", ["filtered"], {"kernel_shape": [1, 1], "strides": [2, 2]}),
    "max-pool 2x2": ("MaxPool", ["filtered"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "max-pool 3x3": ("MaxPool", ["filtered"], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "average-pool 2x2": ("AveragePool", ["filtered"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
}


def network(between: list[onnx.NodeProto], kernel: Array, group: int, sampler: str, opset: int) -> onnx.ModelProto:
    op, inputs, attributes = SAMPLERS[sampler]
    pad = kernel.shape[-1] // 2
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["blurred"], "blur", group=group, pads=[pad] * 4),
        *between,
        helper.make_node(op, inputs, ["y"], "down", **attributes),
    ]
    tensors = {
        "kernel": kernel,
        "zero": np.array([0, 0]),
        "end": np.array([2**31 - 1] * 2),
        "axes": np.array([2, 3]),
        "two": np.array([2, 2]),
        "field": np.random.default_rng(1).standard_normal((1, 1, SIDE, SIDE)).astype(np.float32),
        "gain": np.array([1, -2, 0.5, 3], np.float32).reshape(1, 4, 1, 1),
        "half": np.array([1.5], np.float32),
        "pointwise": MIXING[:, :, None, None].astype(np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made


def measured(model: onnx.ModelProto) -> float:
    """The share of white noise that folds: everything up to the sampler at stride 1, run by onnxruntime."""
    dense_one = onnx.ModelProto()
    dense_one.CopyFrom(model)
    down = dense_one.graph.node[-1]
    if down.op_type == "Slice":
        down.op_type = "Identity"
        del down.input[1:]
    else:
        for attribute in down.attribute:
            if attribute.name == "strides":
                attribute.ints[:] = [1, 1]
    noise = np.random.default_rng(0).standard_normal((1, 4, SIDE, SIDE)).astype(np.float32)
    session = onnxruntime.InferenceSession(dense_one.SerializeToString(), providers=["CPUExecutionProvider"])
    maps = session.run(None, {"x": noise})[0][0, :, 8:-8, 8:-8].astype(float)
    maps -= maps.mean(axis=(1, 2), keepdims=True)
    window = np.hanning(maps.shape[1])[:, None] * np.hanning(maps.shape[2])
    power = (np.abs(np.fft.fft2(maps * window)) ** 2).sum(axis=0)
    rows, columns = (np.abs(np.fft.fftfreq(size)) <= 0.25 for size in maps.shape[1:])
    return float(1 - power[np.ix_(rows, columns)].sum() / power.sum())


def site(model: onnx.ModelProto, folder: Path) -> Site:
    path = folder / "m.onnx"
    onnx.save(model, path)
    (only,) = analyse(read_model(path)).sites
    return only


def renamed(op: str, inputs: list[str]) -> list[onnx.NodeProto]:
    return [helper.make_node(op, inputs, ["filtered"], "between")]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", [name for name in FILTERS if name != "learned"])
@pytest.mark.parametrize("opset", [11, 17])
def test_a_filter_in_front_counts_whatever_samples_behind_it(
    name: str, sampler: str, opset: int, tmp_path: Path
) -> None:
    model = network(renamed("Identity", ["blurred"]), *FILTERS[name], sampler, opset)
    alias = site(model, tmp_path).alias
    assert alias is not None
    assert alias.flat == pytest.approx(measured(model), rel=0.4, abs=0.02)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Mul", ["blurred", "gain"]),
        ("Mul", ["half", "blurred"]),
        ("Div", ["blurred", "gain"]),
        ("Add", ["blurred", "gain"]),
        ("Sub", ["gain", "blurred"]),
        ("Add", ["blurred", "field"]),
        ("Conv", ["blurred", "pointwise"]),
    ],
)
def test_what_scales_whole_channels_keeps_a_low_pass(op: str, inputs: list[str], tmp_path: Path) -> None:
    model = network(renamed(op, inputs), *FILTERS["depthwise blur"], "slice", 17)
    assert site(model, tmp_path).antialiased


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Mul", ["blurred", "field"]),
        ("Mul", ["field", "blurred"]),
        ("Div", ["blurred", "field"]),
        ("Div", ["half", "blurred"]),
    ],
)
def test_a_product_with_what_varies_over_the_grid_destroys_a_low_pass(
    op: str, inputs: list[str], tmp_path: Path
) -> None:
    model = network(renamed(op, inputs), *FILTERS["depthwise blur"], "slice", 17)
    found = site(model, tmp_path)
    assert not found.antialiased
    assert found.alias is not None
    assert found.alias.flat == pytest.approx(0.75)
    assert measured(model) > 0.5


@pytest.mark.parametrize(("beside", "passes"), [("blurred", True), ("x", False)])
def test_maps_side_by_side_are_low_passed_where_all_of_them_are(beside: str, passes: bool, tmp_path: Path) -> None:
    between = [helper.make_node("Concat", ["blurred", beside], ["filtered"], "between", axis=1)]
    model = network(between, *FILTERS["depthwise blur"], "slice", 17)
    assert site(model, tmp_path).antialiased is passes
    assert (measured(model) < 0.1) is passes


def test_maps_that_were_low_passed_by_another_kernel_each_are_not_taken_for_one(tmp_path: Path) -> None:
    between = [
        helper.make_node("AveragePool", ["blurred"], ["smoother"], "more", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Concat", ["blurred", "smoother"], ["filtered"], "between", axis=1),
    ]
    found = site(network(between, *FILTERS["depthwise blur"], "slice", 17), tmp_path)
    assert not found.antialiased


def test_a_learned_kernel_is_no_filter_of_its_own(tmp_path: Path) -> None:
    model = network(renamed("Identity", ["blurred"]), *FILTERS["learned"], "slice", 17)
    assert not site(model, tmp_path).antialiased


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize(
    ("name", "low", "high", "passes"),
    [
        ("MaxPool1d_k3_s2", 0.14, 0.15, False),
        ("BlurPool3d_tri3", 0.20, 0.22, True),
        ("d_pool", 0.005, 0.02, True),
        ("d_oneconv_pool", 0.005, 0.02, True),
        ("chain_sinc13_slice", 0.02, 0.07, True),
        ("chain_denseblur_slice", 0.02, 0.07, True),
        ("chain_blur_maxpool", 0.02, 0.07, True),
        ("chain_blur_mul_const_slice", 0.74, 0.76, False),
    ],
)
def test_shared_cases_fold_what_was_measured(name: str, low: float, high: float, passes: bool) -> None:
    (only,) = analyse(read_model(CASES / f"{name}.onnx")).sites
    assert only.alias is not None
    assert low <= only.alias.flat <= high
    assert only.antialiased == passes
