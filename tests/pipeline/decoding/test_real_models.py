"""Shipped models behind the pipeline of their own project find what is in a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from auditor.pipeline import Preset, prepare, presets
from auditor.pipeline.decoding import Answer, Detections, Keypoints, LayoutError, decode

SHARED = Path(__file__).resolve().parents[4] / "shared"
PICTURE = SHARED / "images" / "astronaut.png"
pytestmark = pytest.mark.skipif(not PICTURE.is_file(), reason="the models and pictures are not beside the checkout")
# Of the picture's width and height: the astronaut's face, as left, top, right, bottom.
FACE = np.array([0.36, 0.12, 0.54, 0.37])


def picture() -> npt.NDArray[np.uint8]:
    image = pytest.importorskip("PIL.Image")
    return np.asarray(image.open(PICTURE).convert("RGB"))


def answer(
    model: str, preset: str | Preset, size: tuple[int, int], image: npt.NDArray[np.uint8], **reading: Any
) -> tuple[Answer, npt.NDArray[np.float64]]:
    """What ``auto`` reads in the outputs, and its boxes in the picture as shares of it."""
    runtime = pytest.importorskip("onnxruntime")
    array, placement = prepare(image, preset, size)
    session = runtime.InferenceSession(SHARED / "models" / model, providers=["CPUExecutionProvider"])
    values = session.run(None, {session.get_inputs()[0].name: array})
    names = [output.name for output in session.get_outputs()]
    read = decode(dict(zip(names, values, strict=True)), input_size=size, **reading)
    boxes = placement.boxes_to_picture(read.boxes) if isinstance(read, Detections) else np.zeros((0, 4))
    return read, boxes / np.tile(image.shape[1::-1], 2)


@pytest.mark.parametrize(
    ("model", "preset", "size"),
    [
        ("detector/ultraface_rfb320.onnx", "ultraface", (240, 320)),
        ("detector/ultraface_slim320_simpl.onnx", "ultraface", (240, 320)),
        ("detector/yunet_n_320.onnx", "yunet", (320, 320)),
        ("detector/yunet_s_dynamic.onnx", "yunet", (256, 320)),
        ("detector/blazeface_front128_nhwc.onnx", "mediapipe-signed", (128, 128)),
    ],
)
def test_a_face_is_found_where_it_is(model: str, preset: str, size: tuple[int, int]) -> None:
    read, boxes = answer(model, preset, size, picture(), score=0.7)
    assert isinstance(read, Detections)
    assert len(read) == 1
    assert np.abs(boxes[0] - FACE).max() < 0.08, boxes


def test_a_person_is_found_by_yolox_and_not_when_it_is_fed_another_pipeline() -> None:
    read, boxes = answer("detector/yolox_nano_416.onnx", "yolox", (416, 416), picture(), score=0.5)
    assert isinstance(read, Detections)
    assert read.labels.tolist() == [0]
    assert read.scores[0] > 0.85
    assert boxes[0][2] - boxes[0][0] > 0.5
    wrong, _ = answer("detector/yolox_nano_416.onnx", "ultralytics", (416, 416), picture(), score=0.5)
    assert isinstance(wrong, Detections)
    assert len(wrong) == 0


def test_body_points_are_read_from_heat_maps_and_offsets() -> None:
    signed = replace(presets()["mediapipe-signed"], same_aspect=False)
    image = picture()
    read, _ = answer("keypoints/bodypix_x050_s16.onnx", signed, (224, 224), image)
    assert isinstance(read, Keypoints)
    assert read.points.shape == (17, 2)
    nose, left, right = read.points[:3] / 224
    assert read.scores is not None
    assert read.scores[:3].min() > 0.5
    assert FACE[0] < nose[0] < FACE[2]
    assert FACE[1] < nose[1] < FACE[3]
    # The person's left eye is at the right of the picture.
    assert left[0] > right[0]
    assert max(left[1], right[1]) < nose[1]


def test_face_points_are_read_in_a_crop_of_the_face() -> None:
    crop = np.ascontiguousarray(picture()[20:220, 125:325])
    channels_first = replace(presets()["mediapipe-signed"], channels_first=True)
    read, _ = answer("keypoints/face_landmark_192.onnx", channels_first, (192, 192), crop)
    assert isinstance(read, Keypoints)
    assert read.presence is not None
    assert read.presence > 0.5
    assert read.points.shape == (468, 2)
    # Forehead, chin and the outer corners of the eyes of the mesh.
    forehead, chin, one, other = read.points[[10, 152, 33, 263]]
    assert forehead[1] < one[1] < chin[1]
    assert one[0] < chin[0] < other[0]


@pytest.mark.parametrize(
    ("model", "size", "wanted"),
    [
        ("keypoints/fsanet_headpose_1x1.onnx", (64, 64), "no known layout"),
        ("ocr/ppocr_en_number_rec.onnx", (32, 320), "no known layout"),
    ],
)
def test_what_could_be_a_classifier_is_asked_about(model: str, size: tuple[int, int], wanted: str) -> None:
    with pytest.raises(LayoutError, match=wanted):
        answer(model, "ultralytics", size, picture())
