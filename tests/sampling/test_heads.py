"""What an output does with position: pooled only where that is proven, and what attention and lists of places are."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.sampling import Analysis
from auditor.sampling.result import Head, HeadKind
from tests.sampling.impulse import Array, audit, session
from tests.sampling.networks import Net


def tokens(net: Net, x: str, channels: int, places: int) -> str:
    made: str = net.op("Transpose", net.op("Reshape", x, [1, channels, places]), perm=[0, 2, 1])
    return made


def attended(net: Net, query: str, memory: str, width: int) -> str:
    """Attention of ``query`` to ``memory``, both ``(1, places, width)``."""
    keys = net.op("Transpose", net.linear(memory, width, width), perm=[0, 2, 1])
    scores = net.op("Softmax", net.op("MatMul", net.linear(query, width, width), keys), axis=-1)
    made: str = net.op("MatMul", scores, net.linear(memory, width, width))
    return made


def heads(net: Net, *outputs: str) -> tuple[Head, ...]:
    found = audit(net.model(*outputs))
    assert not found.untracked
    return found.heads


def levels(net: Net, *, attention: bool) -> list[tuple[str, int]]:
    """Two levels of a backbone with their number of places, the deeper one behind attention over all positions."""
    first = net.relu(net.conv("x", 3, 8, 3, 4))
    second = net.relu(net.conv(first, 8, 8, 3, 2))
    if attention:
        mixed = attended(net, tokens(net, second, 8, 64), tokens(net, second, 8, 64), 8)
        back = net.op("Reshape", net.op("Transpose", mixed, perm=[0, 2, 1]), [1, 8, 8, 8])
        second = net.op("Add", second, back)
        first = net.op("Add", first, net.op("Resize", second, "", np.array([1, 1, 2, 2], np.float32), mode="linear"))
    return [(first, 256), (second, 64)]


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("layout", ["rows last", "rows first", "flat"])
def test_the_boxes_of_a_detector_are_places_with_attention_as_without(attention: bool, layout: str) -> None:
    net = Net(1, 3, 64, 64)
    pieces = []
    for level, places in levels(net, attention=attention):
        raw = net.conv(level, 8, 12, 1)
        if layout == "rows last":
            pieces.append(net.op("Reshape", raw, [1, 12, places]))
        else:
            rows = net.op("Transpose", raw, perm=[0, 2, 3, 1])
            pieces.append(net.op("Reshape", rows, [1, -1, 6] if layout == "rows first" else [1, -1]))
    boxes = net.op("Concat", *pieces, axis={"rows last": 2, "rows first": 1, "flat": 1}[layout])
    if layout == "flat":
        boxes = net.op("Softmax", net.op("Reshape", boxes, [1, -1, 6]), axis=-1)
    (head,) = heads(net, boxes)
    assert head.kind is HeadKind.DENSE
    assert head.global_context is attention
    assert head.subsampling == 8
    assert head.lattice == ()


@pytest.mark.parametrize("attention", [False, True])
def test_boxes_decoded_from_distances_to_anchors_are_places(attention: bool) -> None:
    net = Net(1, 3, 64, 64)
    raw = [net.op("Reshape", net.conv(x, 8, 20, 1), [1, 20, n]) for x, n in levels(net, attention=attention)]
    sides, classes = net.op("Split", net.op("Concat", *raw, axis=2), [16, 4], outputs=2, axis=1)
    bins = net.op("Transpose", net.op("Reshape", sides, [1, 4, 4, 320]), perm=[0, 2, 1, 3])
    expected = net.op("Conv", net.op("Softmax", bins, axis=1), np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1))
    near, far = net.op("Split", net.op("Reshape", expected, [1, 4, 320]), [2, 2], outputs=2, axis=1)
    anchors = np.random.default_rng(0).normal(size=(1, 2, 320)).astype(np.float32)
    corners = net.op("Concat", net.op("Sub", anchors, near), net.op("Add", anchors, far), axis=1)
    strides = np.full((1, 320), 8, np.float32)
    boxes = net.op("Concat", net.op("Mul", corners, strides), net.op("Sigmoid", classes), axis=1)
    found = audit(net.model(boxes))
    assert [head.kind for head in found.heads] == [HeadKind.DENSE]
    assert not found.sites[2:]
    assert not found.encodings


@pytest.mark.parametrize("behind", ["one level", "two levels"])
@pytest.mark.parametrize("keep", ["TopK", "NonMaxSuppression", "ArgMax"])
def test_rows_that_the_data_choose_are_data_dependent_behind_one_level_and_behind_several(
    behind: str, keep: str
) -> None:
    net = Net(1, 3, 64, 64)
    raw = [net.op("Reshape", net.conv(x, 8, 6, 1), [1, 6, n]) for x, n in levels(net, attention=False)]
    places = net.op("Concat", *raw, axis=2) if behind == "two levels" else raw[0]
    rows = net.op("Transpose", places, perm=[0, 2, 1])
    scores = net.op("ReduceMax", rows, [2], keepdims=0)
    if keep == "TopK":
        _, index = net.op("TopK", scores, [10], outputs=2)
        index = net.op("Expand", net.op("Unsqueeze", index, [2]), [1, 10, 6])
        output = net.op("GatherElements", rows, index, axis=1)
    elif keep == "ArgMax":
        output = net.op("ArgMax", scores, axis=1)
    else:
        boxes, _ = net.op("Split", rows, [4, 2], outputs=2, axis=2)
        output = net.op("NonMaxSuppression", boxes, net.op("Unsqueeze", scores, [1]), np.array([10]))
    found = audit(net.model(output))
    assert [head.kind for head in found.heads] == [HeadKind.DATA_DEPENDENT]
    assert found.data_dependent[0].node.op.raw == keep


def test_grid_sampling_by_places_of_several_levels_is_data_dependent() -> None:
    net = Net(1, 3, 64, 64)
    (first, places), (second, more) = levels(net, attention=False)
    lists = net.op("Concat", tokens(net, first, 8, places), tokens(net, second, 8, more), axis=1)
    grid = net.op("Reshape", net.linear(lists, 8, 2), [1, places + more, 1, 2])
    found = audit(net.model(net.op("GridSample", first, grid)))
    assert found.data_dependent
    assert [head.kind for head in found.heads] == [HeadKind.DATA_DEPENDENT]


def test_learned_queries_that_read_the_map_by_attention_are_not_pooled() -> None:
    net = Net(1, 3, 64, 64)
    memory = tokens(net, net.conv("x", 3, 8, 3, 8), 8, 64)
    memory = net.op("Add", memory, attended(net, memory, memory, 8))
    queries = net.constant(net.weights(1, 5, 8))
    found = net.op("Add", queries, attended(net, queries, memory, 8))
    found = net.op("Add", found, attended(net, found, memory, 8))
    (head,) = heads(net, net.op("Sigmoid", net.linear(found, 8, 4)))
    assert head.kind is HeadKind.ATTENTION
    assert head.global_context


def test_a_single_learned_query_is_a_token_that_attention_filled() -> None:
    net = Net(1, 3, 64, 64)
    memory = tokens(net, net.conv("x", 3, 8, 3, 8), 8, 64)
    (head,) = heads(net, net.linear(attended(net, net.constant(net.weights(1, 1, 8)), memory, 8), 8, 4))
    assert head.kind is HeadKind.CLASS_TOKEN


def test_a_gram_matrix_is_a_sum_over_all_positions() -> None:
    net = Net(1, 3, 64, 64)
    places = net.op("Reshape", net.conv("x", 3, 8, 3, 8), [1, 8, 64])
    gram = net.op("MatMul", places, net.op("Transpose", places, perm=[0, 2, 1]))
    (head,) = heads(net, net.op("Gemm", net.op("Flatten", gram), net.weights(64, 3)))
    assert head.kind is HeadKind.POOLED


def pyramid(net: Net, x: str, size: int) -> str:
    """The pooling of PSPNet and UPerNet: means over 1, 2 and 4 parts per axis, brought back to the map."""
    back = [x]
    for parts in (1, 2, 4):
        mean = net.pool("AveragePool", x, size // parts, size // parts) if parts > 1 else net.op("GlobalAveragePool", x)
        narrow = net.relu(net.conv(mean, 8, 4))
        back.append(net.op("Resize", narrow, "", "", np.array([1, 4, size, size]), mode="linear"))
    made: str = net.op("Concat", *back, axis=1)
    return made


@pytest.mark.parametrize("attention", [False, True])
def test_a_segmentation_with_a_pyramid_of_means_is_a_map(attention: bool) -> None:
    net = Net(1, 3, 64, 64)
    x = net.relu(net.conv("x", 3, 8, 3, 4))
    if attention:
        mixed = attended(net, tokens(net, x, 8, 256), tokens(net, x, 8, 256), 8)
        x = net.op("Add", x, net.op("Reshape", net.op("Transpose", mixed, perm=[0, 2, 1]), [1, 8, 16, 16]))
    mask = net.conv(pyramid(net, x, 16), 20, 2)
    (head,) = heads(net, net.op("Resize", mask, "", "", np.array([1, 2, 64, 64]), mode="linear"))
    assert head.kind is HeadKind.DENSE
    assert len(head.lattice) == 2


@pytest.mark.parametrize("encode", ["none", "squeeze", "attention"])
@pytest.mark.parametrize("pool", ["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "rows, columns"])
def test_a_mean_over_the_whole_grid_is_pooled_whatever_stands_in_front(encode: str, pool: str) -> None:
    net = Net(1, 3, 32, 32)
    x = net.conv("x", 3, 8, 3, 4)
    if encode == "squeeze":
        x = net.op("Mul", x, net.op("Sigmoid", net.conv(net.op("GlobalAveragePool", x), 8, 8)))
    elif encode == "attention":
        mixed = attended(net, tokens(net, x, 8, 64), tokens(net, x, 8, 64), 8)
        x = net.op("Reshape", net.op("Transpose", mixed, perm=[0, 2, 1]), [1, 8, 8, 8])
    if pool == "rows, columns":
        x = net.op("ReduceMean", net.op("ReduceMean", x, [2], keepdims=0), [2], keepdims=0)
    elif pool.startswith("Reduce"):
        x = net.op(pool, x, [2, 3], keepdims=0)
    else:
        x = net.op("Flatten", net.op(pool, x))
    (head,) = heads(net, net.op("Gemm", x, net.weights(8, 4)))
    assert head.kind is HeadKind.POOLED


@pytest.mark.parametrize(("axis", "kind"), [(2, HeadKind.POSITION_DEPENDENT), (3, HeadKind.POSITION_DEPENDENT)])
def test_weights_per_row_or_column_are_position_dependent_although_the_other_axis_is_pooled(
    axis: int, kind: HeadKind
) -> None:
    net = Net(1, 3, 32, 32)
    strip = net.op("ReduceMean", net.conv("x", 3, 8, 3, 4), [axis], keepdims=0)
    (head,) = heads(net, net.op("Gemm", net.op("Flatten", strip), net.weights(64, 4)))
    assert head.kind is kind


def test_a_pooled_picture_stays_pooled_behind_a_dense_layer() -> None:
    net = Net(1, 3, 32, 32)
    (head,) = heads(net, net.op("Gemm", net.op("ReduceMean", "x", [2, 3], keepdims=0), net.weights(3, 4)))
    assert head.kind is HeadKind.POOLED


def test_a_transform_to_frequencies_is_no_pooling() -> None:
    net = Net(1, 64, 1, opset=17)
    (head,) = heads(net, net.op("DFT", "x", axis=1))
    assert head.kind is not HeadKind.POOLED


def moved(model_input: Array, shift: int) -> Array:
    return np.roll(model_input, (shift, shift), (2, 3))


def exact(net: Net, output: str, shape: tuple[int, ...], shift: int, factor: int) -> bool:
    """Whether a circular shift of the picture moves the map with it and changes nothing else."""
    run = session(net.model(output))
    picture = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    before, after = (run.run(None, {"x": x})[0] for x in (picture, moved(picture, shift)))
    return bool(np.allclose(moved(before, shift // factor), after, atol=1e-4))


def windows(net: Net, x: str, size: int, window: int, style: str) -> str:
    """Attention inside of windows (or of a grid of positions) of a map ``(1, 8, size, size)``."""
    count = size // window
    channels_last = style in ("swin", "grid", "maxvit", "fused")
    if channels_last:
        x = net.op("Transpose", x, perm=[0, 2, 3, 1])
        parts = (window, count) if style == "grid" else (count, window)
        cut = net.op("Reshape", x, [1, parts[0], parts[1], parts[0], parts[1], 8])
        order = [0, 2, 4, 1, 3, 5] if style == "grid" else [0, 1, 3, 2, 4, 5]
        shape = [count * count, window * window, 8] if style != "maxvit" else [1, count * count, window * window, 8]
        rows = net.op("Reshape", net.op("Transpose", cut, perm=order), shape)
        if style == "fused":
            projected = [net.linear(rows, 8, 8) for _ in range(3)]
            mixed = net.op("MultiHeadAttention", *projected, domain="com.microsoft", num_heads=2)
        else:
            keys = net.op("Transpose", net.linear(rows, 8, 8), perm=[0, 2, 1] if len(shape) == 3 else [0, 1, 3, 2])
            scores = net.op("Softmax", net.op("MatMul", net.linear(rows, 8, 8), keys), axis=-1)
            mixed = net.op("MatMul", scores, net.linear(rows, 8, 8))
        if style == "grid":
            back = net.op("Reshape", mixed, [1, count, count, window, window, 8])
            back = net.op("Transpose", back, perm=[0, 3, 1, 4, 2, 5])
        else:
            back = net.op("Reshape", mixed, [1, count, count, window, window, 8])
            back = net.op("Transpose", back, perm=[0, 1, 3, 2, 4, 5])
        made: str = net.op("Transpose", net.op("Reshape", back, [1, size, size, 8]), perm=[0, 3, 1, 2])
        return made
    cut = net.op("Reshape", x, [1, 8, count, window, count, window])
    if style == "einsum":
        rows = net.op("Reshape", net.op("Transpose", cut, perm=[0, 2, 4, 3, 5, 1]), [count**2, window**2, 8])
        scores = net.op("Softmax", net.op("Einsum", rows, rows, equation="bqc,bkc->bqk"), axis=-1)
        mixed = net.op("Transpose", net.op("Einsum", scores, rows, equation="bqk,bkc->bqc"), perm=[0, 2, 1])
    else:
        columns = net.op("Reshape", net.op("Transpose", cut, perm=[0, 2, 4, 1, 3, 5]), [count**2, 8, window**2])
        scores = net.op("Softmax", net.op("MatMul", net.op("Transpose", columns, perm=[0, 2, 1]), columns), axis=-1)
        mixed = net.op("MatMul", columns, net.op("Transpose", scores, perm=[0, 2, 1]))
    back = net.op("Transpose", net.op("Reshape", mixed, [1, count, count, 8, window, window]), perm=[0, 3, 1, 4, 2, 5])
    made = net.op("Reshape", back, [1, 8, size, size])
    return str(made)


def rolled(net: Net, x: str, shift: int) -> str:
    for axis in (2, 3):
        ahead = net.op("Slice", x, [shift], [2**31], [axis])
        x = net.op("Concat", ahead, net.op("Slice", x, [0], [shift], [axis]), axis=axis)
    return x


@pytest.mark.parametrize("style", ["swin", "maxvit", "columns", "einsum", "shifted", "grid", "fused"])
@pytest.mark.parametrize(("size", "window"), [(8, 4), (8, 2), (12, 3)])
def test_the_period_of_attention_in_windows_is_the_window(style: str, size: int, window: int) -> None:
    """Circular shifts are exact here, so the smallest one that changes nothing is the period."""
    net = Net(1, 3, 4 * size, 4 * size)
    x = net.conv("x", 3, 8, 4, 4, pad=0)
    if style == "shifted":
        inner = windows(net, rolled(net, x, 1), size, window, "swin")
        x = net.op("Add", x, rolled(net, inner, size - 1))
    else:
        x = net.op("Add", x, windows(net, x, size, window, style))
    found = audit(net.model(x))
    assert not found.untracked
    assert found.subsampling == 4, "windows subsample nothing"
    shape = (1, 3, 4 * size, 4 * size)
    smallest = next(shift for shift in range(4, 4 * size + 1, 4) if exact(net, x, shape, shift, 4))
    assert set(found.heads[0].period.values()) == {smallest}
    assert smallest == (4 if style == "grid" else 4 * window)


def swin(window: int, cells: int) -> Analysis:
    """Swin's four stages, the last with ``cells`` positions per axis, and a mean over them."""
    net, size = Net(1, 3, 32 * cells, 32 * cells), 8 * cells
    x = net.conv("x", 3, 8, 4, 4, pad=0)
    for stage in range(4):
        x = net.op("Add", x, windows(net, x, size, window, "swin"))
        if stage < 3:
            size //= 2
            corners = [
                net.op("Slice", x, [row, column], [2**31] * 2, [2, 3], [2, 2]) for column in (0, 1) for row in (0, 1)
            ]
            x = net.conv(net.op("Concat", *corners, axis=1), 32, 8)
    return audit(net.model(net.op("ReduceMean", x, [2, 3], keepdims=0)))


