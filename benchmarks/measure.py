"""CPU time and peak memory of one command, as the operating system counts them for that process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time in seconds (user and system) and the largest resident set in MB of 10^6 bytes."""

    cpu: float
    rss: float


def measure(command: Sequence[str], limit: float) -> Usage | None:
    """Run a command once and count its resources; None when it fails or takes longer than ``limit`` seconds.

    Linux counts the parent's resident set into a child's peak at the moment of the start, so the caller stays small: no
    numpy, no onnx. Needs ``os.wait4`` (POSIX).
    """
    deadline = time.monotonic() + limit
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            return None
        time.sleep(0.005)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return None
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_UNIT / 1e6)


def least(usages: Sequence[Usage]) -> Usage:
    """The smallest CPU time and the smallest peak of several runs: what the work costs without its neighbours."""
    return Usage(min(usage.cpu for usage in usages), min(usage.rss for usage in usages))
