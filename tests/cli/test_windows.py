"""The rules of Windows, held here: open files stay where they are, and a console speaks a code page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import write_network
from tests.sharing import hold_open_files

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_open_files(monkeypatch)


def names() -> set[str]:
    return {path.name for path in Path.cwd().iterdir()} - {".git"}


def test_reports_are_written(run: Run) -> None:
    write_network(Path("net.onnx"))
    for _ in range(2):  # the second time over the files of the first
        assert run("check", "net.onnx", "-o", "r.txt", "--report", "json=r.json", "--report", "html=r.html")[0] == 0
    assert names() == {"net.onnx", "r.txt", "r.json", "r.html"}


def test_a_baseline_is_written(run: Run) -> None:
    write_network(Path("net.onnx"))
    assert run("baseline", "write", "net.onnx", "--baseline", "known.json")[0] == 0
    assert names() == {"net.onnx", "known.json"}


@pytest.mark.parametrize("where", [("-o", "fixed.onnx"), ("--in-place",)])
def test_a_model_is_repaired(run: Run, where: tuple[str, ...]) -> None:
    write_network(Path("net.onnx"))
    code, _, err = run("fix", "net.onnx", *where, "--strategy", "blur")
    assert code == 0, err
    assert names() == {"net.onnx", "fixed.onnx" if "-o" in where else "net.onnx.bak"}
