"""The built-in example: a real trained network, with names and source lines as an exporter gives them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnx.checker
import onnxruntime
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from auditor.demo import demo_images, demo_model
from auditor.demo.digits import CANVAS, DIGIT, LAST_POSITION, draw

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.load(demo_model())


def test_the_network_reads_97_percent_of_its_held_out_digits() -> None:
    with np.load(demo_images()) as data:
        images, labels = data["images"], data["labels"]
    middle = np.full(len(images), LAST_POSITION // 2)
    session = onnxruntime.InferenceSession(demo_model(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": draw(images, middle, middle)})
    assert len(images) == 64
    assert (np.argmax(logits, axis=1) == labels).mean() >= 0.97


def test_the_network_is_valid_and_small(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    assert demo_model().stat().st_size < 200_000


def test_the_network_halves_its_grid_three_times_by_pool_and_by_convolution(model: onnx.ModelProto) -> None:
    strided = [node.name for node in model.graph.node if stride(node) > 1]
    assert strided == [
        "/maxpool/MaxPool",
        "/layer1/conv1/Conv",
        "/layer1/downsample/Conv",
        "/layer2/conv1/Conv",
        "/layer2/downsample/Conv",
    ]


def test_every_source_line_that_the_network_names_is_that_line_of_the_training_script(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        metadata = {entry.key: entry.value for entry in node.metadata_props}
        frames = re.findall(r'File "([^"]+)", line (\d+), in \w+\n {4}(.+)', metadata["pkg.torch.onnx.stack_trace"])
        assert frames, node.name
        for file, line, text in frames:
            assert (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1].strip() == text


@given(st.integers(0, LAST_POSITION), st.integers(0, LAST_POSITION))
def test_a_digit_moved_by_whole_pixels_is_the_same_picture_moved(row: int, column: int) -> None:
    digit = np.arange(64, dtype=np.uint8).reshape(1, 8, 8) % 17
    at_origin = draw(digit, np.zeros(1, np.int64), np.zeros(1, np.int64))
    moved = draw(digit, np.array([row]), np.array([column]))
    assert moved.shape == (1, 1, CANVAS, CANVAS)
    assert moved[..., row : row + DIGIT, column : column + DIGIT].tobytes() == at_origin[..., :DIGIT, :DIGIT].tobytes()
    assert moved.sum() == pytest.approx(at_origin.sum())


def test_a_digit_is_enlarged_linearly_with_its_pixel_centres_kept() -> None:
    digit = np.random.default_rng(0).integers(0, 17, (1, 8, 8), np.uint8)
    picture = draw(digit, np.zeros(1, np.int64), np.zeros(1, np.int64))
    expected = scipy.ndimage.zoom(digit[0] / 16.0, 3, order=1, mode="nearest", grid_mode=True)
    assert picture[0, 0, :DIGIT, :DIGIT] == pytest.approx(expected, abs=1e-6)


def stride(node: onnx.NodeProto) -> int:
    return max((max(entry.ints) for entry in node.attribute if entry.name == "strides"), default=1)
