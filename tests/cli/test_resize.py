"""``aliasaudit resize`` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from auditor.report.json.schema import resize_schema
from tests.resizing.stripes import bright_or_dark, photos, stripes

Run = Callable[..., tuple[int, str, str]]
HOW = ("--preset", "unit", "--device", "cpu")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return bright_or_dark(tmp_path)


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    return photos(tmp_path, stripes(16))


def test_a_kernel_that_aliases_fails_the_run_with_the_line_that_repairs_it(
    run: Run, model: Path, pictures: str
) -> None:
    code, out, err = run("resize", model, "--images", pictures, "--resize", "cv2-nearest", *HOW)
    assert code == 1
    assert "cv2-nearest changes 16 of 16 answers" in out
    assert "error AA406 resize-aliases: cv2-nearest shrinks pictures without a low-pass" in out
    assert "write:  cv2.resize(img, (32, 32), interpolation=cv2.INTER_AREA)" in out
    assert err == ""


@pytest.mark.parametrize("forgiving", [("--fail-on", "never"), ("--exit-zero",), ("--ignore", "AA406")])
def test_the_exit_code_is_the_users_to_decide(run: Run, model: Path, pictures: str, forgiving: tuple[str, ...]) -> None:
    few = ("--kernels", "cv2-nearest,cv2-area")
    assert run("resize", model, "--images", pictures, "--resize", "cv2-nearest", *few, *HOW, *forgiving)[0] == 0


def test_a_kernel_that_filters_is_clean(run: Run, model: Path, pictures: str) -> None:
    code, out, _ = run("resize", model, "--images", pictures, "--resize", "cv2-area", *HOW)
    assert code == 0
    assert "cv2-area is the reference: it filters before it samples" in out
    assert "AA406" not in out


def test_every_format_is_written_from_one_run(run: Run, model: Path, pictures: str) -> None:
    reports = [f"--report={name}=out/r.{name}" for name in ("json", "html", "markdown", "text")]
    code, out, err = run("resize", model, "--images", pictures, *HOW, "--output-format", "json", *reports)
    assert code == 0
    assert json.loads(out)["comparison"]["deployed"] == ""
    jsonschema.validate(json.loads(out), resize_schema())
    assert json.loads(Path("out/r.json").read_text(encoding="utf-8")) == json.loads(out)
    assert Path("out/r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert Path("out/r.markdown").read_text(encoding="utf-8").startswith("### Resize in front of")
    assert err.count("wrote out/r.") == 4


def test_pictures_that_nothing_shrinks_end_with_3_and_say_so(run: Run, model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", np.zeros((9, 24, 24, 3), np.uint8))
    code, out, err = run("resize", model, "--images", tmp_path / "small.npy", *HOW)
    assert code == 3
    assert "is not shrunk: 24 x 24 pixels become 32 x 32" in out
    assert err == ""


def test_a_folder_without_pictures_ends_with_3(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, _ = run("resize", model, "--images", tmp_path / "empty", *HOW)
    assert code == 3
    assert "no image files" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--images must be given: your own pictures"),
        (("--images", "x", "--resize", "cv2-linaer"), '(did you mean "cv2-linear"?)'),
        (("--images", "x", "--kernels", "area"), "--kernels: there is no resize kernel 'area'"),
        (("--images", "x", "--fit", "squash"), "fit must be one of stretch"),
        (("--images", "x", "--preset", "yolo"), "preset"),
        (("--images", "x", "--output-format", "sarif"), "output-format must be one of text, json, markdown, html"),
    ],
)
def test_a_wrong_option_is_one_line_and_ends_with_2(
    run: Run, model: Path, words: tuple[str, ...], message: str
) -> None:
    code, out, err = run("resize", model, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_one_model_at_a_time(run: Run, model: Path, pictures: str) -> None:
    Path("two").mkdir()
    Path("two/one.onnx").write_bytes(model.read_bytes())
    Path("two/other.onnx").write_bytes(model.read_bytes())
    code, _, err = run("resize", "two", "--images", pictures)
    assert code == 2
    assert "resize looks at one model at a time" in err
    code, out, _ = run("resize", "missing.onnx", "--images", pictures)
    assert code == 3
    assert "missing.onnx" in out


def test_a_report_never_replaces_the_model(run: Run, model: Path, pictures: str) -> None:
    before = model.read_bytes()
    code, _, err = run("resize", model, "--images", pictures, "--output", model)
    assert code == 2
    assert "is one of the models" in err
    assert model.read_bytes() == before
