"""Files appear whole or not at all, under the rules of every system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor import files
from auditor.cli import main
from auditor.files import read_whole, replacing, write_text
from tests.sharing import hold_open_files


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
