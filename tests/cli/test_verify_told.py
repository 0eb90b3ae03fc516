"""A file that says how its pictures are prepared is believed, in words, unless the user says otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper

from tests.tiling.networks import Builder
from tests.verify.models import classifier, saved

Run = Callable[..., tuple[int, str, str]]
FAST = ("--radius", "4", "--shifts", "4", "--layers", "0", "--device", "cpu", "--isolated", "--fail-on", "never")
ULTRALYTICS = {"task": "classify", "names": "{0: 'a'}", "stride": "1", "imgsz": "[24, 32]"}
BLUE_FIRST = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_1_1"}


@pytest.fixture(autouse=True)
def images() -> None:
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (6, 90, 70, 3), dtype=np.uint8))


def network(metadata: dict[str, str], *, open_size: bool = False) -> ModelProto:
    made = classifier()
    helper.set_model_props(made, metadata)
    if open_size:
        for dim, name in zip(made.graph.input[0].type.tensor_type.shape.dim[2:], "hw", strict=True):
            dim.dim_param = name
    return made


def verification(run: Run, made: ModelProto, *arguments: str) -> dict[str, object]:
    saved(Path("net.onnx"), made)
    command = ("verify", "net.onnx", *FAST, "--images", "images.npy", "--output-format", "json")
    code, out, _ = run(*command, *arguments)
    assert code == 0
    found: dict[str, object] = json.loads(out)["models"][0]["verification"]
    return found


def test_what_is_told_measures_what_its_parts_measure(run: Run) -> None:
    told = verification(run, network(BLUE_FIRST))
    named = verification(run, network({}), "--preset", "signed", "--channels", "bgr")
    assumed = verification(run, network({}))
    assert told["outputs"] == named["outputs"] != assumed["outputs"]
    assert "--preset signed" in str(told["preprocessing"])


def test_it_is_said_that_the_file_told_it(run: Run) -> None:
    saved(Path("net.onnx"), network(ULTRALYTICS, open_size=True))
    _, out, _ = run("verify", "net.onnx", *FAST, "--images", "images.npy")
    text = " ".join(out.split())
    assert (
        "preset unit, 24 x 32 px where the input leaves it open, told by the file's metadata (--preset, --size)" in text
    )
    assert "windows of 24x32 px" in text
    assert "assumed: imagenet" not in text
    assert "was used (--size)" not in text


def test_the_user_knows_better(run: Run) -> None:
    made = network(BLUE_FIRST)
    for words in (("--preset", "unit"), ("--scale", "1/255")):
        assert "told by the file" not in json.dumps(verification(run, made, *words))
    resized = verification(run, made, "--resize", "cv2-area")
    assert "cv2-area" in str(resized["preprocessing"])
    assert "changed by --resize" in str(resized["preprocessing"])
    sized = verification(run, network(ULTRALYTICS, open_size=True), "--size", "16")
    assert "24 x 32" not in json.dumps(sized)


def test_both_sides_of_a_comparison_follow_the_file_that_says_it(run: Run) -> None:
    saved(Path("new.onnx"), network(BLUE_FIRST))
    saved(Path("old.onnx"), network({}))
    command = ("compare", "old.onnx", "new.onnx", "--verify", "--images", "images.npy", "--output-format", "json")
    code, out, err = run(*command, "--device", "cpu", "--isolated")
    assert code in (0, 1), err
    assert out.count("--preset signed") == 2


def test_an_audit_assumes_the_size_that_the_file_names_and_says_so_in_every_format(run: Run) -> None:
    saved(Path("net.onnx"), network(ULTRALYTICS, open_size=True))
    reports = [f"--report={name}=net.{name}" for name in ("html", "markdown", "json")]
    code, out, _ = run("check", "net.onnx", "--isolated", "--exit-zero", *reports)
    assert code == 0
    assert "input x Nx3x24x32 (24x32 told by the file's metadata, see --input-shape)" in out
    for name in ("html", "markdown"):
        assert "24x32 told by the file" in Path(f"net.{name}").read_text(encoding="utf-8")
    (stated,) = json.loads(Path("net.json").read_text(encoding="utf-8"))["models"][0]["inputs"]
    assert (stated["sizes"][2:], stated["told"]) == ([24, 32], True)


def test_an_audit_of_a_file_that_says_nothing_or_of_a_shape_that_is_given_does_not_speak_of_metadata(run: Run) -> None:
    saved(Path("net.onnx"), network(ULTRALYTICS, open_size=True))
    saved(Path("silent.onnx"), network({}, open_size=True))
    name = network({}).graph.input[0].name
    for command in (("net.onnx", "--input-shape", f"{name}=1x3x40x40"), ("silent.onnx",)):
        _, out, _ = run("check", *command, "--isolated", "--exit-zero")
        assert "metadata" not in out
    assert "224x224 assumed" in out


def test_resize_shrinks_to_the_size_and_by_the_preset_that_the_file_names(run: Run) -> None:
    saved(Path("net.onnx"), network(ULTRALYTICS, open_size=True))
    command = ("resize", "net.onnx", "--images", "images.npy", "--device", "cpu", "--isolated", "--exit-zero")
    code, out, err = run(*command)
    assert code == 0, err
    assert "preset unit, 24 x 32 px where the input leaves it open, told by the file's metadata" in out
    assert "assumed" not in out
    _, out, _ = run(*command, "--preset", "unit", "--size", "16x16")
    assert "metadata" not in out


def test_tiles_are_run_on_pictures_as_the_file_says_that_they_are_prepared(run: Run) -> None:
    build = Builder(channels=3)
    path = build.save(Path("map.onnx"), build.conv("x", 3))
    made = onnx.load(path)
    helper.set_model_props(made, BLUE_FIRST)
    onnx.save(made, path)
    command = ("tiles", "map.onnx", "--verify", "--images", "images.npy", "--device", "cpu", "--isolated")
    _, out, err = run(*command)
    assert "preset signed, bgr, told by the file's metadata" in out, err
    assert "assumed" not in out
    _, out, _ = run(*command, "--preset", "unit")
    assert "metadata" not in out
