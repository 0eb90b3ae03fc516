"""Files that appear whole or not at all: others see the old one, or the whole new one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MOST_BYTES = 1 << 30
"""Of a document that is read at once: a report, a shard, settings, a baseline."""
_CHUNK = 1 << 20


@contextmanager
def replacing(target: Path, ready: Callable[[Path], None] | None = None) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``target`` when the context ends without an error, with the same permissions.

    ``ready`` is called with the finished file before that, and may raise to keep it from taking the place.

    Raises:
        OSError: it cannot be written.
    """
    from auditor.unfinished import unfinished_file

    mode = target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
    with unfinished_file(target) as (handle, temporary):
        with open(handle, "wb") as sink:  # noqa: PTH123 - a descriptor has no path
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        # Windows renames and removes closed files only.
        temporary.chmod(mode)
        if ready is not None:
            ready(temporary)
        temporary.replace(target)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file; a link keeps pointing where it did. Devices and pipes are written directly.

    Raises:
        OSError: it cannot be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8", newline="\n")
        return
    with replacing(target) as sink:
        sink.write(text.encode("utf-8"))


def refuse_named_pipe(path: Path) -> None:
    """A pipe with a name waits for somebody to write to it, without an end where nobody does.

    What a shell or a program holds open (``/dev/stdin``, ``<(...)``) is none.

    Raises:
        OSError: it is one.
    """
    if path.is_fifo() and not path.resolve().as_posix().startswith(("/dev/", "/proc/")):
        raise OSError(errno.EINVAL, "it is a named pipe: give a file, or - for standard input")


def read_whole(path: Path) -> bytes:
    """What is in a document. A device without an end fills no memory.

    Raises:
        OSError: it cannot be read, is a named pipe, or is too large for a document.
    """
    refuse_named_pipe(path)
    data = bytearray()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            data += chunk
            if len(data) > MOST_BYTES:
                raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB, or has no end")
    return bytes(data)


def is_path(text: str) -> bool:
    """Whether the system can be asked for a file of this name; text in documents may hold what no name does."""
    try:
        return bool(text) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def is_same(one: Path, other: Path) -> bool:
    """Whether two names are those of one file that exists."""
    return one.exists() and other.exists() and one.samefile(other)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
