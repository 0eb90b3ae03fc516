"""A convolution that takes the blur behind it into its weights computes what both compute one after the other."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.lowpass import merge
from auditor.rewrite.lowpass.kernels import length, low_pass
from auditor.rewrite.planning import plan, rewrite
from auditor.rewrite.result import Kernel, Options, Padding, Step, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, fixed, image, run

ODD = [Kernel.TRI3, Kernel.BIN5, Kernel.BIN7]


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def weights(model: onnx.ModelProto) -> dict[str, Array]:
    return {
        tensor.name: np.frombuffer(tensor.raw_data, helper.tensor_dtype_to_np_dtype(tensor.data_type)).reshape(
            tensor.dims
        )
        for tensor in model.graph.initializer
    }


def one_after_the_other(model: onnx.ModelProto, picture: Array, options: Options) -> Array:
    """The first convolution at stride 1 as far beyond the map as the blur reaches, then the blur, then what follows."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    conv = model.graph.node[0]
    given = attributes(conv)
    stride, output = given["strides"], conv.output[0]
    channels = weights(model)[conv.input[1]].shape[0]
    half = [length(options.kernel, step) // 2 for step in stride]
    pads = [pad + more for pad, more in zip(given["pads"], half * 2, strict=True)]
    conv.CopyFrom(
        helper.make_node("Conv", conv.input, ["dense"], **{**given, "strides": [1] * len(stride), "pads": pads})
    )
    kernel = low_pass(options.kernel, stride, options.blend)
    taps = np.broadcast_to(kernel, (channels, 1, *kernel.shape)).astype(weights(model)[conv.input[1]].dtype)
    model.graph.initializer.append(numpy_helper.from_array(taps, "taps"))
    model.graph.node.insert(1, helper.make_node("Conv", ["dense", "taps"], [output], strides=stride, group=channels))
    return run(model, picture)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Network, Options]:
    """A strided convolution with any window, groups and bias, and what is affine behind it."""
    rank = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 2, 4]))
    made = Network(np.random.default_rng(draw(st.integers(0, 99))), 4, (13, 16, 14)[:rank])
    kernel = [draw(st.integers(1, 4)) for _ in range(rank)]
    stride = [draw(st.integers(1, 3)) for _ in range(rank)]
    stride[0] = max(stride[0], 2)
    outputs = groups * draw(st.integers(1, 2))
    inputs = [made.weight(outputs, 4 // groups, *kernel)]
    if draw(st.booleans()):
        inputs.append(made.weight(outputs))
    made.add(
        "Conv",
        *inputs,
        kernel_shape=kernel,
        strides=stride,
        pads=[draw(st.integers(0, size)) for size in [*kernel, *kernel]],
        dilations=[draw(st.integers(1, 2)) for _ in kernel],
        group=groups,
    )
    made.channels = outputs
    if draw(st.booleans()):
        made.norm()
    return made, Options(kernel=draw(st.sampled_from(ODD)), blend=draw(st.sampled_from([1.0, 0.5])))


@settings(max_examples=80, deadline=None)
@given(convolutions())
def test_it_is_the_dense_convolution_followed_by_the_blur_the_border_included(made: tuple[Network, Options]) -> None:
    network, options = made
    model = network.model()
    with TemporaryDirectory() as folder:
        target, done, before = fixed(model, Path(folder), options=options)
        written = onnx.load(target) if done.sites else model
        if not any("merged" in name for name in weights(written)):
            assert not done.sites or len(written.graph.node) > len(model.graph.node)
            return
        onnx.checker.check_model(written, full_check=True)
        assert [node.op_type for node in written.graph.node] == [node.op_type for node in model.graph.node]
        picture = image(model)
        np.testing.assert_allclose(run(target, picture), one_after_the_other(model, picture, options), atol=1e-5)
        after = analyse(read_model(target))
        assert [lattice and lattice.offset for lattice in after.tensors["y"]] == [
            lattice and lattice.offset for lattice in before.tensors["y"]
        ]


def projection(dtype: Any = np.float32, kernel: int = 3, stride: int = 2, channels: int = 4) -> Network:
    """A strided convolution without an activation behind it."""
    made = Network(np.random.default_rng(0), channels, (16, 16), dtype=dtype)
    made.add("Conv", made.weight(channels, channels, kernel, kernel), strides=[stride] * 2, pads=[kernel // 2] * 4)
    return made


def test_a_three_by_three_projection_becomes_five_by_five_and_costs_less_than_at_stride_one(tmp_path: Path) -> None:
    target, done, _ = fixed(projection().model(), tmp_path)
    (conv,) = onnx.load(target).graph.node
    assert attributes(conv)["kernel_shape"] == [5, 5]
    assert attributes(conv)["strides"] == [2, 2]
    assert attributes(conv)["pads"] == [2, 2, 2, 2]
    assert done.flops == pytest.approx(25 / 9, rel=1e-3)


def test_the_audit_finds_less_that_folds_and_a_second_run_finds_its_own_work(tmp_path: Path) -> None:
    target, done, before = fixed(projection(channels=16).model(), tmp_path)
    (old,), (new,) = before.sites, analyse(read_model(target)).sites
    assert done.sites == (old,)
    assert old.alias is not None
    assert new.alias is not None
    assert not old.antialiased
    assert new.antialiased
    folder = tmp_path / "again"
    folder.mkdir()
    _, again, _ = fixed(onnx.load(target), folder)
    assert again.path is None
    assert "an earlier run" in again.skipped[0].refusal.reason


def test_half_precision_weights_are_rounded_once(tmp_path: Path) -> None:
    model = projection(np.float16).model()
    target, _, _ = fixed(model, tmp_path)
    old = weights(model)["w0"].astype(np.float64)
    exact = merge.convolved(old, [1, 1], low_pass(Kernel.TRI3, (2, 2)))
    (made,) = [value for name, value in weights(onnx.load(target)).items() if "merged" in name]
    assert made.dtype == np.float16
    assert np.array_equal(made, exact.astype(np.float16))


def test_weights_that_another_node_reads_stay_as_they_are_for_it(tmp_path: Path) -> None:
    made = projection()
    made.add("Relu")
    made.add("Conv", "w0", pads=[1, 1, 1, 1])
    model = made.model()
    target, done, _ = fixed(model, tmp_path)
    assert not any("merged" in name for name in weights(onnx.load(target)))  # the activation stands between
    assert done.sites
    made = projection()
    made.add("Conv", "w0", pads=[1, 1, 1, 1])
    target, _, _ = fixed(made.model(), tmp_path)
    written = onnx.load(target)
    assert "merged" in written.graph.node[0].input[1]
    assert written.graph.node[1].input[1] == "w0"
    assert np.array_equal(weights(written)["w0"], weights(made.model())["w0"])


APART = {
    "an activation stands between": ("Relu", Options()),
    "a padding was asked for": ("", Options(padding=Padding.REFLECT)),
    "nothing is filtered": ("", Options(kernel=Kernel.IDENTITY)),
}


@pytest.mark.parametrize("why", APART)
def test_the_blur_stands_alone_where(why: str, tmp_path: Path) -> None:
    behind, options = APART[why]
    made = projection()
    if behind:
        made.add(behind)
    target, done, _ = fixed(made.model(), tmp_path, options=options)
    assert done.sites
    assert any("blur" in node.name for node in onnx.load(target).graph.node)


def test_a_dilated_depthwise_kernel_that_would_cost_more_in_one_keeps_its_blur_apart(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 4, (16, 16))
    made.add("Conv", made.weight(4, 1, 3, 3), strides=[2, 2], dilations=[3, 3], pads=[3] * 4, group=4)
    target, _, _ = fixed(made.model(), tmp_path)
    assert any("blur" in node.name for node in onnx.load(target).graph.node)


def test_weights_in_another_file_are_not_read_and_the_blur_stands_alone(tmp_path: Path) -> None:
    source = tmp_path / "source.onnx"
    onnx.save(projection(channels=32).model(), source, save_as_external_data=True, location="w.bin", size_threshold=64)
    model = read_model(source)
    done = rewrite(model, analyse(model), Step(Strategy.BLUR), tmp_path / "fixed.onnx")
    assert done.sites
    names = [node.name for node in onnx.load(tmp_path / "fixed.onnx", load_external_data=False).graph.node]
    assert any("blur" in name for name in names)


@pytest.mark.parametrize("ir", [3, 8])
def test_weights_that_a_caller_may_feed_keep_their_blur_apart(ir: int, tmp_path: Path) -> None:
    model = projection().model()
    model.ir_version = ir
    (weight,) = model.graph.initializer
    model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    target, done, _ = fixed(model, tmp_path)
    assert done.sites
    merged = any("merged" in name for node in onnx.load(target).graph.node for name in node.input)
    assert merged == (ir < 4)


def test_a_plan_reads_no_weights_and_keeps_the_blur_apart_for_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(projection(channels=16).model().SerializeToString())
    model = read_model(path)
    analysis = analyse(model)

    def read_tensor(*_: object) -> None:
        pytest.fail("weights were read")

    monkeypatch.setattr(merge, "read_tensor", read_tensor)
    for options, price in ((Options(), 25 / 9), (Options(mix=True), 4 + (9 + 16) / (9 * 16))):
        (site,) = plan(model, analysis, options).sites
        (offer,) = [offer for offer in site.offers if offer.strategy is Strategy.BLUR]
        assert offer.flops == pytest.approx(price)
