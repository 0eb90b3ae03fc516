"""Temporary files and folders: gone when they are done with, and taken away by the next run where that was killed.

Each is locked while a process works with it. The system takes the lock from a process that ends, however it ends, so
what nobody holds is left of a killed one. Where there are no such locks (Windows), left ones stay.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

SUFFIX = ".part"
_HIDDEN = ".aliasaudit-"


@contextlib.contextmanager
def unfinished_file(target: Path) -> Iterator[tuple[int, Path]]:
    """An open, empty file beside the target, under a hidden name, removed in the end where it is still there.

    Raises:
        OSError: it cannot be made.
    """
    prefix = f".{target.name}."
    _take_away(target.parent, prefix)
    with _held(lambda: _new_file(target.parent, prefix)) as (path, handle):
        yield handle, path


@contextlib.contextmanager
def spare_file(folder: Path | None, suffix: str) -> Iterator[tuple[int, Path]]:
    """As :func:`unfinished_file`, of no target; in the folder where temporary files go without one."""
    place = folder or _temporary()
    _take_away(place, _HIDDEN)
    with _held(lambda: _new_file(place, _HIDDEN, suffix + SUFFIX)) as (path, handle):
        yield handle, path


def unnamed_file() -> IO[bytes]:
    """A file for reading and writing that has no name where the system allows it, and is gone when it is closed.

    Raises:
        OSError: it cannot be made.
    """
    if os.name == "nt":
        return tempfile.TemporaryFile()
    place = _temporary()
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):  # a file system that gives every file a name
            return os.fdopen(os.open(place, os.O_RDWR | os.O_EXCL | os.O_TMPFILE, 0o600), "w+b")
    with spare_file(None, "") as (handle, _):
        return os.fdopen(handle, "w+b")


@contextlib.contextmanager
def spare_folder(parent: Path | None = None) -> Iterator[Path]:
    """An empty folder in ``parent``, or where temporary files go; gone with all that is in it when the context ends.

    Raises:
        OSError: it cannot be made.
    """
    place = parent or _temporary()
    _take_away(place, _HIDDEN)
    with _held(lambda: (Path(tempfile.mkdtemp(SUFFIX, _HIDDEN, place)), -1)) as (path, _):
        yield path


def _temporary() -> Path:
    """The folder for temporary files."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:  # Python tries to write in each
        reason = "no folder for temporary files can be written (free some space, or set TMPDIR)"
        raise OSError(error.errno, reason) from error


def _new_file(folder: Path, prefix: str, suffix: str = SUFFIX) -> tuple[Path, int]:
    handle, name = tempfile.mkstemp(suffix, prefix, folder)
    return Path(name), handle


@contextlib.contextmanager
def _held(make: Callable[[], tuple[Path, int]]) -> Iterator[tuple[Path, int]]:
    """What ``make`` makes, locked while the context lasts."""
    path, handle = make()
    lock = _lock(path)
    while not path.exists():  # another run took it away before it was locked
        _close(lock)
        _close(handle)
        path, handle = make()
        lock = _lock(path)
    try:
        yield path, handle
    finally:
        _remove(path)
        _close(lock)


def _lock(path: Path, *, wait: bool = True) -> int:
    """A descriptor that holds the lock; -1 where there are no locks.

    Raises:
        BlockingIOError: another process holds it, and this one shall not wait.
    """
    try:
        import fcntl
    except ImportError:
        return -1
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return -1
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return -1  # a file system without locks
    return handle


def _take_away(folder: Path, prefix: str) -> None:
    """Remove what killed runs left in the folder under names that begin so."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefix) and entry.name.endswith(SUFFIX)]
    except OSError:
        return  # writing there says why
    for name in names:
        path = folder / name
        with contextlib.suppress(OSError):
            lock = _lock(path, wait=False)
            if lock >= 0:
                _remove(path)
                os.close(lock)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _close(handle: int) -> None:
    if handle >= 0:
        with contextlib.suppress(OSError):
            os.close(handle)
