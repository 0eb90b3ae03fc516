"""``aliasaudit check --fix`` that measures: the file appears after that, and only where it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.verify import runner
from auditor.verify.result import Verification
from tests.cli.conftest import HOW, write_network

Run = Callable[..., tuple[int, str, str]]
FIX = ("--fix", "--fix-output", "fixed.onnx", "--exit-zero")


def others() -> set[str]:
    return {path.name for path in Path.cwd().iterdir()} - {".git", "digits.npz", "unlabelled.npz", "digits.onnx"}


def test_the_file_appears_only_after_both_models_were_measured(
    run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[bool] = []
    original = runner.verify

    def watching(*arguments: Any) -> Verification:
        there.append(Path("fixed.onnx").exists())
        return original(*arguments)

    monkeypatch.setattr(runner, "verify", watching)
    code, out, err = run("check", digits, *FIX, "--strategy", "phase-average", "--verify", *HOW)
    assert code == 0
    assert there == [False, False]
    assert "consistency: " in out
    assert "model fixed.onnx" in out
    assert "wrote fixed.onnx" in err
    assert others() == {"fixed.onnx"}


def test_without_a_sure_gain_nothing_is_kept_where_one_is_required(run: Run, digits: Path) -> None:
    flags = ("--strategy", "blur", "--require-gain", "--output-format", "json")
    code, out, err = run("check", digits, *FIX, *flags, *HOW)
    assert code == 1
    assert others() == set()
    (model,) = json.loads(out)["models"]
    assert "--require-gain" in model["comparison"]["remarks"][0]
    assert model["comparison"]["measured"]
    assert "nothing was written: --require-gain" in err


def test_what_could_not_be_measured_is_not_kept(run: Run, digits: Path) -> None:
    code, _, err = run("check", digits, *FIX, "--strategy", "phase-average", "--verify", "--images", "absent")
    assert code == 3
    assert "nothing was written" in err
    assert others() == set()


@pytest.mark.parametrize(
    "flags",
    [
        ("--strategy", "blur", "--kernel", "bin5", "--lambda", "0.5", "--padding", "edge", "--site", "pool"),
        ("--strategy", "blur", "--where", "pre"),
        ("--strategy", "phase-average", "--phases", "all"),
        ("--strategy", "blur", "--calibrate", "pictures.npz", "--preset", "unit", "--device", "cpu"),
    ],
)
def test_every_option_of_a_rewrite_means_what_it_means_to_fix(run: Run, flags: tuple[str, ...]) -> None:
    write_network(Path("net.onnx"))
    np.savez("pictures.npz", images=np.random.default_rng(0).integers(0, 256, (16, 40, 40, 3), dtype=np.uint8))
    assert run("fix", "net.onnx", "-o", "alone.onnx", *flags)[0] == 0
    assert run("check", "net.onnx", *FIX, *flags)[0] == 0
    assert Path("fixed.onnx").read_bytes() == Path("alone.onnx").read_bytes()


@pytest.mark.slow  # a whole search; what a page and a document show of one is tested without a run
def test_a_search_is_part_of_the_one_report(run: Run, digits: Path) -> None:
    flags = ("--strategy", "auto", "--max-cost", "1.9", "--state", "search.json", *HOW)
    report = json.loads(run("fix", digits, "-o", "alone.onnx", *flags, "--output-format", "json")[1])
    code, out, err = run("check", digits, *FIX, *flags, "--output-format", "json")
    assert code == 0
    (model,) = json.loads(out)["models"]
    tried = model["search"]["tried"]
    assert [one["name"] for one in tried] == [one["candidate"] for one in report["candidates"]]
    assert [one["verdict"] for one in tried] == [one["verdict"] for one in report["candidates"]]
    if report["best"] is None:
        assert "nothing helps" in err
        assert model["comparison"] is None
        return
    assert Path("fixed.onnx").read_bytes() == Path("alone.onnx").read_bytes()
    remarks = model["comparison"]["remarks"]
    assert remarks[0].startswith("rewritten with phase-average")
    assert "searched 7 candidates on 16 images" in remarks[1]
    (chosen,) = [line for line in remarks if line.endswith(": best")]
    assert chosen.startswith(f"{report['best']}: cost x1.")
    assert {one["measure"] for one in model["comparison"]["measured"]} >= {"consistency", "mac", "accuracy"}


def test_where_nothing_helps_the_audit_is_that_of_the_model(run: Run, digits: Path) -> None:
    code, out, err = run("check", digits, *FIX, "--strategy", "auto", "--max-cost", "1", *HOW)
    assert code == 0
    assert "model digits.onnx" in out
    assert "nothing helps, so nothing was written" in err
    assert "input-average: cost x2: too costly" in err
    assert others() == set()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--kernel", "bin5"), "give --fix with them"),
        (("--require-gain",), "give --fix with them"),
        ((*FIX, "--strategy", "blur", "--kernel", "bin99"), "--kernel must be one of"),
        ((*FIX, "--strategy", "blur", "--max-cost", "2"), "--max-cost is for a search"),
        ((*FIX, "--strategy", "phase-average", "--calibrate", "x"), "--calibrate fits blurred maps"),
        ((*FIX, "--strategy", "blur", "--site", "nowhere"), "no sampling site is called"),
    ],
)
def test_flags_that_do_not_go_together_end_with_one_line_and_no_file(
    run: Run, flags: tuple[str, ...], words: str
) -> None:
    write_network(Path("net.onnx"))
    code, out, err = run("check", "net.onnx", *flags)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert [path.name for path in Path.cwd().glob("*.onnx")] == ["net.onnx"]


def test_a_grid_lock_is_tested_before_it_is_kept_and_the_report_says_how(run: Run, digits: Path) -> None:
    flags = ("--strategy", "grid-lock", "--verify", "--output-format", "json")
    code, out, err = run("check", digits, *FIX, *flags, *HOW)
    (model,) = json.loads(out)["models"]
    remarks = model["comparison"]["remarks"]
    tests = [line for line in remarks if line.startswith("test ")]
    names = ["noise", "half-pixel", "object", "accuracy"]
    assert [line.split(":", 2)[0] for line in tests] == [f"test {name}" for name in names]
    failed = any(line.endswith(": failed") for line in tests)
    assert ("the lock failed on these pictures" in err) is failed
    assert others() == (set() if failed else {"fixed.onnx"})
    assert code == (1 if failed else 0)
    assert any("feed 72x72 pixels instead of 48x48" in line for line in remarks)
