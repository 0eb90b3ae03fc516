"""Blur before subsampling: what it keeps and what it repairs, over random networks of every strided operator."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.onnxfile import read_model
from auditor.rewrite.result import Kernel, Options, Padding, Strategy, Where
from auditor.sampling import Analysis, analyse
from tests.rewrite.networks import Network, fixed, image, ports, random_network, run, session

KERNELS = [Kernel.TRI3, Kernel.BIN5, Kernel.RECT2, Kernel.BIN4]
SEEDS = st.integers(0, 10**6)


def grids(analysis: Analysis) -> dict[str, list[object]]:
    """Per tensor the stride, centre and size of every axis: all of its lattice but the receptive field."""
    return {
        name: [None if axis is None else (axis.stride, axis.offset, axis.size) for axis in axes]
        for name, axes in analysis.tensors.items()
    }


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([1, 2, 2, 3]), st.sampled_from([Where.POST, Where.PRE]))
def test_with_the_identity_kernel_a_network_computes_what_it_did(seed: int, rank: int, where: Where) -> None:
    model = random_network(seed, rank)
    with TemporaryDirectory() as folder:
        options = Options(kernel=Kernel.IDENTITY, where=where)
        target, done, analysis = fixed(model, Path(folder), options=options)
        if not done.sites:
            assert all(site.antialiased for site in analysis.sites) or done.skipped
            return
        picture = image(model)
        assert np.allclose(run(target, picture), run(model, picture), rtol=1e-4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([1, 2, 2]), st.sampled_from(KERNELS), st.sampled_from(list(Padding)))
def test_a_blurred_network_is_valid_keeps_its_interface_and_every_centre_and_passes(
    seed: int, rank: int, kernel: Kernel, padding: Padding
) -> None:
    model = random_network(seed, rank)
    with TemporaryDirectory() as folder:
        target, done, before = fixed(model, Path(folder), options=Options(kernel=kernel, padding=padding))
        if not done.sites:
            return
        written = onnx.load(target)
        onnx.checker.check_model(written, full_check=True)
        assert ports(session(target)) == ports(session(model))
        assert written.opset_import == model.opset_import
        assert written.ir_version == model.ir_version
        assert np.isfinite(run(target, image(model))).all()
        after = analyse(read_model(target))
        old, new = grids(before), grids(after)
        assert all(new[name] == old[name] for name in old.keys() & new.keys())
        if kernel in (Kernel.TRI3, Kernel.BIN5) and rank < 3:
            skipped = {skip.site.node.name.raw for skip in done.skipped if skip.site is not None}
            # A blur within the weights is judged with them: what folds is less than before.
            shares = {site.node.name.raw: site.alias.flat for site in before.sites if site.alias is not None}
            for site in after.sites:
                name = site.node.name.raw
                less = site.alias is not None and site.alias.flat < shares.get(name, 0)
                assert site.antialiased or name in skipped or less


CENTRES: list[tuple[str, dict[str, Any]]] = [
    ("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("Conv", {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}),
    ("Conv", {"kernel_shape": [2, 2], "pads": [0, 1, 1, 0]}),
    ("Conv", {"kernel_shape": [1, 1]}),
    ("Conv", {"kernel_shape": [3, 3], "dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    ("MaxPool", {"kernel_shape": [2, 2]}),
    ("MaxPool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("MaxPool", {"kernel_shape": [3, 3], "ceil_mode": 1}),
    ("AveragePool", {"kernel_shape": [2, 2]}),
    ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
]


@pytest.mark.parametrize("where", list(Where))
@pytest.mark.parametrize("kernel", [Kernel.TRI3, Kernel.BIN4])
@pytest.mark.parametrize("strides", [[2, 2], [3, 1]])
@pytest.mark.parametrize(("op", "attributes"), CENTRES)
def test_a_ramp_comes_out_as_before_so_that_no_sample_has_moved(
    op: str, attributes: dict[str, Any], strides: list[int], kernel: Kernel, where: Where, tmp_path: Path
) -> None:
    made = Network(np.random.default_rng(0), 2, (32, 32))
    weights = []
    if op == "Conv":
        size = attributes["kernel_shape"]
        box = np.full((2, 1, *size), 1 / np.prod(size), np.float32)
        made.weights.append(onnx.numpy_helper.from_array(box, "box"))
        weights, attributes = ["box"], {**attributes, "group": 2}
    made.add(op, *weights, strides=strides, **attributes)
    model = made.model()
    target, done, _ = fixed(model, tmp_path, options=Options(kernel=kernel, where=where))
    if not done.sites:
        assert any(words in done.skipped[0].refusal.reason for words in ("half a sample", "anti-aliased already"))
        return
    if op == "MaxPool" and kernel is Kernel.BIN4:
        return  # its window is one sample shorter, so that the maximum of a ramp is smaller without having moved
    ramp = np.add.outer(np.arange(32.0), 3 * np.arange(32.0)).astype(np.float32)
    picture = np.broadcast_to(ramp, (1, 2, 32, 32)).copy()
    before, after = run(model, picture), run(target, picture)
    assert before.shape == after.shape
    assert np.allclose(before[:, :, 3:-3, 4:-4], after[:, :, 3:-3, 4:-4], rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from(KERNELS), st.sampled_from(list(Where)))
def test_fixing_a_fixed_network_changes_nothing(seed: int, kernel: Kernel, where: Where) -> None:
    model = random_network(seed)
    with TemporaryDirectory() as folder:
        options = Options(kernel=kernel, where=where)
        target, done, _ = fixed(model, Path(folder), options=options)
        if done.sites:
            again = Path(folder) / "again"
            again.mkdir()
            _, second, _ = fixed(onnx.load(target), again, options=options)
            assert not second.sites
            assert second.path is None


def network(stride: int = 2, kernel: int = 3, pad: int = 1, dtype: Any = np.float32) -> Network:
    made = Network(np.random.default_rng(0), 4, (16, 16), dtype=dtype)
    made.add("Conv", made.weight(4, 4, kernel, kernel), strides=[stride] * 2, pads=[pad] * 4)
    made.add("Relu")
    return made


def test_the_blur_stands_behind_the_activation(tmp_path: Path) -> None:
    target, _, _ = fixed(network().model(), tmp_path)
    assert [node.op_type for node in onnx.load(target).graph.node] == ["Conv", "Relu", "Pad", "Conv"]


def test_a_shortcut_without_an_activation_is_blurred_in_front_at_no_extra_convolution(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 4, (16, 16))
    made.add("Conv", made.weight(4, 4, 1, 1), strides=[2, 2])
    target, done, _ = fixed(made.model(), tmp_path)
    nodes = onnx.load(target).graph.node
    assert [node.op_type for node in nodes] == ["Pad", "Conv", "Conv"]
    assert [list(a.ints) for a in nodes[1].attribute if a.name == "strides"] == [[2, 2]]
    assert done.flops is not None
    assert done.flops < 4


@pytest.mark.parametrize("stride", [4, 5, 8])
def test_large_strides_get_kernels_that_know_them(stride: int, tmp_path: Path) -> None:
    target, _, _ = fixed(network(stride).model(), tmp_path)
    (site,) = analyse(read_model(target)).sites
    assert site.antialiased


def test_an_axis_that_is_not_sampled_is_not_blurred(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 2, (16, 16))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 1])
    target, _, _ = fixed(made.model(), tmp_path)
    (kernel,) = [list(w.dims) for w in onnx.load(target).graph.initializer if "blur" in w.name]
    assert kernel == [2, 1, 3, 1]


def test_small_maps_are_continued_by_their_edge_and_larger_ones_by_reflection(tmp_path: Path) -> None:
    modes = []
    for size in (4, 16):
        made = Network(np.random.default_rng(0), 2, (size, size))
        made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        target, _, _ = fixed(made.model(), tmp_path, options=Options(kernel=Kernel.BIN7))
        nodes = onnx.load(target).graph.node
        modes += [a.s.decode() for node in nodes for a in node.attribute if a.name == "mode"]
        run(target, image(made.model()))
    assert modes == ["edge", "reflect"]


def test_a_partial_blur_lies_between_no_filter_and_the_whole_one(tmp_path: Path) -> None:
    made = network().model()
    picture = image(made)
    values = []
    for blend in (0.5, 1.0):
        target, _, _ = fixed(made, tmp_path, options=Options(blend=blend))
        values.append(run(target, picture))
    target, _, _ = fixed(made, tmp_path, options=Options(kernel=Kernel.IDENTITY))
    assert np.allclose(values[0], (values[1] + run(target, picture)) / 2, atol=1e-5)


def test_half_precision_stays_half_precision(tmp_path: Path) -> None:
    made = network(dtype=np.float16).model()
    target, _, _ = fixed(made, tmp_path)
    assert {w.data_type for w in onnx.load(target).graph.initializer if w.dims} <= {10, 7}
    options = Options(kernel=Kernel.IDENTITY)
    target, _, _ = fixed(made, tmp_path, options=options)
    assert np.allclose(run(target, image(made)), run(made, image(made)), atol=1e-2)


def resizing(scale: float, opset: int = 19, **attributes: object) -> onnx.ModelProto:
    made = Network(np.random.default_rng(0), 2, (20, 20), opset=opset)
    made.weights.append(onnx.numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "scales"))
    made.weights.append(onnx.numpy_helper.from_array(np.zeros(0, np.float32), "roi"))
    made.add("Resize", "roi", "scales", **attributes)
    return made.model()


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("opset", [13, 19])
def test_a_resize_by_a_whole_factor_filters_as_its_antialias_would_in_operators_that_all_runtimes_know(
    tmp_path: Path, mode: str, opset: int
) -> None:
    made = resizing(0.5, opset, mode=mode)
    target, _, _ = fixed(made, tmp_path)
    written = onnx.load(target)
    assert {node.op_type for node in written.graph.node} == {"Pad", "Conv"}
    assert all(site.antialiased for site in analyse(read_model(target)).sites)
    by_attribute = resizing(0.5, 19, mode=mode, antialias=1)
    assert np.allclose(run(target, image(made)), run(by_attribute, image(made)), atol=1e-5)


def test_a_resize_by_another_factor_gets_a_blur_in_front(tmp_path: Path) -> None:
    made = resizing(0.6, mode="linear")
    target, _, _ = fixed(made, tmp_path)
    assert [node.op_type for node in onnx.load(target).graph.node] == ["Pad", "Conv", "Resize"]
    assert not any(a.name == "antialias" for a in onnx.load(target).graph.node[-1].attribute)
    assert run(target, image(made)).shape == run(made, image(made)).shape


def refusal_of(made: Network, folder: Path, **options: object) -> str:
    _, done, _ = fixed(made.model(), folder, options=Options(**options))  # type: ignore[arg-type]
    assert not done.sites
    return done.skipped[0].refusal.reason


def test_a_pool_whose_indices_are_used_is_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 2, (8, 8))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.nodes[-1].output.append("indices")
    made.add("MaxUnpool", "indices", kernel_shape=[2, 2], strides=[2, 2])
    assert "Indices" in refusal_of(made, tmp_path)


def test_an_even_kernel_on_a_convolution_is_refused_since_it_moves_the_grid(tmp_path: Path) -> None:
    assert "half a sample" in refusal_of(network(), tmp_path, kernel=Kernel.BIN4)


def test_patches_are_refused_with_advice(tmp_path: Path) -> None:
    assert "train" in refusal_of(network(stride=8, kernel=8, pad=0), tmp_path)


def test_a_weight_that_claims_absurd_numbers_of_channels_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    made = network()
    model = made.model()
    model.graph.initializer[0].dims[0] = 2**40
    model.graph.initializer[0].raw_data = b""
    _, done, _ = fixed(model, tmp_path)
    assert "more channels" in done.skipped[0].refusal.reason


def test_same_padding_of_an_open_size_is_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 2, (8, 8))
    made.add("Conv", made.weight(2, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
    model = made.model()
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"size{axis}"
    _, done, _ = fixed(model, tmp_path)
    assert "leaves open" in done.skipped[0].refusal.reason


def test_only_the_named_sites_are_rewritten(tmp_path: Path) -> None:
    made = network()
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    _, done, _ = fixed(made.model(), tmp_path, names=("MaxPool_2",))
    assert [site.node.name.raw for site in done.sites] == ["MaxPool_2"]
    assert done.strategy is Strategy.BLUR
