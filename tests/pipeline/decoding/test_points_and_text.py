"""Keypoints, text and text regions of other people's layouts are read as their own libraries read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auditor.pipeline.decoding import Keypoints, LayoutError, Regions, Text, decode
from tests.pipeline.decoding.cases import PINNED, input_size, load

pytestmark = pytest.mark.skipif(not PINNED.is_dir(), reason="the outputs of the libraries are not beside the checkout")


@pytest.mark.parametrize("told", [True, False], ids=["named", "auto"])
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("simcc", "simcc"),
        ("movenet", "movenet"),
        ("mediapipe_face_landmark", "face-mesh"),
        ("landmark106", "landmarks-signed"),
        ("superpoint_raw", "superpoint"),
    ],
)
def test_keypoints_are_read_in_pixels_of_the_input(name: str, layout: str, told: bool) -> None:
    outputs, description, metadata = load(name)
    size = input_size(description["input"]["shape"])
    answer = decode(outputs, layout if told else "auto", input_size=size, metadata=metadata)
    expected = description["expected"]
    assert isinstance(answer, Keypoints)
    assert np.allclose(answer.points, np.array(expected["keypoints"])[:, :2], atol=0.05)
    if "scores" in expected:
        assert answer.scores is not None
        assert np.allclose(answer.scores, expected["scores"], atol=0.005)
    if "z" in expected:
        assert answer.depth is not None
        assert np.allclose(answer.depth, expected["z"], atol=0.05)


@pytest.mark.parametrize("refine", ["argmax", "quarter", "dark"])
def test_a_heat_map_is_read_at_its_peak_and_finer(refine: str) -> None:
    outputs, description, _ = load("heatmap_pose")
    size = input_size(description["input"]["shape"])
    answer = decode(outputs, input_size=size, refine=refine)
    assert isinstance(answer, Keypoints)
    assert np.allclose(answer.points, description["expected"][f"keypoints_{refine}"], atol=0.05)


@pytest.mark.parametrize(
    ("name", "layout", "told"),
    [
        ("ctc_ppocr", "auto", {}),
        ("ctc_ppocr", "ctc", {}),
        ("ctc_blank_last_logits", "ctc", {"alphabet": "0123456789abcdefghijklmnopqrstuvwxyz", "blank": "last"}),
    ],
)
def test_a_line_of_text_is_read_with_its_certainty(name: str, layout: str, told: dict[str, Any]) -> None:
    outputs, description, metadata = load(name)
    size = input_size(description["input"]["shape"])
    answer = decode(outputs, layout, input_size=size, metadata=metadata, **told)
    assert isinstance(answer, Text)
    assert [answer.text] == description["expected"]["text"]
    assert answer.score == pytest.approx(description["expected"]["scores"][0], abs=0.005)


def test_a_reader_that_ends_with_a_sign_keeps_double_letters() -> None:
    outputs, description, _ = load("parseq")
    size = input_size(description["input"]["shape"])
    answer = decode(outputs, "end-sign", input_size=size, alphabet=description["given"]["alphabet"])
    assert isinstance(answer, Text)
    assert [answer.text] == description["expected"]["text"]


def test_an_alphabet_that_no_file_tells_is_asked_for() -> None:
    outputs, description, _ = load("ctc_blank_last_logits")
    with pytest.raises(LayoutError, match="needs an alphabet"):
        decode(outputs, "ctc", input_size=input_size(description["input"]["shape"]))


@pytest.mark.parametrize("layout", ["dbnet", "auto"])
def test_text_regions_are_found_and_grown(layout: str) -> None:
    outputs, description, metadata = load("dbnet_map")
    size = input_size(description["input"]["shape"])
    answer = decode(outputs, layout, input_size=size, metadata=metadata)
    assert isinstance(answer, Regions)
    assert np.allclose(answer.corners, description["expected"]["quads"], atol=1.5)
    assert np.allclose(answer.scores, description["expected"]["scores"], atol=0.02)
