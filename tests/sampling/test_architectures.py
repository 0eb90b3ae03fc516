"""What the analysis says of the well-known architectures, built small."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from auditor.sampling.result import Analysis, HeadKind, SiteKind
from tests.sampling.impulse import audit, spot
from tests.sampling.networks import Net


def factors(found: Analysis) -> list[tuple[int, ...]]:
    assert all(step.denominator == 1 for site in found.sites for step in site.factor)
    return [tuple(int(step) for step in site.factor) for site in found.sites]


def kinds(found: Analysis) -> list[HeadKind]:
    return [head.kind for head in found.heads]


def clean(net: Net, *outputs: str) -> Analysis:
    """The analysis of a network that must be tracked to its end."""
    found = audit(net.model(*outputs))
    assert not found.untracked
    assert found.tracked_nodes == found.nodes
    return found


def test_an_average_pool_shortcut_is_misaligned_with_the_strided_path_by_growing_distances() -> None:
    net = Net(1, 3, 64, 64)
    x = net.conv("x", 3, 8, 3, 2)
    x = net.pool("MaxPool", net.relu(x), 3, 2, 1)
    for _ in range(3):
        trunk = net.conv(net.relu(net.conv(x, 8, 8, 3, 2)), 8, 8, 3)
        shortcut = net.conv(net.pool("AveragePool", x, 2, 2, ceil_mode=1, count_include_pad=0), 8, 8, 1)
        x = net.relu(net.op("Add", trunk, shortcut))
    found = clean(net, net.op("GlobalAveragePool", x))
    vertical = [join for join in found.joins if found.sources[join.source].axis == 2]
    assert [join.delta for join in vertical] == [2, 4, 8]
    assert [join.node.op.raw for join in vertical] == ["Add"] * 3
    assert kinds(found) == [HeadKind.POOLED]
    assert found.subsampling == 32


def test_a_plain_residual_network_is_aligned() -> None:
    net = Net(1, 3, 64, 64)
    x = net.pool("MaxPool", net.relu(net.conv("x", 3, 8, 7, 2)), 3, 2, 1)
    for stride in (1, 2, 2, 2):
        trunk = net.conv(net.relu(net.conv(x, 8, 8, 3, stride)), 8, 8, 3)
        x = net.relu(net.op("Add", trunk, net.conv(x, 8, 8, 1, stride)))
    flat = net.op("Flatten", net.op("GlobalAveragePool", x))
    found = clean(net, net.op("Gemm", flat, net.weights(8, 10)))
    assert not found.joins
    assert found.subsampling == 32
    assert [site.skipped for site in found.sites if site.kernel == (1, 1)] == [Fraction(3, 4)] * 3
    assert kinds(found) == [HeadKind.POOLED]
    assert set(found.heads[0].period.values()) == {32}


def test_a_feature_pyramid_keeps_each_levels_factor_and_flags_nearest_upsampling() -> None:
    net = Net(1, 3, 64, 64)
    levels, x, channels = [], "x", 3
    for _ in range(3):
        x = net.relu(net.conv(x, channels, 8, 3, 2))
        channels = 8
        levels.append(x)
    top = levels[-1]
    outputs = [net.conv(top, 8, 4, 3)]
    for level in levels[-2::-1]:
        scales = np.array([1, 1, 2, 2], np.float32)
        up = net.op(
            "Resize", top, "", scales, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"
        )
        top = net.op("Add", up, net.conv(level, 8, 8, 1))
        outputs.append(net.conv(top, 8, 4, 3))
    found = clean(net, *outputs)
    assert [spot(head.lattice[0])[0] for head in found.heads] == [8, 4, 2]
    assert [head.subsampling for head in found.heads] == [8, 8, 8]
    assert kinds(found) == [HeadKind.DENSE] * 3
    assert [join.delta for join in found.joins[::2]] == [2, 1]


def test_a_u_net_comes_back_to_the_full_grid() -> None:
    net = Net(1, 1, 64, 64)
    first = net.relu(net.conv("x", 1, 4, 3))
    second = net.relu(net.conv(net.pool("MaxPool", first, 2, 2), 4, 8, 3))
    third = net.relu(net.conv(net.pool("MaxPool", second, 2, 2), 8, 16, 3))
    up = net.op("ConvTranspose", third, net.weights(16, 8, 2, 2), strides=[2, 2])
    up = net.relu(net.conv(net.op("Concat", up, second, axis=1), 16, 8, 3))
    up = net.op("ConvTranspose", up, net.weights(8, 4, 2, 2), strides=[2, 2])
    found = clean(net, net.conv(net.op("Concat", up, first, axis=1), 8, 2, 1))
    assert [spot(lattice) for lattice in found.heads[0].lattice] == [(1, 0, 64)] * 2
    assert found.heads[0].subsampling == 4
    assert not found.joins
    assert [up.taps for up in found.upsamplings] == [((1, 1), (1, 1))] * 2


def test_an_inception_block_with_a_strided_pool_beside_strided_convolutions_is_aligned_only_with_its_padding() -> None:
    for pad, misaligned in ((1, False), (0, True)):
        net = Net(1, 8, 33, 33)
        tower = net.conv(net.relu(net.conv("x", 8, 8, 1)), 8, 8, 3, 2)
        double = net.conv(net.conv("x", 8, 8, 3), 8, 8, 3, 2)
        pool = net.op("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[pad, pad, 2 - pad, 2 - pad])
        found = clean(net, net.op("Concat", tower, double, pool, axis=1))
        assert bool(found.joins) is misaligned


def test_a_channel_shuffle_is_not_flagged() -> None:
    net = Net(1, 8, 32, 32)
    x = net.op("Reshape", "x", [1, 2, 4, 32, 32])
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 1, 3, 4]), [1, 8, 32, 32])
    found = clean(net, net.conv(x, 8, 8, 3, group=8))
    assert not found.sites


def windows(net: Net, x: str, size: int, window: int, channels: int) -> str:
    """One window attention over ``(1, size, size, channels)``, as Swin writes it."""
    count = size // window
    cut = net.op("Reshape", x, [1, count, window, count, window, channels])
    tokens = net.op("Reshape", net.op("Transpose", cut, perm=[0, 1, 3, 2, 4, 5]), [count**2, window**2, channels])
    query, key, value = (net.linear(tokens, channels, channels) for _ in range(3))
    scores = net.op("Softmax", net.op("MatMul", query, net.op("Transpose", key, perm=[0, 2, 1])), axis=-1)
    mixed = net.op("Reshape", net.op("MatMul", scores, value), [1, count, count, window, window, channels])
    back: str = net.op("Reshape", net.op("Transpose", mixed, perm=[0, 1, 3, 2, 4, 5]), [1, size, size, channels])
    return back


def rolled(net: Net, x: str, shift: int) -> str:
    """``torch.roll`` of height and width of a channels-last picture by ``-shift``."""
    for axis in (1, 2):
        ahead = net.op("Slice", x, [shift], [2**31], [axis])
        x = net.op("Concat", ahead, net.op("Slice", x, [0], [shift], [axis]), axis=axis)
    return x


def test_a_swin_stage_is_sampled_by_its_patches_and_its_merging_and_not_by_its_windows() -> None:
    net = Net(1, 3, 64, 64)
    x = net.op("Transpose", net.conv("x", 3, 8, 4, 4, pad=0), perm=[0, 2, 3, 1])
    x = net.op("Add", x, windows(net, x, 16, 4, 8))
    shifted = windows(net, rolled(net, x, 2), 16, 4, 8)
    x = net.op("Add", x, rolled(net, shifted, 14))
    merged = net.op("Transpose", net.op("Reshape", x, [1, 8, 2, 8, 2, 8]), perm=[0, 1, 3, 4, 2, 5])
    x = net.linear(net.op("Reshape", merged, [1, 8, 8, 32]), 32, 16)
    found = clean(net, net.op("ReduceMean", x, [1, 2], keepdims=0))
    assert [site.kind for site in found.sites] == [SiteKind.PATCH_EMBEDDING, SiteKind.PHASE_TO_CHANNEL]
    assert factors(found) == [(4, 4), (2, 2)]
    assert found.subsampling == 8
    assert spot(found.tensors[x][1]) == (8, 3.5, 8)
    assert not found.joins
    assert kinds(found) == [HeadKind.POOLED]


def transformer(net: Net, x: str, tokens: int, channels: int) -> str:
    query, key, value = (net.linear(x, channels, channels) for _ in range(3))
    scores = net.op("Softmax", net.op("MatMul", query, net.op("Transpose", key, perm=[0, 2, 1])), axis=-1)
    made: str = net.op("Add", x, net.op("MatMul", scores, value))
    return made


def test_a_vision_transformer_ends_in_its_class_token_and_its_position_encoding_is_noted() -> None:
    net = Net(1, 3, 64, 64)
    patches = net.op("Reshape", net.conv("x", 3, 8, 16, 16, pad=0), [1, 8, 16])
    tokens = net.op("Concat", net.weights(1, 1, 8), net.op("Transpose", patches, perm=[0, 2, 1]), axis=1)
    x = transformer(net, net.op("Add", tokens, net.weights(1, 17, 8)), 17, 8)
    head = net.linear(net.op("Gather", x, np.array(0), axis=1), 8, 10)
    found = clean(net, head, x)
    assert kinds(found) == [HeadKind.CLASS_TOKEN, HeadKind.DENSE]
    assert found.subsampling == 16
    assert [encoding.node.op.raw for encoding in found.encodings] == ["Add"]
    assert not found.joins


def test_attention_with_coarser_keys_keeps_the_grid_of_its_queries() -> None:
    net = Net(1, 3, 64, 64)
    image = net.conv("x", 3, 8, 4, 4, pad=0)
    tokens = net.op("Transpose", net.op("Reshape", image, [1, 8, 256]), perm=[0, 2, 1])
    reduced = net.op("Transpose", net.op("Reshape", net.conv(image, 8, 8, 4, 4, pad=0), [1, 8, 16]), perm=[0, 2, 1])
    query, key, value = net.linear(tokens, 8, 8), net.linear(reduced, 8, 8), net.linear(reduced, 8, 8)
    scores = net.op("Softmax", net.op("MatMul", query, net.op("Transpose", key, perm=[0, 2, 1])), axis=-1)
    x = net.op("Add", tokens, net.op("MatMul", scores, value))
    image = net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 1]), [1, 8, 16, 16])
    found = clean(net, net.conv(image, 8, 4, 1))
    assert [spot(lattice) for lattice in found.heads[0].lattice] == [(4, 1.5, 16)] * 2
    assert found.heads[0].subsampling == 16
    assert set(found.heads[0].period.values()) == {16}
    assert not found.joins


def window_tokens(net: Net, x: str, size: int, window: int, channels: int) -> str:
    """Channels-first windows as columns of tokens: ``(windows, channels, tokens)``."""
    count = size // window
    cut = net.op("Reshape", x, [1, channels, count, window, count, window])
    made: str = net.op("Reshape", net.op("Transpose", cut, perm=[0, 2, 4, 1, 3, 5]), [count**2, channels, window**2])
    return made


def test_windowed_attention_with_tokens_as_columns_keeps_the_grid_inside_of_its_windows() -> None:
    net = Net(1, 3, 64, 64)
    image = net.conv("x", 3, 4, 4, 4, pad=0)
    query, key, value = (window_tokens(net, net.conv(image, 4, 4), 16, 4, 4) for _ in range(3))
    scores = net.op("Softmax", net.op("MatMul", net.op("Transpose", query, perm=[0, 2, 1]), key), axis=-1)
    mixed = net.op("MatMul", value, net.op("Transpose", scores, perm=[0, 2, 1]))
    cut = net.op("Transpose", net.op("Reshape", mixed, [1, 4, 4, 4, 4, 4]), perm=[0, 3, 1, 4, 2, 5])
    found = clean(net, net.op("Add", image, net.op("Reshape", cut, [1, 4, 16, 16])))
    assert factors(found) == [(4, 4)]
    assert [spot(lattice) for lattice in found.heads[0].lattice] == [(4, 1.5, 16)] * 2
    assert not found.joins


def test_attention_with_pooled_queries_is_a_pool_aligned_with_its_shortcut() -> None:
    net = Net(1, 3, 64, 64)
    tokens = window_tokens(net, net.conv("x", 3, 4, 4, 4, pad=0), 16, 4, 4)
    tokens = net.op("Transpose", tokens, perm=[0, 2, 1])

    def pooled(x: str) -> str:
        split = net.op("Reshape", x, [16, 2, 2, 2, 2, 4])
        made: str = net.op("Reshape", net.op("ReduceMax", split, [2, 4], keepdims=0), [16, 4, 4])
        return made

    query, key, value = pooled(net.linear(tokens, 4, 4)), net.linear(tokens, 4, 4), net.linear(tokens, 4, 4)
    scores = net.op("Softmax", net.op("MatMul", query, net.op("Transpose", key, perm=[0, 2, 1])), axis=-1)
    found = clean(net, net.op("ReduceMean", net.op("Add", pooled(tokens), net.op("MatMul", scores, value)), [0, 1]))
    assert found.subsampling == 8
    assert {site.kind for site in found.sites[1:]} == {SiteKind.MAX_POOL}
    assert not found.joins


def test_a_class_token_that_is_set_aside_and_put_back_depends_on_no_position() -> None:
    net = Net(1, 3, 64, 64)
    patches = net.op("Reshape", net.conv("x", 3, 8, 16, 16, pad=0), [1, 8, 16])
    tokens = net.op("Concat", net.weights(1, 1, 8), net.op("Transpose", patches, perm=[0, 2, 1]), axis=1)
    token = net.op("Slice", tokens, [0], [1], [1])
    rest = net.op("Tanh", net.op("Slice", tokens, [1], [17], [1]))
    x = transformer(net, net.op("Concat", token, rest, axis=1), 17, 8)
    found = clean(net, net.op("ReduceMean", net.op("Slice", x, [1], [17], [1]), [1]))
    assert kinds(found) == [HeadKind.POOLED]


def test_an_mlp_mixer_is_position_dependent_although_it_ends_in_a_mean() -> None:
    net = Net(1, 3, 32, 32)
    patches = net.op("Reshape", net.conv("x", 3, 6, 8, 8, pad=0), [1, 6, 16])
    mixed = net.op("Add", patches, net.linear(net.relu(net.linear(patches, 16, 5)), 5, 16))
    x = net.op("Transpose", mixed, perm=[0, 2, 1])
    x = net.op("Add", x, net.linear(net.relu(net.linear(x, 6, 12)), 12, 6))
    found = clean(net, net.op("ReduceMean", x, [1], keepdims=0))
    assert kinds(found) == [HeadKind.POSITION_DEPENDENT]
    assert found.heads[0].cause is not None
    assert found.heads[0].cause.op.raw == "MatMul"


@pytest.mark.parametrize("squeeze", ["GlobalAveragePool", "ReduceMean", "AveragePool"])
def test_squeeze_and_excitation_leaves_the_grid_and_the_head_as_they_were(squeeze: str) -> None:
    net = Net(1, 8, 32, 32)
    x = net.conv("x", 8, 8, 3, 2)
    if squeeze == "ReduceMean":
        gate = net.op("ReduceMean", x, [2, 3])
    elif squeeze == "AveragePool":
        gate = net.pool("AveragePool", x, 16, 16)
    else:
        gate = net.op("GlobalAveragePool", x)
    gate = net.op("Sigmoid", net.conv(net.relu(net.conv(gate, 8, 2)), 2, 8))
    found = clean(net, net.conv(net.op("Mul", x, gate), 8, 8, 3))
    assert factors(found) == [(2, 2)]
    assert kinds(found) == [HeadKind.DENSE]
    assert [spot(lattice) for lattice in found.heads[0].lattice] == [(2, 0, 16)] * 2
    assert not found.joins


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("gap", HeadKind.POOLED),
        ("mean", HeadKind.POOLED),
        ("max", HeadKind.POOLED),
        ("pool", HeadKind.POOLED),
        ("flatten", HeadKind.POSITION_DEPENDENT),
        ("reshape", HeadKind.POSITION_DEPENDENT),
        ("conv", HeadKind.POSITION_DEPENDENT),
        ("none", HeadKind.DENSE),
    ],
)
def test_heads_are_told_apart(head: str, kind: HeadKind) -> None:
    net = Net(1, 3, 32, 32)
    x = net.conv("x", 3, 8, 3, 4)
    if head == "gap":
        x = net.op("Gemm", net.op("Flatten", net.op("GlobalAveragePool", x)), net.weights(8, 4))
    elif head == "mean":
        x = net.linear(net.op("ReduceMean", x, [2, 3], keepdims=0), 8, 4)
    elif head == "max":
        x = net.op("ReduceMax", net.op("Reshape", x, [1, 8, 64]), [2], keepdims=0)
    elif head == "pool":
        x = net.pool("AveragePool", x, 8, 1)
    elif head == "flatten":
        x = net.op("Gemm", net.op("Flatten", x), net.weights(512, 4))
    elif head == "reshape":
        x = net.linear(net.relu(net.op("Reshape", x, [0, -1])), 512, 4)
    elif head == "conv":
        x = net.conv(x, 8, 4, 8, pad=0)
    found = clean(net, x)
    assert kinds(found) == [kind]
    assert found.heads[0].subsampling == 4
    assert factors(found)[0] == (4, 4)


def test_blurred_sites_are_passed_and_learned_ones_are_not() -> None:
    net = Net(1, 4, 64, 64)
    passed = {
        "blur": net.blur(net.relu(net.conv("x", 4, 4, 3)), 4, [1, 2, 1], 2),
        "max then blur": net.blur(net.pool("MaxPool", "x", 2, 1), 4, [1, 4, 6, 4, 1], 2),
        "resize": net.op("Resize", "x", "", np.array([1, 1, 0.5, 0.5], np.float32), mode="linear", antialias=1),
        "blur then slice": net.op("Slice", net.blur("x", 4, [1, 4, 6, 4, 1], 1), [0, 0], [64, 64], [2, 3], [2, 2]),
    }
    rows = net.op("Slice", net.blur("x", 4, [1, 4, 6, 4, 1], 1), [0], [64], [2], [2])
    passed["blur then a slice per axis"] = net.op("Slice", rows, [0], [64], [3], [2])
    flagged = {
        "learned depthwise": net.conv("x", 4, 4, 3, 2, group=4),
        "max-pool": net.pool("MaxPool", "x", 2, 2),
        "convolution": net.conv("x", 4, 8, 3, 2),
        "slice": net.op("Slice", "x", [0, 0], [64, 64], [2, 3], [2, 2]),
        "blur then activation then slice": net.op(
            "Slice", net.relu(net.blur("x", 4, [1, 4, 6, 4, 1], 1)), [0, 0], [64, 64], [2, 3], [2, 2]
        ),
    }
    found = clean(net, *passed.values(), *flagged.values())
    verdicts = {site.output.raw: site.antialiased for site in found.sites}
    assert {name: verdicts[output] for name, output in passed.items()} == dict.fromkeys(passed, True)
    assert {name: verdicts[output] for name, output in flagged.items()} == dict.fromkeys(flagged, False)
    assert verdicts[rows]
    assert all(site.reason for site in found.sites)


def test_an_average_pool_in_front_of_a_strided_convolution_lowers_its_alias_energy() -> None:
    energies = []
    for smooth in (False, True):
        net = Net(1, 4, 64, 64)
        x = net.pool("AveragePool", "x", 3, 1, 1) if smooth else "x"
        found = clean(net, net.conv(x, 4, 8, 3, 2))
        assert found.sites[0].alias is not None
        energies.append(found.sites[0].alias.flat)
    assert energies[1] < 0.5 * energies[0]
