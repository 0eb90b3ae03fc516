"""``aliasaudit fix`` that measures before it keeps anything, on the built-in trained network and held-out digits."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auditor.cli import output
from auditor.demo import demo_images, demo_model
from auditor.demo.digits import LAST_POSITION, draw
from tests.cli.conftest import write_network

Run = Callable[..., tuple[int, str, str]]
HOW = ("--preset", "unit", "--device", "cpu", "--images", "digits.npz")
SIZE = 16


@pytest.fixture
def digits() -> Path:
    """The network beside some held-out digits, with room to move."""
    held_out = np.load(demo_images())
    images, labels = held_out["images"][:SIZE], held_out["labels"][:SIZE]
    middle = np.full(SIZE, LAST_POSITION // 2)
    pictures = np.pad(draw(images, middle, middle)[:, 0], ((0, 0), (8, 8), (8, 8)))
    pixels = np.round(255 * pictures).astype(np.uint8)[..., None]
    np.savez("digits.npz", images=pixels, labels=labels)
    np.savez("unlabelled.npz", images=pixels)
    return Path(shutil.copy(demo_model(), "digits.onnx"))


def leftovers() -> set[str]:
    known = {".git", "digits.npz", "unlabelled.npz", "digits.onnx"}
    return {path.name for path in Path.cwd().iterdir()} - known


def test_the_change_is_stated_before_the_file_appears(run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[bool] = []
    original = output.emit

    def watching(text: str) -> None:
        there.append(Path("fixed.onnx").exists())
        original(text)

    monkeypatch.setattr(output, "emit", watching)
    code, out, err = run("fix", digits, "-o", "fixed.onnx", "--strategy", "phase-average", *HOW)
    assert (code, err) == (0, "")
    assert there == [False, True]
    assert out.startswith("measured on 16 images, both models on the same shifts")
    for measure in ("consistency", "mac", "accuracy", "agreement", "time"):
        assert re.search(rf"^  {measure} .*\d", out, re.MULTILINE)
    assert "wrote fixed.onnx" in out
    assert leftovers() == {"fixed.onnx"}


def test_a_blur_that_gains_nothing_is_not_kept_where_a_gain_is_required(run: Run, digits: Path) -> None:
    flags = ("--strategy", "blur", "--require-gain", "--output-format", "json", *HOW)
    code, out, _ = run("fix", digits, "-o", "fixed.onnx", *flags)
    assert code == 1
    assert leftovers() == set()
    report = json.loads(out)
    assert report["written"] is None
    assert report["gain"]["rose"] is False
    assert report["gain"]["loss"]["by"] == "accuracy"
    assert report["gain"]["changes"]["accuracy"]["difference"] < -0.2
    assert "--require-gain" in report["refused"]


def test_in_place_keeps_a_backup_and_the_file_is_the_one_that_a_rewrite_without_measuring_gives(
    run: Run, digits: Path
) -> None:
    before = digits.read_bytes()
    assert run("fix", digits, "-o", "plain.onnx", "--strategy", "phase-average")[0] == 0
    code, out, _ = run("fix", digits, "--in-place", "--strategy", "phase-average", *HOW)
    assert code == 0
    assert "backup: " in out
    assert Path("digits.onnx.bak").read_bytes() == before
    assert digits.read_bytes() == Path("plain.onnx").read_bytes()


def test_auto_finds_a_rewrite_of_the_trained_network_and_shows_what_it_tried(run: Run, digits: Path) -> None:
    code, out, err = run(
        "fix", digits, "-o", "fixed.onnx", "--strategy", "auto", "--max-cost", "1.9", "--output-format", "json", *HOW
    )
    assert err == ""
    report = json.loads(out)
    assert code == (0 if report["best"] else 1)
    assert (report["written"] == "fixed.onnx") is Path("fixed.onnx").exists() is bool(report["best"])
    assert len(report["candidates"]) == 5
    measured = [trial for trial in report["candidates"] if trial["gain"] is not None]
    assert [trial["candidate"] for trial in measured] == [
        "phase-average at the last site",
        "phase-average one site earlier",
    ]
    for trial in measured:
        assert trial["gain"]["time_ratio"]["value"] > 0
        assert set(trial["gain"]["changes"]) >= {"consistency", "mac", "accuracy"}
    assert leftovers() <= {"fixed.onnx"}


def test_auto_writes_nothing_where_nothing_helps(run: Run, digits: Path) -> None:
    code, out, err = run("fix", digits, "-o", "fixed.onnx", "--strategy", "auto", "--max-cost", "1", *HOW)
    assert (code, err) == (1, "")
    assert "nothing helps" in out
    assert out.count("too costly") == 5
    assert leftovers() == set()


def test_a_dry_run_keeps_nothing_and_without_labels_the_agreement_with_the_original_tells_the_loss(
    run: Run, digits: Path
) -> None:
    flags = (*HOW[:-1], "unlabelled.npz", "--output-format", "json")
    averaged = json.loads(run("fix", digits, "--dry-run", "--strategy", "phase-average", *flags)[1])["gain"]
    blurred = json.loads(run("fix", digits, "--dry-run", "--strategy", "blur", *flags)[1])["gain"]
    assert averaged["loss"]["by"] == blurred["loss"]["by"] == "agreement"
    assert averaged["loss"]["value"] < 0.03
    assert blurred["loss"]["value"] > 0.2
    assert leftovers() == set()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--strategy", "auto", "--site", "conv"), "leave --site out"),
        (("--strategy", "auto", "--max-cost", "much"), "--max-cost must be a factor"),
        (("--strategy", "auto", "--max-drop", "-1"), "--max-drop must be points"),
        (("--strategy", "auto", "--images", "absent"), "images are given as"),
        (("--strategy", "blur", "--verify", "--images", "absent"), "images are given as"),
    ],
)
def test_what_cannot_be_measured_ends_with_one_line_and_no_file(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    network = write_network(Path("net.onnx"))
    code, out, err = run("fix", network, "-o", "fixed.onnx", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert [path.name for path in Path.cwd().iterdir() if path.name != ".git"] == ["net.onnx"]


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(run: Run, digits: Path) -> None:
    code, out, err = run("fix", digits, "-o", "absent/fixed.onnx", "--strategy", "phase-average", *HOW)
    assert (code, out) == (2, "")
    assert "the output cannot be written" in err
