"""Raw outputs of other people's layouts are chosen and read in verify as their own libraries read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from auditor.pipeline.decoding import Detections, Keypoints, Reading
from auditor.text import ModelText
from auditor.verify.errors import DataError
from auditor.verify.images.source import Picture
from auditor.verify.measures.target import Clues, Target, find_target
from auditor.verify.result import Rejected, Task
from auditor.verify.setup import plan_protocol
from tests.pipeline.decoding.cases import PINNED, input_size, load
from tests.pipeline.decoding.test_cases import ASKED, CASES
from tests.verify.test_runner import SETTINGS, run

PEOPLE = {"rtmo", "yolo26_pose_e2e", "yolov8_pose"}
POINTS = {
    "heatmap_pose": "keypoints_quarter",
    "mediapipe_face_landmark": "keypoints",
    "movenet": "keypoints",
    "simcc": "keypoints",
}


def target(name: str, layout: str | None = None, task: Task | None = None) -> Target:
    """What verify takes the outputs of a case for: rows without their batch axis, ranks as the file declares them."""
    if not PINNED.is_dir():
        pytest.skip("the outputs of the libraries are not beside the checkout")
    outputs, description, metadata = load(name)
    graph = onnx.load(PINNED / f"{name}.onnx").graph
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.output}
    rows = {key: array[0] if array.ndim and array.shape[0] == 1 else array for key, array in outputs.items()}
    clues = Clues(frozenset(node.op_type for node in graph.node), metadata, ranks)
    size = input_size(description["input"]["shape"])
    return find_target([rows], task, None, size, clues, layout, Reading(score=0.25))


@pytest.mark.parametrize("name", sorted(set(CASES) - ASKED))
def test_boxes_are_those_of_the_library_without_a_word_of_the_user(name: str) -> None:
    found = target(name)
    outputs, description, _ = load(name)
    assert found.decoder is not None
    assert found.decoder.layout == CASES[name][0]
    assert found.task is (Task.KEYPOINTS if name in PEOPLE else Task.DETECTION)
    answer = found.decoder.read({key: array[0] if array.shape[:1] == (1,) else array for key, array in outputs.items()})
    assert isinstance(answer, Detections)
    if "boxes" in description["expected"]:
        assert np.allclose(answer.boxes, description["expected"]["boxes"], atol=0.05)
        assert np.allclose(answer.scores, description["expected"]["scores"], atol=0.005)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_heads_that_no_file_tells_apart_are_a_question(name: str) -> None:
    with pytest.raises(DataError, match=r"darknet .* or yolov5-heads .*say which with --layout"):
        target(name)


@pytest.mark.parametrize("name", sorted(POINTS))
def test_points_are_those_of_the_library(name: str) -> None:
    found = target(name)
    outputs, description, _ = load(name)
    assert (found.task, found.decoder is not None) == (Task.KEYPOINTS, True)
    assert found.decoder is not None
    answer = found.decoder.read({key: array[0] for key, array in outputs.items()})
    assert isinstance(answer, Keypoints)
    expected = np.array(description["expected"][POINTS[name]], float).reshape(len(answer.points), -1)
    assert np.allclose(answer.points, expected[:, :2], atol=0.05)


def test_a_text_reader_with_its_alphabet_in_the_file_is_told_by_it() -> None:
    found = target("ctc_ppocr")
    outputs, description, _ = load("ctc_ppocr")
    assert found.task is Task.TEXT
    assert found.decoder is not None
    answer = found.decoder.read({key: array[0] for key, array in outputs.items()})
    assert [getattr(answer, "text", None)] == description["expected"]["text"]


def test_text_regions_are_measured_as_boxes() -> None:
    found = target("dbnet_map")
    outputs, description, _ = load("dbnet_map")
    assert found.task is Task.DETECTION
    assert found.decoder is not None
    answer = found.decoder.read({key: array[0] for key, array in outputs.items()})
    assert isinstance(answer, Detections)
    corners = np.array(description["expected"]["quads"], float)
    around = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    assert np.allclose(np.sort(answer.boxes, axis=0), np.sort(around, axis=0), atol=1.5)


@pytest.mark.parametrize("stride", [1, 8])
def test_the_jitter_of_a_box_on_a_coarse_grid_is_that_of_its_closed_form(tmp_path: Path, stride: int) -> None:
    """The box lies about the brightest cell: its centre is ``floor(p / s) s + s / 2``."""
    file = PINNED / f"track_stride{stride}.onnx"
    if not file.is_file():
        pytest.skip("the small graphs are not beside the checkout")
    radius, bright = 4, np.array([50.0, 70.0])
    settings = replace(SETTINGS, radius=radius, task=Task.DETECTION)
    protocol, shifts = plan_protocol((96, 128), settings)
    pixels = np.zeros((*protocol.picture, 3), np.uint8)
    pixels[int(bright[0]), int(bright[1])] = 255
    items: list[Picture | Rejected] = [Picture(ModelText(f"{i}.png"), pixels) for i in range(2)]
    found = run(tmp_path, onnx.load(file), items, settings)
    expected = []
    for image in range(2):
        plan = protocol.plan(image, shifts)
        corners = np.array([[window.y, window.x] for window in plan.windows], float)
        centres = np.floor((bright - corners) / stride) * stride + stride / 2
        ends = zip(plan.pairs.reference, plan.pairs.moved, plan.pairs.shift, strict=True)
        away = np.array([centres[one] - centres[two] - shift for one, two, shift in ends])
        overlap = np.prod(np.maximum(16 - np.abs(away), 0), axis=1)
        expected.append(np.linalg.norm(away, axis=1)[overlap / (512 - overlap) >= 0.5].mean())
    jitter = found.measure("centre-jitter")
    assert jitter is not None
    assert jitter.per_image == pytest.approx(expected, abs=1e-4)
    assert any(note.startswith("layout end-to-end (") for note in found.notes)
