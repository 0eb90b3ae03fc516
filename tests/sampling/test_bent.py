"""What a non-linearity leaves of a low-pass in front of a subsampling."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from auditor.sampling.ops.pointwise import BENDING
from auditor.sampling.result import Site
from auditor.sampling.spectrum import alias as spectra
from auditor.verify.layers.spectrum import alias_share
from tests.sampling.networks import Net
from tests.sampling.test_architectures import clean

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
BLURS = {"rect2": [1, 1], "tri3": [1, 2, 1], "bin5": [1, 4, 6, 4, 1]}
RUN = sorted(BENDING - {"FastGelu", "QuickGelu"})  # those are of com.microsoft, and close to Gelu


def kernel(name: str) -> NDArray[np.float64]:
    taps = np.array(BLURS[name], np.float64) / np.sum(BLURS[name])
    return np.outer(taps, taps)


def noise(slope: float, seed: int) -> NDArray[np.float32]:
    """Gaussian maps (1, 16, 128, 128) whose power density falls as ``1 / f^slope``."""
    ys, xs = np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None]
    radius = np.hypot(ys, xs)
    radius[0, 0] = np.inf if slope else 1
    transform = np.fft.fft2(np.random.default_rng(seed).normal(size=(1, 16, 128, 128)))
    return np.fft.ifft2(transform * radius ** (-slope / 2)).real.astype(np.float32)


def folds(op: str, blur: NDArray[np.float64], maps: NDArray[np.float32], gain: float) -> float:
    """The share that sampling every second position folds behind the blur, scaled to this deviation, and ``op``."""
    weight = np.repeat(blur[None, None], 16, 0).astype(np.float32)

    def run(scale: float, name: str) -> NDArray[np.float32]:
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["blurred"], group=16),
            helper.make_node(name, ["blurred"], ["y"]),
        ]
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, maps.shape)],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
            [numpy_helper.from_array((scale * weight).astype(np.float32), "w")],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {"x": maps})[0])

    deviation = float(run(1.0, "Identity").std())
    return alias_share(run(gain / deviation, op).astype(np.float64), (2.0, 2.0)).varying


def site(op: str, blur: str) -> Site:
    net = Net(1, 4, 112, 112)
    x = net.op(op, net.blur(net.relu(net.conv("x", 4, 4, 3)), 4, BLURS[blur], 1))
    (found,) = clean(net, net.op("Slice", x, [0, 0], [112, 112], [2, 3], [2, 2])).sites
    return found


@pytest.mark.parametrize("blur", BLURS)
def test_of_white_noise_behind_a_blur_and_a_relu_as_much_folds_as_is_said(blur: str) -> None:
    alias = site("Relu", blur).alias
    assert alias is not None
    assert alias.flat == pytest.approx(folds("Relu", kernel(blur), noise(0, 1), 1.0), rel=0.04)
    assert alias.expected == pytest.approx(folds("Relu", kernel(blur), noise(1.6, 2), 1.0), rel=0.3)


@pytest.mark.parametrize("op", RUN)
@pytest.mark.parametrize("gain", [0.5, 1.0, 30.0])
def test_no_other_function_folds_more_than_is_said(op: str, gain: float) -> None:
    for blur in ("tri3", "bin5"):
        alias = site(op, blur).alias
        assert alias is not None
        assert alias.expected is not None
        assert folds(op, kernel(blur), noise(0, 3), gain) <= alias.flat + 0.01
        assert folds(op, kernel(blur), noise(1.6, 4), gain) <= 1.3 * alias.expected


@pytest.mark.parametrize("op", ["Elu", "HardSwish", "Relu"])
def test_a_low_pass_in_front_of_a_non_linearity_is_a_number_and_no_pass(op: str) -> None:
    found = site(op, "bin5")
    assert not found.antialiased
    assert found.reason.startswith("a low-pass filter stands in front of a non-linearity, but ")
    assert found.alias is not None
    assert found.alias.flat < 0.2
    assert found.factor == (Fraction(2), Fraction(2))


@pytest.mark.parametrize("op", ["Abs", "Sigmoid", "Floor", "Exp"])
def test_of_other_functions_nothing_is_said_to_be_left(op: str) -> None:
    alias = site(op, "bin5").alias
    assert alias is not None
    assert alias.flat == pytest.approx(0.75)


def test_a_filter_behind_the_non_linearity_passes_by_itself() -> None:
    net = Net(1, 4, 112, 112)
    soft = net.relu(net.blur(net.relu(net.conv("x", 4, 4, 3)), 4, BLURS["bin5"], 1))
    (again,) = clean(net, net.blur(soft, 4, BLURS["tri3"], 2)).sites
    assert again.antialiased
    assert again.alias is not None
    own = spectra.folded_share(spectra.of_kernel(kernel("tri3"), (1, 1)) or spectra.white(2), (2, 2))
    assert own is not None
    assert again.alias.flat < own
