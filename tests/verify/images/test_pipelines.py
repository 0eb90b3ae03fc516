"""A preset of a whole pipeline feeds a measured model what a hand-written script would feed it, to the bit."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from auditor.pipeline import prepare, presets, resize, shifted
from auditor.text import ModelText
from auditor.verify.images.preprocess import ImageLayout, Preprocessing, preset, preset_names, to_picture, to_tensor
from auditor.verify.images.source import Picture
from auditor.verify.result import ProtocolKind, Rejected
from auditor.verify.shifts.feeder import Load, loads
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.shifts.protocols import Protocol

PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
FEW = ShiftSettings(radius=8, pairs=3, neighbours=2, distances=(1, 4), per_distance=1)
# detr makes an input of the picture's own shape, and MediaPipe's graphs cut a region of the input's.
PICKY = {"detr", "mediapipe", "mediapipe-signed"}
needs_pillow = pytest.mark.skipif(importlib.util.find_spec("PIL") is None, reason="Pillow is not installed")


def fed(name: str, size: tuple[int, int], picture: np.ndarray = PHOTOGRAPH) -> np.ndarray:
    """What verify feeds without a shift, in the layout of the preset's own array."""
    first = presets()[name].channels_first
    ready = replace(preset(name), layout=ImageLayout.NCHW if first else ImageLayout.NHWC)
    return to_tensor(to_picture(picture, size, ready)[0], ready)


def units(preprocessing: Preprocessing, protocol: Protocol, picture: np.ndarray = PHOTOGRAPH) -> list[Load | Rejected]:
    return list(loads([Picture(ModelText("x"), picture)], protocol, preprocessing, FEW))


@needs_pillow
@pytest.mark.parametrize("name", sorted(set(presets()) - PICKY))
@pytest.mark.parametrize("size", [(64, 64), (48, 80), (150, 150)])
def test_verify_feeds_what_prepare_gives_to_the_bit(name: str, size: tuple[int, int]) -> None:
    expected, _ = prepare(PHOTOGRAPH, name, size)
    assert (fed(name, size) == expected[0]).all()


@pytest.mark.parametrize("name", ["mediapipe", "mediapipe-signed"])
def test_a_region_of_the_aspect_ratio_of_the_input_is_fed_and_another_one_is_refused(name: str) -> None:
    assert (fed(name, (48, 64)) == prepare(PHOTOGRAPH, name, (48, 64))[0][0]).all()
    with pytest.raises(ValueError, match="another one than 64x64"):
        fed(name, (64, 64))


@needs_pillow
def test_a_fit_that_makes_an_input_of_another_size_says_which() -> None:
    assert fed("detr", (600, 800)).shape == (3, 600, 800)
    with pytest.raises(ValueError, match="makes an input of 600x800 of it, and the model reads 600x600"):
        fed("detr", (600, 600))


def test_a_native_shift_is_a_part_of_the_picture_prepared_by_itself() -> None:
    protocol = Protocol(ProtocolKind.CROP, (32, 48), 8, native=True)
    (load,) = units(preset("yolox"), protocol)
    assert isinstance(load, Load)
    assert load.unit.native
    for window, canvas, placement in zip(load.unit.plan.windows, load.canvases, load.unit.placements, strict=True):
        part = shifted(PHOTOGRAPH, (window.y - 4, window.x - 4), 4)
        expected, placed = prepare(part, "yolox", (32, 48))
        assert (canvas == expected[0]).all()
        assert placement == replace(placed, origin=(window.y, window.x))


def test_points_of_every_native_window_come_back_to_the_same_point_of_the_picture() -> None:
    (load,) = units(preset("ultralytics"), Protocol(ProtocolKind.CROP, (64, 64), 8, native=True))
    assert isinstance(load, Load)
    point = np.array([61.0, 44.0])
    for window, placement in zip(load.unit.plan.windows, load.unit.placements, strict=True):
        vertical, horizontal = placement.scale
        seen = (point - (window.x, window.y)) * (horizontal, vertical) + (placement.left, placement.top)
        assert placement.to_picture(seen) == pytest.approx(point)
        assert placement.to_input(point) == pytest.approx(seen)