@pytest.mark.parametrize(("window", "cells", "period"), [(7, 7, 224), (2, 4, 64), (3, 6, 96)])
def test_swin_is_exact_for_whole_windows_of_every_stage(window: int, cells: int, period: int) -> None:
    found = swin(window, cells)
    assert found.subsampling == 32
    assert set(found.heads[0].period.values()) == {period}


def biased(bias: Array, side: int = 8, *, token: bool = False) -> Analysis:
    """Attention over all positions of a map of ``side`` cells per axis with a bias on its scores."""
    net = Net(1, 3, 4 * side, 4 * side)
    x = tokens(net, net.conv("x", 3, 8, 4, 4, pad=0), 8, side * side)
    if token:
        x = net.op("Concat", net.weights(1, 1, 8), x, axis=1)
    scores = net.op("MatMul", net.linear(x, 8, 8), net.op("Transpose", net.linear(x, 8, 8), perm=[0, 2, 1]))
    weights = net.op("Softmax", net.op("Add", scores, bias.astype(np.float32)), axis=-1)
    return audit(net.model(net.op("MatMul", weights, net.linear(x, 8, 8))))


def distances(side: int, heads: int | None = None) -> Array:
    """A bias per distance along rows and columns, as Swin gathers it from its table."""
    table = np.random.default_rng(1).normal(size=(heads or 1, 2 * side - 1, 2 * side - 1))
    rows, columns = np.divmod(np.arange(side * side), side)
    bias: Array = table[:, rows[:, None] - rows + side - 1, columns[:, None] - columns + side - 1]
    return bias if heads else bias[0]


