"""``fix --inline``: networks whose strided nodes stand in local functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

import auditor
from tests.rewrite.test_inline import hold, network

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def functions() -> Path:
    onnx.save(network(), "net.onnx")
    return Path("net.onnx")


def test_the_plan_names_the_flag_and_the_flag_lists_what_applies(run: Run, functions: Path) -> None:
    assert (
        "does not apply: it stands in a local function, whose nodes are not edited: give --inline"
        in (run("fix", functions, "--plan")[1])
    )
    assert "blur: x" in run("fix", functions, "--plan", "--inline")[1]


def test_the_output_is_a_plain_graph_that_computes_the_same(run: Run, functions: Path) -> None:
    how = ("--strategy", "blur", "--kernel", "identity", "--inline")
    code, out, err = run("fix", functions, "-o", "fixed.onnx", *how)
    assert (code, err) == (0, "")
    assert "inlined: 1 local function" in out
    hold(functions, Path("fixed.onnx"))
    assert sorted(path.name for path in Path.cwd().iterdir() if path.is_file()) == ["fixed.onnx", "net.onnx"]


def test_the_model_itself_is_replaced_only_in_place_and_with_a_backup(run: Run, functions: Path) -> None:
    before = functions.read_bytes()
    code, _, err = run("fix", functions, "-o", functions, "--strategy", "blur", "--inline")
    assert code == 2
    assert "the output is the model itself" in err
    code, out, _ = run("fix", functions, "--in-place", "--strategy", "blur", "--inline")
    assert code == 0
    assert "net.onnx.bak" in out
    assert Path("net.onnx.bak").read_bytes() == before


def test_the_audit_before_and_after_takes_the_flag_too(run: Run, functions: Path) -> None:
    how = ("--fix", "--fix-output", "fixed.onnx", "--strategy", "blur", "--exit-zero", "--output-format", "json")
    code, _, err = run("check", functions, *how)
    assert code == 0
    assert "nothing was written, no site could be rewritten: it stands in a local function" in err
    code, out, err = run("check", functions, *how, "--inline")
    assert (code, err) == (0, "aliasaudit: wrote fixed.onnx\n")
    assert not onnx.load("fixed.onnx").functions
    (audited,) = json.loads(out)["models"]
    assert [entry["antialiased"] for entry in audited["analysis"]["sites"]] == [True]
    assert len(audited["comparison"]["fixed"]) >= 1
    assert "give --fix with them" in run("check", functions, "--inline")[2]


def test_from_python_too(functions: Path) -> None:
    assert auditor.fix(functions, None, strategy="blur").skipped
    done = auditor.fix(functions, "fixed.onnx", strategy="blur", kernel="identity", inline=True)
    assert done.path == Path("fixed.onnx")
    hold(functions, Path("fixed.onnx"))
