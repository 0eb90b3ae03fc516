"""``aliasaudit anonymise`` writes a file that can be shown, or refuses in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.demo import demo_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def model() -> Path:
    return Path(shutil.copy(demo_model(), "model.onnx"))


def test_it_says_what_was_left_out_and_the_skeleton_can_be_audited(run: Run, model: Path) -> None:
    before = model.read_bytes()
    code, out, err = run("anonymise", model, "-o", "skeleton.onnx")
    assert (code, err) == (0, "")
    assert "skeleton.onnx: " in out
    assert "alias energies" in out
    assert model.read_bytes() == before
    code, out, _ = run("check", "skeleton.onnx", "--exit-zero")
    assert code == 0
    assert "Cumulative subsampling 8" in out


def test_the_model_itself_is_never_replaced(run: Run, model: Path) -> None:
    before = model.read_bytes()
    code, out, err = run("anonymise", model, "-o", model)
    assert (code, out) == (2, "")
    assert "choose another name" in err
    assert model.read_bytes() == before


@pytest.mark.parametrize("target", ["no/such/folder/skeleton.onnx", "."])
def test_a_file_that_cannot_be_written_is_refused_in_one_line(run: Run, model: Path, target: str) -> None:
    code, out, err = run("anonymise", model, "-o", target)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_a_file_that_is_not_a_model_is_incomplete_and_nothing_is_written(run: Run) -> None:
    Path("text.onnx").write_text("hello", encoding="utf-8")
    code, out, err = run("anonymise", "text.onnx", "-o", "skeleton.onnx")
    assert (code, out) == (3, "")
    assert err.startswith("aliasaudit: text.onnx: ")
    assert not Path("skeleton.onnx").exists()
