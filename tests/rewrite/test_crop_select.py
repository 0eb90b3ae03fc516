"""Crop selection: the window that a picture chooses is the one that an independent score says, and moves with it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from auditor.onnxfile import read_model
from auditor.rewrite.planning import plan
from auditor.rewrite.result import Options, Phases, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, fixed, ports, run, session

CROP = Strategy.CROP_SELECT


def network(
    sizes: tuple[int, ...] = (24, 30), channels: int = 3, opset: int = 17, dtype: Any = np.float32
) -> onnx.ModelProto:
    """A network that every shift of its picture changes: odd weights, two strided layers, a pooled head."""
    made = Network(np.random.default_rng(0), channels, sizes, opset=opset, dtype=dtype)
    made.add("Conv", made.weight(4, channels, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    made.add("Relu")
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("MatMul", made.weight(4, 5))
    model = made.model()
    del model.graph.output[0].type.tensor_type.shape.dim[2:]
    return model


def batched(model: onnx.ModelProto, batch: int | str) -> onnx.ModelProto:
    dim = model.graph.input[0].type.tensor_type.shape.dim[0]
    if isinstance(batch, int):
        dim.dim_value = batch
    else:
        dim.dim_param = batch
    return model


def energy(picture: Array) -> Array:
    """The squared gradient of the mean over the channels, between the pixels: by central differences of 2x2 means."""
    grey = picture.astype(np.float64).mean(axis=0)
    down = np.diff((grey[:, 1:] + grey[:, :-1]) / 2, axis=0)
    across = np.diff((grey[1:] + grey[:-1]) / 2, axis=1)
    return np.asarray(down**2 + across**2)


def best_windows(picture: Array, margins: tuple[int, int]) -> list[tuple[int, int]]:
    """The moves whose score is the largest up to the rounding of a float32 sum, scored one by one."""
    power = energy(picture)
    scores = {}
    for down, across in product(*(range(-margin, margin + 1) for margin in margins)):
        weights = []
        for size, margin, move in zip(power.shape, margins, (down, across), strict=True):
            middle = margin + 1 + (size - 2 * margin - 3) // 2  # of the gradients, half a pixel to the left at worst
            weights.append(np.maximum(2 - np.abs(np.arange(size) - middle - move), 0))
        total = float(weights[0] @ power @ weights[1])
        scores[down, across] = total
    most = max(scores.values())
    return [move for move, score in scores.items() if score >= most * (1 - 1e-6)]


def window(picture: Array, margins: tuple[int, int], move: tuple[int, int]) -> Array:
    """The window of a picture (C, H, W) that has moved, which is reflected at its border."""
    rows, columns = picture.shape[1:]
    wide = np.pad(picture, ((0, 0), *((margin, margin) for margin in margins)), mode="reflect")
    top, left = (margin + step for margin, step in zip(margins, move, strict=True))
    return np.array(wide[:, top : top + rows, left : left + columns])


def photograph(rows: int, columns: int, seed: int, dtype: Any = np.float32) -> Array:
    """Smooth noise, brighter somewhere: shape (1, 3, rows, columns)."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((1, 3, rows, columns))
    where = np.exp(-((np.arange(rows)[:, None] - random.uniform(0, rows)) ** 2) / 40)
    where = where * np.exp(-((np.arange(columns) - random.uniform(0, columns)) ** 2) / 40)
    return np.asarray(noise * (0.2 + 2 * where), dtype)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("sizes", "opset", "options", "margins"),
    [
        ((24, 30), 17, Options(), (3, 3)),
        ((24, 30), 17, Options(margin=4), (4, 4)),
        ((33, 40), 7, Options(), (4, 4)),
        ((25, 25), 18, Options(margin=5), (5, 5)),
        ((24, 30), 24, Options(margin=3), (3, 3)),
    ],
)
def test_the_output_is_that_of_the_window_with_the_best_score(
    sizes: tuple[int, int], opset: int, options: Options, margins: tuple[int, int], seed: int, tmp_path: Path
) -> None:
    model = network(sizes, opset=opset)
    target, done, _ = fixed(model, tmp_path, CROP, options)
    assert done.path is not None
    picture = photograph(*sizes, seed)
    found = run(target, picture)
    expected = [run(model, window(picture[0], margins, move)[None]) for move in best_windows(picture[0], margins)]
    assert any(np.array_equal(found, one) for one in expected)


