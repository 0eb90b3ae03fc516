"""The rules of Windows, held here: open files stay where they are, and a console speaks a code page."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.cli.errors import UsageError
from auditor.cli.output import emit
from auditor.cli.process import prepare
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


def test_a_pipe_is_written_in_utf_8_and_not_in_the_code_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="cp1252")
    prepare(stream)
    stream.write("❌ 模 ")
    stream.flush()
    assert buffer.getvalue().decode("utf-8") == "❌ 模 "


@pytest.mark.parametrize("asked", ["cp1252", "utf-8"])
def test_an_encoding_that_the_user_asked_for_is_kept_and_ends_no_report(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("PYTHONIOENCODING", asked)
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=asked)
    prepare(stream)
    stream.write("模")
    stream.flush()
    assert buffer.getvalue() == "模".encode(asked, "backslashreplace")


def test_a_reader_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(sys, "stdout", Pipe())
    monkeypatch.setattr(sys, "platform", "win32")
    emit("a report")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(UsageError, match="Invalid argument"):
        emit("a report")
