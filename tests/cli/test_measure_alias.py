"""``check --measure-alias``: which share really folds at each site, beside the expected one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from onnx import ModelProto, helper

import auditor
from auditor.report.json.schema import report_schema
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import plan_protocol
from tests.verify.models import model, saved
from tests.verify.stand_in import dies_with, stand_in

Run = Callable[..., tuple[int, str, str]]
OPTIONS = ("--measure-alias", "--images", "noise.npy", "--preset", "unit", "--device", "cpu", "--fail-on", "never")


def network() -> ModelProto:
    """A strided convolution on the picture, then a max-pool: both sites can be run at stride 1."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["first"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["first"], ["relu"]),
        helper.make_node("MaxPool", ["relu"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["pool"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    weights = {"w": rng.normal(size=(8, 3, 3, 3)).astype(np.float32)}
    return model(nodes, {"x": ["N", 3, 96, 96]}, {"y": ["N", 8]}, weights)


@pytest.fixture(autouse=True)
def files(run: Run) -> None:
    # At the size that windows are cut from: noise that is resized is white no more.
    height, width = plan_protocol((96, 96), VerifySettings())[0].picture
    np.save("noise.npy", np.random.default_rng(1).integers(0, 256, (3, height, width, 3), dtype=np.uint8))
    saved(Path("net.onnx"), network())


def sites(out: str) -> Any:
    return json.loads(out)["models"][0]["analysis"]["sites"]


def alias(out: str) -> Any:
    """What was measured of the alias energies."""
    return json.loads(out)["models"][0]["alias"]


def test_of_white_noise_what_is_measured_is_the_alias_energy_of_a_flat_spectrum(run: Run) -> None:
    code, out, _ = run("check", "net.onnx", *OPTIONS, "--output-format", "json")
    assert code == 0
    first, pool = sites(out)
    measured = alias(out)["sites"]
    assert measured["0"]["share"] == pytest.approx(first["alias"]["flat"], abs=0.02)
    assert measured["0"]["images"] == measured["1"]["images"] == 3
    assert first["alias"]["expected"] < 0.5 * measured["0"]["share"]
    assert pool["alias"] is not None
    document = json.loads(out)
    jsonschema.validate(document, report_schema())
    assert alias(out)["images"] == 3
    assert document["models"][0]["verification"] is None


def test_every_report_shows_the_measured_number_beside_the_expected_one_and_on_how_many_pictures(run: Run) -> None:
    _, text, _ = run("check", "net.onnx", *OPTIONS)
    (heading,) = [line for line in text.splitlines() if "expected  " in line and "verdict" in line]
    assert heading.index("expected") < heading.index("measured") < heading.index("verdict")
    assert "measured: share that folds on 3 pictures" in text
    Path("report.json").write_text(run("check", "net.onnx", *OPTIONS, "--output-format", "json")[1], encoding="utf-8")
    for name, words in (
        ("markdown", "| expected | measured | verdict |"),
        ("html", ">measured</th>"),
        ("text", "measured: share that folds on 3 pictures"),
    ):
        _, fresh, _ = run("check", "net.onnx", *OPTIONS, "--output-format", name)
        _, again, _ = run("report", "report.json", "--output-format", name)
        assert words in fresh
        assert words in again


def test_without_the_option_nothing_is_measured_and_nothing_is_said(run: Run) -> None:
    _, out, _ = run("check", "net.onnx", "--output-format", "json")
    assert alias(out) is None
    _, text, _ = run("check", "net.onnx")
    assert "measured" not in text


def test_eight_built_in_pictures_are_used_where_nobody_says_and_fewer_where_somebody_does(run: Run) -> None:
    _, text, _ = run("check", "net.onnx", "--measure-alias", "--device", "cpu")
    assert "measured: share that folds on 8 built-in pictures (preprocessing assumed: imagenet" in text
    _, text, _ = run("check", "net.onnx", "--measure-alias", "--device", "cpu", "--images-limit", "1")
    assert "on 1 built-in picture (" in text


def test_a_model_without_a_site_that_can_be_run_says_so(run: Run) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    saved(Path("net.onnx"), model(nodes, {"x": ["N", 3, 96, 96]}, {"y": ["N", 3, 96, 96]}))
    code, out, _ = run("check", "net.onnx", *OPTIONS, "--output-format", "json")
    assert code == 0
    measurement = alias(out)
    assert measurement["images"] == 0
    assert measurement["notes"] == ["no alias energy was measured: there is no sampling site"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [("raise ImportError", "onnxruntime is not installed: pip install 'aliasaudit[cpu]'"), ("", "SIGSEGV")],
)
def test_what_cannot_be_measured_is_one_line_and_exit_code_three(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    folder = stand_in(tmp_path, dies_with("SIGSEGV"))
    if fault:
        (folder / "onnxruntime.py").write_text(fault, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    code, out, _ = run("check", "net.onnx", *OPTIONS)
    assert code == 3
    (line,) = [line for line in out.splitlines() if words in line]
    assert "net.onnx" in line


def test_a_rewrite_is_checked_by_itself(run: Run) -> None:
    code, _, err = run("check", "net.onnx", *OPTIONS, "--fix", "--fix-output", "f.onnx", "--strategy", "blur")
    assert code == 2
    assert "--measure-alias goes without --fix" in err
    assert not Path("f.onnx").exists()


def test_python_measures_with_options_by_name_and_refuses_what_is_none() -> None:
    options = {"images": "noise.npy", "preset": "unit", "images_limit": 2, "device": "cpu"}
    report = auditor.check("net.onnx", measure_alias=options)
    assert report.alias is not None
    assert report.alias.images == 2
    first = report.analysis.sites[0].alias
    assert first is not None
    assert report.alias.sites[0].share == pytest.approx(first.flat, abs=0.02)
    assert auditor.check("net.onnx").alias is None
    with pytest.raises(ValueError, match="images"):
        auditor.check("net.onnx", measure_alias={"imags": "noise.npy"})
    with pytest.raises(auditor.VerifyError, match=r"net\.onnx"):
        auditor.check("net.onnx", measure_alias={"images": "missing.npy"})