def test_an_object_on_a_plain_ground_gives_the_same_output_wherever_it_stands_within_the_margin(tmp_path: Path) -> None:
    model = network((40, 40))
    target, _, _ = fixed(model, tmp_path, CROP, Options(margin=6))
    thing = np.random.default_rng(1).standard_normal((3, 9, 9))
    thing[:, 4, 4] = 9
    outputs, untouched = [], []
    for down, across in product(range(-5, 6, 2), range(-5, 6)):
        picture = np.full((1, 3, 40, 40), 0.5, np.float32)
        picture[0, :, 16 + down : 25 + down, 16 + across : 25 + across] += thing
        outputs.append(run(target, picture))
        untouched.append(run(model, picture))
    assert all(np.array_equal(one, outputs[0]) for one in outputs)
    assert not all(np.allclose(one, untouched[0]) for one in untouched)


@pytest.mark.parametrize("slope", [(0, 0), (1, 0), (2, 3), (-1, 4)])
def test_a_picture_without_anything_to_choose_by_keeps_its_own_window(slope: tuple[int, int], tmp_path: Path) -> None:
    model = network()
    target, _, _ = fixed(model, tmp_path, CROP, Options(margin=4))
    ramp = np.add.outer(slope[0] * np.arange(24.0), slope[1] * np.arange(30.0))
    picture = np.broadcast_to(ramp, (1, 3, 24, 30)).astype(np.float32)
    assert np.array_equal(run(target, picture), run(model, picture))


@pytest.mark.parametrize("batch", [3, "batch"])
def test_every_picture_of_a_batch_chooses_its_own_window(batch: int | str, tmp_path: Path) -> None:
    model = batched(network(), batch)
    target, done, _ = fixed(model, tmp_path, CROP, Options(margin=4))
    assert done.path is not None
    assert ports(session(target)) == ports(session(model))
    pictures = np.concatenate([photograph(24, 30, seed) for seed in range(3)])
    chosen = [best_windows(picture, (4, 4))[0] for picture in pictures]
    assert len(set(chosen)) == 3
    windows = np.stack([window(picture, (4, 4), move) for picture, move in zip(pictures, chosen, strict=True)])
    assert np.array_equal(run(target, pictures), run(model, windows))


