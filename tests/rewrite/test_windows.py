"""Window averaging against its definition: the model cut into pieces, both phases run alone, features averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from auditor.onnxfile import read_model
from auditor.rewrite.phases import average
from auditor.rewrite.result import Lowering, Options, Phases, RewriteError, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, fixed, image, session
from tests.sampling.networks import Net

WINDOW = Strategy.WINDOW_AVERAGE
LOWERINGS = (Lowering.BATCH, Lowering.BRANCH)


@dataclass(frozen=True)
class Windowed:
    """A network with the sites to shift, the node to merge at, and the tensors that are then to be averaged."""

    network: Network
    sites: tuple[str, ...]
    merge: str
    live: tuple[str, ...]
    outputs: tuple[str, ...]

    def model(self) -> onnx.ModelProto:
        made = self.network
        inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, made.input)]
        outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in self.outputs]
        graph = helper.make_graph(made.nodes, "g", inputs, outputs, made.weights)
        opsets = [helper.make_opsetid("", made.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=made.ir)
        inferred = onnx.shape_inference.infer_shapes(model)
        del model.graph.output[:]
        model.graph.output.extend(inferred.graph.output)
        return model


def network(size: int = 32) -> Network:
    return Network(np.random.default_rng(3), 3, (size, size))


def conv(made: Network, outputs: int, size: int = 3, stride: int = 1, groups: int = 1) -> str:
    weight = made.weight(outputs, made.channels // groups, size, size)
    name = made.add("Conv", weight, strides=[stride] * 2, pads=[size // 2] * 4, group=groups)
    made.channels = outputs
    return name


def plain() -> Windowed:
    made = network()
    conv(made, 4)
    site = conv(made, 6, stride=2)
    made.add("Relu")
    merge = conv(made, 5)
    made.add("Relu")
    made.pooled_head()
    return Windowed(made, (site,), merge, (merge,), (made.last,))


def pool_without_padding() -> Windowed:
    made = network(31)
    conv(made, 4)
    site = made.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    merge = conv(made, 5)
    made.add("Relu")
    made.pooled_head()
    return Windowed(made, (site,), merge, (merge,), (made.last,))


def residual() -> Windowed:
    """The strided shortcut has to be shifted with the block, and the block behind is merged in the middle."""
    made = network()
    trunk = made.last
    first = conv(made, 4, stride=2)
    made.add("Relu")
    branch = conv(made, 4)
    made.last, made.channels = trunk, 3
    second = conv(made, 4, size=1, stride=2)
    made.add("Add", branch)
    through = made.add("Relu")
    merge = conv(made, 4)
    made.add("Add", through)
    made.add("Relu")
    made.pooled_head()
    return Windowed(made, (first, second), merge, (through, merge), (made.last,))


def depthwise() -> Windowed:
    """An inverted residual block, merged behind its linear end."""
    made = network()
    conv(made, 8, size=1)
    made.add("Clip", made.numbers_scalar(0.0), made.numbers_scalar(6.0))
    site = conv(made, 8, stride=2, groups=8)
    made.add("Clip", made.numbers_scalar(0.0), made.numbers_scalar(6.0))
    merge = conv(made, 4, size=1)
    conv(made, 8)
    made.add("Relu")
    made.pooled_head()
    return Windowed(made, (site,), merge, (merge,), (made.last,))


def neck() -> Windowed:
    """Two scales of a backbone go into a neck, which two heads read: no output is touched."""
    made = network()
    site = conv(made, 4, stride=2)
    fine = made.add("Relu")
    conv(made, 6, stride=2)
    coarse = made.add("Relu")
    conv(made, 4, size=1)
    lateral = made.add("Resize", "", made.numbers(1, 1, 2, 2), mode="nearest")
    first = conv(made, 5, size=1)
    made.last, made.channels = lateral, 4
    made.add("Add", fine)
    second = conv(made, 5, size=1)
    return Windowed(made, (site,), coarse, (fine, coarse), (first, second))


def recurrent() -> Windowed:
    """A text recogniser: columns of the map are the steps of a GRU, which a mean of outputs would shift."""
    made = network()
    site = conv(made, 4, stride=2)
    made.add("Relu")
    merge = conv(made, 4)
    made.add("ReduceMean", axes=[2], keepdims=0)
    made.add("Transpose", perm=[2, 0, 1])
    made.nodes.append(
        helper.make_node(
            "GRU", [made.last, made.weight(1, 9, 4), made.weight(1, 9, 3)], ["steps"], "gru", hidden_size=3
        )
    )
    return Windowed(made, (site,), merge, (merge,), ("steps",))


def attention() -> Windowed:
    """Tokens that see each other, with positions added to them behind the merge."""
    made = network(16)
    site = conv(made, 4, stride=2)
    made.add("Relu")
    merge = conv(made, 4)
    made.add("Reshape", made.integers(1, 4, 64))
    made.add("Transpose", perm=[0, 2, 1])
    tokens = made.add("Add", made.weight(1, 64, 4))
    made.add("Transpose", perm=[0, 2, 1])
    made.nodes.append(helper.make_node("MatMul", [tokens, made.last], ["scores"], "scores"))
    made.last = "scores"
    made.add("Softmax", axis=-1)
    made.add("MatMul", tokens)
    return Windowed(made, (site,), merge, (merge,), (made.last,))


def dense() -> Windowed:
    made = network()
    conv(made, 4)
    site = conv(made, 6, stride=2)
    made.add("Relu")
    merge = conv(made, 6)
    made.add("Resize", "", made.numbers(1, 1, 2, 2), mode="linear", coordinate_transformation_mode="half_pixel")
    conv(made, 2)
    return Windowed(made, (site,), merge, (merge,), (made.last,))


NETWORKS = (plain, pool_without_padding, residual, depthwise, neck, recurrent, attention, dense)


def cut(model: onnx.ModelProto, given: Mapping[str, Array], wanted: Sequence[str]) -> list[Array]:
    """What the model computes of some tensors, from others in its middle."""
    needed, nodes = set(wanted), list[onnx.NodeProto]()
    for node in reversed(model.graph.node):
        if needed.intersection(set(node.output) - given.keys()):
            nodes.insert(0, node)
            needed.update(node.input)
    names = [name for name in given if name in needed]
    graph = helper.make_graph(
        nodes,
        "piece",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, given[name].shape) for name in names],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in wanted],
        model.graph.initializer,
    )
    piece = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return [np.asarray(value) for value in session(piece).run(None, {name: given[name] for name in names})]


def phases_of(model: onnx.ModelProto, site: str, picture: Array, moves: Sequence[tuple[int, int]]) -> list[Array]:
    """What a site makes of its input from other samples on: samples of the same operator at stride 1."""
    (rows, columns) = cut(model, {"x": picture}, [site])[0].shape[2:]
    dense_ = onnx.ModelProto()
    dense_.CopyFrom(model)
    (node,) = [node for node in dense_.graph.node if node.output[0] == site]
    kept = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    del node.attribute[:]
    begin, end = np.array(kept.get("pads", [0] * 4)).reshape(2, 2)
    step = kept["strides"][0]
    kept |= {"strides": [1, 1], "pads": [*map(int, begin), *(int(pad) + step - 1 for pad in end)]}
    node.attribute.extend(helper.make_attribute(name, value) for name, value in kept.items())
    whole = cut(dense_, {"x": picture}, [site])[0]
    return [whole[:, :, a::step, b::step][:, :, :rows, :columns].copy() for a, b in moves]


def by_hand(windowed: Windowed, picture: Array, moves: Sequence[tuple[int, int]]) -> list[Array]:
    model = windowed.model()
    shifted = [phases_of(model, site, picture, moves) for site in windowed.sites]
    features = [
        cut(model, dict(zip(windowed.sites, starts, strict=True)), windowed.live)
        for starts in zip(*shifted, strict=True)
    ]
    means = [mean_of(copies) for copies in zip(*features, strict=True)]
    return cut(model, dict(zip(windowed.live, means, strict=True)), windowed.outputs)


def mean_of(copies: Sequence[Array]) -> Array:
    return np.asarray(np.mean(np.stack(copies), axis=0, dtype=np.float32))


def options(windowed: Windowed, lowering: Lowering = Lowering.AUTO, phases: Phases = Phases.DIAGONAL) -> Options:
    return Options(lowering=lowering, phases=phases, merges=(windowed.merge,))


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("phases", Phases)
@pytest.mark.parametrize("make", NETWORKS)
def test_a_window_is_the_mean_of_features_of_both_phases_and_the_network_behind_it_run_once(
    make: Callable[[], Windowed], phases: Phases, lowering: Lowering, tmp_path: Path
) -> None:
    windowed = make()
    model = windowed.model()
    target, done, before = fixed(model, tmp_path, WINDOW, options(windowed, lowering, phases), windowed.sites[:1])
    assert [skip.refusal.reason for skip in done.skipped] == []
    assert {site.node.name.raw for site in done.sites} == set(windowed.sites)
    moves = [(0, 0), (1, 1)] if phases is Phases.DIAGONAL else [(0, 0), (0, 1), (1, 0), (1, 1)]
    picture = image(model)
    found = session(target).run(None, {"x": picture})
    for name, value, expected in zip(windowed.outputs, found, by_hand(windowed, picture, moves), strict=True):
        assert np.allclose(value, expected, atol=1e-5), name
    original = session(model).run(None, {"x": picture})
    assert not any(np.allclose(value, base, atol=1e-4) for value, base in zip(found, original, strict=True))
    onnx.checker.check_model(str(target), full_check=True)
    after = analyse(read_model(target))
    assert [site.node.name for site in after.sites] == [site.node.name for site in before.sites]
    assert len(after.joins) == len(before.joins)
    assert {site.node.name.raw for site in after.sites if site.averaged} == set(windowed.sites)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_four_grids_of_patches_that_lie_half_a_patch_apart_are_averaged(lowering: Lowering, tmp_path: Path) -> None:
    """A transformer: patches of 8 pixels, positions, attention, and a norm, up to the features behind its block."""
    made = network(48)
    site = made.add("Conv", made.weight(4, 3, 8, 8), strides=[8, 8], kernel_shape=[8, 8])
    made.add("Reshape", made.integers(1, 4, 36))
    made.add("Transpose", perm=[0, 2, 1])
    tokens = made.add("Add", made.weight(1, 36, 4))
    queries = made.add("MatMul", made.weight(4, 4))
    made.last = tokens
    made.add("MatMul", made.weight(4, 4))
    made.add("Transpose", perm=[0, 2, 1])
    made.nodes.append(helper.make_node("MatMul", [queries, made.last], ["scores"], "scores"))
    made.last = "scores"
    made.add("Softmax", axis=-1)
    made.add("MatMul", tokens)
    merge = made.add("Add", tokens)
    made.add("LayerNormalization", made.weight(4), axis=-1)
    made.add("ReduceMean", axes=[1], keepdims=0)
    windowed = Windowed(made, (site,), merge, (merge,), (made.last,))
    model, picture = windowed.model(), image(windowed.model())
    target, done, _ = fixed(model, tmp_path, WINDOW, options(windowed, lowering, Phases.HALVES), (site,))
    assert done.path is not None
    moves = [(0, 0), (0, 4), (4, 0), (4, 4)]
    expected = by_hand(windowed, picture, moves)
    assert np.allclose(session(target).run(None, {"x": picture})[0], expected[0], atol=1e-5)
    (patches,) = analyse(read_model(target)).sites
    assert patches.averaged == (4, 64)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("make", NETWORKS)
def test_two_copies_of_the_same_phase_give_the_original(
    make: Callable[[], Windowed], lowering: Lowering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(average, "offsets", lambda *_: [(0, 0), (0, 0)])
    windowed = make()
    model = windowed.model()
    target, done, _ = fixed(model, tmp_path, WINDOW, options(windowed, lowering), windowed.sites[:1])
    assert done.path is not None
    picture = image(model)
    for value, base in zip(*(session(one).run(None, {"x": picture}) for one in (target, model)), strict=True):
        assert np.allclose(value, base, atol=1e-6)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_the_lattice_behind_a_window_lies_half_a_sample_of_the_site_further_on(
    lowering: Lowering, tmp_path: Path
) -> None:
    windowed = neck()
    target, _, before = fixed(windowed.model(), tmp_path, WINDOW, options(windowed, lowering), windowed.sites)
    after = analyse(read_model(target))
    for name in ("Conv_8", *windowed.outputs):
        for old, new in zip(before.tensors[name], after.tensors[name], strict=True):
            if old is not None and new is not None:
                assert (new.stride, new.offset - old.offset) == (old.stride, Fraction(1, 2))


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_a_second_run_of_the_same_window_changes_nothing(lowering: Lowering, tmp_path: Path) -> None:
    windowed = residual()
    target, _, _ = fixed(windowed.model(), tmp_path, WINDOW, options(windowed, lowering), windowed.sites[:1])
    first = onnx.load(target)
    _, again, _ = fixed(first, tmp_path, WINDOW, options(windowed, lowering), windowed.sites[:1])
    assert again.path is None
    assert [skip.refusal.reason for skip in again.skipped] == ["an earlier run of this program rewrote it"]


def test_windows_that_follow_one_another_are_given_in_pairs(tmp_path: Path) -> None:
    made = network()
    first = conv(made, 4, stride=2)
    made.add("Relu")
    early = conv(made, 4)
    second = conv(made, 4, stride=2)
    made.add("Relu")
    late = conv(made, 4)
    made.pooled_head()
    model = Windowed(made, (second,), late, (late,), (made.last,)).model()
    picture = image(model)
    moves = [(0, 0), (1, 1)]
    features = [cut(model, {first: phase}, [early])[0] for phase in phases_of(model, first, picture, moves)]
    mean = mean_of(features)
    shifted = phases_behind(model, second, early, mean, moves)
    features = [cut(model, {second: one}, [late])[0] for one in shifted]
    expected = cut(model, {late: mean_of(features)}, [made.last])
    for lowering in LOWERINGS:
        both = Options(lowering=lowering, merges=(late, early))
        target, done, _ = fixed(model, tmp_path, WINDOW, both, (second, first))
        assert [site.node.name.raw for site in done.sites] == [first, second]
        assert np.allclose(session(target).run(None, {"x": picture})[0], expected[0], atol=1e-5)


@pytest.mark.parametrize("nested", [True, False])
def test_windows_may_lie_within_each_other_or_overlap(nested: bool, tmp_path: Path) -> None:
    """The result is the mean over all four grids if one lies in the other. Overlapping ones need a lowering each."""
    made = network(48)
    first = conv(made, 4, stride=2)
    made.add("Relu")
    second = conv(made, 4, stride=2)
    made.add("Relu")
    early = conv(made, 4)
    made.add("Relu")
    late = conv(made, 4)
    made.add("Relu")
    made.pooled_head()
    model = Windowed(made, (first,), late, (late,), (made.last,)).model()
    picture, moves = image(model), [(0, 0), (1, 1)]
    inner, outer = (early, late) if nested else (late, early)

    def inside(value: Array, end: str) -> list[Array]:
        """The features of both phases of the second site, at ``end``, from what the first site gives."""
        return [cut(model, {second: one}, [end])[0] for one in phases_behind(model, second, first, value, moves)]

    grids = [inside(one, early) for one in phases_of(model, first, picture, moves)]
    if nested:  # phases of the second site end first
        ends = [cut(model, {early: mean_of(grid)}, [late])[0] for grid in grids]
    else:
        means = [mean_of(copies) for copies in zip(*grids, strict=True)]
        ends = [cut(model, {early: mean}, [late])[0] for mean in means]
    expected = cut(model, {late: mean_of(ends)}, [made.last])[0]
    for lowering in (Lowering.AUTO, Lowering.BRANCH, Lowering.BATCH):
        both = Options(lowering=lowering, merges=(inner, outer))
        target, done, _ = fixed(model, tmp_path, WINDOW, both, (second, first))
        if lowering is not Lowering.AUTO and not nested:
            assert [site.node.name.raw for site in done.sites] == [second]
            assert "another window begins" in done.skipped[0].refusal.reason
            continue
        assert [site.node.name.raw for site in done.sites] == [first, second]
        assert np.allclose(session(target).run(None, {"x": picture})[0], expected, atol=1e-5), lowering


def phases_behind(
    model: onnx.ModelProto, site: str, start: str, value: Array, moves: Sequence[tuple[int, int]]
) -> list[Array]:
    """The phases of a site that reads a tensor in the middle of a network directly."""
    piece = onnx.ModelProto()
    piece.CopyFrom(model)
    for node in piece.graph.node:
        node.input[:] = ["x" if name == start else name for name in node.input]
    return phases_of(piece, site, value, moves)


def test_a_fixed_batch_is_no_obstacle_for_a_branch(tmp_path: Path) -> None:
    made = network()
    site = conv(made, 4, stride=2)
    made.add("Reshape", made.integers(4, 256))
    made.add("Softmax", axis=-1)
    made.add("Reshape", made.integers(1, 4, 16, 16))
    merge = conv(made, 4)
    made.add("Relu")
    made.pooled_head()
    windowed = Windowed(made, (site,), merge, (merge,), (made.last,))
    model, picture = windowed.model(), image(windowed.model())
    _, refused, _ = fixed(model, tmp_path, WINDOW, options(windowed, Lowering.BATCH), (site,))
    assert refused.path is None
    assert "folds the batch axis into others" in refused.skipped[0].refusal.reason
    target, done, _ = fixed(model, tmp_path, WINDOW, options(windowed), (site,))
    assert done.path is not None
    assert "branch" in "".join(change.node.raw for change in done.changes)
    expected = by_hand(windowed, picture, [(0, 0), (1, 1)])
    assert np.allclose(session(target).run(None, {"x": picture})[0], expected[0], atol=1e-5)
    large = [
        [one.name for one in found.graph.initializer if np.prod(one.dims) > 1] for found in (model, onnx.load(target))
    ]
    assert large[0] == large[1]


def test_the_shifted_picture_may_be_merged_as_well(tmp_path: Path) -> None:
    windowed = neck()
    model, picture = windowed.model(), image(windowed.model())
    merged = Options(merges=(windowed.merge,))
    target, done, _ = fixed(model, tmp_path, Strategy.INPUT_AVERAGE, merged)
    assert done.path is not None
    wider = np.pad(picture, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")[:, :, 1:, 1:]
    features = [cut(model, {"x": one}, windowed.live) for one in (picture, wider)]
    means = [mean_of(copies) for copies in zip(*features, strict=True)]
    expected = cut(model, dict(zip(windowed.live, means, strict=True)), windowed.outputs)
    for value, wanted in zip(session(target).run(None, {"x": picture}), expected, strict=True):
        assert np.allclose(value, wanted, atol=1e-5)


def test_a_skip_connection_from_in_front_of_the_window_may_not_meet_what_was_merged(tmp_path: Path) -> None:
    """It would lie half a sample aside; from in front of both, or up to behind the join, there is a window."""
    made = network()
    start = conv(made, 4, stride=2)
    skip = made.add("Relu")
    site = conv(made, 4, stride=2)
    merge = conv(made, 4)
    made.add("Resize", "", made.numbers(1, 1, 2, 2), mode="nearest")
    made.add("Add", skip)
    last = conv(made, 2)
    model = Windowed(made, (site,), merge, (merge,), (last,)).model()
    _, refused, _ = fixed(model, tmp_path, WINDOW, Options(merges=(merge,)), (site,))
    assert refused.path is None
    assert "half a sample aside" in refused.skipped[0].refusal.reason
    _, done, _ = fixed(model, tmp_path, WINDOW, Options(merges=(merge,)), (start,))
    assert done.path is not None


@pytest.mark.parametrize(
    ("names", "merges", "reason"),
    [
        (("Conv_1",), ("nowhere",), '--merge: no node of the main graph is called "nowhere"'),
        (("Conv_1",), ("Conv_3", "Conv_3"), "--site was given 1 time and --merge 2 times: they go in pairs"),
    ],
)
def test_a_merge_that_cannot_be_meant_is_an_error(
    names: tuple[str, ...], merges: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(RewriteError, match=reason):
        fixed(plain().model(), tmp_path, WINDOW, Options(merges=merges), names)


def test_a_merge_in_front_of_the_site_is_refused(tmp_path: Path) -> None:
    _, done, _ = fixed(plain().model(), tmp_path, WINDOW, Options(merges=("Conv_0",)), ("Conv_1",))
    assert [skip.refusal.reason for skip in done.skipped] == ["the merge does not depend on it"]


def test_rows_that_are_chosen_by_value_are_not_merged(tmp_path: Path) -> None:
    made = network()
    site = conv(made, 4, stride=2)
    made.add("Reshape", made.integers(1, 4, 256))
    made.nodes.append(helper.make_node("TopK", [made.last, made.integers(5)], ["best", "places"], "best", axis=-1))
    made.last = "best"
    last = made.add("Relu")
    model = Windowed(made, (site,), "best", ("best",), (last,)).model()
    for lowering in LOWERINGS:
        _, done, _ = fixed(model, tmp_path, WINDOW, Options(merges=("best",), lowering=lowering), (site,))
        assert "chooses by value" in done.skipped[0].refusal.reason


def test_other_strategies_take_no_merge(tmp_path: Path) -> None:
    with pytest.raises(RewriteError, match="blur averages nothing up to a node: leave --merge out"):
        fixed(plain().model(), tmp_path, Strategy.BLUR, Options(merges=("Conv_3",)))


def test_without_a_merge_the_window_ends_at_the_outputs(tmp_path: Path) -> None:
    model = plain().model()
    picture = image(model)
    answers = []
    for strategy in (WINDOW, Strategy.PHASE_AVERAGE):
        target, done, _ = fixed(model, tmp_path, strategy)
        assert done.path is not None
        answers.append(session(target).run(None, {"x": picture})[0])
    assert np.array_equal(*answers)


@pytest.mark.parametrize("form", ["slices", "space-to-depth"])
def test_patch_merging_is_refused_with_the_way_that_is_left(form: str, tmp_path: Path) -> None:
    """As Swin and Focus write it: all positions of a map side by side in channels, and a convolution over them."""
    net = Net(1, 3, 32, 32)
    x = net.conv("x", 3, 4, 3)
    if form == "slices":
        corners = [
            net.op("Slice", x, [row, column], [2**31] * 2, [2, 3], [2, 2]) for column in (0, 1) for row in (0, 1)
        ]
        merged = net.op("Concat", *corners, axis=1)
    else:
        merged = net.op("SpaceToDepth", x, blocksize=2)
    x = net.op("Relu", net.conv(merged, 16, 8))
    model = net.model(net.op("Flatten", net.op("GlobalAveragePool", x)))
    for strategy in (WINDOW, Strategy.PHASE_AVERAGE):
        _, done, _ = fixed(model, tmp_path, strategy)
        assert done.path is None
        (reason,) = {skip.refusal.reason for skip in done.skipped}
        assert "keeps all positions of its map as channels" in reason
        assert "--strategy input-average" in reason
    _, done, _ = fixed(model, tmp_path, Strategy.INPUT_AVERAGE)
    assert done.path is not None
