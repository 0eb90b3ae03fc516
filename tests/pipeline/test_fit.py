"""A picture is placed in a model's input as the named convention does it, and points find their way back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline import Placement, fit, place
from auditor.pipeline.conventions import CONVENTIONS

PINNED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "resize" / "fit.tsv"
# Measured on pixels of half intensity, so known to one pixel only.
MEASURED = {"keras-pad-to-aspect"}
BY_SIZE = ("stretch", "letterbox", "letterbox-top-left", "shortest-edge", "crop", "cover", "pil-pad", "tf-crop-or-pad")


def size(text: str) -> tuple[int, int]:
    height, width = text.split("x")
    return int(height), int(width)


def settings_of(convention: str, text: str) -> dict[str, Any]:
    """The settings of a row under the names of our functions."""
    words = dict(word.split("=") for word in text.split())
    names = {"shorter": "shorter", "min": "shorter", "max": "longest"}
    result: dict[str, Any] = {}
    for word, value in words.items():
        name = names.get(word, word)
        if convention in ("timm", "torchvision", "transformers") and word in ("size", "crop"):
            result[name] = (int(value), int(value))
        elif "x" in value:
            result[name] = size(value)
        elif value in ("True", "False"):
            result[name] = value == "True"
        elif word in ("crop_pct", "fraction"):
            result[name] = float(value)
        else:
            result[name] = int(value) if value.isdigit() else value
    return result


def test_every_convention_places_pictures_as_its_library_did() -> None:
    if not PINNED.is_file():
        pytest.skip("the placements of the libraries are not beside the checkout")
    checked = 0
    with PINNED.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if row["convention"] in MEASURED:
                continue
            options = settings_of(row["convention"], row["settings"])
            placement = CONVENTIONS[row["convention"]]((int(row["in_h"]), int(row["in_w"])), **options)
            expected = tuple(int(row[key]) for key in ("resized_h", "resized_w", "out_h", "out_w", "top", "left"))
            assert (*placement.resized, *placement.out, placement.top, placement.left) == expected, row
            checked += 1
    assert checked > 700


@pytest.mark.parametrize(
    ("picture", "convention", "options", "expected"),
    [
        # ultralytics 8.4.190, yolox 0.3.0, transformers 5.24.0
        ((427, 640), "ultralytics", {"size": (416, 416)}, ((278, 416), (416, 416), 69, 0)),
        ((427, 640), "ultralytics", {"size": (416, 416), "auto": True}, ((278, 416), (288, 416), 5, 0)),
        ((427, 640), "transformers", {"shortest": 256, "crop": (224, 224)}, ((256, 383), (224, 224), -16, -79)),
    ],
)
def test_sizes_are_rounded_as_the_library_rounds_them(
    picture: tuple[int, int], convention: str, options: dict[str, Any], expected: tuple[object, ...]
) -> None:
    placement = CONVENTIONS[convention](picture, **options)
    assert (placement.resized, placement.out, placement.top, placement.left) == expected


@settings(max_examples=150, deadline=None)
@given(
    convention=st.sampled_from(BY_SIZE),
    picture=st.tuples(st.integers(20, 400), st.integers(20, 400)),
    target=st.tuples(st.integers(20, 300), st.integers(20, 300)),
    point=st.tuples(st.floats(-50, 500), st.floats(-50, 500)),
)
def test_points_come_back_to_where_they_were(
    convention: str, picture: tuple[int, int], target: tuple[int, int], point: tuple[float, float]
) -> None:
    placement = place(picture, target, convention)
    assert placement.out == target
    assert np.allclose(placement.to_picture(placement.to_input([point])), [point])


@pytest.mark.parametrize("convention", BY_SIZE)
@pytest.mark.parametrize("picture", [(90, 160), (160, 90), (40, 40)])
def test_a_dot_of_the_picture_is_where_the_placement_says(convention: str, picture: tuple[int, int]) -> None:
    image = np.zeros((*picture, 1), np.uint8)
    y, x = picture[0] // 2 - 4, picture[1] // 2 - 4
    image[y : y + 8, x : x + 8] = 255
    fitted, placement = fit(image, (80, 80), convention, fill=0, kernel="cv2-area")
    assert fitted.shape == (80, 80, 1)
    rows, columns = np.nonzero(np.asarray(fitted[..., 0], int) > 127)
    centre = placement.to_input([x + 4, y + 4])
    assert abs(columns.mean() + 0.5 - centre[0]) <= 0.75
    assert abs(rows.mean() + 0.5 - centre[1]) <= 0.75


def test_the_border_has_the_value_of_the_convention_or_the_one_that_is_told() -> None:
    image = np.full((50, 100, 3), 200, np.uint8)
    assert fit(image, (64, 64), "letterbox")[0][0, 0].tolist() == [114, 114, 114]
    assert fit(image, (64, 64), "letterbox", fill=0)[0][0, 0].tolist() == [0, 0, 0]
    top_left = fit(image, (64, 64), "letterbox-top-left")[0]
    assert top_left[0, 0].tolist() == [200, 200, 200]
    assert top_left[63, 0].tolist() == [114, 114, 114]


def test_boxes_come_back_in_pixels_of_the_picture() -> None:
    placement = place((720, 1280), (640, 640), "letterbox")
    assert placement.boxes_to_picture([[0, 140, 640, 500]]).tolist() == [[0, 0, 1280, 720]]


@pytest.mark.parametrize(
    ("convention", "options", "message"),
    [
        ("leterbox", {}, 'did you mean "letterbox"'),
        ("letterbox", {"centre": True}, "has no setting 'centre'; it has auto, stride, center"),
        ("tf-central-crop", {}, "needs its fraction"),
        ("keras-center-crop", {}, "smaller than the crop"),
        ("timm", {"mode": "border"}, "center or squash"),
    ],
)
def test_an_unknown_convention_or_setting_is_one_clear_line(
    convention: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        place((100, 100), (224, 224), convention, **options)


def test_a_picture_too_narrow_to_resize_is_refused() -> None:
    for convention in ("mmdet", "torchvision-detection", "pil-pad", "onnx-keep-aspect"):
        with pytest.raises(ValueError, match="480x2 is so narrow that one of its sides would be 0 pixels"):
            place((480, 2), (8, 8), convention)
    with pytest.raises(ValueError, match="narrow"):
        place((4, 1000), (224, 224), "tf-resize-with-pad")
    with pytest.raises(ValueError, match="narrow"):
        place((1, 2000), (640, 640), "yolox")


def test_a_placement_is_a_value() -> None:
    assert place((4, 4), (8, 8), "stretch") == Placement((4, 4), (8, 8), (8, 8))
