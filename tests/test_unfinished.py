"""Temporary files are taken away by the next run where theirs was killed, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from auditor.files import replacing, write_text
from auditor.unfinished import spare_file, spare_folder, unnamed_file

ROOT = Path(__file__).resolve().parent.parent
needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")


def killed_while(folder: Path, opening: str) -> None:
    """A process ends in the middle of a context as by kill -9."""
    lines = (
        "import os\nfrom pathlib import Path\nfrom auditor.files import replacing\n"
        "from auditor.unfinished import spare_file, spare_folder\n"
        f"with {opening} as made:\n    os._exit(9)\n"
    )
    assert subprocess.run(
        [sys.executable, "-c", lines], cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=False
    ).returncode


@needs_locks
def test_what_a_killed_run_left_is_gone_after_the_next_one(tmp_path: Path) -> None:
    write_text(tmp_path / "report.json", "old")
    killed_while(tmp_path, "replacing(Path('report.json'))")
    killed_while(tmp_path, "spare_folder(Path())")
    assert len(list(tmp_path.iterdir())) == 3
    killed_while(tmp_path, "spare_file(Path(), '.onnx')")  # it takes the folder away, and leaves the file
    assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / "report.json").read_text() == "old"
    write_text(tmp_path / "report.json", "new")
    with spare_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_what_another_run_still_writes_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with replacing(target) as slow, spare_folder(tmp_path) as folder, spare_file(tmp_path, ".onnx") as (handle, file):
        os.close(handle)
        (folder / "part").touch()
        slow.write(b"slow")
        write_text(target, "quick")
        with spare_folder(tmp_path) as second:
            assert second != folder
        assert (folder / "part").exists()
        assert file.exists()
        assert target.read_text() == "quick"
    assert target.read_text() == "slow"
    assert list(tmp_path.iterdir()) == [target]


def test_files_of_the_user_are_left_alone_whatever_they_are_called(tmp_path: Path) -> None:
    names = (".report.json.mine", ".aliasaudit-notes", "aliasaudit-x.part", ".report.jsonx.part", "report.json.part")
    for name in names:
        (tmp_path / name).touch()
    write_text(tmp_path / "report.json", "new")
    with spare_folder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", *names}


def test_a_link_to_somewhere_else_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    try:
        (tmp_path / ".aliasaudit-1.part").symlink_to(tmp_path / "mine")
    except OSError:
        pytest.skip("links need a permission on this system")
    with spare_folder(tmp_path):
        pass
    assert (tmp_path / "mine" / "file").exists()


def test_without_locks_everything_is_written_and_nothing_of_others_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    (tmp_path / ".report.json.1.part").touch()
    write_text(tmp_path / "report.json", "new")
    with spare_folder(tmp_path) as folder:
        (folder / "file").touch()
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", ".report.json.1.part"}


def test_an_unnamed_file_is_read_and_written_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for named in (False, True):
        if named:  # as on a file system that gives every file a name
            monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        with unnamed_file() as file:
            file.write(b"abc")
            file.seek(0)
            assert file.read() == b"abc"
            assert list(tmp_path.iterdir()) == [] or sys.platform == "win32"
        assert list(tmp_path.iterdir()) == []


def test_without_a_folder_for_temporary_files_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with (
        pytest.raises(OSError, match=r"no folder for temporary files can be written \(free some space"),
        spare_folder(),
    ):
        pass


def test_a_spare_folder_lies_where_temporary_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with spare_folder() as folder:
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