def test_a_bias_that_depends_on_distances_alone_is_no_absolute_position() -> None:
    assert not biased(distances(8)).encodings
    assert not biased(distances(8)[None]).encodings
    around = np.random.default_rng(2).normal(size=(65, 65))
    around[1:, 1:] = distances(8)
    assert not biased(around, token=True).encodings


def test_a_bias_per_pair_of_positions_is_an_absolute_position() -> None:
    bias = distances(8)
    bias[3, 5] += 1
    assert biased(bias).encodings
    assert biased(np.random.default_rng(2).normal(size=(64, 64))).encodings
    assert biased(np.random.default_rng(2).normal(size=(64, 1))).encodings


def test_a_mask_that_blocks_pairs_is_no_position() -> None:
    blocked = np.zeros((64, 64))
    blocked[:8, 20:] = -100
    assert not biased(blocked).encodings
    assert biased(blocked / 100).encodings


def angles(side: int = 8, width: int = 8) -> Array:
    """The angles of a rotary embedding over the cells of a map, half of the features for rows and half for columns."""
    rows, columns = np.divmod(np.arange(side * side), side)
    pace = 100.0 ** -np.arange(0, 1, 4 / width)
    turns = np.concatenate([rows[:, None] * pace, columns[:, None] * pace], axis=1)
    both: Array = np.concatenate([turns, turns], axis=1)
    return both


