"""How much memory there is, how much a process has, and a watch that ends a process which takes more than it may.

The limit is on resident memory. A limit of the address space would count what onnxruntime reserves for every thread and
never touches, and a system that refuses memory in the middle of a call can leave that call waiting for ever.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from auditor import system

OVER_LIMIT = 97
"""The exit status of a process that the watch has ended; Python and onnxruntime use none above 2."""

_SHARE = 0.8
_INTERVAL = 0.02  # seconds; memory is touched at some gigabytes per second


def default_limit() -> int | None:
    """Four fifths of the memory in bytes that this machine, or the container, has; None where neither says."""
    known = [size for size in (system.physical_memory(), container_limit()) if size is not None]
    return int(_SHARE * min(known)) if known else None


def container_limit(root: Path = Path("/")) -> int | None:
    """The smallest memory limit of the control groups that this process is in; None where there is none.

    ``root`` is where ``proc`` and ``sys`` are. Both versions of control groups are read (Linux,
    Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst).
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    limits = [_bytes(file) for line in lines for file in _limit_files(root, line)]
    return min((limit for limit in limits if limit is not None), default=None)


def watch(limit: int) -> None:
    """End this process with :data:`OVER_LIMIT` as soon as its resident memory is above ``limit`` bytes."""
    threading.Thread(target=_watch, args=(limit,), daemon=True).start()


def _watch(limit: int) -> None:
    while (size := system.resident_memory()) is not None:
        if size > limit:
            os._exit(OVER_LIMIT)
        time.sleep(_INTERVAL)


def _limit_files(root: Path, line: str) -> Iterator[Path]:
    """The files with the limits of a line ``id:controllers:path`` of /proc/self/cgroup, up to the root of the tree.

    Inside a container the path can be the one outside of it; the root of the tree is then the container's own group.
    """
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if not controllers:
        tree, name = root / "sys/fs/cgroup", "memory.max"
    elif "memory" in controllers.split(","):
        tree, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
    else:
        return
    group = PurePosixPath(path.lstrip("/"))
    for folder in (group, *group.parents):
        if ".." not in folder.parts:
            yield tree / folder / name


def _bytes(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group here, or the word "max"
        return None
