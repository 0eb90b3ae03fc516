"""Phases between each other (dilation): the same mean as that of all phases on the batch axis, or a reason."""

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
from auditor.rewrite.planning import plan
from auditor.rewrite.result import Lowering, Options, Phases, Rewritten, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Network, fixed, image, ports, run, session

DILATION = Options(phases=Phases.ALL, lowering=Lowering.DILATION)
BY_DILATION = "by dilation, averaged where the map is pooled"
BATCH = Options(phases=Phases.ALL, lowering=Lowering.BATCH)


def network(seed: int, rank: int, opset: int = 19) -> tuple[onnx.ModelProto, str]:
    """Random layers, a strided one of any kind, random layers without a stride, and a head behind a mean of the map."""
    random = np.random.default_rng(seed)
    made = Network(random, made_channels(random), tuple(int(n) for n in random.integers(12, 20, rank)), opset)
    made.conv()
    first = len(made.nodes)
    kinds = [made.max_pool, made.ceil_pool, made.average_pool, made.strided_slice, made.residual, strided(made)]
    kinds[made.pick(0, len(kinds) - 1)]()
    for _ in range(made.pick(1, 3)):
        layer(made)
    if made.pick(0, 1):
        made.add("GlobalAveragePool")
        made.add("Flatten")
    else:
        made.add("ReduceMean", made.integers(*range(2, 2 + rank)), keepdims=0)
    made.add("Gemm", made.weight(made.channels, 5))
    return made.model(), made.nodes[first].name


def made_channels(random: np.random.Generator) -> int:
    return int(random.integers(2, 5))


def strided(made: Network) -> Any:
    def add() -> None:
        window = made.window(1, (made.pick(2, 3), *[2] * (made.rank - 1)))
        made.add("Conv", made.weight(3, made.channels, *window["kernel_shape"]), **window)
        made.channels = 3

    return add


def layer(made: Network) -> None:
    kind = made.pick(0, 6)
    ones = (1,) * made.rank
    if kind == 0 and min(made.sizes) > 3:
        made.add("MaxPool", **made.window(2, ones, pool=True))
    elif kind == 1 and min(made.sizes) > 3:
        made.add("AveragePool", count_include_pad=made.pick(0, 1), **made.window(2, ones, pool=True))
    elif kind == 2:
        trunk = made.last
        made.add("Conv", made.weight(made.channels, made.channels, *[3] * made.rank), pads=[1] * (2 * made.rank))
        made.add(["Add", "Mul"][made.pick(0, 1)], trunk)
    elif kind == 3:
        trunk = made.last
        made.norm()
        made.activation()
        made.add("Concat", trunk, axis=1)
        made.channels *= 2
    elif kind == 4:
        front, back = ([0, 0, *(made.pick(0, 2) for _ in made.sizes)] for _ in range(2))
        made.add("Pad", made.integers(*front, *back))
        made.sizes = tuple(n + a + b for n, a, b in zip(made.sizes, front[2:], back[2:], strict=True))
    elif kind == 5:
        order = [0, *range(2, 2 + made.rank), 1]
        made.add("Transpose", perm=order)
        made.add("MatMul", made.weight(made.channels, 3))
        made.add("Relu")
        made.add("Transpose", perm=[0, made.rank + 1, *range(1, made.rank + 1)])
        made.channels = 3
    else:
        made.conv()
        made.norm()
        made.add("Relu")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 2]))
def test_dilation_is_the_mean_of_all_phases_on_the_batch_axis_or_names_a_reason(seed: int, rank: int) -> None:
    model, name = network(seed, rank)
    picture = image(model)
    with TemporaryDirectory() as folder:
        one, other = Path(folder) / "one", Path(folder) / "other"
        one.mkdir()
        other.mkdir()
        target, done, _ = fixed(model, one, Strategy.PHASE_AVERAGE, DILATION, (name,))
        reference, expected, _ = fixed(model, other, Strategy.PHASE_AVERAGE, BATCH, (name,))
        if done.path is None:
            assert done.skipped
            return
        assert expected.path is not None
        assert [site.node for site in done.sites] == [site.node for site in expected.sites]
        assert (done.flops is None) == (expected.flops is None)
        written = onnx.load(target)
        onnx.checker.check_model(written, full_check=True)
        assert ports(session(target)) == ports(session(model))
        new = [node.op_type for node in written.graph.node if node.name.startswith("aliasaudit/")]
        assert set(new) <= {"Pad"}
        found, wanted = run(target, picture), run(reference, picture)
        assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4 * float(np.abs(wanted).max()))
        assert not analyse(read_model(target)).sites


