"""Grid lock: the window is the one that an independent key and kernel choose, and it follows the picture."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.result import Camera, Lock, Options, Room, Strategy
from auditor.sampling import analyse
from tests.rewrite.networks import Array, Network, fixed, ports, run, session

LOCK = Strategy.GRID_LOCK
SIDES = 48, 56
PERIOD = 8


def network(
    sizes: tuple[int, int] = SIDES,
    batch: int | str = 1,
    *,
    channels: int = 3,
    opset: int = 13,
    dtype: Any = np.float32,
) -> onnx.ModelProto:
    """Three strided layers and a pooled head: every shift of the picture that is no multiple of 8 changes it."""
    made = Network(np.random.default_rng(0), channels, sizes, opset=opset, dtype=dtype)
    made.add("Conv", made.weight(4, channels, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    made.add("Relu")
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.add("GlobalAveragePool")
    made.add("Flatten")
    made.add("MatMul", made.weight(4, 5))
    model = made.model()
    del model.graph.output[0].type.tensor_type.shape.dim[2:]
    set_dim(model, 0, batch)
    return model


def set_dim(model: onnx.ModelProto, axis: int, size: int | str) -> None:
    dim = model.graph.input[0].type.tensor_type.shape.dim[axis]
    if isinstance(size, int):
        dim.dim_value = size
    else:
        dim.dim_param = size


def window_only(
    sizes: tuple[int, int], batch: int | str = 1, *, dtype: Any = np.float32, last: bool = False, channels: int = 3
) -> onnx.ModelProto:
    """A network whose output is the sum of its input by rows of 1x1 maps, and so tells every pixel of its window: a
    convolution as large as the picture, with one filter per pixel of a sparse set.
    """
    rows, columns = sizes
    random = np.random.default_rng(3)
    weights = random.standard_normal((6, channels, rows, columns)) / 50
    nodes = []
    source = "x"
    if dtype != np.float32:
        nodes.append(helper.make_node("Cast", ["x"], ["single"], to=1))
        source = "single"
    if last:
        nodes.append(helper.make_node("Transpose", [source], ["first"], perm=[0, 3, 1, 2]))
        source = "first"
    nodes += [
        helper.make_node("MaxPool", [source], ["unused"], kernel_shape=[2, 2], strides=[8, 8]),
        helper.make_node("Conv", [source, "w"], ["y4"]),
        helper.make_node("Flatten", ["y4"], ["y"]),
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    shape = (batch, rows, columns, channels) if last else (batch, channels, rows, columns)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", 1, (batch, 6))],
        [numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def scene(height: int, width: int, seed: int) -> Array:
    """A picture (3, H, W) on 0..1 with objects of several sizes, large enough to cut views of it."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    picture = np.zeros((3, height, width))
    for _ in range(60):
        row, column = random.uniform(0, height), random.uniform(0, width)
        size, colour = random.uniform(2, 9), random.uniform(0, 1, 3)
        inside = np.clip(size - np.hypot(y - row, (x - column) * random.uniform(0.6, 1.6)), 0, 1)
        picture += inside * (colour[:, None, None] - picture)
    return picture


# The key, the choice and the cut of the page, in double precision, written anew.


def smoothed(grey: Array) -> Array:
    for _ in range(2):
        total = sum(grey[i : grey.shape[0] - 6 + i, j : grey.shape[1] - 6 + j] for i, j in product(range(7), repeat=2))
        grey = np.asarray(total) / 49
    return grey


