from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.facts.formats import Format
from tests.cli.conftest import HOSTILE_NAME, write_network
from tests.runner_commands import commands, control_bytes

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("one", [one.value for one in Format])
def test_a_saved_report_is_rendered_again_as_it_was(run: Run, one: str) -> None:
    write_network(Path("net.onnx"))
    run("check", "net.onnx", "--report", "json=saved.json", "--report", f"{one}=first")
    Path("net.onnx").unlink()
    code, out, err = run("report", "saved.json", "--report", f"{one}=again", "--output-format", one)
    assert code == 0
    assert Path("again").read_bytes() == Path("first").read_bytes()
    assert out == Path("first").read_text(encoding="utf-8")
    assert err == "aliasaudit: wrote again\n"


def test_a_report_can_come_from_a_pipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write_network(Path("net.onnx"))
    _, document, _ = run("check", "net.onnx", "--output-format", "json")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(document.encode())))
    code, out, _ = run("report", "-")
    assert code == 0
    assert "1 model audited" in out


def test_findings_do_not_change_the_exit_code_but_the_tests_of_a_junit_report(run: Run) -> None:
    write_network(Path("net.onnx"))
    run("check", "net.onnx", "--report", "json=saved.json")
    code, out, _ = run("report", "saved.json", "--output-format", "junit", "--fail-on", "warning")
    assert code == 0
    assert "<failure" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\x08\x07", "is not valid JSON"),
        (b"{}", 'the document has no "schema_version"; a report is what --output-format json writes'),
        (json.dumps({HOSTILE_NAME: 1, "schema_version": HOSTILE_NAME}).encode(), "schema_version is "),
    ],
)
def test_a_file_that_is_no_report_is_refused_in_one_line(run: Run, content: bytes | None, words: str) -> None:
    if content is not None:
        Path("saved.json").write_bytes(content)
    code, out, err = run("report", "saved.json")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert not commands(err)
    assert not control_bytes(err)


def test_a_report_does_not_replace_the_one_that_it_is_made_from(run: Run) -> None:
    write_network(Path("net.onnx"))
    run("check", "net.onnx", "--report", "json=saved.json")
    before = Path("saved.json").read_bytes()
    for flags in (["--output", "saved.json"], ["--report", "html=saved.json"]):
        code, _, err = run("report", "saved.json", *flags)
        assert code == 2
        assert "choose another name" in err
    assert Path("saved.json").read_bytes() == before
