"""Crop selection is the former name of a grid lock that pads the picture, and says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from auditor.rewrite.result import Lock, Options, Room, Strategy
from auditor.rewrite.table import declared
from tests.rewrite.networks import fixed, run
from tests.rewrite.test_grid_lock import SIDES, network, scene, set_dim

CROP = Strategy.CROP_SELECT


@pytest.mark.parametrize("margin", [None, 3, 4])
@pytest.mark.parametrize("batch", [1, "batch"])
def test_it_is_a_lock_at_whole_pixels_in_a_padded_picture(batch: int | str, margin: int | None, tmp_path: Path) -> None:
    model = network(batch=batch)
    period = None if margin is None else 2 * margin
    paths = []
    for strategy, options in (
        (CROP, Options(margin=margin)),
        (Strategy.GRID_LOCK, Options(lock=Lock.WHOLE_PIXEL, room=Room.PAD, period=period)),
    ):
        (folder := tmp_path / strategy.value).mkdir()
        target, done, _ = fixed(model, folder, strategy, options)
        assert done.path is not None
        assert not done.feeding
        assert onnx.load(target).graph.input == model.graph.input
        assert onnx.load(target).graph.output == model.graph.output
        paths.append(target)
    picture = scene(*SIDES, 3)[None].astype(np.float32)
    np.testing.assert_array_equal(run(paths[0], picture), run(paths[1], picture))


def test_its_name_is_deprecated_and_the_new_one_is_told() -> None:
    assert "deprecated" in declared(CROP).notice
    assert "grid-lock" in declared(CROP).notice


def test_a_second_run_changes_nothing_under_either_name(tmp_path: Path) -> None:
    target, _, _ = fixed(network(), tmp_path, CROP)
    for strategy in (CROP, Strategy.GRID_LOCK):
        (folder := tmp_path / strategy.value).mkdir()
        _, done, _ = fixed(onnx.load(target), folder, strategy)
        assert done.path is None
        assert "an earlier run" in done.skipped[0].refusal.reason


def test_it_takes_open_sizes_now_and_refuses_what_a_lock_refuses(tmp_path: Path) -> None:
    model = network()
    set_dim(model, 2, "rows")
    _, done, _ = fixed(model, tmp_path, CROP)
    assert done.path is not None
    (folder := tmp_path / "old").mkdir()
    _, refused, _ = fixed(network(opset=6), folder, CROP)
    assert "opset 7" in refused.skipped[0].refusal.reason
