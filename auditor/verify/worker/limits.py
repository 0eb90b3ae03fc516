"""What the child process may use."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from auditor import system
from auditor.verify.worker import memory


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Bounds for running a model.

    ``step_seconds`` bounds the wall-clock time of one step: making the session, or one call of the model.
    ``memory_bytes`` bounds the resident memory when the model runs on the CPU, and the provider's own arena on a GPU;
    None sets no bound.
    """

    step_seconds: float = 600.0
    memory_bytes: int | None = None


def bound_memory(size: int | None) -> None:
    """Bound the resident memory of this process, and let nothing else suffer from it."""
    system.last_in_line()
    if size is not None:
        memory.watch(size)


def bound_cpu(seconds: float, threads: int) -> None:
    """Give this process ``seconds`` more on each of ``threads`` cores; past that POSIX systems send SIGXCPU.

    The parent watches the wall clock; this bound holds even when the parent is gone. Windows ends this process then.
    """
    system.bound_cpu_seconds(math.ceil(time.process_time() + seconds * max(threads, 1)) + 1)
