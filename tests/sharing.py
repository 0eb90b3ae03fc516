"""A rule of Windows, held here: a file that is open is neither renamed, nor replaced, nor removed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OPEN_FILES = Path("/proc/self/fd")


def hold_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions that rename and remove files refuse open ones, as Windows does.

    A skip where the system does not list what is open.
    """
    if sys.platform == "win32":
        return
    if not OPEN_FILES.is_dir():
        pytest.skip("needs a system that lists open files")
    monkeypatch.setattr("auditor.unfinished._lock", lambda *_, **__: -1)  # nor are there locks, which keep a file open
    for name in ("rename", "replace", "unlink", "remove"):
        monkeypatch.setattr(os, name, _refusing(getattr(os, name)))


def _refusing(usual: Callable[..., None]) -> Callable[..., None]:
    def careful(*paths: Any, **more: Any) -> None:
        if not more.get("dir_fd"):  # shutil.rmtree names files by their folder
            for path in paths:
                if _is_open(Path(path)):
                    raise PermissionError(13, "[WinError 32] The file is being used by another process", str(path))
        usual(*paths, **more)

    return careful


def _is_open(path: Path) -> bool:
    wanted = path.parent.resolve() / path.name
    return any(_target(handle) == wanted for handle in OPEN_FILES.iterdir())


def _target(handle: Path) -> Path | None:
    try:
        return handle.readlink()
    except OSError:  # closed meanwhile
        return None
