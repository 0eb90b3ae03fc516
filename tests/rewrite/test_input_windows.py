"""Averaging over shifts of the picture where copies are branches, and where sizes are read behind the merge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auditor.onnxfile import read_model
from auditor.rewrite.planning import windows
from auditor.rewrite.result import Lowering, Options, Phases, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, fixed, image, ports, session

INPUT = Strategy.INPUT_AVERAGE


def model_of(made: Network, output: str) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, made.input)]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph(made.nodes, "g", inputs, outputs, made.weights)
    opsets = [helper.make_opsetid("", made.opset)]
    return onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=opsets, ir_version=made.ir))


def conv(made: Network, outputs: int, size: int = 3, stride: int = 1) -> str:
    weight = made.weight(outputs, made.channels, size, size)
    made.channels = outputs
    return made.add("Conv", weight, strides=[stride] * 2, pads=[size // 2] * 4)


def tokens_first() -> onnx.ModelProto:
    """A transformer whose attention has the tokens in front of the batch, which is not free therefore."""
    made = Network(np.random.default_rng(5), 3, (32, 32))
    made.add("Conv", made.weight(8, 3, 8, 8), strides=[8, 8])
    made.add("Reshape", made.integers(1, 8, 16))
    made.add("Transpose", perm=[2, 0, 1])
    before = made.last
    made.add("MatMul", made.weight(8, 8))
    keys = made.add("Transpose", perm=[1, 2, 0])
    made.last = before
    made.add("Transpose", perm=[1, 0, 2])
    made.add("MatMul", keys)
    shares = made.add("Softmax", axis=-1)
    made.last = before
    values = made.add("Transpose", perm=[1, 0, 2])
    made.last = shares
    made.add("MatMul", values)
    made.add("MatMul", made.weight(8, 8))
    made.add("ReduceMean", axes=[1], keepdims=0)
    last = made.add("MatMul", made.weight(8, 5))
    return model_of(made, last)


def of_the_pictures_size() -> tuple[onnx.ModelProto, str]:
    """A segmentation that resizes its map to the size of the picture, read from it and from maps in between."""
    made = Network(np.random.default_rng(6), 3, (32, 32))
    sizes = []
    for tensor in ("x", "x", "x"):
        made.last = tensor
        made.add("Shape")
        sizes.append(made.add("Slice", made.integers(2), made.integers(4), made.integers(0)))
    made.last = "x"
    conv(made, 4, stride=2)
    made.add("Relu")
    merge = conv(made, 6)
    made.add("Relu")
    conv(made, 2)
    features = made.last
    made.last = made.integers(1, 2)
    shape = made.add("Concat", sizes[0], axis=0)
    made.last = features
    last = made.add("Resize", "", "", shape, mode="linear")
    made.last = last
    for number in (1, 2):  # of no use, as in many exports
        source, made.last = made.last, made.integers(1, 1)
        shape = made.add("Concat", sizes[number], axis=0)
        made.last = source
        last = made.add("Expand", shape)
    return model_of(made, last), merge


def moved(picture: Array, down: int, right: int) -> Array:
    return np.pad(picture, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")[:, :, down : down + 32, right : right + 32]


def answer(model: onnx.ModelProto | Path, picture: Array) -> Array:
    return np.asarray(session(model).run(None, {"x": picture})[0])


@pytest.mark.parametrize("phases", [Phases.DIAGONAL, Phases.ALL])
def test_a_network_that_folds_its_batch_answers_the_mean_over_shifts_by_branches(
    phases: Phases, tmp_path: Path
) -> None:
    model, moves = tokens_first(), [(0, 0), (1, 1)] if phases is Phases.DIAGONAL else [(0, 0), (0, 1), (1, 0), (1, 1)]
    picture = image(model)
    _, refused, _ = fixed(model, tmp_path, INPUT, Options(phases=phases, lowering=Lowering.BATCH))
    assert "works across the batch axis" in refused.skipped[0].refusal.reason
    target, done, before = fixed(model, tmp_path, INPUT, Options(phases=phases))
    assert done.flops == pytest.approx(len(moves))
    expected = np.mean([answer(model, moved(picture, *move)) for move in moves], axis=0)
    assert np.allclose(answer(target, picture), expected, atol=1e-5)
    assert not np.allclose(answer(model, picture), expected, atol=1e-3)
    assert ports(session(target)) == ports(session(model))
    after = analyse(read_model(target))
    assert [site.node.name for site in after.sites] == [site.node.name for site in before.sites]


@pytest.mark.parametrize("lowering", [Lowering.BATCH, Lowering.BRANCH])
def test_a_picture_averaged_already_is_not_averaged_again(lowering: Lowering, tmp_path: Path) -> None:
    model, _ = of_the_pictures_size()
    target, done, _ = fixed(model, tmp_path, INPUT, Options(lowering=lowering))
    assert done.path is not None
    again = tmp_path / "again"
    again.mkdir()
    _, refused, _ = fixed(onnx.load(target), again, INPUT)
    assert [skip.refusal.reason for skip in refused.skipped] == ["an earlier run of this program rewrote it"]


def test_a_moved_picture_has_no_stride_to_take_away(tmp_path: Path) -> None:
    _, refused, _ = fixed(tokens_first(), tmp_path, INPUT, Options(lowering=Lowering.DILATION))
    assert "give --lowering batch or branch" in refused.skipped[0].refusal.reason


@pytest.mark.parametrize("lowering", [Lowering.BATCH, Lowering.BRANCH])
def test_the_size_of_the_picture_may_be_read_behind_the_merge(lowering: Lowering, tmp_path: Path) -> None:
    model, merge = of_the_pictures_size()
    read = read_model(save(model, tmp_path / "net.onnx"))
    start = next(iter(windows(read, analyse(read))))
    assert start.site is None
    assert merge in [offer.node.raw for offer in start.merges]
    target, done, before = fixed(model, tmp_path, INPUT, Options(merges=(merge,), lowering=lowering))
    assert [skip.refusal.reason for skip in done.skipped] == []
    picture = image(model)
    features = [piece(model, moved(picture, *move), merge) for move in ((0, 0), (1, 1))]
    expected = behind(model, picture, merge, np.asarray(np.mean(features, axis=0, dtype=np.float32)))
    assert np.allclose(answer(target, picture), expected, atol=1e-5)
    assert not np.allclose(answer(model, picture), expected, atol=1e-3)
    after = analyse(read_model(target))
    assert [site.node.name for site in after.sites] == [site.node.name for site in before.sites]


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def piece(model: onnx.ModelProto, picture: Array, tensor: str) -> Array:
    """A tensor in the middle of a network."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    return np.asarray(session(probe).run([tensor], {"x": picture})[0])


def behind(model: onnx.ModelProto, picture: Array, tensor: str, value: Array) -> Array:
    """What the network makes of other numbers in a tensor."""
    rest = onnx.ModelProto()
    rest.CopyFrom(model)
    for node in rest.graph.node:
        node.output[:] = ["unused" if name == tensor else name for name in node.output]
    rest.graph.input.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, value.shape))
    return np.asarray(session(rest).run(None, {"x": picture, tensor: value})[0])