def test_points_of_windows_of_the_model_come_back_to_the_picture_too() -> None:
    (load,) = units(preset("unit"), Protocol(ProtocolKind.CROP, (56, 56), 8))
    assert isinstance(load, Load)
    first = load.unit.placements[0]
    for window, placement in zip(load.unit.plan.windows, load.unit.placements, strict=True):
        moved = np.array([window.x, window.y]) - (load.unit.plan.windows[0].x, load.unit.plan.windows[0].y)
        assert placement.to_picture([10, 20]) == pytest.approx(first.to_picture(np.add(moved, 10 * np.array([1, 2]))))


def test_a_native_shift_by_the_factor_is_a_shift_of_the_input_by_a_pixel_for_nearest() -> None:
    factor, ready = 4, preset("unit")
    nearest = replace(ready, geometry=replace(ready.geometry, fit="stretch", kernel="cv2-nearest"))
    wide = np.random.default_rng(1).integers(0, 256, (20 * factor + 8, 24 * factor + 8, 3), np.uint8)
    (load,) = units(nearest, Protocol(ProtocolKind.CROP, (20, 24), 8, native=True), wide)
    assert isinstance(load, Load)
    where = {(window.y, window.x): canvas for window, canvas in zip(load.unit.plan.windows, load.canvases, strict=True)}
    small = resize(wide[4 : 4 + 80, 4 : 4 + 96], (20, 24), "cv2-nearest").transpose(2, 0, 1) / np.float32(255)
    assert np.allclose(where[4, 4], small)
    moved = [(place, canvas) for place, canvas in where.items() if place[0] % factor == 0 and place[1] % factor == 0]
    assert len(moved) > 1
    for (y, x), canvas in moved:
        rows, columns = (y - 4) // factor, (x - 4) // factor
        seen, there = canvas[:, 2:-2, 2:-2], where[4, 4][:, 2 + rows : 18 + rows, 2 + columns : 22 + columns]
        assert (seen == there).all()


def test_a_picture_without_room_for_native_shifts_is_left_out_with_the_reason() -> None:
    (refused,) = units(preset("unit"), Protocol(ProtocolKind.CROP, (32, 32), 8, native=True), PHOTOGRAPH[:8])
    assert isinstance(refused, Rejected)
    assert "no room for shifts" in refused.reason
    (usable,) = units(preset("unit"), Protocol(ProtocolKind.CROP, (32, 32), 8, native=True), PHOTOGRAPH[:9])
    assert isinstance(usable, Load)


def test_more_native_windows_than_fit_in_memory_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = Protocol(ProtocolKind.CROP, (32, 32), 8, native=True)
    (load,) = units(preset("unit"), native)
    assert isinstance(load, Load)
    monkeypatch.setattr("auditor.verify.shifts.feeder._MOST_BYTES", load.canvases.nbytes)
    assert isinstance(units(preset("unit"), native)[0], Load)
    monkeypatch.setattr("auditor.verify.shifts.feeder._MOST_BYTES", load.canvases.nbytes - 1)
    (refused,) = units(preset("unit"), native)
    assert isinstance(refused, Rejected)
    assert "use fewer shifts, or --shift-at model" in refused.reason


def test_only_crops_move_over_the_native_picture() -> None:
    with pytest.raises(ValueError, match="by the protocol crop, not roll"):
        Protocol(ProtocolKind.ROLL, (32, 32), 8, native=True)


@needs_pillow
def test_a_fit_that_crops_keeps_the_deployed_scale_where_the_picture_has_the_room() -> None:
    ready = preset("torchvision")
    picture = np.random.default_rng(2).integers(0, 256, (300, 400, 3), np.uint8)
    canvas, _ = to_picture(picture, (56, 56), ready, 8)
    unshifted = to_tensor(canvas[4:60, 4:60], ready)
    assert (unshifted == prepare(picture, "torchvision", (56, 56))[0][0]).all()


def test_the_line_of_the_report_names_fit_kernel_colours_and_preset() -> None:
    assert preset("yolox").describe() == (
        "fit letterbox-top-left, cv2-linear, BGR 0..255, NCHW, float32 (--preset yolox)"
    )
    assert preset("ultralytics").describe().startswith("fit letterbox, cv2-linear, RGB, scale 0.00392157")
    assert len({preset(name).describe() for name in preset_names()}) == len(preset_names())


def test_a_preset_that_is_misspelt_is_suggested() -> None:
    with pytest.raises(ValueError, match='did you mean "ultralytics"'):
        preset("ultralitics")