def turned(cosine: Array, sine: Array, *, interleaved: bool = False, computed: bool = False) -> Analysis:
    """Attention whose queries and keys are turned by tables of cosines and sines."""
    net = Net(1, 3, 32, 32)
    x = tokens(net, net.conv("x", 3, 8, 4, 4, pad=0), 8, 64)
    tables: list[str] = [net.constant(cosine.astype(np.float32)), net.constant(sine.astype(np.float32))]
    if computed:
        tables = [net.op("Cos", tables[0]), net.op("Sin", tables[0] if sine is cosine else tables[1])]

    def rotated(name: str) -> str:
        low, high = (net.op("Slice", name, [begin], [begin + 4], [2], [1]) for begin in (0, 4))
        if interleaved:
            near, far = (table[:, :4] for table in (cosine.astype(np.float32), sine.astype(np.float32)))
            first = net.op("Sub", net.op("Mul", low, near), net.op("Mul", high, far))
            second = net.op("Add", net.op("Mul", low, far), net.op("Mul", high, near))
            return str(net.op("Concat", first, second, axis=2))
        half = net.op("Concat", net.op("Neg", high), low, axis=2)
        return str(net.op("Add", net.op("Mul", name, tables[0]), net.op("Mul", half, tables[1])))

    query, key = (rotated(net.linear(x, 8, 8)) for _ in range(2))
    scores = net.op("Softmax", net.op("MatMul", query, net.op("Transpose", key, perm=[0, 2, 1])), axis=-1)
    return audit(net.model(net.op("MatMul", scores, net.linear(x, 8, 8))))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_rotary_embedding_is_no_absolute_position(dtype: type[np.floating]) -> None:
    cosine, sine = (table.astype(dtype) for table in (np.cos(angles()), np.sin(angles())))
    assert not turned(cosine, sine).encodings
    assert not turned(cosine, sine, interleaved=True).encodings