def energy(picture: Array) -> Array:
    """(dx^2 + dy^2)^1.5 of a smoothed (C, H, W), under half a sine; its first value stands at pixel 7."""
    grey = smoothed(picture.astype(np.float64).mean(axis=0))
    down = (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2
    across = (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2
    power = (down**2 + across**2) ** 1.5
    tapers = [np.sin(np.pi * (np.arange(n) + 0.5) / n) for n in power.shape]
    return np.asarray(power * np.outer(*tapers))


def scores(line: Array, period: int, room: int, steps: int, border: int = 0) -> tuple[Array, Array]:
    """The offsets, and the score of each: sum over pixels of m[pos] and k of cos(2 pi k (pos - w + 3/8 S) / S).

    k runs up to 4, as far as a wave has four pixels or more.
    """
    places = np.arange(len(line)) + 7 + border + 3 / 8 * period
    offsets = (room - period) // 2 + np.arange(period * steps) / steps
    orders = [order for order in (1, 2, 3, 4) if order == 1 or period / order >= 4]
    angles = [2 * np.pi * (places - offset) / period for offset in offsets]
    return offsets, np.array([line @ sum(np.cos(order * angle) for order in orders) for angle in angles])


def kernel(fraction: float) -> Array:
    """Fourteen taps of sum 1, centred there, that come nearest to the response of those midway between two pixels.

    These come nearest to passing all up to 0.7 of the highest frequency, rising to 1.05; both by the spectrum 1 / f^2.
    """
    taps = np.arange(-6, 8)
    frequency = np.linspace(0, np.pi, 513)[:, None]
    weight = 1 / np.maximum(frequency, 0.1)
    inside = weight * (frequency <= 0.7 * np.pi)
    rising = 1 + 0.05 * np.sin(np.minimum(frequency / 0.7, np.pi) / 2) ** 2
    half = nearest(inside * np.exp(1j * frequency * (taps - 0.5)), inside * rising, taps, 0.5)
    target = weight * (np.exp(1j * frequency * (taps - 0.5)) @ half)[:, None].real
    return nearest(weight * np.exp(1j * frequency * (taps - fraction)), target, taps, fraction)


def nearest(waves: Array, target: Array, taps: Array, centre: float) -> Array:
    """Least squares over what has sum 1 and this centre: one such kernel, and all that has neither sum nor centre."""
    conditions = np.stack([np.ones(len(taps)), taps])
    known = np.linalg.pinv(conditions) @ [1, centre]
    free = np.linalg.svd(conditions)[2][2:].T
    rest = target[:, 0] - waves @ known
    system = waves @ free
    stacked = np.vstack([system.real, system.imag]), np.concatenate([rest.real, rest.imag])
    return np.asarray(known + free @ np.linalg.lstsq(*stacked, rcond=None)[0])


def between(rows: Array, offset: float, size: int) -> Array:
    """``size`` samples along the first axis, from ``offset`` on."""
    whole = int(np.floor(offset))
    weights = kernel(offset - whole)
    picked = [rows[whole + tap - 6 : whole + tap - 6 + size] * weight for tap, weight in enumerate(weights)]
    return np.asarray(sum(picked))


def chosen(picture: Array, period: int, room: int, steps: int, border: int = 0) -> tuple[float, float]:
    power = energy(picture)
    found = []
    for axis in (1, 0):
        offsets, score = scores(power.sum(axis=axis), period, room, steps, border)
        found.append(float(offsets[int(score.argmax())]))
    return found[0], found[1]


def cut(picture: Array, offsets: tuple[float, float], sizes: tuple[int, int], steps: int) -> Array:
    """The window (C, H, W) of a view (C, H', W')."""
    if steps == 1:
        top, left = map(int, offsets)
        return picture[:, top : top + sizes[0], left : left + sizes[1]]
    rows = between(picture.transpose(1, 0, 2), offsets[0], sizes[0]).transpose(1, 0, 2)
    return np.asarray(between(rows.transpose(2, 0, 1), offsets[1], sizes[1]).transpose(1, 2, 0))


def expected(model: onnx.ModelProto, view: Array, sizes: tuple[int, int], period: int, steps: int) -> list[Array]:
    """The outputs for the best offsets and those a step beside them, of one view (C, H', W')."""
    best = chosen(view, period, view.shape[1] - sizes[0], steps)
    around = (-1 / steps, 0, 1 / steps) if steps > 1 else (0,)
    outputs = []
    for down, across in product(around, repeat=2):
        window = cut(view.astype(np.float64), (best[0] + down, best[1] + across), sizes, steps)
        window = window.round().clip(0, 255) if view.dtype == np.uint8 else window
        outputs.append(run(model, window[None].astype(np.float32)))
    return outputs


def is_one_of(found: Array, candidates: list[Array], tolerance: float = 2e-5) -> bool:
    return any(np.allclose(found, one, atol=tolerance) for one in candidates)


FORMS = pytest.mark.parametrize(("lock", "steps"), [(Lock.SUB_PIXEL, 32), (Lock.WHOLE_PIXEL, 1)])


@FORMS
@pytest.mark.parametrize("seed", range(3))
def test_the_network_sees_the_window_that_the_page_says(lock: Lock, steps: int, seed: int, tmp_path: Path) -> None:
    model = window_only(SIDES)
    target, done, _ = fixed(model, tmp_path, LOCK, Options(places="none", lock=lock, period=PERIOD, margin=10))
    assert done.path is not None
    view = scene(SIDES[0] + 20, SIDES[1] + 20, seed)
    assert is_one_of(run(target, view[None].astype(np.float32)), expected(model, view, SIDES, PERIOD, steps))


@pytest.mark.parametrize("opset", [7, 12, 18, 22])
def test_every_opset_gives_the_same_window(opset: int, tmp_path: Path) -> None:
    view = scene(SIDES[0] + 20, SIDES[1] + 20, 1)[None].astype(np.float32)
    outputs = []
    for version in (opset, 13):
        (folder := tmp_path / str(version)).mkdir()
        target, done, _ = fixed(network(opset=version), folder, LOCK, Options(period=PERIOD, margin=10))
        assert done.path is not None
        outputs.append(run(target, view))
    assert np.allclose(outputs[0], outputs[1], atol=1e-6)


@FORMS
@pytest.mark.parametrize("batch", [3, "batch"])
def test_every_picture_of_a_batch_chooses_its_own_window(
    lock: Lock, steps: int, batch: int | str, tmp_path: Path
) -> None:
    model = window_only(SIDES, batch)
    target, done, _ = fixed(model, tmp_path, LOCK, Options(places="none", lock=lock, period=PERIOD, margin=10))
    assert done.path is not None
    views = [scene(SIDES[0] + 20, SIDES[1] + 20, seed) for seed in range(3)]
    assert len({chosen(view, PERIOD, 20, steps) for view in views}) == 3
    found = run(target, np.stack(views).astype(np.float32))
    alone = window_only(SIDES)
    for row, view in zip(found, views, strict=True):
        assert is_one_of(row[None], expected(alone, view, SIDES, PERIOD, steps))


@FORMS
def test_a_picture_that_moves_by_a_pixel_takes_its_window_along(lock: Lock, steps: int, tmp_path: Path) -> None:
    del steps
    sizes = 112, 120
    model = network(sizes)
    target, _, _ = fixed(model, tmp_path, LOCK, Options(lock=lock, period=PERIOD, margin=10))
    locked, plain = session(target), session(model)
    changes = []
    for seed in range(30):
        world = scene(sizes[0] + 24, sizes[1] + 24, seed).astype(np.float32)[None]
        for y, x in ((0, 0), (1, 3), (2, 1)):
            outputs = []
            for running, inset in ((locked, 0), (plain, 10)):
                rows, columns = (size + 20 - 2 * inset for size in sizes)
                for step in (0, 1):
                    top, left = y + inset + step, x + inset + step
                    outputs.append(running.run(None, {"x": world[:, :, top : top + rows, left : left + columns]})[0])
            changes.append([np.abs(outputs[i] - outputs[i + 1]).max() for i in (0, 2)])
    mine, theirs = np.mean(changes, axis=0)
    assert mine < 0.5 * theirs


@pytest.mark.parametrize("batch", [1, "batch"])
def test_pictures_with_their_channels_last_choose_the_same_window(batch: int | str, tmp_path: Path) -> None:
    options = Options(places="none", period=PERIOD, margin=10)
    outputs = []
    for last in (False, True):
        (folder := tmp_path / str(last)).mkdir()
        target, done, _ = fixed(window_only(SIDES, batch, last=last), folder, LOCK, options)
        assert done.path is not None
        view = scene(SIDES[0] + 20, SIDES[1] + 20, 4)[None].astype(np.float32)
        outputs.append(run(target, view.transpose(0, 2, 3, 1).copy() if last else view))
    assert np.allclose(outputs[0], outputs[1], atol=1e-6)


@pytest.mark.parametrize(("dtype", "scale"), [(np.float16, 255), (np.float16, 1), (np.float64, 1), (np.uint8, 255)])
@FORMS
def test_other_types_choose_as_single_precision_does(
    dtype: Any, scale: float, lock: Lock, steps: int, tmp_path: Path
) -> None:
    model = window_only(SIDES, dtype=dtype)
    target, done, _ = fixed(model, tmp_path, LOCK, Options(places="none", lock=lock, period=PERIOD, margin=10))
    assert done.path is not None
    view = (scene(SIDES[0] + 20, SIDES[1] + 20, 5) * scale).round(0 if dtype == np.uint8 else 12).astype(dtype)
    tolerance = {np.float16: 2e-3, np.uint8: 1e-3}.get(dtype, 2e-5) * max(scale, 1)
    candidates = expected(window_only(SIDES), view, SIDES, PERIOD, steps)
    assert is_one_of(run(target, view[None]), candidates, tolerance)


def test_bytes_stay_within_their_range_behind_a_kernel_that_overshoots(tmp_path: Path) -> None:
    target, _, _ = fixed(
        window_only(SIDES, dtype=np.uint8), tmp_path, LOCK, Options(places="none", period=PERIOD, margin=10)
    )
    view = np.zeros((1, 3, SIDES[0] + 20, SIDES[1] + 20), np.uint8)
    view[..., 20:45, 17:50] = 255
    model = onnx.load(target)
    name = next(node.input[0] for node in model.graph.node if node.output[0] == "single")
    model.graph.output.append(helper.make_tensor_value_info(name, 2, None))
    window = np.asarray(session(model).run([name], {"x": view})[0])
    assert set(np.unique(window)) >= {0, 255}
    assert (window[:, :, 24:28, 24:28] == 255).all()  # no overshoot wraps around


@pytest.mark.parametrize("batch", [1, "batch"])
def test_sides_that_the_file_leaves_open_take_any_size(batch: int | str, tmp_path: Path) -> None:
    model = network(batch=batch)
    for axis in (2, 3):
        set_dim(model, axis, f"side{axis}")
    target, done, _ = fixed(model, tmp_path, LOCK, Options(period=PERIOD, margin=10))
    assert done.path is not None
    assert "20 pixels larger" in done.feeding
    for sizes in ((40, 64), (72, 48)):
        view = scene(sizes[0] + 20, sizes[1] + 20, 6)
        found = run(target, view[None].astype(np.float32))
        assert is_one_of(found, expected(network(sizes), view, sizes, PERIOD, 32))


def test_a_padded_picture_keeps_the_interface(tmp_path: Path) -> None:
    model = window_only(SIDES)
    target, done, _ = fixed(model, tmp_path, LOCK, Options(places="none", period=PERIOD, room=Room.PAD))
    assert ports(session(target)) == ports(session(model))
    assert not done.feeding
    picture = scene(*SIDES, 7)
    room = PERIOD + 12
    view = np.pad(picture, ((0, 0), (room // 2,) * 2, (room // 2,) * 2), mode="edge")
    best = chosen(picture, PERIOD, room, 32, border=room // 2)
    steps = (-1 / 32, 0, 1 / 32)
    candidates = [
        run(model, cut(view, (best[0] + down, best[1] + across), SIDES, 32)[None].astype(np.float32))
        for down, across in product(steps, repeat=2)
    ]
    assert is_one_of(run(target, picture[None].astype(np.float32)), candidates)


def test_a_picture_without_content_keeps_the_middle_window(tmp_path: Path) -> None:
    model = window_only(SIDES)
    target, _, _ = fixed(model, tmp_path, LOCK, Options(places="none", lock=Lock.WHOLE_PIXEL, period=PERIOD, margin=10))
    view = np.full((1, 3, SIDES[0] + 20, SIDES[1] + 20), 0.25, np.float32)
    assert np.allclose(run(target, view), run(model, view[..., 10:-10, 10:-10]), atol=1e-6)


@given(st.integers(0, 31))
@settings(max_examples=32, deadline=None)
def test_the_kernels_between_pixels_sum_to_one_and_blur_alike(step: int) -> None:
    from auditor.rewrite.lock.tables import kernels

    made = kernels(np.array([5 + step / 32]))[0]
    assert np.allclose(made, kernel(step / 32), atol=1e-6)
    assert made.sum() == pytest.approx(1, abs=1e-6)
    centre = made @ np.arange(-6, 8)
    assert centre == pytest.approx(step / 32, abs=1e-6)
    frequency = np.exp(-1j * np.outer(np.linspace(0, 0.7 * np.pi, 15), np.arange(-6, 8)))
    passed = np.abs(frequency @ made)
    assert np.abs(passed - np.abs(frequency @ kernel(0.5))).max() < 0.03
    assert passed.min() > 0.99  # a blur costs accuracy


@pytest.mark.parametrize("align", [0, 2, 7])
def test_the_window_begins_as_far_behind_the_phase_as_is_asked_for(align: int, tmp_path: Path) -> None:
    """A window further on by so many pixels, modulo the period; 3/8 of it are 3 pixels without a word."""
    model, view = window_only(SIDES), scene(SIDES[0] + 20, SIDES[1] + 20, 3).astype(np.float32)
    options = Options(places="none", lock=Lock.WHOLE_PIXEL, period=PERIOD, margin=10, align=align)
    target, _, _ = fixed(model, tmp_path, LOCK, options)
    top, left = (6 + (int(usual) - 6 + align - 3) % PERIOD for usual in chosen(view, PERIOD, 20, 1))
    window = view[None, :, top : top + SIDES[0], left : left + SIDES[1]]
    assert np.allclose(run(target, view[None]), run(model, window), atol=1e-4)


@pytest.mark.parametrize("batch", [1, 2, "batch"])
@FORMS
def test_the_audit_sees_the_network_as_before_and_a_second_run_changes_nothing(
    batch: int | str, lock: Lock, steps: int, tmp_path: Path
) -> None:
    del steps
    model = network(batch=batch)
    target, done, before = fixed(model, tmp_path, LOCK, Options(lock=lock))
    written = onnx.load(target)
    onnx.checker.check_model(written, full_check=True)
    session(target)
    assert max(opset.version for opset in written.opset_import) == 13
    assert not done.sites
    assert done.flops is not None
    after = analyse(read_model(target))
    assert not after.untracked
    assert not after.encodings
    assert not after.joins
    assert [head.kind for head in after.heads] == [head.kind for head in before.heads]
    assert [(site.kind, site.cumulative) for site in after.sites] == [
        (site.kind, site.cumulative) for site in before.sites
    ]
    (again := tmp_path / "again").mkdir()
    _, second, _ = fixed(written, again, LOCK, Options(lock=lock))
    assert second.path is None
    assert "an earlier run" in second.skipped[0].refusal.reason


def test_the_file_says_how_large_a_picture_it_takes(tmp_path: Path) -> None:
    target, done, _ = fixed(network(), tmp_path, LOCK)
    assert "feed 72x80 pixels instead of 48x56" in done.feeding
    written = onnx.load(target)
    assert [dim.dim_value for dim in written.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 72, 80]
    (entry,) = (entry.value for entry in written.metadata_props if entry.key == "aliasaudit.fix")
    assert '"fed": [72, 80]' in entry
    assert '"window": [48, 56]' in entry
    assert '"period": 8' in entry


def test_averages_over_shifts_go_into_the_window_and_not_around_it(tmp_path: Path) -> None:
    averaged, _, _ = fixed(network(), tmp_path, Strategy.INPUT_AVERAGE)
    (both := tmp_path / "both").mkdir()
    target, done, _ = fixed(onnx.load(averaged), both, LOCK, Options(period=PERIOD, margin=10))
    assert done.path is not None
    view = scene(SIDES[0] + 20, SIDES[1] + 20, 5)
    assert is_one_of(run(target, view[None].astype(np.float32)), expected(onnx.load(averaged), view, SIDES, PERIOD, 32))
    (around := tmp_path / "around").mkdir()
    _, refused, _ = fixed(onnx.load(target), around, Strategy.INPUT_AVERAGE)
    assert "lock it then" in refused.skipped[0].refusal.reason


def test_phases_are_averaged_behind_a_locked_window(tmp_path: Path) -> None:
    target, _, _ = fixed(network(), tmp_path, LOCK, Options(period=PERIOD, margin=10))
    (behind := tmp_path / "behind").mkdir()
    averaged, done, _ = fixed(onnx.load(target), behind, Strategy.PHASE_AVERAGE)
    assert done.sites
    (plain := tmp_path / "plain").mkdir()
    alone, _, _ = fixed(network(), plain, Strategy.PHASE_AVERAGE)
    view = scene(SIDES[0] + 20, SIDES[1] + 20, 6)
    assert is_one_of(run(averaged, view[None].astype(np.float32)), expected(onnx.load(alone), view, SIDES, PERIOD, 32))


def reason(model: onnx.ModelProto, folder: Path, options: Options | None = None) -> str:
    _, done, _ = fixed(model, folder, LOCK, options)
    assert done.path is None
    return done.skipped[0].refusal.reason


def test_a_fixed_camera_is_refused_and_a_moving_one_is_not(tmp_path: Path) -> None:
    refusal = reason(network(), tmp_path, Options(camera=Camera.FIXED))
    assert "fixed camera" in refusal
    assert "window-average for boxes" in refusal
    _, done, _ = fixed(network(), tmp_path, LOCK, Options(camera=Camera.MOVING))
    assert done.path is not None


def test_room_that_a_window_cannot_move_in_is_refused(tmp_path: Path) -> None:
    assert "needs a margin of 10" in reason(network(), tmp_path, Options(period=8, margin=9))
    _, done, _ = fixed(network(), tmp_path, LOCK, Options(period=8, margin=10))
    assert done.path is not None
    assert "too small" in reason(network(), tmp_path, Options(period=32))


def test_a_second_input_is_refused_since_it_may_name_places(tmp_path: Path) -> None:
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("points", 1, [1, 5]))
    model.graph.node[-1].output[0] = "scores"
    model.graph.node.append(helper.make_node("Add", ["scores", "points"], ["y"]))
    assert "another input" in reason(model, tmp_path)


def test_old_opsets_and_unusual_channels_are_refused(tmp_path: Path) -> None:
    assert "opset 7" in reason(network(opset=6), tmp_path)
    model = network(opset=10)
    set_dim(model, 2, "rows")
    assert "opset 11" in reason(model, tmp_path)
    assert "opset 12" in reason(network(opset=11, batch="n"), tmp_path)
    assert "5 channels" in reason(network(channels=5), tmp_path)
    for channels in (1, 4):
        (folder := tmp_path / str(channels)).mkdir()
        _, done, _ = fixed(network(channels=channels), folder, LOCK)
        assert done.path is not None


def segmenter(batch: int | str = 1, last: bool = False, labels: bool = False, stride: int = 2) -> onnx.ModelProto:
    """A map as large as the picture, or coarser: two channels, or the larger one of each pixel."""
    weights = np.random.default_rng(2).standard_normal((2, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2] if last else [0, 1, 2, 3]),
        helper.make_node("Conv", ["first", "w"], ["fine"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["fine"], ["coarse"], kernel_shape=[2, 2], strides=[stride, stride]),
        helper.make_node("Resize", ["coarse", "", "scales"], ["again"], mode="nearest"),
        helper.make_node("Add", ["fine", "again"] if stride == 2 else ["coarse", "coarse"], ["both"]),
        helper.make_node("Transpose", ["both"], ["turned"], perm=[0, 2, 3, 1] if last else [0, 1, 2, 3]),
        helper.make_node("ArgMax", ["turned"], ["y"], axis=3 if last else 1)
        if labels
        else helper.make_node("Identity", ["turned"], ["y"]),
    ]
    if stride != 2:
        del nodes[3]
    shape = (batch, *SIDES, 3) if last else (batch, 3, *SIDES)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("y", 7 if labels else 1, [None] * 4)],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("lock", "labels"), [(Lock.SUB_PIXEL, False), (Lock.SUB_PIXEL, True), (Lock.WHOLE_PIXEL, False)]
)
def test_a_map_is_moved_back_to_the_picture_that_is_fed(lock: Lock, labels: bool, last: bool, tmp_path: Path) -> None:
    model = segmenter(last=last, labels=labels)
    target, done, before = fixed(model, tmp_path, LOCK, Options(lock=lock, period=PERIOD))
    assert done.path is not None
    assert ports(session(target)) == ports(session(model))
    onnx.checker.check_model(onnx.load(target), full_check=True)
    after = analyse(read_model(target))
    assert not after.untracked
    assert [head.kind for head in after.heads] == [head.kind for head in before.heads]
    picture = scene(*SIDES, 7)
    steps, room = (1 if lock is Lock.WHOLE_PIXEL else 32), PERIOD + 12
    best = chosen(picture, PERIOD, room, steps, border=room // 2)
    view = np.pad(picture, ((0, 0), (room // 2,) * 2, (room // 2,) * 2), mode="edge")
    window = cut(view, best, SIDES, steps)
    order, back = ((1, 2, 0), (2, 0, 1)) if last else ((0, 1, 2), (0, 1, 2))
    inner = run(model, window.transpose(order)[None].astype(np.float32))[0].transpose(back)
    found = run(target, picture.transpose(order)[None].astype(np.float32))[0].transpose(back)
    away = [room / 2 - one for one in best]
    wide = np.pad(inner, ((0, 0), (12, 12), (12, 12)), mode="edge").astype(np.float64)
    if labels or steps == 1:
        down, right = (int(np.floor(12 + one + 0.5)) for one in away)
        moved = wide[:, down : down + SIDES[0], right : right + SIDES[1]]
        assert (found == moved).mean() > 0.97
        assert np.abs(away).max() > 1
    else:
        moved = cut(wide, (12 + away[0], 12 + away[1]), SIDES, 32)
        np.testing.assert_allclose(found, moved, atol=0.02)
    assert np.abs(found - inner).max() > 0.3


@pytest.mark.parametrize(("last", "least", "most"), [("Sigmoid", 0, 1), ("Tanh", -1, 1), ("Identity", -np.inf, np.inf)])
def test_what_is_read_between_samples_of_a_map_stays_within_what_the_map_can_say(
    last: str, least: float, most: float, tmp_path: Path
) -> None:
    model = segmenter()
    model.graph.node[-1].CopyFrom(helper.make_node("Mul", ["turned", "sharp"], ["steep"]))
    model.graph.node.append(helper.make_node(last, ["steep"], ["y"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(50, np.float32), "sharp"))
    target, _, _ = fixed(model, tmp_path, LOCK, Options(period=PERIOD))
    picture = scene(*SIDES, 7)[None].astype(np.float32)
    found, plain = run(target, picture), run(model, picture)
    assert least <= found.min() < found.max() <= most
    if last == "Identity":
        assert found.max() > plain.max(), "where nothing bounds it, edges ring"


def test_each_map_of_a_batch_is_moved_back_by_its_own_offset(tmp_path: Path) -> None:
    target, _, _ = fixed(segmenter("n"), tmp_path, LOCK, Options(period=PERIOD))
    (folder := tmp_path / "single").mkdir()
    single, _, _ = fixed(segmenter(), folder, LOCK, Options(period=PERIOD))
    pictures = np.stack([scene(*SIDES, seed) for seed in range(3)]).astype(np.float32)
    alone = np.concatenate([run(single, picture[None]) for picture in pictures])
    np.testing.assert_allclose(run(target, pictures), alone, atol=1e-4)


def test_a_map_whose_samples_are_no_pixels_is_refused(tmp_path: Path) -> None:
    assert "no whole number of samples" in reason(segmenter(stride=4), tmp_path)
    (folder := tmp_path / "larger").mkdir()
    assert "--room pad" in reason(segmenter(), folder, Options(room=Room.LARGER))
