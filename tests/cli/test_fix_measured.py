"""``aliasaudit fix`` that measures before it keeps anything, on the built-in trained network and held-out digits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.cli import output
from tests.cli.conftest import HOW, write_network

Run = Callable[..., tuple[int, str, str]]


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
    assert re.search(r"^  note: preprocessing .*grey, scale 0\.00392157", out, re.MULTILINE)
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