def test_a_rotary_embedding_that_the_graph_computes_is_no_absolute_position() -> None:
    angle = angles()
    assert not turned(angle, angle, computed=True).encodings
    assert turned(angles(), angles() + 1, computed=True).encodings


def test_two_tables_that_do_not_turn_by_a_steady_angle_are_absolute_positions() -> None:
    assert len(turned(np.cos(angles()), 1.1 * np.sin(angles())).encodings) == 4
    uneven = angles() ** 2
    assert len(turned(np.cos(uneven), np.sin(uneven)).encodings) == 4


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "kind"),
    [
        (13, 13, 0, HeadKind.POOLED),
        (13, 1, 0, HeadKind.POOLED),
        (15, 15, 1, HeadKind.POOLED),
        (7, 7, 0, HeadKind.POSITION_DEPENDENT),
        (12, 12, 0, HeadKind.POSITION_DEPENDENT),
        (2, 800, 0, HeadKind.POSITION_DEPENDENT),
        (13, 13, 6, HeadKind.POSITION_DEPENDENT),
    ],
)
def test_a_pool_is_an_end_that_is_invariant_only_where_its_one_window_reads_the_whole_map(
    op: str, kernel: int, stride: int, pad: int, kind: HeadKind
) -> None:
    net = Net(1, 3, 13, 13)
    pooled = net.pool(op, net.relu(net.conv("x", 3, 4, 3)), kernel, stride, pad)
    (head,) = audit(net.model(net.op("Flatten", pooled))).heads
    assert head.kind is kind


def test_a_dilated_pool_skips_samples_of_its_map_and_is_no_mean_of_it() -> None:
    net = Net(1, 3, 13, 13)
    pooled = net.pool("MaxPool", net.relu(net.conv("x", 3, 4, 3)), 7, 7, dilations=[2, 2])
    (head,) = audit(net.model(net.op("Flatten", pooled))).heads
    assert head.kind is HeadKind.POSITION_DEPENDENT
