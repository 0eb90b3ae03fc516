"""Tiles cut as the plan says give what the whole picture gives, and one grid step less does not: onnxruntime judges."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import auditor
from auditor.tiling.result import TilePlan
from tests.tiling.networks import CHANNELS, Builder, Runtime, measured_example, picture, random_network


def stitched(run: Runtime, image: NDArray[np.float32], plan: TilePlan, tile: int, overlap: int) -> NDArray[np.float32]:
    """The output put together from tiles, each without what the plan calls spoilt, as far as the overlap allows."""
    (target,), axis = plan.maps, plan.axes[0]
    stride, length = target.stride[0], image.shape[2]
    corners = [*range(0, length - tile, tile - overlap), length - tile]
    assert all(corner % axis.grid == 0 for corner in corners)
    left = min(target.cropped[0][0], int(overlap / stride))
    size = int(length / stride)
    result: NDArray[np.float32] | None = None
    for top, start in product(corners, corners):
        part = run(np.ascontiguousarray(image[:, :, top : top + tile, start : start + tile]))
        if result is None:
            result = np.full((*part.shape[:2], size, size), np.nan, np.float32)
        rows, columns = (slice(left if corner else 0, None) for corner in (top, start))
        row, column = (int(corner / stride) for corner in (top, start))
        count = int(tile / stride)
        result[:, :, row : row + count, column : column + count][:, :, rows, columns] = part[:, :, rows, columns]
    assert result is not None
    return result


def difference(path: Path, plan: TilePlan, overlap: int, seed: int) -> float:
    """The greatest difference of tiles against the whole, as a share of the largest value."""
    axis = plan.axes[0]
    tile = (overlap // axis.grid + 3) * axis.grid
    image, run = picture(2 * tile + axis.grid, 2 * tile + axis.grid, seed), Runtime(path)
    whole = run(image)
    return float(np.abs(stitched(run, image, plan, tile, overlap) - whole).max() / np.abs(whole).max())


@pytest.mark.parametrize("seed", range(40))
def test_tiles_are_exact_at_the_advised_overlap_and_not_at_one_step_less(tmp_path: Path, seed: int) -> None:
    path = random_network(tmp_path / "net.onnx", seed)
    plan = auditor.tiles(path)
    axis = plan.axes[0]
    assert plan.exact
    assert (axis.grid, axis.halo, axis.overlap) == (plan.axes[1].grid, plan.axes[1].halo, plan.axes[1].overlap)
    # What the right side of a tile spoils is written over by the next tile, so that its left halo alone is cut.
    assert difference(path, plan, axis.overlap, seed) <= 1e-5
    if axis.overlap >= axis.grid:
        assert difference(path, plan, axis.overlap - axis.grid, seed) > 1e-5


@pytest.mark.parametrize("seed", range(40, 80))
def test_the_halo_is_what_a_cut_spoils_and_nothing_more(tmp_path: Path, seed: int) -> None:
    path = random_network(tmp_path / "net.onnx", seed)
    plan, run = auditor.tiles(path), Runtime(path)
    (target,), axis = plan.maps, plan.axes[0]
    left, right = target.cropped[0]
    stride = target.stride[0]
    tile = int(-(-(axis.overlap + 3 * axis.grid) // axis.grid) * axis.grid)
    corner = 2 * axis.grid
    image = picture(tile + 6 * axis.grid, tile + 6 * axis.grid, seed)
    whole = run(image)
    part = run(np.ascontiguousarray(image[:, :, corner : corner + tile, corner : corner + tile]))
    count, first = part.shape[2], int(corner / stride)
    inside = np.abs(part - whole[:, :, first : first + count, first : first + count])
    spoilt = inside[:, :, :, left : count - right].max(axis=(0, 1, 3)) / np.abs(whole).max() > 1e-9
    middle = (left + count - right) // 2
    found = np.flatnonzero(spoilt)
    assert max((place + 1 for place in found if place < middle), default=0) == left
    assert max((count - place for place in found if place >= middle), default=0) == right


def test_the_measured_example_has_the_numbers_that_were_measured(tmp_path: Path) -> None:
    path = measured_example(tmp_path / "net.onnx")
    plan = auditor.tiles(path)
    (target,), axis = plan.maps, plan.axes[0]
    assert (axis.grid, int(axis.receptive_field), axis.overlap) == (8, 31, 24)
    assert [int(side) for side in axis.halo] == [16, 8]
    assert [int(end) for end in target.reach[0]] == [-15, 15]
    assert (target.cropped[0], int(target.stride[0])) == ((2, 1), 8)
    assert plan.exact
    image, run = picture(240, 240), Runtime(path)
    whole = run(image)

    def off(corner: int, place: int) -> float:
        tile = run(np.ascontiguousarray(image[:, :, corner : corner + 96, corner : corner + 96]))
        kept = slice(2, 11)
        return float(np.abs(tile[:, :, kept, kept] - whole[:, :, place + 2 : place + 11, place + 2 : place + 11]).max())

    assert max(off(corner, corner // 8) for corner in (8, 64, 72)) == 0
    assert min(off(corner, place) for corner in (65, 68) for place in (7, 8, 9)) > 0.001


def test_one_pixel_moves_the_outputs_that_read_it_and_no_other(tmp_path: Path) -> None:
    path = measured_example(tmp_path / "net.onnx")
    (target,), run = auditor.tiles(path).maps, Runtime(path)
    before, behind = target.reach[0]
    image = picture(240, 240)
    base = run(image)
    for pixel in (100, 103, 107):
        changed = image.copy()
        changed[:, :, pixel] += 50
        rows = np.flatnonzero(np.abs(run(changed) - base).max(axis=(0, 1, 3)) > 0)
        expected = [row for row in range(base.shape[2]) if 8 * row + before <= pixel <= 8 * row + behind]
        assert rows.tolist() == expected


def test_a_pixel_shuffle_is_the_same_written_as_reshapes(tmp_path: Path) -> None:
    plans = []
    for reshapes in (False, True):
        build = Builder(channels=CHANNELS)
        x = build.conv(build.conv("x", 5), 3, channels=(CHANNELS, 9 * CHANNELS))
        if reshapes:
            shapes = ([1, CHANNELS, 3, 3, 24, 24], [1, CHANNELS, 72, 72])
            split, joined = (build.constant(np.array(shape, np.int64)) for shape in shapes)
            apart = build.add("Transpose", [build.add("Reshape", [x, split])], perm=[0, 1, 4, 2, 5, 3])
            x = build.add("Reshape", [apart, joined])
        else:
            x = build.add("DepthToSpace", [x], blocksize=3, mode="CRD")
        plans.append(auditor.tiles(build.save(tmp_path / f"{reshapes}.onnx", build.conv(x, 3), (24, 24))))
    assert plans[0].axes == plans[1].axes
    assert plans[0].maps == plans[1].maps
    assert plans[1].exact
