"""The resize in front of a model is measured with it: which kernel, which fit, and whose pixels a shift counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper

from auditor.onnxfile import read_model
from auditor.text import ModelText
from auditor.verify.errors import DataError
from auditor.verify.images.preprocess import Preprocessing, preset
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.merge import resize_hint
from auditor.verify.result import DataKind, ProtocolKind, ShiftAt, Task, Verification
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.worker.device import Device, DeviceKind
from tests.verify.models import brightest_box, model, saved

FACTOR = 5
SIZE = 24
NATIVE = VerifySettings(
    preprocessing=preset("unit"),
    native=True,
    task=Task.CLASSIFICATION,
    radius=10,
    shifts=ShiftSettings(pairs=6, neighbours=6, distances=(1, 5), path=0),
    device=Device(DeviceKind.CPU),
    self_test_images=1,
    layer_images=0,
)


def lightness() -> ModelProto:
    """Two classes, dark and light: whether the mean of the input is above a tenth."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head", "bias"], ["y"]),
    ]
    head, bias = np.array([[-20, 20]] * 3, np.float32) / 3, np.array([2, -2], np.float32)
    return model(nodes, {"x": ["N", 3, SIZE, SIZE]}, {"y": ["N", 2]}, {"head": head, "bias": bias})


def stripes(column: int) -> Picture:
    """Every fifth column is nearly white, a fifth of the picture: the mean is light."""
    pixels = np.zeros((SIZE * FACTOR + 10, SIZE * FACTOR + 10, 3), np.uint8)
    pixels[:, column::FACTOR] = 255 - 10 * column
    return Picture(ModelText(f"stripes {column}"), pixels)


def with_kernel(kernel: str, fit: str = "stretch") -> Preprocessing:
    ready = preset("unit")
    return replace(ready, geometry=replace(ready.geometry.with_fit(fit), kernel=kernel))


def measured(
    path: Path, network: ModelProto, pictures: list[Picture], settings: VerifySettings = NATIVE
) -> Verification:
    source = ImageSource(DataKind.ARRAYS, len(pictures), (), lambda: iter(pictures))
    return verify(read_model(saved(path / "m.onnx", network)), source, settings)


def value(found: Verification, name: str) -> float:
    measure = found.measure(name)
    assert measure is not None
    return measure.value


def test_a_kernel_that_aliases_changes_the_answer_with_the_native_shift_and_a_filtered_one_does_not(
    tmp_path: Path,
) -> None:
    pictures = [stripes(column) for column in range(FACTOR)]
    found = {
        kernel: measured(tmp_path, lightness(), pictures, replace(NATIVE, preprocessing=with_kernel(kernel)))
        for kernel in ("cv2-nearest", "cv2-area", "tf-area")
    }
    assert value(found["cv2-nearest"], "consistency") < 0.9
    assert value(found["cv2-nearest"], "top1-change") > 0.1
    for kernel in ("cv2-area", "tf-area"):
        assert value(found[kernel], "consistency") == 1
        assert value(found[kernel], "mac") < 0.01 < value(found["cv2-nearest"], "mac")


def test_the_result_says_whose_pixels_its_shifts_count(tmp_path: Path) -> None:
    native = measured(tmp_path, lightness(), [stripes(0), stripes(1)]).shifts
    assert native.at is ShiftAt.NATIVE
    assert native.factor == pytest.approx(FACTOR)
    assert native.reach == "shifts to 10 px of the picture (2 px of the model)"
    assert "one of the picture" in native.counted
    at_the_model = replace(NATIVE, native=False, radius=4, shifts=replace(NATIVE.shifts, distances=(1,)))
    model_px = measured(tmp_path, lightness(), [stripes(0)], at_the_model).shifts
    assert model_px.at is ShiftAt.MODEL
    assert model_px.reach.startswith("shifts to 4 px of the model (")
    assert model_px.counted == ""


def test_the_native_shift_of_a_box_is_subtracted_in_pixels_of_the_picture(tmp_path: Path) -> None:
    """A bright square that moves with the picture: behind a resize by two its box moves by half a pixel of the input.

    In pixels of the picture it stays where it is, up to the step of the model's own grid.
    """
    pixels = np.zeros((58, 58, 3), np.uint8)
    pixels[20:38, 20:38] = 255
    settings = replace(NATIVE, task=Task.DETECTION, preprocessing=with_kernel("cv2-area"), radius=8)
    found = measured(tmp_path, brightest_box(), [Picture(ModelText("square"), pixels)], settings)
    jitter = value(found, "centre-jitter")
    assert jitter <= 4
    assert found.shifts.factor == pytest.approx(50 / 16)


def test_what_cannot_move_over_the_native_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="by the protocol crop, not roll"):
        measured(tmp_path, lightness(), [stripes(0)], replace(NATIVE, protocol=ProtocolKind.ROLL))
    dense = model(
        [helper.make_node("Relu", ["x"], ["y"])], {"x": ["N", 3, SIZE, SIZE]}, {"y": ["N", 3, SIZE, SIZE]}, {}
    )
    with pytest.raises(DataError, match="use --shift-at model"):
        measured(tmp_path, dense, [stripes(0)], replace(NATIVE, task=Task.DENSE))
    tiny = Picture(ModelText("tiny"), np.zeros((9, 40, 3), np.uint8))
    with pytest.raises(DataError, match="no room for shifts"):
        measured(tmp_path, lightness(), [tiny])


def test_layers_are_measured_beside_native_shifts(tmp_path: Path) -> None:
    """Their maps count pixels of the model, on canvases of their own."""
    found = measured(tmp_path, lightness(), [stripes(0), stripes(1)], replace(NATIVE, layer_images=1))
    assert found.shifts.at is ShiftAt.NATIVE
    assert found.outputs[0].measures


def test_the_pixels_of_the_defaults_are_those_of_the_covering_triangle(tmp_path: Path) -> None:
    settings = replace(NATIVE, native=False, radius=4, shifts=replace(NATIVE.shifts, distances=(1,)))
    found = measured(tmp_path, lightness(), [stripes(0)], settings)
    assert found.preprocessing.startswith("fit cover, triangle, RGB, scale 0.00392157")


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("cv2-linear", "and cv2-linear does not filter them: `aliasaudit resize` is the first to try"),
        ("triangle", "and no --resize was given: if yours does not filter, `aliasaudit resize` is the first to try"),
        ("cv2-area", ""),
    ],
)
def test_the_report_names_the_resize_first_where_large_pictures_come_to_the_model_unfiltered(
    tmp_path: Path, kernel: str, words: str, native: bool
) -> None:
    settings = replace(NATIVE, preprocessing=with_kernel(kernel), native=native, task=Task.CLASSIFICATION)
    notes = measured(tmp_path, lightness(), [stripes(0), stripes(1)], settings).notes
    said = [note for note in notes if "times as large as the input" in note]
    assert [words in note for note in said] == ([True] if words else [])


@pytest.mark.parametrize("factors", [[], [1.0, 1.0, 9.0], [2.0, 2.0]])
def test_the_resize_is_not_named_where_pictures_are_hardly_larger_than_the_input(factors: list[float]) -> None:
    assert resize_hint("cv2-linear", factors, Task.DETECTION) == ()


@pytest.mark.parametrize("kernel", ["cv2-linear", "triangle"])
def test_tasks_that_the_command_resize_does_not_compare_are_measured_with_a_kernel_that_filters(kernel: str) -> None:
    for task in (Task.TEXT, Task.KEYPOINTS, Task.REGRESSION):
        (note,) = resize_hint(kernel, [4.0], task)
        assert "measure with `--resize cv2-area`, too" in note
