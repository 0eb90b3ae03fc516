"""Models that onnxruntime has optimised give the same audit as before: fused, blocked, quantised, channels last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto

from auditor.onnxfile import read_model
from auditor.sampling import Analysis, analyse
from tests.sampling.impulse import audit, session, shape_of, spot
from tests.sampling.networks import Net

LEVELS = {
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def optimised(model: ModelProto, level: str, folder: Path) -> Path:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = LEVELS[level]
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return folder / "optimised.onnx"


def residual() -> ModelProto:
    """Fused activations, a fused sum, channels that fill no block, a depthwise blur, and an aligned and a bad join."""
    net = Net(1, 3, 64, 64)
    x = net.relu(net.conv("x", 3, 12, 3, 2))
    x = net.op("Clip", net.conv(x, 12, 12, 3, 1, group=12), np.float32(0), np.float32(6))
    trunk = net.conv(net.relu(net.conv(x, 12, 20, 3, 2)), 20, 20, 3)
    x = net.relu(net.op("Add", trunk, net.conv(x, 12, 20, 1, 2)))
    shortcut = net.conv(net.pool("AveragePool", x, 2, 2), 20, 20, 1)
    x = net.relu(net.op("Add", net.conv(x, 20, 20, 3, 2), shortcut))
    return net.model(net.op("Flatten", net.op("GlobalAveragePool", x)), x)


def pyramid() -> ModelProto:
    """Two scales that meet again by nearest and by linear upsampling."""
    net = Net(1, 3, 64, 64)
    fine = net.relu(net.conv("x", 3, 6, 3, 2))
    coarse = net.relu(net.conv(net.pool("MaxPool", fine, 3, 2, 1), 6, 6, 3))
    double = np.array([1, 1, 2, 2], np.float32)
    near = net.op(
        "Resize", coarse, "", double, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )
    linear = net.op("Resize", coarse, "", double, mode="linear")
    return net.model(net.conv(net.op("Concat", fine, linear, axis=1), 12, 3, 3), net.op("Add", fine, near))


def channels_last() -> ModelProto:
    net = Net(1, 64, 64, 3)
    x = net.op("Transpose", "x", perm=[0, 3, 1, 2])
    x = net.pool("MaxPool", net.relu(net.conv(x, 3, 8, 3, 2)), 2, 2)
    return net.model(net.op("Transpose", net.conv(x, 8, 5, 3), perm=[0, 2, 3, 1]))


def attention() -> ModelProto:
    net = Net(1, 3, 64, 64, opset=20)
    tokens = net.op("Transpose", net.op("Reshape", net.conv("x", 3, 8, 8, 8, pad=0), [1, 8, 64]), perm=[0, 2, 1])
    norm = net.op("LayerNormalization", tokens, np.ones(8, np.float32), np.zeros(8, np.float32))
    query, key, value = (net.linear(norm, 8, 8) for _ in range(3))
    scaled = net.op("Mul", net.op("MatMul", query, net.op("Transpose", key, perm=[0, 2, 1])), np.float32(0.3))
    x = net.op("Add", tokens, net.op("MatMul", net.op("Softmax", scaled, axis=-1), value))
    x = net.op("Gelu", net.op("Add", net.linear(x, 8, 16), net.weights(16)))
    return net.model(net.op("ReduceMean", x, [1]), x)


def quantised() -> ModelProto:
    """A quantised convolution and max-pool between QuantizeLinear and DequantizeLinear."""
    net = Net(1, 3, 64, 64)
    scale, zero = np.float32(0.1), np.uint8(0)

    def through(x: str) -> str:
        made: str = net.op("DequantizeLinear", net.op("QuantizeLinear", x, scale, zero), scale, zero)
        return made

    weights = net.op("DequantizeLinear", np.ones([4, 3, 3, 3], np.int8), np.float32(0.1), np.int8(0))
    x = net.op("Conv", through("x"), weights, strides=[2, 2], pads=[1, 1, 1, 1])
    x = net.pool("MaxPool", through(x), 2, 2)
    return net.model(through(x))


def facts(found: Analysis) -> Any:
    sites = sorted(
        (site.kind.value, site.factor, site.cumulative, site.offset, site.receptive_field) for site in found.sites
    )
    heads = [(h.kind, h.subsampling, h.period, [spot(lattice) for lattice in h.lattice]) for h in found.heads]
    joins = sorted((join.source, join.delta) for join in found.joins)
    return len(found.untracked), sites, heads, joins


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("make", [residual, pyramid, channels_last, attention, quantised])
def test_what_onnxruntime_fuses_blocks_or_quantises_is_audited_as_before(make: Any, level: str, tmp_path: Path) -> None:
    model = make()
    path = optimised(model, level, tmp_path)
    found, before = analyse(read_model(path)), audit(model)
    assert facts(found) == facts(before)
    energies = {site.alias.flat for site in before.sites if site.alias is not None}
    for site in found.sites:
        if site.alias is not None:  # the kernels of blocked convolutions are not readable
            assert any(site.alias.flat == pytest.approx(flat, abs=1e-5) for flat in energies)


@pytest.mark.parametrize("op", ["DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulNBits", "QAttention"])
def test_the_quantised_linear_layers_of_transformers_merge_patches_like_any_other(op: str) -> None:
    scale, zero = np.array([0.1], np.float32), np.array([0], np.uint8)
    net = Net(1, 3, 32, 32)
    x = net.op("Transpose", net.op("Reshape", "x", [1, 3, 8, 4, 8, 4]), perm=[0, 2, 4, 3, 5, 1])
    x = net.op("Reshape", x, [1, 64, 48])
    weights = np.ones([48, 6], np.uint8)
    if op == "DynamicQuantizeMatMul":
        y = net.op(op, x, weights, scale, zero, domain="com.microsoft")
    elif op == "MatMulNBits":
        packed = np.ones([6, 2, 16], np.uint8)
        y = net.op(op, x, packed, np.ones([12], np.float32), K=48, N=6, bits=4, block_size=32, domain="com.microsoft")
    else:
        tokens = net.linear(x, 48, 48) if op == "QAttention" else x
        whole = net.op("QuantizeLinear", tokens, np.float32(0.1), np.uint8(0))
        if op == "QAttention":
            bias, a = np.zeros(6, np.float32), np.float32(0.1)
            inputs = [whole, weights, bias, a, a, "", np.uint8(0), np.uint8(0)]
            y = net.op(op, *inputs, num_heads=1, domain="com.microsoft")
        else:
            y = net.op(op, whole, weights, np.float32(0.1), scale, np.uint8(0), zero, domain="com.microsoft")
    model = net.model(y)
    found = audit(model)
    assert not found.untracked
    shape = session(model).run(None, {"x": np.zeros([1, 3, 32, 32], np.float32)})[0].shape
    assert shape_of(found, y) == shape
    assert found.subsampling == 4


def test_the_optimised_models_hold_the_operators_that_are_meant(tmp_path: Path) -> None:
    """On processors without vector instructions onnxruntime makes no blocked operators; elsewhere they are tested."""
    made = set()
    for make in (residual, pyramid, channels_last, attention, quantised):
        for level in LEVELS:
            model = read_model(optimised(make(), level, tmp_path))
            made |= {(node.domain, node.op) for node in model.graph.nodes if node.domain}
    assert ("com.microsoft", "FusedConv") in made
    assert ("com.microsoft", "QLinearConv") in made or ("", "QLinearConv") in made
    if not any(domain == "com.microsoft.nchwc" for domain, _ in made):
        pytest.skip("this processor has no blocked convolutions")
    assert {("com.microsoft.nchwc", "Conv"), ("com.microsoft.nchwc", "ReorderOutput")} <= made
