"""Sizes to choose from: what fits into a memory, what a tile costs, and what a model cannot have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import auditor
from auditor.demo import demo_model
from auditor.tiling.lines import overlapping, stepping
from tests.tiling.networks import CHANNELS, Builder, measured_example


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return measured_example(tmp_path / "net.onnx")


def fixed(tmp_path: Path, side: int) -> Path:
    build = Builder(channels=CHANNELS)
    x = build.conv(build.conv("x", 3, 2, (1, 1)), 3, 2, (1, 1))
    return build.save(tmp_path / "net.onnx", x, (side, side))


def test_work_counts_the_pixels_that_are_computed_for_each_pixel(example: Path) -> None:
    plan = auditor.tiles(example, tile=(96, 192))
    (tile,) = plan.tiles
    assert (tile.size, tile.overlap, tile.step) == ((96, 192), (24, 24), (72, 168))
    assert tile.work == pytest.approx(96 / 72 * 192 / 168)
    assert tile.advised


def test_more_memory_gives_a_larger_tile_that_stays_within_it(example: Path) -> None:
    sides = []
    for limit in (10_000_000, 40_000_000, 160_000_000):
        tile = auditor.tiles(example, memory=limit).advised
        assert tile is not None
        assert tile.memory_bytes is not None
        assert tile.fits
        assert tile.memory_bytes <= limit
        assert tile.size[0] % 8 == 0
        sides.append(tile.size[0])
    assert sides == sorted(set(sides))
    assert auditor.tiles(example, memory="40MB").advised == auditor.tiles(example, memory=40_000_000).advised


def test_a_memory_that_no_tile_fits_into_advises_none(example: Path) -> None:
    plan = auditor.tiles(example, memory=1000)
    assert plan.advised is None
    assert not any(tile.fits for tile in plan.tiles)
    assert plan.lines == ()


@pytest.mark.parametrize(
    ("tile", "words"),
    [
        (100, "must be a multiple of the grid, 8, such as 96"),
        ((96, 24), "the width must be larger than the overlap, 24: from 32"),
        ((96, 96, 96), "has 3 sizes, and the picture has 2 axes"),
    ],
)
def test_a_tile_that_the_model_cannot_have_is_refused_with_one_that_it_can(
    example: Path, tile: int | tuple[int, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        auditor.tiles(example, tile=tile)


def test_a_fixed_input_is_its_own_tile(tmp_path: Path) -> None:
    path = fixed(tmp_path, 90)
    plan = auditor.tiles(path)
    (tile,) = plan.tiles
    assert plan.axes[0].size == 90
    assert tile.size == (90, 90)
    assert tile.step[0] % plan.axes[0].grid == 0
    assert any("fixed size" in note for note in plan.notes)
    with pytest.raises(ValueError, match="fixed height of 90"):
        auditor.tiles(path, tile=96)


def test_a_fixed_input_that_is_no_longer_than_the_overlap_has_no_tile(tmp_path: Path) -> None:
    build = Builder(channels=CHANNELS)
    x = build.conv(build.conv("x", 9), 9)
    plan = auditor.tiles(build.save(tmp_path / "net.onnx", x, (16, 16)))
    assert (plan.tiles, plan.axes[0].overlap) == ((), 16)


def test_a_classifier_has_the_field_of_its_last_map_and_no_tiles() -> None:
    plan = auditor.tiles(demo_model())
    assert (plan.exact, plan.separable, plan.tiles, plan.lines) == (False, False, (), ())
    assert not plan.maps[0].output
    assert "one answer for the whole picture" in plan.obstacles[-1].reason


def test_padding_by_the_size_asks_for_pictures_of_whole_grid_steps(tmp_path: Path) -> None:
    build = Builder(channels=CHANNELS)
    path = build.save(tmp_path / "net.onnx", build.conv("x", 3, 2, "SAME_UPPER"))
    (note,) = [note for note in auditor.tiles(path).notes if "auto_pad" in note]
    assert "multiples of 2 x 2" in note


def test_volumes_and_signals_have_as_many_sides_as_they_have_axes(tmp_path: Path) -> None:
    for rank, names in ((1, ["length"]), (3, ["depth", "height", "width"])):
        weights = helper.make_tensor("w", TensorProto.FLOAT, [1, 1, *[3] * rank], [1.0] * 3**rank)
        node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2] * rank, pads=[1] * 2 * rank)
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, *"dhw"[:rank]])
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph([node], "network", [image], [result], [weights])
        path = tmp_path / f"{rank}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        plan = auditor.tiles(path)
        assert [axis.name for axis in plan.axes] == names
        assert all(len(tile.size) == rank for tile in plan.tiles)


@pytest.mark.parametrize("length", [96, 100, 512, 1000, 1024, 2048])
def test_the_lines_make_other_programs_step_on_the_grid(length: int) -> None:
    """MONAI steps by int(roi * (1 - overlap)), SAHI overlaps by int(share * slice)."""
    for overlap in (*range(1, length, 7), length - 1):
        assert int(length * (1 - float(stepping(length, length - overlap)))) == length - overlap
        assert int(float(overlapping(length, overlap)) * length) == overlap


def test_the_halo_for_both_sides_leaves_crops_that_join_on_the_grid(example: Path) -> None:
    line = next(line for line in auditor.tiles(example).lines if line.tool == "bioimage.io")
    assert line.code == (
        "size of the input: h {min: 40, step: 8}, w {min: 40, step: 8}; halo of the output: h 2, w 2"
    )  # 2 values of 8 px on each side, as many as the left one needs


def test_the_document_holds_the_whole_plan(example: Path) -> None:
    document = auditor.tiles(example).to_dict()
    assert document["schema"] == "aliasaudit-tiles/1"
    assert document["plan"]["exact"] is True
    assert document["plan"]["axes"][0]["halo"] == [16, 8]


def test_the_weights_of_half_precision_count_half(tmp_path: Path) -> None:
    sizes = {}
    for kind in (np.float16, np.float32):
        build = Builder(channels=CHANNELS, kind=kind)
        path = build.save(tmp_path / f"{kind.__name__}.onnx", build.conv("x", 3))
        (tile,) = auditor.tiles(path, tile=1024).tiles
        sizes[kind] = tile.memory_bytes or 0
    assert sizes[np.float16] == pytest.approx(sizes[np.float32] / 2, rel=0.01)


@pytest.mark.parametrize(("side", "exact"), [(64, True), (66, False)])
def test_padding_by_the_size_is_exact_only_where_a_fixed_input_is_a_multiple_of_the_grid(
    tmp_path: Path, side: int, exact: bool
) -> None:
    build = Builder(channels=CHANNELS)
    x = build.conv(build.conv("x", 3, 2, "SAME_UPPER"), 3, 2, "SAME_UPPER")
    plan = auditor.tiles(build.save(tmp_path / "net.onnx", x, (side, side)))
    assert plan.exact is exact
    assert any("auto_pad" in obstacle.reason for obstacle in plan.obstacles) is not exact
