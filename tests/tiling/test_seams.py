"""Tiles beside the whole picture, run in the worker: exact ones differ by nothing, others by what is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import auditor
from auditor.verify.errors import DataError, ModelRejectedError
from tests.tiling.networks import CHANNELS, Builder, measured_example

HOW = {"preset": "raw", "device": "cpu", "threads": 1}


@pytest.fixture
def slides(tmp_path: Path) -> str:
    path = tmp_path / "slides.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (2, 220, 180, 3), np.uint8))
    return str(path)


def test_exact_tiles_differ_by_nothing_and_half_the_overlap_does(tmp_path: Path, slides: str) -> None:
    plan = auditor.tiles(measured_example(tmp_path / "net.onnx"), tile=96, verify={"images": slides, **HOW})
    seams = plan.seams
    assert seams is not None
    advised, half, *_ = seams.rows
    assert (advised.overlap, half.overlap) == ((24, 24), (16, 16))
    assert advised.difference == pytest.approx(0, abs=1e-6)
    assert half.difference is not None
    assert half.difference > 0.01
    assert seams.sufficient == (24, 24)
    assert (seams.pictures, seams.tile, seams.canvas) == (2, (96, 96), (168, 168))
    assert seams.compared > 0


def test_a_far_smaller_overlap_is_enough_where_the_network_hardly_looks_that_far(tmp_path: Path, slides: str) -> None:
    build = Builder(channels=CHANNELS)
    far = np.full((CHANNELS, CHANNELS, 33, 33), 1e-9, np.float32)
    far[:, :, 15:18, 15:18] = 0.1
    x = build.add("Conv", ["x", build.constant(far)], kernel_shape=[33, 33], pads=[16] * 4)
    plan = auditor.tiles(build.save(tmp_path / "net.onnx", x), verify={"images": slides, **HOW})
    assert plan.axes[0].overlap == 32
    assert plan.seams is not None
    assert plan.seams.sufficient == (2, 2)


def test_a_global_average_is_seen_whatever_the_overlap(tmp_path: Path, slides: str) -> None:
    build = Builder(channels=CHANNELS)
    x = build.conv("x", 3)
    path = build.save(tmp_path / "net.onnx", build.add("Sub", [x, build.add("GlobalMaxPool", [x])]))
    seams = auditor.tiles(path, verify={"images": slides, **HOW}).seams
    assert seams is not None
    assert seams.sufficient is None
    assert all(row.difference is not None and row.difference > 1e-3 for row in seams.rows)


def test_a_fixed_input_is_freed_for_the_run(tmp_path: Path, slides: str) -> None:
    build = Builder(channels=CHANNELS)
    path = build.save(tmp_path / "net.onnx", build.conv(build.conv("x", 3, 2, (1, 1)), 3), (64, 64))
    before = path.read_bytes()
    seams = auditor.tiles(path, verify={"images": slides, **HOW}).seams
    assert seams is not None
    assert seams.rows[0].difference == pytest.approx(0, abs=1e-6)
    assert seams.canvas[0] > 64
    assert path.read_bytes() == before


@pytest.mark.parametrize("frozen", ["reshape", "resize"])
def test_a_size_that_is_part_of_the_model_is_refused_with_the_reason(tmp_path: Path, slides: str, frozen: str) -> None:
    build = Builder(channels=CHANNELS)
    x = build.conv("x", 3, 2, (1, 1))
    if frozen == "reshape":
        flat = build.add("Reshape", [x, build.constant(np.array([1, CHANNELS, 32 * 32], np.int64))])
        x = build.add("Reshape", [flat, build.constant(np.array([1, CHANNELS, 32, 32], np.int64))])
    else:
        sizes = build.constant(np.array([1, CHANNELS, 64, 64], np.int64))
        x = build.add("Resize", [x, "", "", sizes], mode="linear")
    path = build.save(tmp_path / "net.onnx", x, (64, 64))
    with pytest.raises((DataError, ModelRejectedError), match="the size of the picture is part of the model"):
        auditor.tiles(path, verify={"images": slides, **HOW})


def test_pictures_that_are_too_small_are_continued_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "small.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3), np.uint8))
    seams = auditor.tiles(measured_example(tmp_path / "net.onnx"), tile=96, verify={"images": str(path), **HOW}).seams
    assert seams is not None
    assert seams.mirrored == 1
    assert seams.rows[0].difference == pytest.approx(0, abs=1e-6)


def test_the_map_in_front_of_a_list_is_compared(tmp_path: Path, slides: str) -> None:
    build = Builder(channels=CHANNELS)
    x = build.conv("x", 3, 2, (1, 1))
    listed = build.add("Reshape", [x, build.constant(np.array([1, CHANNELS, -1], np.int64))])
    plan = auditor.tiles(build.save(tmp_path / "net.onnx", listed), verify={"images": slides, **HOW})
    assert plan.seams is not None
    assert plan.seams.rows[0].difference == pytest.approx(0, abs=1e-6)


def test_an_option_that_is_none_is_refused(tmp_path: Path, slides: str) -> None:
    with pytest.raises(ValueError, match="there is no option 'imags'"):
        auditor.tiles(measured_example(tmp_path / "net.onnx"), verify={"imags": slides})
