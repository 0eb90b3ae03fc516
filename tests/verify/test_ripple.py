"""What upsampling leaves of a checkerboard is measured on flat pictures, where nothing else depends on the position."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, helper
from onnx import numpy_helper as arrays

from auditor.onnxfile import read_model
from auditor.report.words.ripple import ripple_line
from auditor.sampling import analyse
from auditor.verify.images.preprocess import preset
from auditor.verify.images.source import open_images
from auditor.verify.result import Verification
from auditor.verify.ripple import map_period, pattern, ripple
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.worker.device import Device, DeviceKind
from tests.verify.models import saved

SETTINGS = VerifySettings(
    preprocessing=preset("unit"),
    radius=4,
    shifts=ShiftSettings(pairs=2, neighbours=1, distances=(1,), path=2, exhaustive=0),
    device=Device(DeviceKind.CPU),
    self_test_images=1,
    layer_images=0,
)
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)


@pytest.mark.parametrize("period", [(2, 2), (3, 3), (8, 8), (2, 4), (1, 3)])
@pytest.mark.parametrize("side", [48, 61])
def test_a_pattern_is_found_on_any_slope_and_with_its_own_height(period: tuple[int, int], side: int) -> None:
    rng = np.random.default_rng(3)
    tile = rng.normal(size=(2, *period))
    tile -= tile.mean(axis=(-2, -1), keepdims=True)
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    maps = 5 + 0.3 * across - 0.2 * down + np.tile(tile, (1, side, side))[:, :side, :side]
    found = pattern(maps, period)
    assert found is not None
    assert np.ptp(found, axis=(-2, -1)) == pytest.approx(np.ptp(tile, axis=(-2, -1)))


def test_what_does_not_repeat_is_no_ripple() -> None:
    across = np.linspace(-1, 1, 256)
    found = pattern(np.add.outer(across**2, np.cos(across)), (4, 4))
    assert found is not None
    assert np.ptp(found) < 0.01


def test_a_map_of_less_than_three_periods_tells_nothing() -> None:
    assert pattern(np.zeros((1, 23, 24)), (8, 8)) is None
    assert pattern(np.zeros((1, 24, 23)), (8, 8)) is None
    assert pattern(np.zeros((1, 24, 24)), (8, 8)) is not None


def test_pictures_that_all_look_alike_to_a_model_have_no_range() -> None:
    assert ripple(np.zeros((1, 1, 32, 32)), np.ones((2, 1, 32, 32)), (2, 2)) is None


@pytest.mark.parametrize(
    ("pitch", "stride", "period"),
    [
        (None, (1.0, 1.0), None),
        (1, (1.0, 1.0), None),
        (8, (8.0, 8.0), None),
        (1, (0.5, 0.5), (2, 2)),
        (1, (1 / 3, 1 / 3), (3, 3)),
        (32, (4.0, 4.0), (8, 8)),
        (32, (4.0, 32.0), (8, 1)),
        (10, (4.0, 4.0), None),
        (512, (1.0, 1.0), None),
    ],
)
def test_the_period_is_that_of_the_coarsest_grid_in_samples_of_the_map(
    pitch: int | None, stride: tuple[float, float], period: tuple[int, int] | None
) -> None:
    assert map_period(pitch, stride) == period


def upsampler(kernel: int, weights: np.ndarray | None = None) -> ModelProto:
    """A strided average and a transposed convolution that brings the picture back to its size."""
    made = np.ones((1, 1, kernel, kernel)) if weights is None else weights
    begin = (kernel - 2) // 2
    pads = [begin, begin, kernel - 2 - begin, kernel - 2 - begin]
    nodes = [
        helper.make_node("ReduceMean", ["x", "channels"], ["grey"], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("ConvTranspose", ["small", "w"], ["y"], strides=[2, 2], pads=pads),
    ]
    graph = helper.make_graph(
        nodes,
        "upsampler",
        [helper.make_tensor_value_info("x", 1, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("y", 1, ["N", 1, 32, 32])],
        [
            arrays.from_array(made.astype(np.float32), "w"),
            arrays.from_array(np.array([1], np.int64), "channels"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def measured(path: Path, settings: VerifySettings = SETTINGS) -> Verification:
    file = path.with_suffix(".npy")
    np.save(file, PICTURES)
    again = partial(open_images, str(file))
    model = read_model(path)
    return verify(model, replace(again(), again=again), settings, analyse(model))


def test_uneven_taps_ripple_as_much_as_they_differ(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", upsampler(3))
    found = measured(path).outputs[0].ripple
    assert found is not None
    # By hand: one to four taps of the brightest flat picture, and the map of the same windows as onnxruntime has it.
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    windows = np.stack([one[4:36, 4:36].transpose(2, 0, 1) / np.float32(255) for one in PICTURES])
    extent = np.ptp(session.run(None, {"x": windows})[0])
    assert (found.period, found.images) == ((2, 2), 3)
    assert found.share == pytest.approx(3 * 192 / 255 / extent, rel=0.15)
    assert "period of 2 samples" in ripple_line(found)


@pytest.mark.parametrize("kernel", [2, 4])
def test_even_taps_do_not_ripple(tmp_path: Path, kernel: int) -> None:
    found = measured(saved(tmp_path / "m.onnx", upsampler(kernel))).outputs[0].ripple
    assert found is not None
    assert found.share == pytest.approx(0, abs=1e-6)


def test_a_map_on_the_coarsest_grid_has_no_ripple_to_measure(tmp_path: Path) -> None:
    made = upsampler(2)
    made.graph.node.pop()
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("small", 1, ["N", 1, 16, 16]))
    assert measured(saved(tmp_path / "m.onnx", made)).outputs[0].ripple is None


def test_further_processes_measure_the_same_ripple(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", upsampler(3))
    assert measured(path, replace(SETTINGS, jobs=2)).outputs[0].ripple == measured(path).outputs[0].ripple
