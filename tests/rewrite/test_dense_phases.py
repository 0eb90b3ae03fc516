"""Phase and input averaging of outputs that are maps: every phase is put back in its place before the mean."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from auditor.onnxfile import read_model
from auditor.rewrite.result import Options, Phases, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, fixed, image, ports, run, session
from tests.rewrite.test_phases import ALL, DIAGONAL, between

SIZE = 96
CHOSEN = {Phases.ALL: ALL, Phases.DIAGONAL: DIAGONAL}


def down(made: Network) -> str:
    kind = made.pick(0, 3)
    if kind == 0:
        made.channels, before = made.pick(2, 4), made.channels
        return made.add("Conv", made.weight(made.channels, before, 3, 3), strides=[2, 2], pads=[1] * 4)
    if kind == 1:
        return made.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    if kind == 2:
        starts, steps = made.integers(0, 0), made.integers(2, 2)
        return made.add("Slice", starts, made.integers(2**31 - 1, 2**31 - 1), made.integers(2, 3), steps)
    return made.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)


def convolved(made: Network) -> None:
    made.channels, before = made.pick(2, 4), made.channels
    made.add("Conv", made.weight(made.channels, before, 3, 3), pads=[1] * 4)
    made.add("Relu")


def up(made: Network) -> None:
    kind = made.pick(0, 2)
    if kind == 0:
        made.add("ConvTranspose", made.weight(made.channels, made.channels, 2, 2), strides=[2, 2])
        return
    scales = made.numbers(1, 1, 2, 2)
    made.add("Resize", "", scales, mode=["nearest", "linear"][kind - 1])


def hourglass(seed: int) -> tuple[onnx.ModelProto, list[tuple[str, int]]]:
    """A random U-Net without biases, and its sites, each with the stride of the map that it samples."""
    made = Network(np.random.default_rng(seed), 2, (SIZE, SIZE))
    sites, skips = [], []
    for level in range(made.pick(1, 2)):
        convolved(made)
        skips.append((made.last, made.channels))
        sites.append((down(made), 2**level))
    convolved(made)
    for skip, channels in reversed(skips):
        up(made)
        if made.pick(0, 2):
            made.add("Concat", skip, axis=1)
            made.channels += channels
            convolved(made)
    return made.model(), sites


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(list(CHOSEN)))
def test_a_map_is_the_mean_of_the_network_on_shifted_pictures_shifted_back(seed: int, phases: Phases) -> None:
    model, sites = hourglass(seed)
    # Empty except in the middle, so that borders have nothing to say and a roll is a shift.
    picture = np.zeros_like(image(model))
    picture[:, :, 44:52, 44:52] = image(model, seed)[:, :, 44:52, 44:52]
    name, stride = sites[seed % len(sites)]
    expected = np.mean(
        [
            np.roll(run(model, np.roll(picture, (-a * stride, -b * stride), (2, 3))), (a * stride, b * stride), (2, 3))
            for a, b in CHOSEN[phases]
        ],
        axis=0,
    )
    with TemporaryDirectory() as folder:
        target, done, before = fixed(model, Path(folder), Strategy.PHASE_AVERAGE, Options(phases=phases), (name,))
        assert [site.node.name.raw for site in done.sites] == [name], done.skipped
        onnx.checker.check_model(onnx.load(target), full_check=True)
        assert ports(session(target)) == ports(session(model))
        assert np.allclose(run(target, picture), expected, atol=1e-5)
        after = analyse(read_model(target))
    assert {join.delta for join in after.joins} == {join.delta for join in before.joins}
    for tensor in before.tensors.keys() & after.tensors.keys():
        old, new = before.tensors[tensor], after.tensors[tensor]
        assert [one and (one.stride, one.offset, one.size) for one in old] == [
            one and (one.stride, one.offset, one.size) for one in new
        ]


@pytest.mark.parametrize("phases", list(CHOSEN))
def test_the_border_that_a_shifted_phase_does_not_have_is_that_of_the_original(phases: Phases, tmp_path: Path) -> None:
    made = Network(np.random.default_rng(1), 2, (10, 14))
    site = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    convolved(made)
    up(made)
    up(made)  # an output finer than the input: two samples per pixel
    model = made.model()
    picture = image(model)
    padded = np.pad(picture, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    every: list[Array] = []
    for a, b in CHOSEN[phases]:
        moved = padded[:, :, a : a + 10, b : b + 14]
        pooled = np.maximum.reduce([moved[:, :, i::2, j::2] for i, j in ALL])
        result = between(model, site, "y", pooled)
        placed = every[0].copy() if every else result.copy()
        placed[:, :, 2 * a :, 2 * b :] = result[:, :, : 20 - 2 * a, : 28 - 2 * b]
        every.append(placed)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, Options(phases=phases))
    assert done.sites
    assert np.allclose(run(target, picture), np.mean(every, axis=0), atol=1e-5)


def test_the_average_over_both_levels_of_a_u_net_is_over_the_product_of_their_phases(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(3), 2, (SIZE, SIZE))
    convolved(made)
    skip, channels = made.last, made.channels
    first = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    convolved(made)
    inner, width = made.last, made.channels
    second = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    for other, more in ((inner, width), (skip, channels)):
        convolved(made)
        made.add("Resize", "", made.numbers(1, 1, 2, 2), mode="nearest")
        made.add("Concat", other, axis=1)
        made.channels += more
    convolved(made)
    model = made.model()
    picture = np.zeros_like(image(model))
    picture[:, :, 44:52, 44:52] = image(model)[:, :, 44:52, 44:52]
    shifts = [a + 2 * b for a in (0, 1) for b in (0, 1)]
    expected = np.mean(
        [np.roll(run(model, np.roll(picture, (-d, -d), (2, 3))), (d, d), (2, 3)) for d in shifts], axis=0
    )
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, names=(first, second))
    assert len(done.sites) == 2
    assert np.allclose(run(target, picture), expected, atol=1e-5)


def test_a_map_at_full_resolution_is_averaged_over_shifted_pictures(tmp_path: Path) -> None:
    model, _ = hourglass(5)
    picture = np.zeros_like(image(model))
    picture[:, :, 44:52, 44:52] = image(model)[:, :, 44:52, 44:52]
    moved = np.roll(run(model, np.roll(picture, (-1, -1), (2, 3))), (1, 1), (2, 3))
    target, done, _ = fixed(model, tmp_path, Strategy.INPUT_AVERAGE)
    assert done.path is not None
    assert np.allclose(run(target, picture), (run(model, picture) + moved) / 2, atol=1e-5)


def test_a_sequence_keeps_its_steps_where_only_the_other_axis_is_shifted(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(4), 2, (16, 24))
    site = made.add("MaxPool", kernel_shape=[2, 1], strides=[2, 1])
    convolved(made)
    made.add("ReduceMean", axes=[2], keepdims=0)
    model = made.model()
    del model.graph.output[0].type.tensor_type.shape.dim[3]
    picture = image(model)
    moved = np.pad(picture, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=-np.inf)[:, :, 1:]
    phases = [np.maximum(value[:, :, ::2], value[:, :, 1::2]) for value in (picture, moved)]
    expected = np.mean([between(model, site, "y", phase) for phase in phases], axis=0)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert done.sites
    assert np.allclose(run(target, picture), expected, atol=1e-5)


def outputs(made: Network, folder: Path, **options: Any) -> str:
    _, done, _ = fixed(made.model(), folder, Strategy.PHASE_AVERAGE, **options)
    assert done.path is None
    return done.skipped[0].refusal.reason


def test_a_map_coarser_than_the_shift_is_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(5), 2, (8, 8))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Relu")
    assert "no whole number of samples apart" in outputs(made, tmp_path)


def test_positions_that_are_folded_into_one_axis_are_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(5), 2, (8, 8))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    up(made)
    made.add("Reshape", made.integers(0, 2, -1))
    model = made.model()
    del model.graph.output[0].type.tensor_type.shape.dim[3]
    _, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert "share an axis" in done.skipped[0].refusal.reason


def test_scales_side_by_side_are_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(5), 2, (16, 16))
    site = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    up(made)
    fine = made.add("Reshape", made.integers(0, 2, -1))
    made.last = site
    made.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Reshape", made.integers(0, 2, -1))
    made.add("Concat", fine, axis=2)
    model = made.model()
    del model.graph.output[0].type.tensor_type.shape.dim[3]
    _, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE, names=(site,))
    assert "share an axis" in done.skipped[0].refusal.reason


def test_a_map_that_positions_are_added_to_is_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(5), 2, (8, 8))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Resize", "", made.numbers(1, 1, 2, 2), mode="nearest")
    made.add("Add", made.weight(1, 2, 8, 8))
    assert "may hold positions" in outputs(made, tmp_path)


def test_a_skip_connection_from_a_coarser_grid_than_the_shift_is_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(6), 2, (16, 16))
    trunk = made.last
    made.add("AveragePool", kernel_shape=[4, 4], strides=[4, 4])
    skip, made.last = made.last, trunk
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Relu")
    site = made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Add", skip)
    made.pooled_head()
    assert "does not pass a site like it" in outputs(made, tmp_path, names=(site,))


def test_the_steps_between_phases_of_a_wide_stride_are_whole_on_a_finer_map(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(7), 2, (SIZE, SIZE))
    convolved(made)
    made.add("Conv", made.weight(2, made.channels, 5, 5), strides=[4, 4], pads=[2] * 4)
    made.channels = 2
    up(made)
    model = made.model()
    picture = np.zeros_like(image(model))
    picture[:, :, 44:52, 44:52] = image(model)[:, :, 44:52, 44:52]
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert done.sites
    moved = np.roll(run(model, np.roll(picture, (-2, -2), (2, 3))), (1, 1), (2, 3))
    assert np.allclose(run(target, picture), (run(model, picture) + moved) / 2, atol=1e-5)


def test_the_sizes_of_a_skip_connection_that_the_graph_computes_still_fit(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(8), 2, (12, 12))
    made.nodes.append(helper.make_node("Shape", ["x"], ["size"], "size"))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    shape = made.add("Shape")
    made.last = "MaxPool_1"
    for source, start, stop, name in ((shape, 0, 2, "front"), ("size", 2, 4, "back")):
        bounds = [made.integers(start), made.integers(stop)]
        made.nodes.append(helper.make_node("Slice", [source, *bounds], [name], name))
    made.nodes.append(helper.make_node("Concat", ["front", "back"], ["sizes"], "sizes", axis=0))
    made.add("Resize", "", "", "sizes", mode="nearest")
    made.add("Add", "x")
    model = made.model()
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_AVERAGE)
    assert done.sites
    assert run(target, image(model)).shape == (1, 2, 12, 12)
