"""The pipeline in front of a model is named on the command line, measured, and said in every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.api import measure
from tests.verify.models import classifier, saved

Run = Callable[..., tuple[int, str, str]]
FAST = ("--radius", "4", "--shifts", "4", "--layers", "0", "--device", "cpu", "--isolated", "--fail-on", "never")
PIPELINE = ("--fit", "letterbox-top-left", "--resize", "cv2-linear", "--preset", "raw", "--channels", "bgr")
SAID = "fit letterbox-top-left, cv2-linear, BGR 0..255, NCHW, float32"


@pytest.fixture
def images() -> str:
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (6, 90, 70, 3), dtype=np.uint8))
    return "images.npy"


def verify(run: Run, images: str, *arguments: str) -> tuple[int, str, str]:
    saved(Path("net.onnx"), classifier())
    return run("verify", "net.onnx", *FAST, "--images", images, *arguments)


def numbers(out: str) -> list[Any]:
    outputs = json.loads(out)["models"][0]["verification"]["outputs"]
    return [output["measures"] for output in outputs]


@pytest.mark.parametrize("output_format", ["text", "json", "markdown", "html"])
def test_every_format_says_fit_kernel_colours_and_whose_pixels(run: Run, images: str, output_format: str) -> None:
    code, out, _ = verify(run, images, "--preset", "yolox", "--shift-at", "native", "--output-format", output_format)
    assert code == 0
    assert f"{SAID} (--preset yolox)" in out
    if output_format == "json":
        shifts = json.loads(out)["models"][0]["verification"]["shifts"]
        assert shifts["at"] == "native"
        assert shifts["factor"] == pytest.approx(90 / 16, abs=0.5)
    else:
        assert "shifts to 4 px of the picture" in out
        assert "every px below is one of the picture" in out


def test_a_preset_measures_what_its_parts_by_hand_measure(run: Run, images: str) -> None:
    whole = verify(run, images, "--preset", "yolox", "--output-format", "json")[1]
    parts = verify(run, images, *PIPELINE, "--output-format", "json")[1]
    assert numbers(whole) == numbers(parts)
    said = json.loads(parts)["models"][0]["verification"]["preprocessing"]
    assert said == f"{SAID} (--preset raw, changed by --resize --fit)"


def test_another_kernel_or_fit_gives_other_numbers(run: Run, images: str) -> None:
    # In 0..1, since the scores of this network are certain of anything brighter.
    deployed = ("--preset", "unit", "--fit", "letterbox", "--resize", "cv2-linear", "--output-format", "json")
    base = numbers(verify(run, images, *deployed)[1])
    for other in (("--resize", "cv2-area"), ("--fit", "stretch"), ("--shift-at", "native")):
        assert numbers(verify(run, images, *deployed, *other)[1]) != base


def test_without_a_word_about_it_the_picture_is_covered_by_the_triangle(run: Run, images: str) -> None:
    explicit = ("--fit", "cover", "--resize", "triangle", "--shift-at", "model", "--preset", "imagenet")
    plain, spelt = (verify(run, images, *words, "--output-format", "json")[1] for words in ((), explicit))
    assert numbers(plain) == numbers(spelt)
    assert "preprocessing assumed: imagenet (fit cover, triangle, RGB" in verify(run, images)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--resize", "cv2-liner"), "resize must be a kernel such as cv2-linear or pil-bilinear, not 'cv2-liner' (did"),
        (("--fit", "leterbox"), 'did you mean "letterbox"?'),
        (("--preset", "ultralitics"), 'did you mean "ultralytics"?'),
        (("--shift-at", "nativ"), 'did you mean "native"?'),
    ],
)
def test_a_misspelt_name_is_refused_with_the_one_that_was_meant(
    run: Run, images: str, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = verify(run, images, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--shift-at", "native", "--protocol", "roll"), "by the protocol crop, not roll"),
        (("--preset", "detr"), "and the model reads 16x16"),
        (("--preset", "mediapipe"), "aspect ratio"),
        (("--shift-at", "native", "--radius", "70"), "no room for shifts of 70x70 pixels"),
    ],
)
def test_a_pipeline_that_does_not_work_on_these_pictures_is_one_line_and_exit_code_3(
    run: Run, images: str, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = verify(run, images, *arguments)
    assert code == 3
    assert err == ""
    assert sum(words in line for line in out.splitlines()) == 1
    assert "Traceback" not in out


def test_python_takes_the_same_options(images: str) -> None:
    saved(Path("net.onnx"), classifier())
    fast: dict[str, Any] = {"radius": 4, "shifts": 4, "layers": 0, "device": "cpu", "images": images}
    found = measure("net.onnx", preset="yolox", shift_at="native", **fast)
    assert found.preprocessing == f"{SAID} (--preset yolox)"
    with pytest.raises(ValueError, match="did you mean"):
        measure("net.onnx", resize="cv2-liner", **fast)


def test_a_settings_file_names_the_pipeline(run: Run, images: str) -> None:
    saved(Path("net.onnx"), classifier())
    Path("aliasaudit.toml").write_text(
        '[verify]\npreset = "unit"\nfit = "stretch"\nresize = "pil-bilinear"\nshift-at = "native"\n'
        'radius = 4\nlayers = 0\nshifts = 2\ndevice = "cpu"\n'
    )
    pytest.importorskip("PIL", reason="Pillow is not installed")
    code, out, _ = run("verify", "net.onnx", "--images", images, "--fail-on", "never")
    assert code == 0
    assert "fit stretch, pil-bilinear, RGB" in out
    assert "px of the picture" in out


@pytest.mark.parametrize("command", [("check", "--verify"), ("compare", "--verify")])
def test_check_and_compare_measure_behind_the_same_pipeline(run: Run, images: str, command: tuple[str, ...]) -> None:
    saved(Path("net.onnx"), classifier())
    name, *flags = command
    models = ("net.onnx", "net.onnx") if name == "compare" else ("net.onnx",)
    how = ("--images", images, "--preset", "yolox", "--shift-at", "native", "--device", "cpu", "--images-limit", "2")
    code, out, _ = run(name, *models, *flags, *how, "--output-format", "json", "--isolated")
    assert code in (0, 1, 3)
    assert SAID in out
