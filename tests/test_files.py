"""Files appear whole or not at all, under the rules of every system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from auditor import files
from auditor.cli import main
from auditor.files import read_whole, replacing, write_text
from tests.sharing import hold_open_files
from tests.systems import posix
from tests.verify.models import classifier, saved


@pytest.fixture(params=["this system", "Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "Windows":
        hold_open_files(monkeypatch)


def test_the_rule_that_the_tests_hold_refuses_open_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold_open_files(monkeypatch)
    path = tmp_path / "held"
    with path.open("wb"), pytest.raises(PermissionError, match="WinError 32"):
        path.replace(tmp_path / "other")
    path.replace(tmp_path / "other")


@posix  # Windows has no such bits
@pytest.mark.usefixtures("system")
def test_a_file_is_replaced_with_the_same_permissions_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_text(path, "old")
    path.chmod(0o640)
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("system")
def test_a_new_file_is_readable_as_the_mask_says(tmp_path: Path) -> None:
    write_text(tmp_path / "report.json", "new")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.usefixtures("system")
def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "report.json"
    write_text(path, "old")

    def fail() -> None:
        with replacing(path) as sink:
            sink.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_document_is_read_whole_and_nothing_that_is_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 1 << 20)
    path = tmp_path / "report.json"
    path.write_bytes(bytes(1 << 20))
    assert read_whole(path) == bytes(1 << 20)
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(OSError, match="larger than 1 MiB, or has no end"):
        read_whole(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device without an end")
@posix  # and its devices
@pytest.mark.parametrize(
    "words",
    [
        ["report", "/dev/zero"],
        ["merge", "/dev/zero"],
        ["check", "x.onnx", "--config", "/dev/zero"],
        ["check", "x.onnx", "--isolated", "--baseline", "/dev/zero"],
    ],
)
def test_a_device_without_an_end_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "MOST_BYTES", 1 << 20)
    assert main(words) in (2, 3)
    out, err = capsys.readouterr()
    assert "/dev/zero: cannot be read: it is larger than 1 MiB, or has no end" in out + err


pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
NAMED = {
    "report": ("report", "pipe"),
    "merge": ("merge", "pipe", "--isolated"),
    "settings": ("check", "net.onnx", "--config", "pipe"),
    "baseline": ("check", "net.onnx", "--isolated", "--baseline", "pipe"),
    "model": ("check", "pipe", "--isolated"),
    "labels": ("verify", "net.onnx", "--isolated", "--images", "images", "--preset", "unit", "--labels", "pipe"),
}


@pipes
@pytest.mark.parametrize("document", NAMED)
def test_a_named_pipe_is_refused_in_one_line_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], document: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    saved(tmp_path / "net.onnx", classifier())
    (tmp_path / "images").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "images" / "1.png")
    assert main(list(NAMED[document])) in (2, 3)
    said = [line for text in capsys.readouterr() for line in text.splitlines() if "pipe" in line]
    assert len(said) == 1
    assert "named pipe" in said[0] or "not a regular file" in said[0]


@pipes
def test_a_pipe_that_a_shell_holds_open_is_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"from `<(command)`")
    os.close(writer)
    assert read_whole(Path(f"/dev/fd/{reader}")) == b"from `<(command)`"
    os.close(reader)
    (tmp_path / "file").write_bytes(b"as ever")
    assert read_whole(tmp_path / "file") == b"as ever"
