"""The program with a misfortune at a moment that a number names: ``python -m tests.fuzz.doomed WHAT NUMBER WORD...``.

Moments are counted in audit events of the interpreter, not in seconds, so that a seed means the same one everywhere.
WHAT is ``parent`` or ``worker`` (killed at that event; 0 is never), ``full`` (from that event on no file can be made),
``limit`` (no file can grow beyond so many bytes), ``readonly`` (the working directory cannot be written), or ``count``
(nothing happens; the file that stands in the place of the number gets the events).
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

_MAKE = ("os.rename", "os.mkdir", "os.link", "tempfile.mkstemp", "tempfile.mkdtemp")
_ABOUT_FILES = (
    *_MAKE,
    *("os.remove", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree", "subprocess.Popen", "os.posix_spawn"),
    "fcntl.flock",
)


class Doom:
    """Counts events until the moment has come."""

    def __init__(self, what: str, moment: int) -> None:
        self.what, self.moment = what, moment
        self.count = 0
        self.about_files: list[int] = []
        self.armed = False
        self._folder = f"{Path.cwd()}{os.sep}"

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        self.count += 1
        path = _written(event, arguments)
        if event in _ABOUT_FILES or path is not None:
            self.about_files.append(self.count)
        if self.what == "full" and path is not None and self.count >= self.moment:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if self.what == "readonly" and path is not None and os.path.abspath(path).startswith(self._folder):  # noqa: PTH100
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        if self.what in ("parent", "worker") and self.count == self.moment:
            self.armed = False
            self.strike()

    def strike(self) -> None:
        """Kill -9: nothing of ours runs any more."""
        if self.what == "parent":
            os.kill(os.getpid(), signal.SIGKILL)
        for child in children(os.getpid()):
            os.kill(child, signal.SIGKILL)


def _written(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The path that an event makes or opens for writing, on a disk; None where it does not."""
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
    else:
        path, writes = arguments[0] if event in _MAKE else None, True
    if not writes or not isinstance(path, (str, bytes)):
        return None
    name = os.fsdecode(path)
    return None if name.startswith(("/dev/", "/proc/")) else name


def children(process: int) -> list[int]:
    """The processes that a process started, and which still run."""
    found: list[int] = []
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        found += map(int, listed.read_text().split())
    return found


def main() -> int:
    """The exit code of the program."""
    from auditor.cli import main as program

    what, moment, *words = sys.argv[1:]
    doom = Doom(what, 0 if what == "count" else int(moment))
    if what == "limit":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (doom.moment, doom.moment))
    sys.addaudithook(doom)
    doom.armed = True
    code = program(words)
    doom.armed = False
    if what == "count":
        Path(moment).write_text(json.dumps([doom.count, doom.about_files]))
    return code


if __name__ == "__main__":
    sys.exit(main())
