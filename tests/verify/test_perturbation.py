"""Noise, JPEG, light, turns, half a pixel and a moving object beside the shifts of a run."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper

from auditor.comparison.steadiness import relative_change
from auditor.text import ModelText
from auditor.verify.errors import DataError
from auditor.verify.images.preprocess import ChannelOrder, preset
from auditor.verify.images.source import Picture
from auditor.verify.options import read_request
from auditor.verify.perturbation import Perturbation, PerturbationKind, perturbation
from auditor.verify.result import ProtocolKind, Task, Verification
from auditor.verify.shifts.feeder import Load, loads
from auditor.verify.shifts.perturbing import half_pixel, perturbed
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.shifts.protocols import Protocol
from tests.verify.models import brightest_box, classifier, model
from tests.verify.test_reference import dense
from tests.verify.test_runner import SETTINGS, pictures, run

ALL = ("noise:2", "jpeg:75", "light:2%", "rotate:1", "half-pixel", "half-pixel-resized", "object")


def named(*words: str) -> tuple[Perturbation, ...]:
    found = [perturbation(word) for word in words]
    assert None not in found
    return tuple(one for one in found if one is not None)


def changed(pixels: np.ndarray, word: str, image: int = 0, moved: bool = True) -> np.ndarray:
    return np.asarray(perturbed(pixels, named(word)[0], (0, image), (8, 8), moved))


def photo(height: int = 40, width: int = 48, seed: int = 0) -> np.ndarray:
    """Something smooth with some texture, in bytes."""
    y, x = np.mgrid[:height, :width] / 7
    smooth = np.stack([np.sin(y + x), np.cos(x - y / 2), np.sin(x)], axis=-1) * 60 + 128
    return np.asarray(np.clip(smooth + np.random.default_rng(seed).normal(size=smooth.shape) * 8, 0, 255), np.uint8)


@pytest.mark.parametrize("word", [*ALL, "noise:0.5", "light:-3%", "rotate:-2", "object:3", "jpeg:90"])
def test_a_report_names_it_as_the_user_did(word: str) -> None:
    assert named(word)[0].name == word


@pytest.mark.parametrize(
    ("short", "long"),
    [("noise", "noise:2"), ("jpeg", "jpeg:75"), ("light", "light:2%"), ("light:2", "light:2%"), ("object:1", "object")],
)
def test_without_an_amount_the_usual_one_is_taken(short: str, long: str) -> None:
    assert named(short) == named(long)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("noise:-1", "noise:2"),
        ("noise:", "noise:2"),
        ("noise:nan", "noise:2"),
        ("noise:300", "0 to 255 levels"),
        ("jpeg:0", "quality from 1 to 100"),
        ("jpeg:75.5", "quality from 1 to 100"),
        ("light:bright", "light:2%"),
        ("light:-200%", "from -100 to 1000"),
        ("rotate:400", "-180 to 180 degrees, such as rotate:1"),
        ("object:1.5", "object:1"),
        ("half-pixel:2", "no amount"),
        ("half-pixel-resized:2", "no amount"),
        ("noisy:2", "did you mean"),
        ("crop,roll", "crop and roll"),
        ("frames,noise:2", "as they are"),
        ("", "is empty: name one such as crop"),
        (",", "is empty: name one such as crop"),
        ("noise,,noise", "noise is named twice"),
        ("noise:2,noise:2.0", "noise:2.0 is named twice"),
        ("roll,roll", "roll is named twice"),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_can(word: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^protocol ") as error:
        read_request({"protocol": word})
    assert said in str(error.value)


@pytest.mark.parametrize("value", ["noise:2,roll,half-pixel", ["noise:2", "roll", "half-pixel"]])
def test_several_are_measured_beside_one_protocol_of_shifts(value: object) -> None:
    settings = read_request({"protocol": value}).settings
    assert settings.protocol is ProtocolKind.ROLL
    assert [one.name for one in settings.perturbations] == ["noise:2", "half-pixel"]
    assert read_request({"protocol": "object"}).settings.protocol is ProtocolKind.CROP


def test_noise_has_the_deviation_that_was_asked_for_and_is_the_same_at_every_strength() -> None:
    flat = np.full((200, 200, 3), 128.0)
    two, four = (changed(flat, word) - flat for word in ("noise:2", "noise:4"))
    assert two.std() == pytest.approx(2, rel=0.02)
    np.testing.assert_allclose(four, 2 * two, rtol=1e-4, atol=1e-4)
    assert not np.array_equal(changed(flat, "noise:2", image=1) - flat, two)
    levels = changed(photo(), "noise:2")
    assert levels.dtype == np.uint8
    assert abs(levels.astype(float) - photo()).max() < 14


def test_a_jpeg_is_pillows() -> None:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(photo()).save(file, "JPEG", quality=40)
    np.testing.assert_array_equal(changed(photo(), "jpeg:40"), np.asarray(Image.open(file)))
    assert changed(photo()[..., :1], "jpeg:40").shape == (40, 48, 1)
    four = np.concatenate([photo(), photo()[..., :1]], axis=2)
    np.testing.assert_array_equal(changed(four, "jpeg:40")[..., 3], four[..., 3])


def test_light_is_a_share_of_every_level_and_ends_at_white() -> None:
    levels = np.array([[[0], [100], [200], [254]]], np.uint8)
    assert changed(levels, "light:2%").ravel().tolist() == [0, 102, 204, 255]
    assert changed(levels, "light:-50%").ravel().tolist() == [0, 50, 100, 127]


def test_a_quarter_turn_is_exact_and_a_small_one_moves_the_edge_by_the_angle() -> None:
    square = photo(40, 40)
    np.testing.assert_array_equal(changed(square, "rotate:90"), np.rot90(square))
    ramp = np.repeat(np.arange(40.0)[:, None, None] * 5, 41, axis=1)
    turned = changed(ramp, "rotate:1")
    # About the centre, counterclockwise: what lies to the right of it is seen higher up.
    assert turned[20, 35, 0] - ramp[20, 35, 0] == pytest.approx(5 * 15 * np.sin(np.deg2rad(1)), abs=0.02)


def test_half_a_pixel_is_the_picture_between_its_pixels() -> None:
    y, x = np.mgrid[:64, :64].astype(float)

    def wave(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.asarray(100 * np.cos(2 * np.pi * (y / 6 + x / 8)) + 128)[..., None]

    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(half_pixel(wave(y, x), (0.5, 0.5))[inner], wave(y + 0.5, x + 0.5)[inner], atol=2)
    np.testing.assert_array_equal(half_pixel(photo(), (1.0, 0.0))[:-4], np.roll(photo(), -1, axis=0)[:-4])
    whole = half_pixel(photo(), (1.0, 2.0), circular=True)
    np.testing.assert_array_equal(whole, np.roll(photo(), (-1, -2), axis=(0, 1)))


def test_an_object_moves_by_whole_pixels_before_a_background_that_stands_still() -> None:
    still, pixels = photo(72, 72), photo(72, 72)
    before, after = (changed(pixels, "object:3", moved=moved) for moved in (False, True))
    shown = (before != still).any(axis=2), (after != still).any(axis=2)
    assert 300 < shown[0].sum() < 500  # a disc of 23 px
    found = [
        (dy, dx)
        for dy in (-3, 0, 3)
        for dx in (-3, 0, 3)
        if np.array_equal(before[20:52, 20:52], np.roll(after, (-dy, -dx), axis=(0, 1))[20:52, 20:52])
        or (np.roll(shown[1], (-dy, -dx), axis=(0, 1)) ^ shown[0]).sum() < 20
    ]
    assert found
    assert (0, 0) not in found
    np.testing.assert_array_equal(changed(pixels, "object:0", moved=False), changed(pixels, "object:0"))


def test_half_a_pixel_of_the_model_is_as_many_pixels_of_the_picture_before_it_is_resized() -> None:
    """A picture of twice the size, where half a pixel of the model is a whole one."""
    protocol = Protocol(ProtocolKind.CROP, (16, 16), 4, perturbations=named("half-pixel"))
    large = photo(41, 41)
    shown = loads(
        [Picture(ModelText("a"), large[:40, :40])], protocol, preset("unit"), ShiftSettings(4, distances=(1,))
    )
    moved = loads([Picture(ModelText("a"), large[1:, 1:])], protocol, preset("unit"), ShiftSettings(4, distances=(1,)))
    first, second = next(iter(shown)), next(iter(moved))
    assert isinstance(first, Load)
    assert isinstance(second, Load)
    np.testing.assert_allclose(first.canvases[1][:, :-4, :-4], second.canvases[0][:, :-4, :-4], atol=1e-6)
    beside = first.perturbed[0]
    assert beside.unit.plan.pairs.shift.tolist() == [[0.5, 0.5]] * len(beside.unit.plan.pairs)


def test_half_a_pixel_behind_the_resize_is_that_of_the_resized_picture() -> None:
    protocol = Protocol(ProtocolKind.CROP, (16, 16), 4, perturbations=named("half-pixel-resized"))
    small = photo(20, 20)
    (shown,) = loads([Picture(ModelText("a"), small)], protocol, preset("unit"), ShiftSettings(4, distances=(1,)))
    assert isinstance(shown, Load)
    levels = 255 * shown.canvases.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(levels[1], half_pixel(levels[0].round(), (0.5, 0.5)), atol=0.51)
    assert shown.perturbed[0].unit.plan.pairs.shift.tolist() == [[0.5, 0.5]] * len(shown.perturbed[0].unit.plan.pairs)


def test_a_model_of_bgr_is_shown_the_same_jpeg() -> None:
    protocol = Protocol(ProtocolKind.CROP, (16, 16), 4, perturbations=named("jpeg:30", "noise:4", "object"))
    orders = [replace(preset("unit"), order=order) for order in ChannelOrder]
    rgb, bgr = (
        next(iter(loads([Picture(ModelText("a"), photo())], protocol, order, ShiftSettings(4, distances=(1,)))))
        for order in orders
    )
    assert isinstance(rgb, Load)
    assert isinstance(bgr, Load)
    np.testing.assert_array_equal(rgb.canvases, bgr.canvases[:, ::-1])


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("kind", [ProtocolKind.CROP, ProtocolKind.ROLL, ProtocolKind.EMBED_BLACK, ProtocolKind.ZOOM])
def test_nothing_done_to_a_picture_changes_no_answer(tmp_path: Path, kind: ProtocolKind, native: bool) -> None:
    if native and kind is not ProtocolKind.CROP:
        pytest.skip("shifts of the picture itself are those of the protocol crop")
    nothing = named("noise:0", "light:0%", "rotate:0", "object:0")
    settings = replace(SETTINGS, protocol=kind, native=native, perturbations=nothing)
    found = run(tmp_path, classifier(), pictures(9), settings)
    for one in nothing:
        consistency, mac = (found.measure(name, one.name) for name in ("consistency", "mac"))
        assert consistency is not None
        assert consistency.value == 1
        assert mac is not None
        assert mac.value < 1e-6


def numbers(found: Verification, *without: str) -> dict[tuple[str, str], float]:
    return {
        (one.name, one.protocol): one.value
        for output in found.outputs
        for one in output.measures
        if one.protocol not in without
    }


def test_what_is_measured_beside_leaves_the_numbers_of_the_shifts_and_of_each_other_as_they_are(
    tmp_path: Path,
) -> None:
    alone = run(tmp_path, classifier(), pictures(9, label=1))
    beside = run(tmp_path, classifier(), pictures(9, label=1), replace(SETTINGS, perturbations=named(*ALL)))
    two = run(tmp_path, classifier(), pictures(9, label=1), replace(SETTINGS, perturbations=named("object", "noise:2")))
    assert numbers(beside, *ALL) == pytest.approx(numbers(alone), abs=1e-6)
    assert {protocol for _, protocol in numbers(beside)} == {"", *ALL}
    assert numbers(two) == pytest.approx(numbers(beside, *ALL[1:-1]), abs=1e-6)
    assert beside.shifts.per_image == alone.shifts.per_image
    assert [one.name for one in beside.shifts.perturbations] == list(ALL)
    assert beside.runs > alone.runs


def mean_level() -> ModelProto:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    return model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 3]})


def test_a_model_of_the_mean_level_sees_as_much_light_more_as_was_added(tmp_path: Path) -> None:
    flat = [Picture(ModelText(f"{i}"), np.full((24, 24, 3), 50 + 10 * i, np.uint8)) for i in range(9)]
    settings = replace(SETTINGS, task=Task.REGRESSION, perturbations=named("light:10%", "half-pixel"))
    found = run(tmp_path, mean_level(), [*flat], settings)
    light, half = (found.measure("value-change", name) for name in ("light:10%", "half-pixel"))
    assert light is not None
    assert light.value == pytest.approx(0.1 * 90 / 255, rel=1e-4)
    assert half is not None
    assert half.value < 1e-6


def test_boxes_are_moved_back_by_half_a_pixel(tmp_path: Path) -> None:
    """The box of the brightest row and column sits on whole pixels, so it is off by half of one."""
    items = []
    for i in range(9):
        pixels = np.full((24, 24, 3), 20, np.uint8)
        pixels[8 + i % 4 : 12 + i % 4, 9:12] = 200
        items.append(Picture(ModelText(f"{i}"), pixels))
    settings = replace(SETTINGS, task=Task.DETECTION, perturbations=named("half-pixel", "light:0%"))
    found = run(tmp_path, brightest_box(), [*items], settings)
    half, none = (found.measure("centre-jitter", name) for name in ("half-pixel", "light:0%"))
    assert half is not None
    assert half.value == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert none is not None
    assert none.value == 0


@pytest.mark.parametrize(
    ("make", "task", "word"),
    [
        (brightest_box, Task.DETECTION, "rotate:1"),
        (lambda: dense(5), Task.DENSE, "rotate:1"),
        (lambda: dense(5), Task.DENSE, "half-pixel"),
        (lambda: dense(5), Task.DENSE, "half-pixel-resized"),
    ],
)
def test_answers_that_cannot_be_laid_over_each_other_are_refused(
    tmp_path: Path, make: object, task: Task, word: str
) -> None:
    assert callable(make)
    settings = replace(SETTINGS, task=task, perturbations=named(word))
    with pytest.raises(DataError, match=re.escape(word)):
        run(tmp_path, make(), pictures(3), settings)
    run(tmp_path, make(), pictures(3), replace(settings, perturbations=named("noise:2", "object")))


def test_the_change_of_a_model_is_told_in_per_cent_of_the_base_with_an_interval(tmp_path: Path) -> None:
    settings = replace(SETTINGS, perturbations=named("noise:8"))
    base = run(tmp_path, classifier(), pictures(30), settings)
    same = relative_change(base, base, "mac", "noise:8")
    assert same is not None
    assert same.interval is not None
    assert (same.change, same.interval.low, same.interval.high, same.images) == (0, 0, 0, 30)
    other = relative_change(base, run(tmp_path, classifier(stride=1), pictures(30), settings), "mac", "noise:8")
    assert other is not None
    assert other.interval is not None
    assert other.interval.low < other.change < other.interval.high
    assert other.change == pytest.approx(other.new / other.base - 1)
    assert relative_change(base, base, "mac", "jpeg:75") is None


def test_the_kinds_and_the_words_of_the_help_are_the_same() -> None:
    from auditor.options.panels import VALUES

    beside = [one.kind for one in map(perturbation, VALUES["PROTOCOL"]) if one is not None]
    assert beside == list(PerturbationKind)