def test_most_random_networks_can_be_dilated() -> None:
    done = 0
    for seed in range(30):
        model, name = network(seed, 2)
        with TemporaryDirectory() as folder:
            done += fixed(model, Path(folder), Strategy.PHASE_AVERAGE, DILATION, (name,))[1].path is not None
    assert done >= 15


def pooled(size: int = 13, opset: int = 19) -> Network:
    made = Network(np.random.default_rng(1), 3, (size, size), opset)
    made.add("Conv", made.weight(4, 3, 3, 3), strides=[2, 2], pads=[1] * 4)
    made.channels = 4
    made.add("Relu")
    return made


def dilated(model: onnx.ModelProto, folder: Path, *names: str) -> tuple[Path, Rewritten]:
    target, done, _ = fixed(model, folder, Strategy.PHASE_AVERAGE, DILATION, names)
    return target, done


def test_two_sites_that_are_named_together_average_over_the_product_of_their_phases(tmp_path: Path) -> None:
    made = pooled(17)
    made.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    made.add("Conv", made.weight(4, 4, 3, 3), pads=[1] * 4)
    made.add("Relu")
    made.pooled_head()
    model = made.model()
    target, done = dilated(model, tmp_path, "Conv_0", "MaxPool_2")
    assert len(done.sites) == 2
    again = tmp_path / "batch"
    again.mkdir()
    reference, _, _ = fixed(model, again, Strategy.PHASE_AVERAGE, BATCH, ("Conv_0", "MaxPool_2"))
    assert np.allclose(run(target, image(model)), run(reference, image(model)), atol=1e-5)
    (tmp_path / "third").mkdir()
    _, third = dilated(onnx.load(target), tmp_path / "third")
    assert third.path is None


def test_a_pool_whose_padding_would_be_as_large_as_its_window_is_padded_in_front(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(1), 3, (19, 19), opset=13)
    made.add("Conv", made.weight(4, 3, 3, 3), strides=[4, 4], pads=[1] * 4)
    made.channels = 4
    made.add("MaxPool", kernel_shape=[3, 3], pads=[1] * 4)
    made.pooled_head()
    model = made.model()
    target, done = dilated(model, tmp_path)
    assert done.sites
    (tmp_path / "batch").mkdir()
    reference, _, _ = fixed(model, tmp_path / "batch", Strategy.PHASE_AVERAGE, BATCH)
    assert np.allclose(run(target, image(model)), run(reference, image(model)), atol=1e-5)


def test_a_site_in_front_of_another_is_dilated_only_together_with_it(tmp_path: Path) -> None:
    made = pooled(17)
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.pooled_head()
    _, done = dilated(made.model(), tmp_path, "Conv_0")
    assert "another strided operator" in done.skipped[0].refusal.reason


def test_a_softmax_behind_the_mean_sees_mean_scores(tmp_path: Path) -> None:
    made = pooled()
    made.pooled_head()
    scores = made.model()
    (tmp_path / "scores").mkdir()
    target, _ = dilated(scores, tmp_path / "scores")
    mean = run(target, image(scores))
    made.nodes[-1].output[0] = made.last
    made.add("Softmax", axis=1)
    model = made.model()
    del model.graph.output[0].type.tensor_type.shape.dim[2:]
    target, done = dilated(model, tmp_path)
    assert done.sites
    exponents = np.exp(mean - mean.max())
    assert np.allclose(run(target, image(model)), exponents / exponents.sum(), atol=1e-5)


def test_a_pool_over_the_whole_map_ends_the_grid(tmp_path: Path) -> None:
    made = pooled(14)
    made.add("Conv", made.weight(4, 4, 3, 3), pads=[1] * 4)
    made.add("AveragePool", kernel_shape=[7, 7])
    made.add("Flatten")
    made.add("Gemm", made.weight(4, 5))
    model = made.model()
    target, done = dilated(model, tmp_path)
    assert done.sites
    (tmp_path / "batch").mkdir()
    reference, _, _ = fixed(model, tmp_path / "batch", Strategy.PHASE_AVERAGE, BATCH)
    assert np.allclose(run(target, image(model)), run(reference, image(model)), atol=1e-5)


def closed(made: Network) -> onnx.ModelProto:
    """A head whose batch axis is not free."""
    made.add("GlobalAveragePool")
    made.add("Reshape", made.integers(-1))
    made.add("Mul", made.weight(made.channels))
    model = made.model()
    del model.graph.output[0].type.tensor_type.shape.dim[1:]
    return model


