"""The built-in example as files: what lies there is the example, and other programs can read it."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from auditor.demo import demo_images, demo_model, demo_workflow, more_demo_images
from auditor.demo.digits import DIGIT, LAST_POSITION, draw
from auditor.demo.files import LABELS, MODEL, PICTURES, SETTINGS, VERIFY, png, write_example
from auditor.verify.images.source import Picture, open_images

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    write_example(folder)
    return folder


def test_the_model_is_the_built_in_one(example: Path) -> None:
    assert (example / MODEL).read_bytes() == demo_model().read_bytes()


def test_every_picture_has_a_label_and_is_the_digit_that_the_network_gets(example: Path) -> None:
    source = open_images(str(example / PICTURES), example / LABELS)
    pictures = [picture for picture in source if isinstance(picture, Picture)]
    assert len(pictures) == source.count == 360
    with np.load(demo_images()) as data:
        digits, labels = data["images"], data["labels"]
    assert [picture.label for picture in pictures[:64]] == labels.tolist()
    middle = np.full(64, LAST_POSITION // 2)
    inputs = draw(digits, middle, middle)[:, 0]
    room = (inputs.shape[1] - DIGIT) // 2
    for picture, expected in zip(pictures[:64], inputs, strict=True):
        placed = np.pad(picture.pixels.reshape(DIGIT, DIGIT) / 255, room)
        assert np.abs(placed - expected).max() <= 0.5 / 255 + 1e-6


def test_the_digits_are_of_the_data_set_and_none_is_there_twice() -> None:
    known = {picture.astype(np.uint8).tobytes() for picture in load_digits().images}
    carried = []
    for path in (demo_images(), more_demo_images()):
        with np.load(path) as data:
            assert len(data["images"]) == len(data["labels"])
            carried += [picture.tobytes() for picture in data["images"]]
    assert set(carried) <= known
    assert len(set(carried)) == len(carried) == 360


@pytest.mark.parametrize("shape", [(1, 1), (24, 24), (3, 7)])
def test_a_picture_is_a_file_that_pillow_reads_exactly(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Image.open(io.BytesIO(png(picture))) as read:
        assert read.mode == "L"
        assert np.array_equal(np.asarray(read), picture)


def test_the_labels_name_every_picture_once(example: Path) -> None:
    rows = list(csv.DictReader((example / LABELS).read_text(encoding="utf-8").splitlines()))
    assert sorted(row["file"] for row in rows) == sorted(path.name for path in (example / PICTURES).iterdir())


def test_the_settings_are_those_that_the_story_measures_with(example: Path) -> None:
    text = (example / SETTINGS).read_text(encoding="utf-8")
    for key, value in VERIFY.items():
        assert re.search(rf'^{key} = "?{value}"?  #', text, re.MULTILINE)


def test_the_workflow_is_the_gate_of_the_guide() -> None:
    guide = (ROOT / "docs" / "guides" / "github-actions.md").read_text(encoding="utf-8")
    written = demo_workflow().read_text(encoding="utf-8")
    assert written.replace("models: model.onnx", "models: models/").replace("**.onnx", "models/**") in guide
