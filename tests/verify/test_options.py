"""What a user types wrongly is answered with what is accepted, in one line."""

from __future__ import annotations

import pytest

from auditor.verify.options import read_request


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("mean", "red", "one number"),
        ("mean", "0.5,red,0.5", "one per channel"),
        ("mean", "nan", "one number"),
        ("std", "blue", "one number above 0"),
        ("std", "0", "one number above 0"),
        ("std", "0.2,-0.2,0.2", "one number above 0"),
        ("scale", "1/0", "1/255"),
        ("scale", "-1", "1/255"),
        ("layout", "CHW", "or NCHW, NHWC, NHW"),
        ("channels", "gray", "rgb, bgr, grey"),
        ("preset", "imagnet", "imagenet, caffe-bgr"),
        ("size", "224*224", "224x320"),
        ("size", "0", "224x320"),
        ("size", "224x224x3", "224x320"),
        ("task", "segmentation", "dense"),
        ("feed", "threshold=high", "NAME=NUMBER"),
        ("feed", "0.5", "NAME=NUMBER"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_what_is_accepted(option: str, value: str, accepted: str) -> None:
    with pytest.raises(ValueError, match=rf"^{option} must be .*") as error:
        read_request({option: value})
    assert accepted in str(error.value)
    assert "could not convert" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mean_of_two_values_fits_neither_grey_nor_colour() -> None:
    with pytest.raises(ValueError, match=r"mean has 2 values for 3 channels; give one number for all channels"):
        read_request({"mean": "1,2"})


@pytest.mark.parametrize(("text", "size"), [("224", (224, 224)), ("224x320", (224, 320)), (48, (48, 48))])
def test_one_number_is_height_and_width(text: object, size: tuple[int, int]) -> None:
    assert read_request({"size": text}).settings.size == size


@pytest.mark.parametrize(
    ("options", "assumed"),
    [({}, True), ({"channels": "bgr"}, True), ({"preset": "imagenet"}, False), ({"scale": "1/255"}, False)],
)
def test_a_preset_is_assumed_where_nobody_says_how_pixels_become_numbers(
    options: dict[str, object], assumed: bool
) -> None:
    assert read_request(options).settings.preset_assumed is assumed
