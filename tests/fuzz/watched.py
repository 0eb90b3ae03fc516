"""The program, which lists what it reaches for: ``python -m tests.fuzz.watched FILE WORD...``.

A line for each file that it makes or opens for writing, each socket, and each program that it starts.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_PATHS = ("os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.symlink")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> int:
    """The exit code of the program."""
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def see(event: str, arguments: tuple[Any, ...]) -> None:
        seen: list[object] = []
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            seen = [arguments[0]]
        elif event in ("os.remove", "os.rmdir") and arguments[1] != -1:
            return  # within a folder that is removed, whose own name comes later
        elif event in _PATHS:
            seen = [part for part in arguments if isinstance(part, (str, bytes, os.PathLike))]
        elif event in _PROGRAMS:
            seen = [arguments[0]]
        elif not event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
            return
        words = [os.fsdecode(part) if isinstance(part, (str, bytes, os.PathLike)) else part for part in seen]
        if not all(isinstance(word, int) for word in words) or not words:
            os.write(log, f"{json.dumps([event, *words], default=str)}\n".encode())

    from auditor.cli import main as program

    sys.addaudithook(see)
    return program(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
