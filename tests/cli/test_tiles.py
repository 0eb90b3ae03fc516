"""``aliasaudit tiles`` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.tiling.networks import CHANNELS, Builder, measured_example

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return measured_example(tmp_path / "net.onnx")


def approximate(tmp_path: Path) -> Path:
    build = Builder(channels=CHANNELS)
    x = build.conv("x", 3)
    return build.save(tmp_path / "global.onnx", build.add("Mul", [x, build.add("GlobalAveragePool", [x])]))


def test_exact_tiles_are_clean(run: Run, example: Path) -> None:
    code, out, err = run("tiles", example)
    assert (code, err) == (0, "")
    assert "grid 8 px" in out
    assert "Exact:" in out


def test_tiles_that_are_not_exact_fail_unless_forgiven(run: Run, tmp_path: Path) -> None:
    path = approximate(tmp_path)
    code, out, _ = run("tiles", path)
    assert code == 1
    assert "Approximate: no overlap makes tiles equal to the whole picture" in out
    assert run("tiles", path, "--exit-zero")[0] == 0


def test_a_memory_that_is_too_small_fails(run: Run, example: Path) -> None:
    code, out, _ = run("tiles", example, "--memory", "1KB")
    assert code == 1
    assert "No tile fits: the smallest of these needs about" in out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--memory", "much", "--memory must be an amount of memory such as 8GB or 512MiB"),
        ("--tile", "96x", "--tile must be sizes in pixels such as 512x768"),
        ("--tile", "100", "--tile: the height must be a multiple of the grid, 8, such as 96"),
        ("--tolerance", "2", "--tolerance must be a share of the output's range"),
        ("--output-format", "sarif", "output-format must be one of text, json, markdown"),
    ],
)
def test_an_option_that_cannot_be_is_a_usage_error(
    run: Run, example: Path, option: str, value: str, words: str
) -> None:
    code, out, err = run("tiles", example, option, value)
    assert (code, out) == (2, "")
    assert words in err


def test_help_names_the_formats_that_it_writes(run: Run) -> None:
    code, out, _ = run("tiles", "--help-all")
    assert code == 0
    assert "text, json, markdown" in " ".join(out.split())
    assert "sarif" not in out


def test_every_format_is_written_from_one_run(run: Run, example: Path) -> None:
    reports = [f"--report={name}=out/r.{name}" for name in ("json", "markdown", "text")]
    code, out, err = run("tiles", example, "--tile", "96", "--output-format", "json", *reports)
    assert code == 0
    assert json.loads(out)["plan"]["tiles"][0]["size"] == [96, 96]
    assert json.loads(Path("out/r.json").read_text(encoding="utf-8")) == json.loads(out)
    assert Path("out/r.markdown").read_text(encoding="utf-8").startswith("### Tiles for")
    assert err.count("wrote out/r.") == 3


def test_the_seam_is_measured_on_pictures(run: Run, example: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "slides.npy", np.random.default_rng(0).integers(0, 256, (1, 200, 200, 3), np.uint8))
    how = ("--verify", "--images", tmp_path / "slides.npy", "--preset", "raw", "--device", "cpu")
    code, out, _ = run("tiles", example, "--tile", "96", *how)
    assert code == 0
    assert "measured: 1 picture of 168 px" in out
    assert "An overlap of 24 px keeps the difference below 0.001 of the output's range." in out


@pytest.mark.parametrize("name", ["missing.onnx", "text.onnx"])
def test_a_file_that_cannot_be_read_is_incomplete(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    code, out, _ = run("tiles", tmp_path / name)
    assert code == 3
    assert "problem" in out


def test_pictures_that_are_not_there_leave_the_plan_and_exit_3(run: Run, example: Path) -> None:
    code, out, _ = run("tiles", example, "--verify", "--images", "nowhere")
    assert code == 3
    assert "grid 8 px" in out
    assert out.startswith("problem not-measured")  # the reason first, the plan behind it


def test_one_model_at_a_time(run: Run, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("a", "b"):
        measured_example(tmp_path / "more" / f"{name}.onnx")
    code, _, err = run("tiles", tmp_path / "more")
    assert code == 2
    assert "one model at a time" in err
