"""Phase and input averaging against their definition: the mean of the original network on shifted grids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
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
from auditor.rewrite.result import Kernel, Lowering, Options, Phases, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, fixed, image, ports, random_network, run, session

DIAGONAL = [(0, 0), (1, 1)]
ALL = [(0, 0), (0, 1), (1, 0), (1, 1)]


def between(model: onnx.ModelProto, given: str, wanted: str, value: Array) -> Array:
    """What the nodes between two tensors compute."""
    nodes, known = [], {given}
    for node in model.graph.node:
        if known.intersection(node.input):
            nodes.append(node)
            known.update(node.output)
        if wanted in known:
            break
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    graph = helper.make_graph(
        nodes,
        "tail",
        [helper.make_tensor_value_info(given, kind, value.shape)],
        [helper.make_tensor_value_info(wanted, kind, None)],
        model.graph.initializer,
    )
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return np.asarray(session(part).run([wanted], {given: value})[0])


def tail(made: Network) -> Network:
    made.add("Relu")
    made.add("Conv", made.weight(4, made.channels, 3, 3), pads=[1] * 4)
    made.channels = 4
    made.pooled_head()
    return made


OPERATORS: list[tuple[str, dict[str, Any]]] = [
    ("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("Conv", {"kernel_shape": [3, 3], "pads": [0, 0, 0, 0]}),
    ("Conv", {"kernel_shape": [1, 1], "pads": [0, 0, 0, 0]}),
    ("Conv", {"kernel_shape": [5, 3], "pads": [2, 0, 1, 1]}),
    ("MaxPool", {"kernel_shape": [2, 2], "pads": [0, 0, 0, 0]}),
    ("MaxPool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("MaxPool", {"kernel_shape": [3, 3], "pads": [0, 0, 0, 0]}),
    ("AveragePool", {"kernel_shape": [2, 2], "pads": [0, 0, 0, 0]}),
]


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize("phases", [Phases.DIAGONAL, Phases.ALL])
@pytest.mark.parametrize(("op", "attributes"), OPERATORS)
def test_phase_averaging_is_the_mean_of_the_network_over_the_phases_of_the_dense_operator(
    op: str, attributes: dict[str, Any], phases: Phases, size: int, tmp_path: Path
) -> None:
    made = Network(np.random.default_rng(1), 3, (size, size))
    weights = [made.weight(3, 3, *attributes["kernel_shape"])] if op == "Conv" else []
    site = made.add(op, *weights, strides=[2, 2], **attributes)
    model = tail(made).model()
    picture = image(model)
    expected = mean_over_phases(model, site, attributes["pads"], phases)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, Options(phases=phases))
    if op == "AveragePool" and size == 13:
        return  # its last windows divide by the number of samples inside, the dense one's by all
    assert [found.node.name.raw for found in done.sites] == [site]
    assert np.allclose(run(target, picture), expected, atol=1e-5)


def mean_over_phases(model: onnx.ModelProto, site: str, pads: Sequence[int], phases: Phases) -> Array:
    """What the nodes behind a site of stride 2 make of the phases of its dense operator, on the average."""
    picture = image(model)
    original = between(model, "x", site, picture)
    dense = onnx.ModelProto()
    dense.CopyFrom(model)
    (node,) = [node for node in dense.graph.node if node.output[0] == site]
    begin, end = list(pads[:2]), list(pads[2:])
    for attribute in node.attribute:
        if attribute.name == "strides":
            attribute.ints[:] = [1, 1]
        if attribute.name == "pads":
            attribute.ints[:] = begin + [pad + 1 for pad in end]
    whole = between(dense, "x", site, picture)
    rows, columns = original.shape[2:]
    chosen = ALL if phases is Phases.ALL else DIAGONAL
    found = [between(model, site, "y", whole[:, :, a::2, b::2][:, :, :rows, :columns].copy()) for a, b in chosen]
    return np.asarray(np.mean(found, axis=0))


def casts_like(made: Network) -> None:
    """A scale of another type, cast to that of the map, as exports that keep functions have."""
    name = f"w{len(made.weights)}"
    made.weights.append(numpy_helper.from_array(np.array([[[2.0]], [[-1.0]]], np.float64), name))
    made.nodes.append(helper.make_node("CastLike", [name, made.last], ["scale"], "scale"))
    made.add("Mul", "scale")


def clips_by_cast_bounds(made: Network) -> None:
    name = f"w{len(made.weights)}"
    made.weights.append(numpy_helper.from_array(np.array(0.25, np.float64), name))
    made.nodes.append(helper.make_node("CastLike", [name, made.last], ["low"], "low"))
    made.add("Clip", "low")


def expands(made: Network) -> None:
    made.add("ReduceMean", axes=[1], keepdims=1)
    made.add("Expand", made.integers(1, 2, 4, 4))


def resizes_to_sizes(made: Network) -> None:
    made.add("Resize", "", "", made.integers(1, 2, 7, 9), mode="linear", coordinate_transformation_mode="half_pixel")


def multiplies_by_what_it_is(made: Network) -> None:
    """Attention: a product of two tensors that both come from the map."""
    map_ = made.add("Reshape", made.integers(1, 2, 16))
    made.add("Transpose", perm=[0, 2, 1])
    made.nodes.append(helper.make_node("MatMul", [map_, made.last], ["product"], "product"))
    made.last = "product"
    made.add("Unsqueeze", made.integers(3))


@pytest.mark.parametrize("phases", [Phases.DIAGONAL, Phases.ALL])
@pytest.mark.parametrize(
    "added", [casts_like, clips_by_cast_bounds, expands, resizes_to_sizes, multiplies_by_what_it_is]
)
def test_what_stands_behind_a_site_works_on_every_phase_as_it_did_on_one(
    added: Callable[[Network], None], phases: Phases, tmp_path: Path
) -> None:
    made = Network(np.random.default_rng(1), 2, (8, 8), opset=15)
    site = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
    added(made)
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("Gemm", made.weight(2, 5))
    model = made.model()
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, Options(phases=phases))
    assert [found.node.name.raw for found in done.sites] == [site]
    assert np.allclose(run(target, image(model)), mean_over_phases(model, site, [0] * 4, phases), atol=1e-5)


@pytest.mark.parametrize("kernel", [Kernel.TRI3, Kernel.BIN5])
def test_the_phases_of_a_blurred_site_are_averaged_too_and_only_once(kernel: Kernel, tmp_path: Path) -> None:
    made = Network(np.random.default_rng(1), 3, (12, 12))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    first, second, third = (tmp_path / name for name in ("blurred", "averaged", "again"))
    for folder in (first, second, third):
        folder.mkdir()
    target, _, _ = fixed(tail(made).model(), first, Strategy.BLUR, Options(kernel=kernel))
    blurred = onnx.load(target)
    target, done, _ = fixed(blurred, second, Strategy.PHASE_AVERAGE)
    (site,) = done.sites
    (node,) = (node for node in blurred.graph.node if node.name == site.node.name.raw)
    pads = next((list(entry.ints) for entry in node.attribute if entry.name == "pads"), [0] * 4)
    expected = mean_over_phases(blurred, node.output[0], pads, Phases.DIAGONAL)
    assert np.allclose(run(target, image(blurred)), expected, atol=1e-5)
    _, again, _ = fixed(onnx.load(target), third, Strategy.PHASE_AVERAGE)
    assert again.path is None
    assert "an earlier run" in again.skipped[0].refusal.reason


def test_a_product_with_a_tensor_from_elsewhere_takes_that_once_per_phase(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(2), 2, (8, 8), opset=15)
    made.nodes.append(helper.make_node("GlobalAveragePool", ["x"], ["mean"], "mean"))
    made.nodes.append(helper.make_node("Squeeze", ["mean", made.integers(3)], ["vector"], "vector"))
    site = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Reshape", made.integers(1, 2, 16))
    made.add("Transpose", perm=[0, 2, 1])
    made.add("MatMul", "vector")
    made.add("Relu")
    made.add("ReduceMean", axes=[1])
    model = made.model()
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert [found.node.name.raw for found in done.sites] == [site]
    picture = image(model)
    whole = -np.inf * np.ones((1, 2, 9, 9), np.float32)
    whole[:, :, :8, :8] = picture
    vector = picture.mean((2, 3))[0]
    expected = []
    for offset in (0, 1):
        windows = whole[:, :, offset : offset + 8, offset : offset + 8].reshape(2, 4, 2, 4, 2).max((2, 4))
        expected.append(np.maximum(np.einsum("chw,c->hw", windows, vector), 0).mean())
    assert run(target, picture).ravel() == pytest.approx([np.mean(expected)], abs=1e-5)


@pytest.mark.parametrize("phases", [Phases.DIAGONAL, Phases.ALL])
def test_input_averaging_is_the_mean_over_shifted_pictures_whose_last_samples_repeat(
    phases: Phases, tmp_path: Path
) -> None:
    model = tail(Network(np.random.default_rng(2), 3, (9, 11))).model()
    picture = image(model)
    padded = np.pad(picture, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    chosen = ALL if phases is Phases.ALL else DIAGONAL
    shifted = [np.ascontiguousarray(padded[:, :, a : a + 9, b : b + 11]) for a, b in chosen]
    expected = np.mean([run(model, one) for one in shifted], axis=0)
    target, done, _ = fixed(model, tmp_path, Strategy.INPUT_AVERAGE, Options(phases=phases))
    assert done.path is not None
    assert done.flops == len(chosen)
    assert np.allclose(run(target, picture), expected, atol=1e-5)


def test_phases_on_the_batch_axis_are_no_branches_that_meet_misaligned(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(2), 3, (12, 12))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    target, done, before = fixed(tail(made).model(), tmp_path, Strategy.PHASE_AVERAGE)
    assert done.path is not None
    after = analyse(read_model(target))
    assert not before.joins
    assert not after.joins
    assert [head.kind for head in after.heads] == [head.kind for head in before.heads]


def test_branches_that_meet_again_are_shifted_together(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(3), 3, (12, 12))
    made.residual()
    model = tail(made).model()
    picture = image(model)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert len(done.sites) == 2
    # Away from the border the second phase is the network on the picture shifted by one pixel: compare on a network
    # whose picture is empty there.
    picture[:, :, :4], picture[:, :, -4:], picture[:, :, :, :4], picture[:, :, :, -4:] = 0, 0, 0, 0
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            beta, mean = node.input[2], node.input[3]
            _zero(model, {beta, mean})
    source = tmp_path / "again"
    source.mkdir()
    target, _, _ = fixed(model, source, Strategy.PHASE_AVERAGE)
    moved = np.roll(picture, (-1, -1), (2, 3))
    expected = (run(model, picture) + run(model, moved)) / 2
    assert np.allclose(run(target, picture), expected, atol=1e-5)


def _zero(model: onnx.ModelProto, names: set[str]) -> None:
    for weight in model.graph.initializer:
        if weight.name in names:
            weight.CopyFrom(numpy_helper.from_array(np.zeros(list(weight.dims), np.float32), weight.name))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 2, 2]),
    st.sampled_from(list(Phases)),
    st.sampled_from([Strategy.PHASE_AVERAGE, Strategy.INPUT_AVERAGE]),
)
def test_an_averaged_network_is_valid_and_keeps_its_interface_or_names_a_reason(
    seed: int, rank: int, phases: Phases, strategy: Strategy
) -> None:
    model = random_network(seed, rank)
    with TemporaryDirectory() as folder:
        target, done, analysis = fixed(model, Path(folder), strategy, Options(phases=phases))
        if done.path is None:
            assert done.skipped or not analysis.sites
            return
        written = onnx.load(target)
        onnx.checker.check_model(written, full_check=True)
        assert ports(session(target)) == ports(session(model))
        assert written.opset_import == model.opset_import
        assert np.isfinite(run(target, image(model))).all()
        again = Path(folder) / "again"
        again.mkdir()
        _, second, _ = fixed(written, again, strategy, Options(phases=phases))
        assert second.path is None


def test_two_sites_average_over_the_product_of_their_phases(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(4), 2, (16, 16))
    first = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    second = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    model = tail(made).model()
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, names=(first, second))
    picture = image(model)
    assert len(done.sites) == 2
    dense = np.pad(picture, ((0, 0), (0, 0), (0, 9), (0, 9)), constant_values=-np.inf)

    def pooled(value: Array, shift: Sequence[int]) -> Array:
        moved = value[:, :, shift[0] :, shift[1] :]
        size = moved.shape[2] // 2
        return np.asarray(np.max([moved[:, :, a::2, b::2][:, :, :size, :size] for a, b in ALL], axis=0))

    results = [
        between(model, second, "y", pooled(pooled(dense, one), two)[:, :, :4, :4].astype(np.float32))
        for one, two in product(DIAGONAL, DIAGONAL)
    ]
    assert np.allclose(run(target, picture), np.mean(results, axis=0), atol=1e-5)


def refused(made: Network, folder: Path, options: Options | None = None) -> str:
    _, done, _ = fixed(made.model(), folder, Strategy.PHASE_AVERAGE, options)
    assert done.path is None
    return done.skipped[0].refusal.reason


def strided(channels: int = 2) -> Network:
    made = Network(np.random.default_rng(5), channels, (8, 8))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    return made


def test_a_reshape_with_the_batch_written_into_it_copies_the_batch_instead(tmp_path: Path) -> None:
    made = strided()
    made.add("Reshape", made.integers(1, 32))
    made.add("Gemm", made.weight(32, 5))
    model = made.model()
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert done.sites
    assert run(target, image(model)).shape == (1, 5)


def test_a_map_as_output_is_refused_since_its_phases_lie_shifted(tmp_path: Path) -> None:
    made = strided()
    made.add("Relu")
    assert "still a grid" in refused(made, tmp_path)


def test_a_tail_that_works_across_the_batch_is_refused(tmp_path: Path) -> None:
    made = strided()
    made.add("Transpose", perm=[1, 0, 2, 3])
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("Gemm", made.weight(1, 3))
    assert "across the batch axis" in refused(made, tmp_path, Options(lowering=Lowering.BATCH))


def test_class_labels_have_no_mean(tmp_path: Path) -> None:
    made = strided()
    made.pooled_head()
    made.add("ArgMax", axis=1)
    model = made.model()
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    _, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert "class label" in done.skipped[0].refusal.reason