def test_pictures_with_their_channels_last_choose_the_same_window(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 30, (3, 24))  # (1, 30, 3, 24) is what the Transpose takes apart below
    made.input = (1, 24, 30, 3)
    made.add("Transpose", perm=[0, 3, 1, 2])
    made.add("Conv", made.weight(4, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    made.add("Relu")
    made.channels = 4
    made.pooled_head()
    model = made.model()
    target, done, _ = fixed(model, tmp_path, CROP, Options(margin=4))
    assert done.path is not None
    picture = photograph(24, 30, 2)
    (move,) = best_windows(picture[0], (4, 4))
    assert move != (0, 0)
    expected = window(picture[0], (4, 4), move)[None].transpose(0, 2, 3, 1)
    assert np.array_equal(run(target, picture.transpose(0, 2, 3, 1).copy()), run(model, expected.copy()))


def test_half_precision_is_scored_in_single_precision_where_squares_of_grey_values_fit(tmp_path: Path) -> None:
    model = network(dtype=np.float16)
    target, _, _ = fixed(model, tmp_path, CROP, Options(margin=4))
    picture = (photograph(24, 30, 3) * 60 + 128).clip(0, 255).astype(np.float16)
    expected = [run(model, window(picture[0], (4, 4), move)[None]) for move in best_windows(picture[0], (4, 4))]
    assert any(np.array_equal(run(target, picture), one) for one in expected)


@pytest.mark.parametrize("batch", [1, "batch"])
def test_the_interface_and_every_lattice_stay_and_a_second_run_changes_nothing(
    batch: int | str, tmp_path: Path
) -> None:
    model = batched(network(), batch)
    target, done, before = fixed(model, tmp_path, CROP)
    written = onnx.load(target)
    onnx.checker.check_model(written, full_check=True)
    assert ports(session(target)) == ports(session(model))
    assert not done.sites
    assert done.flops is not None
    after = analyse(read_model(target))
    assert not after.untracked
    assert not after.encodings
    assert not after.joins
    assert [head.kind for head in after.heads] == [head.kind for head in before.heads]
    for name in before.tensors.keys() & after.tensors.keys():
        assert after.tensors[name] == before.tensors[name]
    assert [site.cumulative for site in after.sites] == [site.cumulative for site in before.sites]
    again = tmp_path / "again"
    again.mkdir()
    _, second, _ = fixed(written, again, CROP)
    assert second.path is None
    assert "an earlier run" in second.skipped[0].refusal.reason


def test_averaging_over_shifts_goes_in_front_of_a_chosen_window_and_not_behind_it(tmp_path: Path) -> None:
    model = network()
    averaged, _, _ = fixed(model, tmp_path, Strategy.INPUT_AVERAGE, Options(phases=Phases.DIAGONAL))
    both = tmp_path / "both"
    both.mkdir()
    target, done, _ = fixed(onnx.load(averaged), both, CROP, Options(margin=4))
    assert done.path is not None
    picture = photograph(24, 30, 5)
    (move,) = best_windows(picture[0], (4, 4))
    assert np.allclose(run(target, picture), run(averaged, window(picture[0], (4, 4), move)[None]))
    other = tmp_path / "other"
    other.mkdir()
    _, refused, _ = fixed(onnx.load(target), other, Strategy.INPUT_AVERAGE)
    assert refused.path is None


def test_phases_are_averaged_behind_a_chosen_window(tmp_path: Path) -> None:
    target, _, _ = fixed(network(), tmp_path, CROP, Options(margin=4))
    behind = tmp_path / "behind"
    behind.mkdir()
    averaged, done, _ = fixed(onnx.load(target), behind, Strategy.PHASE_AVERAGE)
    assert done.sites
    plain = tmp_path / "plain"
    plain.mkdir()
    alone, _, _ = fixed(network(), plain, Strategy.PHASE_AVERAGE)
    picture = photograph(24, 30, 5)
    (move,) = best_windows(picture[0], (4, 4))
    assert np.allclose(run(averaged, picture), run(alone, window(picture[0], (4, 4), move)[None]), atol=1e-6)


def reason(model: onnx.ModelProto, folder: Path, options: Options | None = None) -> str:
    _, done, _ = fixed(model, folder, CROP, options)
    assert done.path is None
    return done.skipped[0].refusal.reason


def test_outputs_that_say_where_something_is_are_refused(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 3, (24, 24))
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("Relu")
    assert "would move with the window" in reason(made.model(), tmp_path)


def test_a_second_input_is_refused_since_it_may_name_places(tmp_path: Path) -> None:
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("points", 1, [1, 5]))
    model.graph.node[-1].output[0] = "scores"
    model.graph.node.append(helper.make_node("Add", ["scores", "points"], ["y"]))
    assert "another input" in reason(model, tmp_path)


def test_an_open_size_and_a_window_that_moves_too_far_are_refused(tmp_path: Path) -> None:
    assert "quarter" in reason(network(), tmp_path, Options(margin=6))
    model = network()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "rows"
    assert "leaves open" in reason(model, tmp_path)


def test_a_batch_needs_an_operator_that_old_opsets_do_not_have(tmp_path: Path) -> None:
    assert "opset 12" in reason(batched(network(opset=11), 2), tmp_path)
    _, done, _ = fixed(network(opset=11), tmp_path, CROP)
    assert done.path is not None


def test_a_sound_is_no_picture(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 1, (64,))
    made.add("Conv", made.weight(4, 1, 3), strides=[2])
    made.channels = 4
    made.pooled_head()
    assert "no picture" in reason(made.model(), tmp_path)


def test_the_plan_offers_it_beside_input_averaging_with_its_price(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(network((48, 48)).SerializeToString())
    model = read_model(path)
    offered = {offer.strategy: offer for offer in plan(model, analyse(model)).input}
    assert offered.keys() == {Strategy.INPUT_AVERAGE, Strategy.GRID_LOCK, CROP}
    price = offered[CROP].flops
    assert price is not None
    assert 1 < price < 2
