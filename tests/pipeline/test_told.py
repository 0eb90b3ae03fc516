"""What a file says of its pictures is followed where it is known, and never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.pipeline import presets
from auditor.pipeline.told import ToldPipeline, told_pipeline
from auditor.verify.images.preprocess import PRESETS

EXPORT = {"task": "detect", "names": "{0: 'person'}", "stride": "32"}


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb"])
def test_what_finds_places_is_letterboxed_as_it_was_exported_for(task: str) -> None:
    assert told_pipeline({**EXPORT, "task": task, "imgsz": "[320, 640]"}) == ToldPipeline(
        "ultralytics", None, (320, 640)
    )


@pytest.mark.parametrize(("text", "size"), [("640", (640, 640)), ("[96, 128]", (96, 128)), ("(96, 128)", (96, 128))])
def test_a_size_is_height_and_width_or_that_of_a_square(text: str, size: tuple[int, int]) -> None:
    told = told_pipeline({**EXPORT, "task": "classify", "imgsz": text})
    assert told == ToldPipeline("unit", None, size)


@pytest.mark.parametrize(
    "text",
    ["", "[0, 64]", "[-32, 64]", "[64]", "[64, 64, 64]", "[64.0, 64.0]", "['a', 'b']", "[64, 10**9]", "[64, 99999]"],
)
def test_a_size_that_is_none_is_left_out(text: str) -> None:
    assert told_pipeline({**EXPORT, "imgsz": text}) == ToldPipeline("ultralytics")


def test_text_that_nests_too_deeply_is_no_size() -> None:
    for text in ("-" * 100_000 + "1", "1+" * 20_000 + "1", "(" * 5_000):
        assert told_pipeline({**EXPORT, "imgsz": text}) == ToldPipeline("ultralytics")


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"author": "somebody"},
        {"stride": "32", "names": "{0: 'person'}"},  # of the older repository, without a task
        {**EXPORT, "model_family": "yolov9"},  # another exporter with the same keys
        {**EXPORT, "task": "depth"},
        {"Image.NominalPixelRange": "NominalRange_0_255"},  # says nothing of the order
        {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_16_235"},
        {"Image.BitmapPixelFormat": "Gray8"},
    ],
)
def test_nothing_is_told_by_a_file_that_does_not_say_it(metadata: dict[str, str]) -> None:
    assert told_pipeline(metadata) is None


@pytest.mark.parametrize(
    ("layout", "levels", "told"),
    [
        ("Bgr8", "NominalRange_0_255", ToldPipeline("raw", "bgr")),
        ("RGB8", "normalized_0_1", ToldPipeline("unit", "rgb")),
        ("Rgb8", "Normalized_1_1", ToldPipeline("signed", "rgb")),
        ("Bgra8", None, ToldPipeline("raw", "bgr")),
    ],
)
def test_onnx_names_order_and_range_of_pixels(layout: str, levels: str | None, told: ToldPipeline) -> None:
    levelled = {} if levels is None else {"image.nominalpixelrange": levels}
    assert told_pipeline({"Image.BitmapPixelFormat": layout, **levelled}) == told


@given(st.dictionaries(st.sampled_from([*EXPORT, "imgsz", "Image.BitmapPixelFormat", "model_family"]), st.text()))
def test_whatever_stands_there_a_known_preset_is_told_or_none(metadata: dict[str, str]) -> None:
    told = told_pipeline(metadata)
    assert told is None or told.preset in PRESETS or told.preset in presets()