def test_without_a_free_batch_axis_all_phases_stand_between_each_other(tmp_path: Path) -> None:
    model = closed(pooled())
    _, refused, analysis = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, BATCH)
    assert refused.path is None
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, Options(phases=Phases.ALL))
    assert done.sites
    assert done.how == BY_DILATION
    assert run(target, image(model)).shape == (4,)
    offers = plan(read_model(tmp_path / "source.onnx"), analysis, Options(phases=Phases.ALL)).sites[0].offers
    assert [offer.note for offer in offers if offer.strategy is Strategy.PHASE_AVERAGE] == [BY_DILATION]


def test_the_batch_axis_is_taken_where_it_is_free(tmp_path: Path) -> None:
    made = pooled()
    made.pooled_head()
    _, done, _ = fixed(made.model(), tmp_path, Strategy.PHASE_AVERAGE, Options(phases=Phases.ALL))
    assert done.how == ""


def test_dilated_pools_are_said_to_be_refused_by_tensorrt(tmp_path: Path) -> None:
    made = pooled()
    made.add("MaxPool", kernel_shape=[3, 3], pads=[1] * 4)
    made.pooled_head()
    _, done = dilated(made.model(), tmp_path)
    assert done.how == f"{BY_DILATION}; TensorRT takes no dilated pools"


def squeezed(made: Network) -> None:
    trunk = made.last
    made.add("GlobalAveragePool")
    made.add("Sigmoid")
    made.add("Mul", trunk)
    made.pooled_head()


def positioned(made: Network) -> None:
    made.add("Mul", made.weight(1, 4, 7, 7))
    made.pooled_head()


def flattened(made: Network) -> None:
    made.add("Flatten")
    made.add("Gemm", made.weight(4 * 49, 5))


def reflected(made: Network) -> None:
    made.add("Pad", made.integers(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    made.pooled_head()


def averaged(made: Network) -> None:
    made.add("AveragePool", kernel_shape=[3, 3], pads=[1] * 4)
    made.pooled_head()


def normalised(made: Network) -> None:
    made.add("InstanceNormalization", made.positive(), made.positive())
    made.pooled_head()


def captured(made: Network) -> None:
    """A sub-graph reads the map without having it as an input."""
    trunk = made.last
    made.pooled_head()
    answer = made.last
    inner = helper.make_graph(
        [helper.make_node("ReduceMax", [trunk], ["peak"])],
        "inner",
        [],
        [helper.make_tensor_value_info("peak", onnx.TensorProto.FLOAT, None)],
    )
    condition = numpy_helper.from_array(np.array(True))
    made.nodes.append(helper.make_node("Constant", [], ["condition"], value=condition))
    made.nodes.append(helper.make_node("If", ["condition"], ["unused"], then_branch=inner, else_branch=inner))
    made.last = answer


def brightest(made: Network) -> None:
    made.add("GlobalMaxPool")
    made.add("Flatten")
    made.add("Gemm", made.weight(4, 5))


@pytest.mark.parametrize(
    ("tail", "opset", "reason"),
    [
        (squeezed, 17, "squeeze-and-excitation"),
        (positioned, 17, "differs from place to place"),
        (flattened, 17, "size of the map"),
        (reflected, 17, "those of other phases"),
        (averaged, 17, "newer opset"),
        (normalised, 17, "not known to work on each phase alone"),
        (brightest, 17, "not known to work on each phase alone"),
        (captured, 17, "a sub-graph that stands behind it is not known to work on each phase alone"),
    ],
)
def test_what_mixes_the_phases_is_refused(tail: Any, opset: int, reason: str, tmp_path: Path) -> None:
    made = pooled(opset=opset)
    tail(made)
    _, done = dilated(made.model(), tmp_path)
    assert done.path is None
    assert reason in done.skipped[0].refusal.reason


def test_a_map_as_output_stays_on_the_batch_axis(tmp_path: Path) -> None:
    _, done = dilated(pooled().model(), tmp_path)
    assert "still a grid" in done.skipped[0].refusal.reason


def test_diagonal_phases_cannot_be_dilated(tmp_path: Path) -> None:
    made = pooled()
    made.pooled_head()
    _, done, _ = fixed(made.model(), tmp_path, Strategy.PHASE_AVERAGE, Options(lowering=Lowering.DILATION))
    assert "--phases all" in done.skipped[0].refusal.reason
