"""``aliasaudit finetune`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.finetune.models import blurred, network, pictures

Run = Callable[..., tuple[int, str, str]]

TRAINS = pytest.mark.skipif(
    find_spec("torch") is None or find_spec("onnx2torch") is None, reason="the extra `finetune` is not installed"
)


@pytest.fixture
def models(tmp_path: Path) -> list[str | Path]:
    """The arguments that name a blurred network, its original and where the result goes."""
    (tmp_path / "aliasaudit.toml").write_text("[verify]\nthreads = 1\n")
    original = network(tmp_path / "net.onnx")
    return [blurred(original, tmp_path / "blurred.onnx"), "--original", original, "-o", tmp_path / "tuned.onnx"]


@pytest.fixture
def images(tmp_path: Path) -> list[str | Path]:
    """The arguments that say what to learn from, and how."""
    found: list[str | Path] = ["--images", pictures(tmp_path / "pictures.npz"), "--preset", "unit", "--device", "cpu"]
    return [*found, "--epochs", "2", "--rate", "3e-3", "--shifts", "4", "--views", "2"]


def test_without_the_extra_one_line_says_what_to_install(
    run: Run, models: list[str | Path], images: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.finetune.convert.find_spec", lambda _: None)
    code, out, err = run("finetune", *models, *images)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "pip install 'aliasaudit[finetune]'" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "--epochs must be a number of 1 or more"),
        (["--rate", "fast"], "--rate must be a number"),
        (["--rate", "inf"], "--rate must be a number"),
        (["--seed", "-1"], "--seed must be a number of 0 or more"),
        (["--minutes", "0"], "--minutes must be a number"),
        (["--output-format", "html"], "--output-format must be one of text, json"),
    ],
)
def test_options_that_make_no_sense_are_mistakes(
    run: Run, models: list[str | Path], arguments: list[str], words: str
) -> None:
    code, _, err = run("finetune", *models, *arguments)
    assert code == 2
    assert words in err


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes before the training does not need the libraries."""
    monkeypatch.setattr("auditor.finetune.convert.find_spec", lambda _: True)


def test_pictures_have_to_be_named(run: Run, installed: None, models: list[str | Path]) -> None:
    code, _, err = run("finetune", *models)
    assert code == 2
    assert "--images" in err


def test_a_model_that_cannot_be_read_ends_with_3_and_its_name(
    run: Run, installed: None, models: list[str | Path], images: list[str | Path], tmp_path: Path
) -> None:
    (tmp_path / "net.onnx").write_text("no model")
    code, _, err = run("finetune", *models, *images)
    assert code == 3
    assert "net.onnx: " in err


def test_the_model_itself_is_not_the_output(
    run: Run, installed: None, models: list[str | Path], images: list[str | Path]
) -> None:
    before = Path(models[0]).read_bytes()
    code, _, err = run("finetune", *models[:-1], models[0], *images)
    assert code == 2
    assert "the output is the model itself" in err
    assert Path(models[0]).read_bytes() == before


@TRAINS
def test_the_report_says_what_was_learnt_from_what_and_where_it_is(
    run: Run, models: list[str | Path], images: list[str | Path], tmp_path: Path
) -> None:
    code, out, err = run("finetune", *models, *images)
    assert (code, err) == (0, "")
    assert "36 views of pictures learnt from, 6 pictures held out" in out
    assert "7 weight tensors trained on cpu, 2 left as they were" in out
    assert "(kept)" in out
    assert f"wrote {tmp_path / 'tuned.onnx'}" in out
    assert (tmp_path / "tuned.onnx").exists()


@TRAINS
def test_where_nothing_helps_the_exit_code_is_1_and_programs_are_told(
    run: Run, models: list[str | Path], images: list[str | Path], tmp_path: Path
) -> None:
    code, out, _ = run("finetune", *models, *images, "--rate", "100", "--output-format", "json")
    report = json.loads(out)
    assert code == 1
    assert (report["schema"], report["written"], report["epoch"]) == ("aliasaudit-finetune/1", None, 0)
    assert report["losses"][0] > 0
    assert not (tmp_path / "tuned.onnx").exists()
